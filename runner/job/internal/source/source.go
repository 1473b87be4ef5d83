// Package source opens files and streams of rows: it finds their format, decompresses them, and
// bounds what a row may ask for.
//
// A [Source] names the files; [Source.Find] says which [Format] they have, and [Source.Rows] reads
// them.
package source

import (
	"context"
	"io"
	"os"
	"sync/atomic"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/internal/store"
)

// Source says where rows come from.
type Source struct {
	Files  []string // read one after the other; "-" is Stdin
	Stdin  io.Reader
	Format string // "": the one that the files' names show
	// Columns maps a component of a row to the column that it is read from, where that has another
	// name. It may be several names, separated by commas, whose values are put side by side.
	Columns map[string]string
	Keep    []string // columns that are kept
	Nulls   dataset.Nulls
	CSV     csv.Options // its fields that say how a file is read
	// Envelope is called with what stands beside the rows of a JSON document; see
	// [dataset.JSONLOptions].
	Envelope func(key string, value []byte) error
	Limits   dataset.Limits
	// Records is called with the kind of records in each TFRecord file; see
	// [tfrecord.Options.Found].
	Records func(file string, kind tfrecord.Kind)
	Read    *atomic.Int64 // counts the bytes read from the files, or nil
	// Context ends the reading of objects in a store; nil: nothing does.
	Context context.Context //nolint:containedctx // an Opener takes none
	Room    dataset.Room    // that readers of Arrow take their memory from, or nil
	// BlockBytes is about how many bytes a reader of blocks reads at a time; 0: its default.
	BlockBytes int
	// Part and Parts read only part number Part, from 0, of the Parts parts of each Parquet file.
	// With 0 Parts the whole files are read.
	Part, Parts int
}

// Size returns the size of all files in bytes, or 0 if that of one is not known.
func (src Source) Size() int64 {
	total := int64(0)
	for _, name := range src.Files {
		size, ok := Size(name)
		if !ok {
			return 0
		}
		total += size
	}
	return total
}

// Size returns the size of a regular file or of an object in bytes; ok is false if it is not known,
// as for a pipe.
func Size(name string) (n int64, ok bool) {
	info, err := Stat(name)
	return info.Size, err == nil && info.Size >= 0
}

// Stat looks at a file, or returns what is known of an object. The size is -1 if the file is not a
// regular one.
func Stat(name string) (store.Info, error) {
	if store.Is(name) {
		return store.Known(context.Background(), name)
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return store.Info{}, err
	case !info.Mode().IsRegular():
		return store.Info{Size: -1, Modified: info.ModTime().UTC()}, nil
	}
	return store.Info{Size: info.Size(), Modified: info.ModTime().UTC()}, nil
}

// Look asks the stores about all objects among the files, whatever was known before. It is for the
// beginning of a run.
func (src Source) Look(ctx context.Context) error {
	for _, name := range src.Files {
		if !store.Is(name) {
			continue
		}
		if _, err := store.Stat(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// counted counts the bytes that are read of a file.
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
