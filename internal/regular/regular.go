// Package regular opens files that have to be regular ones: [Open].
package regular

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// ErrOther says that a name is that of a folder, a pipe, a socket or a device.
var ErrOther = errors.New("is no regular file")

// Open opens a regular file for reading, and returns its size in bytes. Anything else is an error
// that wraps [ErrOther], and never waited for: a pipe would keep its reader waiting, and a device
// has no end. What was opened is looked at, not what had the name a moment before.
func Open(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENXIO) { // a socket, or a terminal that there is not
		return nil, 0, &os.PathError{Op: "open", Path: path, Err: ErrOther}
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: path, Err: ErrOther}
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// Head returns the first n bytes of a regular file, fewer where it has fewer, and none where it
// cannot be read.
func Head(path string, n int) []byte {
	f, _, err := Open(path)
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // nothing was written
	head := make([]byte, n)
	n, _ = io.ReadFull(f, head) // a shorter file has fewer
	return head[:n]
}
