package arrow

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// messages reads the messages of a stream for the library, which does so itself, but asks for all
// the memory that a message claims before its bytes have come, and does not check the metadata.
type messages struct {
	r       *bufio.Reader
	maxMeta int64
	maxBody int64
	file    bool  // it has an end mark; a stream may just end
	at      int64 // the next byte's place in the file
	size    int64 // of the file, -1 where that is not known
	start   int64 // of the message that is being read
}

// Retain does nothing: the memory is Go's.
func (m *messages) Retain() {}

// Release does nothing.
func (m *messages) Release() {}

// continuation begins a message since version 0.15 of the format.
const continuation = 0xffffffff

// Message returns the next message, or io.EOF.
func (m *messages) Message() (*ipc.Message, error) {
	var head [4]byte
	m.start = m.at
	if n, err := m.fill(head[:]); err != nil {
		if n == 0 && !m.file && errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, m.cut(err)
	}
	size := binary.LittleEndian.Uint32(head[:])
	if size == continuation {
		if _, err := m.fill(head[:]); err != nil {
			return nil, m.cut(err)
		}
		size = binary.LittleEndian.Uint32(head[:])
	}
	if size == 0 {
		return nil, io.EOF
	}
	if int64(size) > m.maxMeta {
		return nil, fmt.Errorf("metadata of %d bytes is more than the limit of %d", size, m.maxMeta)
	}
	meta, err := m.read(int64(size))
	if err != nil {
		return nil, err
	}
	length, packed, err := verify(meta)
	if err != nil {
		return nil, err
	}
	if m.size >= 0 && length > m.size-m.at {
		m.at = m.size
		return nil, m.cut(io.ErrUnexpectedEOF)
	}
	if length > m.maxBody {
		return nil, fmt.Errorf("a message of %d bytes is more than the limit of %d", length, m.maxBody)
	}
	body, err := m.read(length)
	if err != nil {
		return nil, err
	}
	if err := checkPacked(packed, body); err != nil {
		return nil, err
	}
	return ipc.NewMessage(memory.NewBufferBytes(meta), memory.NewBufferBytes(body)), nil
}

// read reads n bytes. It asks for memory as the bytes come, however many are promised.
func (m *messages) read(n int64) ([]byte, error) {
	const step = 16 << 20
	// aligned, as buffers of values have to be
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
		if _, err := m.fill(buf[from:]); err != nil {
			return nil, m.cut(err)
		}
	}
	return slices.Clip(buf), nil
}

// fill reads as many bytes as b has.
func (m *messages) fill(b []byte) (int, error) {
	n, err := io.ReadFull(m.r, b)
	m.at += int64(n)
	return n, err
}

// cut says of an end that comes too early where it is.
func (m *messages) cut(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fmt.Errorf("the file is cut off at byte %d, in the message that begins at byte %d", m.at, m.start)
}
