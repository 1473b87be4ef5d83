// Package source opens files and streams of rows: it finds their format, decompresses them, and
// bounds what a row may ask for.
//
// A [Source] names the files; [Source.Find] says which [Format] they have, and [Source.Rows] reads
// them.
package source

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/runner/internal/option"
)

// Source says where rows come from.
type Source struct {
	Files  []string // read one after the other; "-" is Stdin
	Stdin  io.Reader
	Format string // "" goes by the files' names
	// Columns maps a component of a row to the column that it is read from, where that has another
	// name, or to several, separated by commas, whose values stand side by side.
	Columns map[string]string
	Keep    []string // columns that a row keeps as they are
	Nulls   dataset.Nulls
	CSV     csv.Options // of which what says how a file is read counts
	// Envelope is told what stands beside the rows of a JSON document; see [dataset.JSONLOptions].
	Envelope func(key string, value []byte) error
	Limits   dataset.Limits
	Read     *atomic.Int64 // counts the bytes that are read of the files, or nil
	// BlockBytes is about how much a reader by the block is to read at a time; 0: its habit.
	BlockBytes int
}

// Find returns the one format of all files. The error is an *[option.Error].
func (src Source) Find() (Format, error) {
	if len(src.Files) == 0 {
		return Format{}, &option.Error{Option: "Files", Msg: "name at least one file of rows"}
	}
	var first Format
	for i, name := range src.Files {
		wanted := src.Format
		if wanted == "" && name == "-" {
			wanted = "jsonl"
		}
		f, err := FindFormat(wanted, name, func(Format) bool { return true })
		switch {
		case err != nil:
			return Format{}, err
		case i > 0 && f.Name != first.Name:
			return Format{}, &option.Error{Option: "Format", Msg: fmt.Sprintf("the files are of different types, %s and %s; run them one after the other", first.Name, f.Name)}
		}
		first = f
	}
	return first, nil
}

// Rows returns the rows of a spec that the files hold in a format that is not [Text].
func (src Source) Rows(f Format, spec dataset.Spec) *dataset.Dataset { return f.read(spec, src) }

// TextLines returns a row with a string for each line of the files.
func (src Source) TextLines() *dataset.Dataset {
	return dataset.TextLinesUpTo(int(src.Limits.RowBytes), src.Open, src.Files...)
}

// Size returns the bytes of all files, or 0 where that of one is not known.
func (src Source) Size() int64 {
	total := int64(0)
	for _, name := range src.Files {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return 0
		}
		total += info.Size()
	}
	return total
}

// counted counts what is read of a file.
type counted struct {
	*os.File
	n *atomic.Int64
}

// Read reads and counts.
func (c counted) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// ReadAt reads and counts.
func (c counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.File.ReadAt(p, off)
	c.n.Add(int64(n))
	return n, err
}
