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
	// Records is told what the records of each TFRecord file are; see [tfrecord.Options.Found].
	Records func(file string, kind tfrecord.Kind)
	Read    *atomic.Int64 // counts the bytes that are read of the files, or nil
	// Context ends the reading of objects of a store; nil: nothing does.
	Context context.Context //nolint:containedctx // an Opener takes none
	// BlockBytes is about how much a reader by the block is to read at a time; 0: its habit.
	BlockBytes int
	// Part, of Parts, reads that part of the row groups of each Parquet file; 0 Parts means all.
	Part, Parts int
}

// Size returns the bytes of all files, or 0 where that of one is not known.
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

// Size returns the bytes of a regular file or of an object; ok is false where they are not known,
// as of a pipe.
func Size(name string) (n int64, ok bool) {
	info, err := Stat(name)
	return info.Size, err == nil && info.Size >= 0
}

// Stat looks at a file, or recalls what is known of an object. Of what is no regular file the size
// is -1.
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

// Look asks the stores anew for all objects among the files: for a run that begins.
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
