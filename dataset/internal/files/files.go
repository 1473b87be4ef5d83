// Package files opens files of rows, also for random access, with any [dataset.Opener]. It turns
// panics of readers of damaged files into errors.
package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/crash"
)

// Open opens a file with the opener, or with dataset.OpenFile where that is nil.
func Open(open dataset.Opener, name string) (io.ReadCloser, error) {
	if open != nil {
		return open(name)
	}
	f, err := dataset.OpenFile(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// File is a file that can be read at any place.
type File struct {
	io.ReaderAt
	Size  int64
	close func() error
}

// Close closes the file, and removes the copy that was made of it.
func (f *File) Close() error { return f.close() }

// Format is the format that a file should have.
type Format struct {
	Name  string
	Magic string // its first bytes
}

// OpenAt opens a file for reading at any place. A pipe or a compressed file, which cannot be read
// so, is copied to a temporary file first. The copy is only made if the file begins as one of the
// format: anything else may have no end.
func OpenAt(open dataset.Opener, name string, format Format) (*File, error) {
	r, err := Open(open, name)
	if err != nil {
		return nil, err
	}
	if at, size, ok := RandomAccess(r); ok {
		return &File{ReaderAt: at, Size: size, close: r.Close}, nil
	}
	if isDevice(r) {
		return nil, errors.Join(fmt.Errorf("%s: is a device, not a file", name), r.Close())
	}
	head := make([]byte, len(format.Magic))
	switch n, err := io.ReadFull(r, head); {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.Join(fmt.Errorf("read %s: %w", name, err), r.Close())
	case string(head) != format.Magic:
		return nil, errors.Join(fmt.Errorf("%s: not a %s file: it begins with %q", name, format.Name, head[:n]), r.Close())
	}
	f, err := Copy(name, io.MultiReader(strings.NewReader(format.Magic), r))
	if closed := r.Close(); err != nil || closed != nil {
		return nil, errors.Join(err, closed)
	}
	return f, nil
}

// Copy copies r to a temporary file.
func Copy(name string, r io.Reader) (*File, error) {
	f, err := Temp()
	if err != nil {
		return nil, err
	}
	size, err := io.Copy(f, r)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: copy to a temporary file: %w", name, err), f.Close())
	}
	return &File{ReaderAt: f, Size: size, close: f.Close}, nil
}

// isDevice reports whether r is a device, such as /dev/zero, which may have no end to copy.
func isDevice(r io.Reader) bool {
	f, ok := r.(interface{ Stat() (os.FileInfo, error) })
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeDevice != 0
}

// RandomAccess reports whether r, which was just opened, can be read at any place, and returns its
// size.
func RandomAccess(r io.Reader) (at io.ReaderAt, size int64, ok bool) {
	at, ok = r.(io.ReaderAt)
	if !ok {
		return nil, 0, false
	}
	switch f := r.(type) {
	case interface{ Stat() (os.FileInfo, error) }:
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return nil, 0, false
		}
		return at, info.Size(), true
	case interface{ Size() int64 }:
		return at, f.Size(), true
	}
	return nil, 0, false
}

// Peek opens a file to look at it before the iteration, if it can be read at any place. ok is false
// for a file that can be read only once; nothing of it is read. The caller closes the file.
func Peek(open dataset.Opener, name string) (f *File, ok bool, err error) {
	r, err := Open(open, name)
	if err != nil {
		return nil, false, err
	}
	at, size, ok := RandomAccess(r)
	if !ok {
		return nil, false, r.Close()
	}
	return &File{ReaderAt: at, Size: size, close: r.Close}, true, nil
}

// Look calls look with an opener of a file that can be read at any place, before the iteration. Of
// a file that can be read only once nothing is read, and look is not called.
func Look(open dataset.Opener, name string, look func(dataset.Opener) error) error {
	f, ok, err := Peek(open, name)
	if !ok || err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	return look(func(string) (io.ReadCloser, error) { return section{io.NewSectionReader(f, 0, f.Size)}, nil })
}

// section is a part of a file, without the file's Close.
type section struct{ *io.SectionReader }

// Close does nothing.
func (section) Close() error { return nil }

// TempFile is a temporary file that is removed on Close, or, where the system allows it, as soon as
// it is open.
type TempFile struct{ *os.File }

// Temp returns a new empty temporary file.
func Temp() (*TempFile, error) {
	f, err := os.CreateTemp("", "tfrun-*")
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	// Where an open file cannot be removed, Close does it.
	_ = os.Remove(f.Name())
	return &TempFile{f}, nil
}

// Close closes and removes the file.
func (f *TempFile) Close() error {
	err := f.File.Close()
	if rm := os.Remove(f.Name()); rm != nil && !errors.Is(rm, os.ErrNotExist) {
		err = errors.Join(err, rm)
	}
	return err
}

// Guard runs f and turns a panic into an error that names the file, since third-party readers may
// panic on a damaged one. A panic of Go's own, such as an index out of range, may be a fault of the
// reader's: its error asks for a report.
func Guard(name string, f func() error) error {
	err := crash.Guard(f)
	fault, ok := err.(*crash.Error) //nolint:errorlint // Guard's own
	if !ok {
		return err
	}
	if _, ok := fault.Value.(runtime.Error); ok {
		return &unreadableError{name, fault}
	}
	return fmt.Errorf("%s: the file is damaged: %w", name, panicked(fault))
}

// Recovered returns the error of a library about a file; where that wraps a runtime error which the
// library has recovered from, it says so in words.
func Recovered(err error) error {
	var fault runtime.Error
	if errors.As(err, &fault) {
		return errors.New("the file is damaged")
	}
	return err
}

// GuardWrite is [Guard] for a writer; op says what was being done.
func GuardWrite(op string, f func() error) error {
	err := crash.Guard(f)
	fault, ok := err.(*crash.Error) //nolint:errorlint // Guard's own
	if !ok {
		return err
	}
	if _, ok := fault.Value.(runtime.Error); ok {
		return fmt.Errorf("%s: %w", op, fault)
	}
	return fmt.Errorf("%s: %w", op, panicked(fault))
}

// panicked returns, as an error, what a library has panicked with on purpose.
func panicked(fault *crash.Error) error {
	if err, ok := fault.Value.(error); ok {
		return err
	}
	return fmt.Errorf("%v", fault.Value)
}

// unreadableError is the error of a file at which a reader panicked.
type unreadableError struct {
	name  string
	fault *crash.Error
}

// Error names the file.
func (e *unreadableError) Error() string {
	return e.name + ": cannot be read: the file is damaged, or tfrun has a fault"
}

// Unwrap returns the fault, with its stack.
func (e *unreadableError) Unwrap() error { return e.fault }
