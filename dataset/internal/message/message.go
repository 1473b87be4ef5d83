// Package message reads the messages that Arrow's files and streams consist of, for arrow-go. The
// library would read them itself, but it takes the memory that a message claims to need before its
// bytes have come, and it does not check the metadata.
package message

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tfrun/tfrun/dataset"
)

// maxMetadata bounds the metadata of a message, and of a file.
const maxMetadata = 64 << 20

// Stream reads the messages of a stream, as an ipc.MessageReader.
type Stream struct {
	r       *bufio.Reader
	maxBody int64
	at      int64 // place of the next byte in the file
	size    int64 // size of the file, -1 where it is not known
	start   int64 // place of the message being read
	claims
}

// NewStream returns a reader of r's messages. at is r's place in a file, size that file's size, -1
// where it is not known; maxBody bounds the bytes of a message. The memory of messages is taken
// from room, if that is not nil.
func NewStream(r *bufio.Reader, at, size, maxBody int64, room dataset.Room) *Stream {
	return &Stream{r: r, maxBody: maxBody, at: at, size: size, claims: claims{room: room}}
}

// Schema reads a stream that consists of a schema alone, which Parquet files may hold.
func Schema(b []byte) (*arrow.Schema, error) {
	in := NewStream(bufio.NewReader(bytes.NewReader(b)), 0, int64(len(b)), 0, nil)
	r, err := ipc.NewReaderFromMessageReader(in)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	return r.Schema(), nil
}

// Retain does nothing: the memory is Go's.
func (s *Stream) Retain() {}

// Release does nothing.
func (s *Stream) Release() {}

// continuation begins a message since version 0.15 of the format.
const continuation = 0xffffffff

// Message returns the next message, or io.EOF.
func (s *Stream) Message() (*ipc.Message, error) {
	var head [4]byte
	s.start = s.at
	if n, err := s.fill(head[:]); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, s.cutOff(err)
	}
	size := binary.LittleEndian.Uint32(head[:])
	if size == continuation {
		if _, err := s.fill(head[:]); err != nil {
			return nil, s.cutOff(err)
		}
		size = binary.LittleEndian.Uint32(head[:])
	}
	if size == 0 {
		return nil, io.EOF
	}
	if int64(size) > maxMetadata {
		return nil, fmt.Errorf("metadata of %d bytes is more than the limit of %d", size, maxMetadata)
	}
	if err := s.take(metadataBytes * int64(size)); err != nil {
		return nil, err
	}
	meta, err := s.read(int64(size))
	if err != nil {
		return nil, err
	}
	m, err := verify(meta)
	if err != nil {
		return nil, err
	}
	if s.size >= 0 && m.body > s.size-s.at {
		s.at = s.size
		return nil, s.cutOff(io.ErrUnexpectedEOF)
	}
	if m.body > s.maxBody {
		return nil, tooLarge(m.body, s.maxBody)
	}
	if err := s.take(bodyBytes * m.body); err != nil {
		return nil, err
	}
	body, err := s.read(m.body)
	if err != nil {
		return nil, err
	}
	return s.message(m, meta, body)
}

func tooLarge(n, most int64) error {
	return fmt.Errorf("a message of %d bytes is more than the limit of %d", n, most)
}

// message makes the library's message.
func (c *claims) message(m metadata, meta, body []byte) (*ipc.Message, error) {
	unpacked, err := checkPacked(m.packed, body)
	if err != nil {
		return nil, err
	}
	if err := c.take(unpacked); err != nil {
		return nil, err
	}
	c.settle(m)
	return ipc.NewMessage(memory.NewBufferBytes(meta), memory.NewBufferBytes(body)), nil
}

// read reads n bytes. Memory grows only as bytes come, since n may be a lie.
func (s *Stream) read(n int64) ([]byte, error) {
	const step = 16 << 20
	// Buffers of values have to be aligned.
	buf := memory.NewGoAllocator().Allocate(int(min(n, step)))[:0]
	for int64(len(buf)) < n {
		from := len(buf)
		next := int(min(n, max(int64(2*from), step)))
		if next > cap(buf) {
			grown := memory.NewGoAllocator().Allocate(next)
			copy(grown, buf)
			buf = grown[:from]
		}
		buf = buf[:next]
		if _, err := s.fill(buf[from:]); err != nil {
			return nil, s.cutOff(err)
		}
	}
	return slices.Clip(buf), nil
}

// fill reads len(b) bytes.
func (s *Stream) fill(b []byte) (int, error) {
	n, err := io.ReadFull(s.r, b)
	s.at += int64(n)
	return n, err
}

// cutOff returns the error of a stream that ends too early, with its place.
func (s *Stream) cutOff(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fmt.Errorf("the file is cut off at byte %d, in the message that begins at byte %d", s.at, s.start)
}
