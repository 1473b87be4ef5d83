package main

import (
	"bufio"
	"io"

	"github.com/tfrun/tfrun/internal/partfile"
)

// output is where a report or a picture goes: stdout, or a file that appears only when it is whole.
type output struct {
	*bufio.Writer
	file *partfile.Whole // nil for stdout
}

// createOutput opens the output: "" and "-" are stdout.
func createOutput(path string, stdout io.Writer) (*output, error) {
	if path == "" || path == "-" {
		return &output{Writer: bufio.NewWriterSize(stdout, 64<<10)}, nil
	}
	file, err := partfile.Create(path)
	if err != nil {
		return nil, err
	}
	return &output{Writer: file.Writer, file: file}, nil
}

// commit writes out what is buffered, and gives a file its name.
func (o *output) commit() error {
	if o.file == nil {
		return o.Flush()
	}
	return o.file.Commit()
}

// abandon takes away what was written of a file that did not become whole. After commit it does
// nothing.
func (o *output) abandon() {
	if o.file != nil {
		o.file.Abandon()
	}
}
