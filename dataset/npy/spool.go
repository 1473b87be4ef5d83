package npy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/tfrun/tfrun/dataset/internal/files"
)

// Spool holds the bytes written to it until they are read back.
type Spool interface {
	io.WriteCloser
	// Section returns a reader of all bytes written so far.
	Section() (*io.SectionReader, error)
}

// tempSpool is a spool in a temporary file.
type tempSpool struct{ *files.TempFile }

// Section returns the whole file.
func (t tempSpool) Section() (*io.SectionReader, error) {
	size, err := t.Seek(0, io.SeekEnd)
	return io.NewSectionReader(t, 0, size), err
}

// shared is a spool that all arrays of an archive write to: there may be more arrays than a process
// may have files open. Each array writes pieces, and each piece follows the number of its array and
// its own length.
type shared struct {
	Spool
	size   int64
	pieces [][]piece // by array
}

// piece says where in the spool a part of an array is.
type piece struct{ at, size int64 }

// arrayBuffer is how many bytes of an array are collected in memory before they are written.
const arrayBuffer = 64 << 10

// spoolMemory is how many bytes of a spool are held in memory.
const spoolMemory = 32 << 20

// scan finds the pieces that the spool holds.
func (s *shared) scan() error {
	section, err := s.Section()
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(section, arrayBuffer)
	for s.size < section.Size() {
		array, n, err := readHead(r)
		if err != nil || array >= uint64(len(s.pieces)) || n > uint64(section.Size()) { //nolint:gosec // a size is not negative
			return errState
		}
		s.note(int(array), int64(n)) //nolint:gosec // see above
		if _, err := r.Discard(int(n)); err != nil {
			return errState
		}
	}
	return nil
}

// readHead reads the number of the array and the length that come before a piece.
func readHead(r io.ByteReader) (array, n uint64, err error) {
	if array, err = binary.ReadUvarint(r); err == nil {
		n, err = binary.ReadUvarint(r)
	}
	return array, n, err
}

// appendHead appends the number of the array and the length that come before a piece.
func appendHead(dst []byte, array, n int) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(array)), uint64(n)) //nolint:gosec // neither is negative
}

// note adds a piece of n bytes of an array, at the end of the spool.
func (s *shared) note(array int, n int64) {
	s.size += int64(len(appendHead(nil, array, int(n))))
	s.pieces[array] = append(s.pieces[array], piece{s.size, n})
	s.size += n
}

// pieces writes and reads the pieces of one array.
type pieces struct {
	of    *shared
	array int
}

// Write adds a piece.
func (b *pieces) Write(data []byte) (int, error) {
	if _, err := b.of.Spool.Write(appendHead(nil, b.array, len(data))); err != nil {
		return 0, err
	}
	n, err := b.of.Spool.Write(data)
	if err == nil {
		b.of.note(b.array, int64(n))
	}
	return n, err
}

// reader returns a reader of all pieces, one after the other.
func (b *pieces) reader() (io.Reader, error) {
	section, err := b.of.Section()
	return &pieceReader{r: section, left: b.of.pieces[b.array]}, err
}

// pieceReader reads pieces.
type pieceReader struct {
	r    io.ReaderAt
	left []piece
	read int64 // bytes read of the first of them
}

// Read reads from one piece at most.
func (b *pieceReader) Read(p []byte) (int, error) {
	for len(b.left) > 0 && b.left[0].size == b.read {
		b.left, b.read = b.left[1:], 0
	}
	if len(b.left) == 0 {
		return 0, io.EOF
	}
	now := b.left[0]
	n, err := b.r.ReadAt(p[:min(int64(len(p)), now.size-b.read)], now.at+b.read)
	b.read += int64(n)
	if n > 0 {
		// The next call returns the error.
		err = nil
	}
	return n, err
}

// errState says that a state is not one that State returned.
var errState = errors.New("what was written before is not as it was left")
