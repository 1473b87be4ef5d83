package source

import (
	"fmt"
	"io"
	"os"
)

// Spooled is standard input that can be read again: a file that the shell has opened, or a
// temporary copy of a pipe's contents.
type Spooled struct {
	*io.SectionReader // from the beginning, wherever the file's own offset is
	file              *os.File
}

// Spool makes r readable again. For a pipe it waits for the end and copies the contents; with wait
// false it returns ok false instead.
func Spool(r io.Reader, wait bool) (s *Spooled, ok bool, err error) {
	if s, ok := r.(*Spooled); ok {
		return s, true, nil
	}
	if f, is := r.(*os.File); is {
		info, err := f.Stat()
		if err == nil && info.Mode().IsRegular() {
			from, err := f.Seek(0, io.SeekCurrent)
			return &Spooled{io.NewSectionReader(f, from, info.Size()-from), f}, true, err
		}
	}
	if !wait || r == nil {
		return nil, false, nil
	}
	f, err := os.CreateTemp("", "tfrun-*")
	if err != nil {
		return nil, false, fmt.Errorf("temporary file: %w", err)
	}
	_ = os.Remove(f.Name()) // the file lives as long as it is open
	size, err := io.Copy(f, r)
	if err != nil {
		return nil, false, fmt.Errorf("stdin: copy to a temporary file: %w", err)
	}
	return &Spooled{io.NewSectionReader(f, 0, size), f}, true, nil
}

// Again returns a reader from the beginning.
func (s *Spooled) Again() io.Reader { return io.NewSectionReader(s, 0, s.Size()) }
