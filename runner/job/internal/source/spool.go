package source

import (
	"fmt"
	"io"
	"os"
)

// Spooled is standard input that can be read again: a file that the shell has opened for it, or a
// temporary copy of what a pipe has given up to its end.
type Spooled struct {
	*io.SectionReader // from the beginning; the file's own place does not count
	file              *os.File
}

// Spool returns r as one that can be read again. Of a pipe it waits for the end, unless only what
// can be had at once is wanted: ok is false then.
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
	_ = os.Remove(f.Name()) // it goes with its last reader
	size, err := io.Copy(f, r)
	if err != nil {
		return nil, false, fmt.Errorf("stdin: copy to a temporary file: %w", err)
	}
	return &Spooled{io.NewSectionReader(f, 0, size), f}, true, nil
}

// Again returns a reader of all of it.
func (s *Spooled) Again() io.Reader { return io.NewSectionReader(s, 0, s.Size()) }
