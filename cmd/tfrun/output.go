package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// output is where results go: stdout, or a file that appears only when it is whole.
type output struct {
	*bufio.Writer
	file   *os.File // nil for stdout
	path   string
	closed bool
}

// createOutput opens the output: "" and "-" are stdout. A file is written under a temporary name in
// its own directory.
func createOutput(path string, stdout io.Writer) (*output, error) {
	if path == "" || path == "-" {
		return &output{Writer: bufio.NewWriterSize(stdout, 64<<10)}, nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("output %q: is a directory; name a file", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return nil, fmt.Errorf("output %q: %w", path, cause(err))
	}
	return &output{Writer: bufio.NewWriterSize(f, 256<<10), file: f, path: path}, nil
}

// commit makes the output whole: it writes out what is buffered and gives a file its name.
func (o *output) commit() error {
	if err := o.Flush(); err != nil {
		return o.failed(err)
	}
	if o.file == nil {
		return nil
	}
	// The mode of a new file, not CreateTemp's 0600; an existing file's mode is kept.
	mode := os.FileMode(0o666) &^ umask()
	if info, err := os.Stat(o.path); err == nil {
		mode = info.Mode().Perm()
	}
	o.closed = true
	err := errors.Join(o.file.Chmod(mode), o.file.Sync(), o.file.Close())
	if err == nil {
		err = os.Rename(o.file.Name(), o.path)
	}
	if err != nil {
		return o.failed(errors.Join(err, os.Remove(o.file.Name())))
	}
	return nil
}

// abandon takes away what was written of a file that did not become whole. After commit it does
// nothing.
func (o *output) abandon() {
	if o.file == nil || o.closed {
		return
	}
	o.closed = true
	_ = o.file.Close()           // nothing of it is wanted
	_ = os.Remove(o.file.Name()) // nor is there anybody to tell
}

// failed names the output in an error of writing.
func (o *output) failed(err error) error {
	if o.file == nil {
		return err // an error of stdout names it
	}
	return fmt.Errorf("output %q: %w", o.path, cause(err))
}
