package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/ahead"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/tensor"
)

// Options says how files are read. The zero value is right for most.
type Options struct {
	// Open opens a file. nil: [dataset.OpenFile].
	Open dataset.Opener
	// Columns gives a component, by its path in the spec, the column that it is read from, or
	// several, whose values stand side by side in it; a name with * stands for all columns that
	// match. A component without an entry is read from the column of its name. Failing that, the
	// only component is read from the only column, or, where a row of it has as many values as
	// columns are left, from all of them.
	Columns map[string][]string
	// Keep lists columns whose values go to [dataset.Element.Extra] as JSON, in this order; dates
	// and times as ISO 8601 has them.
	Keep []string
	// Nulls holds what stands in for nulls. Without it they are errors, as TensorFlow has none.
	Nulls dataset.Nulls
	// BlockBytes is about how much is read at a time, at least one row. 0: 4 MiB.
	BlockBytes int64
	// Workers is the number of goroutines that decode columns. 0: one for each processor, up to 4.
	Workers int
}

const (
	defaultBlock = 4 << 20
	// maxBlock bounds the bytes of lists read at a time, where the file's own sizes were wrong.
	maxBlock = 2 << 30
)

// Rows returns a dataset of the rows of the files, read one after the other. Row numbers go on from
// file to file. What is wrong with the columns of the first file, if it is one that can be read
// twice, is an error of the dataset: a *[dataset.ColumnError].
func Rows(spec dataset.Spec, o Options, names ...string) *dataset.Dataset {
	if o.BlockBytes <= 0 {
		o.BlockBytes = defaultBlock
	}
	if o.Workers <= 0 {
		o.Workers = ahead.Workers()
	}
	card, err := count(spec, o, names)
	if err != nil {
		return dataset.Failed(err)
	}
	return block.Rows(spec, card, func() *block.Files[job] {
		open := func(name string) (block.File[job], error) { return openTable(name, spec, o) }
		return &block.Files[job]{Names: names, Open: open, Workers: 1, Work: (*job).work, Block: (*job).result}
	})
}

// maxCounted bounds the files that are opened to count their rows beforehand.
const maxCounted = 1000

// count returns the number of rows, where the files can be read twice.
func count(spec dataset.Spec, o Options, names []string) (int64, error) {
	var sum int64
	for i, name := range names {
		if i == maxCounted {
			return dataset.UnknownCardinality, nil
		}
		f, ok, err := files.Peek(o.Open, name)
		if err == nil && ok {
			var t *table
			if t, err = newTable(name, f, spec, o); err == nil {
				sum += t.file.NumRows()
			}
			err = errors.Join(err, f.Close())
		}
		if err != nil && i == 0 {
			return 0, unwrapped(err)
		}
		if err != nil || !ok {
			return dataset.UnknownCardinality, nil //nolint:nilerr // the iteration comes upon it
		}
	}
	return sum, nil
}

// unwrapped returns the error of a column alone.
func unwrapped(err error) error {
	if c := columns.Error(err); c != nil {
		return c
	}
	return err
}

// table is an open file with the columns that are read.
type table struct {
	*nested.Table
	name   string
	o      Options
	raw    *files.File
	file   *pq.File
	groups []pq.RowGroup
	comps  []tableColumn
	kept   []*reader
	all    []*reader

	group int   // the next row group
	left  int64 // rows of the open one
	done  int64 // rows of the file
	rows  int   // to read at a time
}

// tableColumn says how a component is read.
type tableColumn struct {
	*nested.Component
	readers []*reader
	direct  bool // the columns' values are the component's, and go straight to their places
}

// open reads the metadata of a file. Panics of the library become errors.
func open(name string, f *files.File) (out *pq.File, err error) {
	if err := checkFooter(f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	err = files.Guard(name, func() error {
		const buffer = 64 << 10
		out, err = pq.OpenFile(f, f.Size, &pq.FileConfig{SkipPageIndex: true, SkipBloomFilters: true, ReadBufferSize: buffer, ReadMode: pq.ReadModeSync})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	return out, err
}

// checkFooter looks at the end of a file, which holds the length of its metadata: the library
// trusts it.
func checkFooter(f *files.File) error {
	var end [8]byte
	const least = 12 // with the magic bytes at the beginning
	if f.Size < least {
		return errors.New("not a Parquet file: it is too short")
	}
	if n, err := f.ReadAt(end[:], f.Size-int64(len(end))); n < len(end) {
		return err
	}
	switch size := binary.LittleEndian.Uint32(end[:4]); {
	case string(end[4:]) == "PARE":
		return errors.New("the file is encrypted, and not read")
	case string(end[4:]) != "PAR1":
		return errors.New("not a Parquet file, or one that is cut off: its last bytes are not PAR1")
	case int64(size) > f.Size-least:
		return errors.New("the file is damaged: its metadata is longer than itself")
	case size > maxFooter:
		return fmt.Errorf("its metadata takes %d bytes; at most %d are read", size, maxFooter)
	default:
		return checkSchema(io.NewSectionReader(f, f.Size-int64(len(end))-int64(size), int64(size)))
	}
}

// openTable opens a file, and matches its columns with the components.
func openTable(name string, spec dataset.Spec, o Options) (*table, error) {
	raw, err := files.OpenAt(o.Open, name, fileFormat)
	if err != nil {
		return nil, err
	}
	t, err := newTable(name, raw, spec, o)
	if err != nil {
		return nil, unwrapped(errors.Join(err, raw.Close()))
	}
	return t, nil
}

// newTable matches a file's columns with the components.
func newTable(name string, raw *files.File, spec dataset.Spec, o Options) (*table, error) {
	f, err := open(name, raw)
	if err != nil {
		return nil, err
	}
	t := &table{name: name, o: o, raw: raw, file: f, groups: f.RowGroups()}
	return t, files.Guard(name, func() error { return t.match(spec) })
}

// match finds the columns of the components, and makes their readers.
func (t *table) match(spec dataset.Spec) error {
	all, have, err := find(t.file)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	types := make([]nested.Type, len(all))
	for i, l := range all {
		types[i] = l.Type
	}
	t.Table, err = nested.Match(t.name, spec, have, types, columns.Options{Map: t.o.Columns, Keep: t.o.Keep, Nulls: t.o.Nulls})
	if err != nil {
		return err
	}
	read := func(i int) *reader {
		r := &reader{leaf: all[i], limit: maxBlock}
		t.all = append(t.all, r)
		return r
	}
	for c := range t.Components {
		col := tableColumn{Component: &t.Components[c]}
		col.direct = col.DType != tensor.String
		for _, i := range col.Columns {
			r := read(i)
			col.readers = append(col.readers, r)
			col.direct = col.direct && r.DType == col.DType && r.Depth == 0
		}
		t.comps = append(t.comps, col)
	}
	for _, i := range t.Keep {
		t.kept = append(t.kept, read(i))
	}
	return nil
}

// Close closes the file. It returns no error: nothing was written.
func (t *table) Close() error {
	for _, r := range t.all {
		_ = files.Guard(t.name, func() error { r.close(); return nil }) // nothing is lost
	}
	_ = t.raw.Close() // nothing was written
	return nil
}

// next begins the next row group that has rows. It returns io.EOF after the last.
func (t *table) next() error {
	for t.left == 0 {
		if t.group == len(t.groups) {
			return io.EOF
		}
		g := t.groups[t.group]
		meta := t.file.Metadata().RowGroups[t.group]
		t.group++
		t.left = g.NumRows()
		if t.left < 0 {
			return fmt.Errorf("%s: row group %d promises %d rows", t.name, t.group, t.left)
		}
		if t.left == 0 {
			continue
		}
		chunks := g.ColumnChunks()
		var size int64
		for _, r := range t.all {
			if err := checkPages(t.raw, &meta.Columns[r.index].MetaData); err != nil {
				return fmt.Errorf("%s: column %q: %w", t.name, r.name, err)
			}
			r.open(chunks[r.index])
			size += max(meta.Columns[r.index].MetaData.TotalUncompressedSize, 0)
		}
		t.rows = int(min(max(t.o.BlockBytes/max(size/t.left, 1), 1), maxRows))
	}
	return nil
}

// maxRows bounds the rows that are read at a time.
const maxRows = 1 << 16

// fileFormat is what the files are.
var fileFormat = files.Format{Name: "Parquet", Magic: magic}

// Columns lists the columns of a file. Of o it uses Open.
func Columns(o Options, name string) (out []dataset.Column, err error) {
	raw, err := files.OpenAt(o.Open, name, fileFormat)
	if err != nil {
		return nil, err
	}
	defer raw.Close() //nolint:errcheck // nothing was written
	f, err := open(name, raw)
	if err != nil {
		return nil, err
	}
	err = files.Guard(name, func() error {
		for _, l := range leaves(f) {
			out = append(out, l.Column(l.name))
		}
		return nil
	})
	return out, err
}
