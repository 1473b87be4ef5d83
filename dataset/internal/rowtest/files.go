package rowtest

import (
	"bytes"
	"io"
	"os"

	"github.com/tfrun/tfrun/dataset"
)

// Stream returns an opener of data as a stream, which can be read once and at no other place than
// the next.
func Stream(data []byte) dataset.Opener {
	return func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

// Pipe opens a file as a stream.
func Pipe(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	return struct{ io.ReadCloser }{f}, err
}

// Sized returns an opener of data that can be read at any place.
func Sized(data []byte) dataset.Opener {
	return func(string) (io.ReadCloser, error) { return sized{bytes.NewReader(data)}, nil }
}

type sized struct{ *bytes.Reader }

// Close does nothing.
func (sized) Close() error { return nil }

// FullDisk is a writer that writes nothing and returns io.ErrShortWrite.
type FullDisk struct{}

// Write writes nothing.
func (FullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
