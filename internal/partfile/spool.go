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

// Spool is one of the files of a run: the output itself or a side file. It grows at its end, and
// the journal says how long it is and with which checksum.
type Spool struct {
	path string // of the output, which errors name
	file *os.File
	w    *bufio.Writer
	head int64 // bytes at the beginning that are written last, and are no part of the checksum
	size int64
	sum  uint32
	at   int64 // where the next bytes go: to the end, unless Seek has said otherwise
	back int64 // bytes at the beginning that are on their way to the disk, or there
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openSpool opens a file, as it is.
func openSpool(path, name string, mode fs.FileMode, head int64) (*Spool, error) {
	f, err := openOwn(name, mode)
	if err != nil {
		return nil, outputError(path, err)
	}
	return &Spool{path: path, file: f, w: bufio.NewWriterSize(f, 256<<10), head: head}, nil
}

// Write adds bytes, or replaces some after Seek has gone back.
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
		// So much is written as it is, once the buffer is empty.
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

// add counts bytes at the end.
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

// Reader returns a reader of all that was written.
func (s *Spool) Reader() (io.Reader, error) {
	r, err := s.Section()
	return r, err
}

// Bytes returns all that was written.
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

// Section is [Spool.Reader] for readers that seek in what was written.
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

// writeBack sends what was flushed on its way to the disk, where that is least bytes or more:
// whoever syncs the file in the end does not wait for all of it then.
func (s *Spool) writeBack(least int64) {
	if n := s.size - s.back; n >= least {
		beginWriteback(s.file, s.back, n)
		s.back = s.size
	}
}

// restart makes the next line of the journal say that the file is empty. Its bytes stay until
// truncate takes them: the line before needs them.
func (s *Spool) restart() {
	s.w.Reset(s.file)
	s.size, s.sum, s.at, s.back = 0, 0, 0, 0
}

// truncate shortens the file to what a line of the journal says it held.
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

// close closes the file. Bytes that are not flushed are lost.
func (s *Spool) close() error { return s.file.Close() }

// spoolMark is what a line of the journal says of a file.
type spoolMark struct {
	size int64
	sum  uint32
}

func (s *Spool) mark() spoolMark { return spoolMark{s.size, s.sum} }

// sums returns the checksums of the file's first bytes, for each of the given lengths that it has.
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
