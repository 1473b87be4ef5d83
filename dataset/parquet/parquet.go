package parquet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	pq "github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"

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
	// Columns gives a component, by its path in the spec, the column that it is read from, or several, whose values stand side by side in it; a name with *
	// stands for all columns that match. A component without an entry is read from the column of its name. Failing that, the only component is read from the
	// only column, or, where a row of it has as many values as columns are left, from all of them.
	Columns map[string][]string
	// Keep lists columns whose values go to [dataset.Element.Extra] as JSON, in this order; dates and times as ISO 8601 has them.
	Keep []string
	// NullIsNaN makes nulls in the columns of float components NaN. Without it they are errors, as they are for all other components.
	NullIsNaN bool
	// BlockBytes is about how much is read at a time, at least one row. 0: 4 MiB.
	BlockBytes int64
	// Workers is the number of goroutines that decode columns. 0: one for each processor, up to 4.
	Workers int
}

const (
	defaultBlock = 4 << 20
	// maxBlock bounds the bytes of lists read at a time, where the file's own sizes were wrong.
	maxBlock = 2 << 30
	// stripe is how many rows of side by side columns are read before the next column has its turn, for the sake of the processor's caches.
	stripe = 1 << 11
)

// Rows returns a dataset of the rows of the files, read one after the other. Row numbers go on from file to file. What is wrong with the columns of the first
// file, if it is one that can be read twice, is an error of the dataset: a *[dataset.ColumnError].
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
	return dataset.FromReader(spec, card, func(ro dataset.ReadOptions) (dataset.RowReader, error) {
		return block.NewReader(&source{spec: spec, o: o, names: names, keep: ro.Keep}, spec, ro.Keep), nil
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
	if c, ok := errors.AsType[*dataset.ColumnError](err); ok {
		return c
	}
	return err
}

// table is an open file with the columns that are read.
type table struct {
	name   string
	raw    *files.File
	file   *pq.File
	groups []pq.RowGroup
	comps  []tableColumn
	keep   []string
	kept   []*reader
	all    []*reader

	group int   // the next row group
	left  int64 // rows of the open one
	done  int64 // rows of the file
	rows  int   // to read at a time
}

// tableColumn says what a component is read from.
type tableColumn struct {
	dataset.Component
	path    string
	dims    []int64
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

// checkFooter looks at the end of a file, which holds the length of its metadata: the library trusts it.
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

// newTable matches a file's columns with the components.
func newTable(name string, raw *files.File, spec dataset.Spec, o Options) (*table, error) {
	f, err := open(name, raw)
	if err != nil {
		return nil, err
	}
	t := &table{name: name, raw: raw, file: f, groups: f.RowGroups(), keep: o.Keep}
	return t, files.Guard(name, func() error { return t.match(spec, o) })
}

func (t *table) match(spec dataset.Spec, o Options) error {
	all, have, err := find(t.file)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	pick, err := columns.Match(t.name, spec, have, columns.Options{Map: o.Columns, Keep: o.Keep})
	if err != nil {
		return err
	}
	for c, comp := range spec.Flatten() {
		col := tableColumn{Component: comp, path: spec.Paths()[c], direct: comp.DType != tensor.String}
		var types []nested.Type
		for _, i := range pick.Components[c] {
			r := &reader{leaf: all[i], limit: maxBlock}
			col.readers = append(col.readers, r)
			types = append(types, r.Type)
			col.direct = col.direct && r.DType == comp.DType && r.Depth == 0
		}
		var msg string
		if col.dims, msg = nested.Check(comp, types); msg != "" {
			e := &dataset.ColumnError{File: t.name, Component: col.path, Msg: msg}
			if len(types) == 1 {
				e.Column = col.readers[0].name
			}
			return e
		}
		t.all = append(t.all, col.readers...)
		t.comps = append(t.comps, col)
	}
	for _, i := range pick.Keep {
		if all[i].DType == tensor.Invalid {
			return &dataset.ColumnError{File: t.name, Column: all[i].name, Msg: fmt.Sprintf("values of type %s are not read", all[i].Name)}
		}
		t.kept = append(t.kept, &reader{leaf: all[i], limit: maxBlock})
	}
	t.all = append(t.all, t.kept...)
	return nil
}

func (t *table) close() {
	for _, r := range t.all {
		_ = files.Guard(t.name, func() error { r.close(); return nil }) // nothing is lost
	}
	if t.raw != nil {
		_ = t.raw.Close() // nothing was written
	}
}

// next begins the next row group that has rows. It returns io.EOF after the last.
func (t *table) next(blockBytes int64) error {
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
			if err := checkLZ4(t.raw, &meta.Columns[r.index].MetaData); err != nil {
				return fmt.Errorf("%s: column %q: %w", t.name, r.name, err)
			}
			r.open(chunks[r.index])
			size += max(meta.Columns[r.index].MetaData.TotalUncompressedSize, 0)
		}
		t.rows = int(min(max(blockBytes/max(size/t.left, 1), 1), maxRows))
	}
	return nil
}

// maxRows bounds the rows that are read at a time.
const maxRows = 1 << 16

// job is a block of rows: first as columns of the file, then as components.
type job struct {
	t     *table
	first int64 // the first row's number in the file, from 1
	rows  int
	nan   bool
	comps []jobColumn
	kept  []nested.Values
	bad   []block.Bad
	block block.Block
	err   error
}

type jobColumn struct {
	data  []byte  // of a direct component
	nulls [][]int // by column
	vals  []nested.Values
	room  []byte
}

// source gives the blocks of the files.
type source struct {
	spec  dataset.Spec
	o     Options
	names []string
	keep  bool

	pipe *ahead.Pipe[job]
	last *job
	// table belongs to the reading goroutine.
	table *table
}

// Next returns the next block.
func (s *source) Next(ctx context.Context) (*block.Block, error) {
	if s.pipe == nil {
		s.pipe = ahead.Start(1, s.read, (*job).work, s.stop)
	}
	if s.last != nil && !s.keep {
		s.pipe.Release(s.last)
	}
	s.last = nil
	j, err := s.pipe.Next(ctx)
	if err != nil {
		return nil, err
	}
	if j.err != nil {
		return nil, j.err
	}
	s.last = j
	return &j.block, nil
}

// Close ends the reading.
func (s *source) Close() {
	if s.pipe != nil {
		s.pipe.Close()
	}
}

func (s *source) stop() {
	if s.table != nil {
		s.table.close()
		s.table = nil
	}
}

// read fills a job with the next rows of the files.
func (s *source) read(j *job) error {
	for {
		if s.table == nil {
			if len(s.names) == 0 {
				return io.EOF
			}
			name := s.names[0]
			s.names = s.names[1:]
			raw, err := files.OpenAt(s.o.Open, name)
			if err != nil {
				return err
			}
			t, err := newTable(name, raw, s.spec, s.o)
			if err != nil {
				return unwrapped(errors.Join(err, raw.Close()))
			}
			s.table = t
		}
		err := files.Guard(s.table.name, func() error { return s.table.next(s.o.BlockBytes) })
		if errors.Is(err, io.EOF) {
			s.stop()
			continue
		}
		if err != nil {
			return err
		}
		return s.fill(j)
	}
}

// fill reads the columns of the next rows.
func (s *source) fill(j *job) error {
	t := s.table
	n := int(min(t.left, int64(t.rows)))
	j.t, j.first, j.rows, j.nan, j.err, j.bad = t, t.done+1, n, s.o.NullIsNaN, nil, nil
	if len(j.comps) != len(t.comps) {
		j.comps = make([]jobColumn, len(t.comps))
	}
	var g errgroup.Group
	g.SetLimit(s.o.Workers)
	for c := range t.comps {
		j.comps[c].fill(&g, t.name, &t.comps[c], n, s.o.Workers)
	}
	j.kept = slices.Grow(j.kept[:0], len(t.kept))[:len(t.kept)]
	for k, r := range t.kept {
		g.Go(func() error { return guarded(t.name, func() error { return r.read(n, &j.kept[k]) }) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	t.left -= int64(n)
	t.done += int64(n)
	return nil
}

// guarded is files.Guard for errors that do not name the file yet.
func guarded(name string, f func() error) error {
	return files.Guard(name, func() error {
		if err := f(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// fill reads the columns of a component, some in each goroutine.
func (j *jobColumn) fill(g *errgroup.Group, name string, col *tableColumn, n, workers int) {
	k := len(col.readers)
	j.nulls = slices.Grow(j.nulls[:0], k)[:k]
	j.vals = slices.Grow(j.vals[:0], k)[:k]
	if !col.direct {
		for i, r := range col.readers {
			g.Go(func() error { return guarded(name, func() error { return r.read(n, &j.vals[i]) }) })
		}
		return
	}
	size := col.DType.Size()
	j.data = slices.Grow(j.data[:0], n*k*size)[:n*k*size]
	share := (k + workers - 1) / workers
	for lo := 0; lo < k; lo += share {
		hi := min(lo+share, k)
		g.Go(func() error {
			return guarded(name, func() error { return j.stripes(col, n, lo, hi) })
		})
	}
}

// stripes reads columns lo to hi of a component.
func (j *jobColumn) stripes(col *tableColumn, n, lo, hi int) error {
	k, size := len(col.readers), col.DType.Size()
	for i := lo; i < hi; i++ {
		j.nulls[i] = j.nulls[i][:0]
	}
	for from := 0; from < n; from += stripe {
		part := min(stripe, n-from)
		dst := j.data[from*k*size : (from+part)*k*size]
		for i := lo; i < hi; i++ {
			var err error
			if j.nulls[i], err = col.readers[i].scatter(dst, part, k, i, j.nulls[i], from); err != nil {
				return err
			}
		}
	}
	return nil
}

// work makes the block of the columns.
func (j *job) work() {
	j.block = block.Block{File: j.t.name, Rows: j.rows, FileRow: j.first, Columns: j.block.Columns[:0]}
	for c := range j.comps {
		col, bad := j.comps[c].column(&j.t.comps[c], j.rows, j.nan)
		j.block.Columns = append(j.block.Columns, col)
		j.bad = block.MergeBad(j.bad, bad)
	}
	j.block.Bad = j.bad
	if len(j.kept) == 0 {
		return
	}
	rows := make([]func([]byte, int) []byte, len(j.kept))
	for k := range j.kept {
		var err error
		if rows[k], err = j.kept[k].JSON(); err != nil {
			j.err = fmt.Errorf("%s: column %q: %w", j.t.name, j.t.keep[k], err)
			return
		}
	}
	keys := j.t.keep
	j.block.Extra = func(i int, dst []dataset.Field) []dataset.Field {
		for k, row := range rows {
			dst = append(dst, dataset.Field{Key: keys[k], JSON: row(nil, i)})
		}
		return dst
	}
}

// column returns the rows of a component.
func (j *jobColumn) column(col *tableColumn, n int, nan bool) (block.Column, []block.Bad) {
	if col.direct {
		return j.directColumn(col, n, nan)
	}
	if len(col.readers) == 1 {
		out, room, bad := j.vals[0].Column(col.Component, col.readers[0].name, col.dims, j.room, nan)
		j.room = room
		return out, bad
	}
	paths := make([]string, len(col.readers))
	for i, r := range col.readers {
		paths[i] = r.name
	}
	out, room, bad := nested.Stack(col.DType, j.vals, paths, col.dims, j.room, nan)
	j.room = room
	return out, bad
}

func (j *jobColumn) directColumn(col *tableColumn, n int, nan bool) (block.Column, []block.Bad) {
	k := len(col.readers)
	var bad []block.Bad
	for i, nulls := range j.nulls {
		var here []block.Bad
		for _, row := range nulls {
			if nan && col.DType.IsFloat() {
				nested.PutNaN(col.DType, j.data, row*k+i)
				continue
			}
			here = append(here, block.Bad{Index: row, Field: col.readers[i].name, Msg: "the value is null"})
		}
		bad = block.MergeBad(bad, here)
	}
	flat, err := tensor.Share(col.DType, j.data, []int64{int64(n * k)})
	if err != nil {
		panic(err) // unreachable: the memory was made for it
	}
	return block.NewFixed(flat, col.dims), bad
}

// Columns lists the columns of a file. Of o it uses Open.
func Columns(o Options, name string) (out []dataset.Column, err error) {
	raw, err := files.OpenAt(o.Open, name)
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
