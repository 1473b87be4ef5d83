package job

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/runner/job/internal/source"
)

// beginning is what the beginning of a source shows: the names of its columns, or of the features
// that its first records have, or its first row of JSON.
type beginning struct {
	names []string
	row   []byte
}

// peek looks at the first file, or at the beginning of standard input, which the returned source
// still holds. keys are those that rows of JSON may have.
func (r *reader) peek(src Source, f source.Format, keys []string) (Source, beginning, error) {
	var found beginning
	name := src.Files[0]
	look := src
	if name == "-" {
		if src.Stdin == nil {
			return src, found, nil // opening it gives the error
		}
		var err error
		if look.Stdin, src.Stdin, err = peekStdin(src.Stdin, f); err != nil {
			return src, found, err
		}
	}
	files := look.filesFor(r.p)
	if f.Name == "jsonl" || f.Name == source.Text {
		r, err := files.Open(name)
		if err != nil {
			return src, found, err
		}
		defer r.Close() //nolint:errcheck // nothing was written
		found.row = append([]byte{}, dataset.FirstJSON(r, keys)...)
		return src, found, nil
	}
	list := func() ([]dataset.Column, error) { return f.Columns(files, name) }
	if f.Name == "tfrecord" {
		list = func() ([]dataset.Column, error) {
			return tfrecord.Columns(tfrecord.Options{Open: files.OpenRecords, MaxRecord: r.limits.RowBytes}, name)
		}
	}
	columns, err := list()
	if err != nil {
		return src, found, fmt.Errorf("%s: %w", name, err)
	}
	found.names = []string{}
	for _, c := range columns {
		found.names = append(found.names, c.Name)
	}
	return src, found, nil
}

// peekStdin returns a reader to look at the beginning of standard input with, and one of all of it.
// Of lines no more is read than the first; what is read from its end, such as Parquet, is copied.
func peekStdin(in io.Reader, f source.Format) (look, all io.Reader, err error) {
	if s, ok := in.(*source.Spooled); ok {
		return s, s, nil
	}
	switch f.Name {
	case "parquet", "npz":
		s, _, err := source.Spool(in, true)
		return s, s, err
	case "csv", "tsv", "jsonl":
		b := bufio.NewReaderSize(in, 64<<10)
		return bytes.NewReader(dataset.FirstLine(b)), b, nil
	}
	var begun bytes.Buffer
	return io.TeeReader(in, &begun), io.MultiReader(&begun, in), nil
}
