package partfile

import (
	"bufio"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Spool is one of the files of a run: the output itself or a side file. Bytes are added at its end.
// The journal says its length and checksum.
type Spool struct {
	path string // of the output, for errors
	file *os.File
	w    *bufio.Writer
	head int64 // bytes at the beginning that are written last, and left out of the checksum
	size int64
	sum  uint32
	at   int64 // place of the next bytes: the end, unless Seek has moved it
	back int64 // bytes at the beginning that are written to the disk, or on their way there
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openSpool opens a file and leaves its contents.
func openSpool(path, name string, mode fs.FileMode, head int64) (*Spool, error) {
	f, err := openOwn(name, mode)
	if err != nil {
		return nil, outputError(path, err)
	}
	return &Spool{path: path, file: f, w: bufio.NewWriterSize(f, 256<<10), head: head}, nil
}

// Write appends bytes, or replaces bytes after Seek.
func (s *Spool) Write(b []byte) (int, error) {
	if s.at < s.size {
		n, err := s.file.WriteAt(b[:min(int64(len(b)), s.size-s.at)], s.at)
		s.at += int64(n)
		if err != nil {
			return n, outputError(s.path, err)
		}
		if n < len(b) {
			m, err := s.Write(b[n:])
			return n + m, err
		}
		return n, nil
	}
	if len(b) >= s.w.Size() {
		// Large data passes the buffer by; what is in the buffer goes first.
		if err := s.flush(); err != nil {
			return 0, err
		}
	}
	n, err := s.w.Write(b)
	s.add(b[:n])
	if err != nil {
		return n, outputError(s.path, err)
	}
	return n, nil
}

// add takes bytes at the end into the length and the checksum.
func (s *Spool) add(b []byte) {
	summed := b
	if s.size < s.head {
		summed = b[min(int64(len(b)), s.head-s.size):]
	}
	s.sum = crc32.Update(s.sum, castagnoli, summed)
	s.size += int64(len(b))
	s.at = s.size
}

// Seek moves to a place in the file, for formats whose header is known last.
func (s *Spool) Seek(offset int64, whence int) (int64, error) {
	if err := s.flush(); err != nil {
		return 0, err
	}
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 || offset > s.size {
		return s.at, outputError(s.path, errors.ErrUnsupported)
	}
	s.at = offset
	return s.at, nil
}

// Reader returns a reader of all bytes written.
func (s *Spool) Reader() (io.Reader, error) {
	r, err := s.Section()
	return r, err
}

// Bytes returns all bytes written.
func (s *Spool) Bytes() ([]byte, error) {
	r, err := s.Section()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, outputError(s.path, err)
	}
	return b, nil
}

// Section returns all bytes written, for readers that seek.
func (s *Spool) Section() (*io.SectionReader, error) {
	if err := s.flush(); err != nil {
		return nil, err
	}
	return io.NewSectionReader(s.file, 0, s.size), nil
}

func (s *Spool) flush() error {
	if err := s.w.Flush(); err != nil {
		return outputError(s.path, err)
	}
	return nil
}

// writeBack makes the system begin to write the flushed bytes to the disk, if they are at least so
// many. Syncing the file in the end then takes less time.
func (s *Spool) writeBack(least int64) {
	if n := s.size - s.back; n >= least {
		beginWriteback(s.file, s.back, n)
		s.back = s.size
	}
}

// restart makes the journal's next line say that the file is empty. Its bytes stay until truncate,
// since the line before is still valid.
func (s *Spool) restart() {
	s.w.Reset(s.file)
	s.size, s.sum, s.at, s.back = 0, 0, 0, 0
}

// truncate cuts the file off at the length of a line of the journal.
func (s *Spool) truncate(n spoolMark) error {
	if err := s.file.Truncate(n.size); err != nil {
		return outputError(s.path, err)
	}
	if _, err := s.file.Seek(n.size, io.SeekStart); err != nil {
		return outputError(s.path, err)
	}
	s.w.Reset(s.file)
	s.size, s.sum, s.at, s.back = n.size, n.sum, n.size, n.size
	return nil
}

// close closes the file. Bytes in the buffer are lost.
func (s *Spool) close() error { return s.file.Close() }

// spoolMark is the length and checksum of a file, as a line of the journal has them.
type spoolMark struct {
	size int64
	sum  uint32
}

func (s *Spool) mark() spoolMark { return spoolMark{s.size, s.sum} }

// sums returns the checksums of the file's first bytes, for each of the given lengths that the file
// has.
func (s *Spool) sums(lengths []int64) (map[int64]uint32, error) {
	info, err := s.file.Stat()
	if err != nil {
		return nil, outputError(s.path, err)
	}
	sums := map[int64]uint32{}
	done := Spool{head: s.head}
	buf := make([]byte, 1<<20)
	for _, n := range slices.Sorted(slices.Values(lengths)) {
		if n > info.Size() {
			break
		}
		for done.size < n {
			b := buf[:min(n-done.size, int64(len(buf)))]
			if _, err := s.file.ReadAt(b, done.size); err != nil {
				return nil, outputError(s.path, err)
			}
			done.add(b)
		}
		sums[n] = done.sum
	}
	return sums, nil
}
