package arrow

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	ar "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/message"
	"github.com/tfrun/tfrun/dataset/internal/nested"
)

// Options says how files are read. The zero value is right for most.
type Options struct {
	// Open opens a file. nil: [dataset.OpenFile].
	Open dataset.Opener
	// Columns maps a component, by its path in the spec, to the column that it is read from.
	// Several columns give the component several values, side by side; a name with * stands for all
	// columns that match. A component without an entry is read from the column of its name. Where
	// there is no such column, the only component is read from the only column, or from all columns
	// that are left if a row of it has as many values.
	Columns map[string][]string
	// Keep lists columns whose values go to [dataset.Element.Extra] with their types, in this
	// order. Structures can be kept whole.
	Keep []string
	// Nulls holds the values that take the place of nulls. A null without such a value is an error,
	// as TensorFlow has no nulls.
	Nulls dataset.Nulls
	// MaxBatch bounds the bytes of one buffer of a record batch, and of the whole batch as it is
	// stored. 0: 4 GiB.
	MaxBatch int64
	// MaxKept bounds the bytes of a row's kept values. 0: [dataset.DefaultKeptBytes].
	MaxKept int64
	// Room is asked for the memory of schemas and batches, if it is not nil.
	Room dataset.Room
}

const (
	defaultMaxBatch = 4 << 30
	blockRows       = 1 << 16
)

// Rows returns a dataset of the rows of the files, read one after the other. Row numbers go on from
// file to file. The columns of the first file are looked at right away, if the file can be read
// twice: a column that is missing or does not fit is then an error of the dataset, a
// *[dataset.ColumnError].
func Rows(spec dataset.Spec, o Options, names ...string) *dataset.Dataset {
	if o.MaxBatch <= 0 {
		o.MaxBatch = defaultMaxBatch
	}
	if o.MaxKept <= 0 {
		o.MaxKept = dataset.DefaultKeptBytes
	}
	if len(names) > 0 {
		if err := check(spec, o, names[0]); err != nil {
			return dataset.Failed(err)
		}
	}
	return block.Rows(spec, dataset.UnknownCardinality, func() *block.Files[job] {
		open := func(name string) (block.File[job], error) {
			t, err := openTable(name, spec, o)
			if errors.Is(err, errNothing) {
				return noRows{}, nil
			}
			return t, err
		}
		return &block.Files[job]{Names: names, Open: open, Workers: 1, Work: (*job).work, Block: (*job).result}
	})
}

// check matches the columns of a file that can be read twice, and returns what is wrong with them.
func check(spec dataset.Spec, o Options, name string) error {
	return files.Look(o.Open, name, func(open dataset.Opener) error {
		o.Open = open
		t, err := openTable(name, spec, o)
		if err != nil {
			return err
		}
		return t.Close()
	})
}

// openReader opens a file or a stream. It returns errNothing for a stream without a byte.
func openReader(name string, o Options) (_ *ipc.Reader, _ io.Closer, err error) {
	f, err := files.Open(o.Open, name)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	in, err := openMessages(name, &f, o)
	if err != nil {
		return nil, nil, err
	}
	var r *ipc.Reader
	err = files.Guard(name, func() (err error) {
		r, err = ipc.NewReaderFromMessageReader(in, ipc.WithAllocator(limited{memory.NewGoAllocator(), o.MaxBatch}))
		if err != nil {
			// A bare io.EOF would be taken for the end of the rows.
			if errors.Is(err, io.EOF) {
				return fmt.Errorf("%s: not an Arrow file: it ends before its schema", name)
			}
			return fmt.Errorf("%s: not an Arrow file: %w", name, files.Recovered(err))
		}
		return nil
	})
	return r, f, err
}

// openMessages opens the messages of f: by the footer if f is a file, otherwise as a stream. A file
// that cannot be read at any place is copied first; the copy then takes the place of f.
func openMessages(name string, f *io.ReadCloser, o Options) (ipc.MessageReader, error) {
	at, size, random := files.RandomAccess(*f)
	if !random {
		size = -1
	}
	const buffer = 64 << 10
	b := bufio.NewReaderSize(*f, buffer)
	head, err := b.Peek(8)
	switch {
	case errors.Is(err, io.EOF) && len(head) == 0 && !random:
		return nil, errNothing
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: not an Arrow file: it is too short", name)
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case bytes.HasPrefix(head, []byte("FEA1")):
		return nil, fmt.Errorf("%s: the first version of Feather is not read; write the file anew with pyarrow.feather.write_feather", name)
	case !bytes.HasPrefix(head, ipc.Magic):
		return message.NewStream(b, 0, size, o.MaxBatch, o.Room), nil
	}
	if !random {
		own, err := files.Copy(name, b)
		if err != nil {
			return nil, err
		}
		if err := (*f).Close(); err != nil {
			return nil, errors.Join(err, own.Close())
		}
		at, size, *f = own, own.Size, struct {
			io.Reader
			io.Closer
		}{nil, own}
	}
	in, err := message.NewFile(at, size, o.MaxBatch, o.Room)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return in, nil
}

// errNothing says that a stream has no byte at all, as a program without rows may write it.
var errNothing = errors.New("the stream is empty")

// noRows is the reader of a file without rows.
type noRows struct{}

// Read returns io.EOF.
func (noRows) Read(*job) error { return io.EOF }

// Close does nothing.
func (noRows) Close() error { return nil }

// openTable opens a file and matches its columns with the components.
func openTable(name string, spec dataset.Spec, o Options) (_ *table, err error) {
	r, f, err := openReader(name, o)
	if err != nil {
		return nil, err
	}
	t := &table{name: name, file: f, r: r, maxKept: int(o.MaxKept)}
	if err := files.Guard(name, func() error { return t.match(spec, o) }); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// match finds the columns that the components are read from.
func (t *table) match(spec dataset.Spec, o Options) (err error) {
	nodes := schemaNodes(t.r.Schema())
	t.cols = schemaColumns(nodes)
	names, types := make([]string, len(t.cols)), make([]nested.Type, len(t.cols))
	for i, c := range t.cols {
		names[i], types[i] = c.name, c.Type
	}
	keepable := make([]string, len(nodes))
	for i, n := range nodes {
		keepable[i] = n.name
	}
	t.Table, err = nested.Match(t.name, spec, names, types, columns.Options{Map: o.Columns, Keep: o.Keep, Keepable: keepable, Nulls: o.Nulls})
	if err != nil {
		return err
	}
	for _, i := range t.Keep {
		own, err := kept.Of(nodes[i].field)
		if err != nil {
			return &dataset.ColumnError{File: t.name, Column: nodes[i].name, Msg: err.Error()}
		}
		t.kept = append(t.kept, keptColumn{node: nodes[i], t: own})
	}
	return nil
}

// Close closes the file. It returns no error: nothing was written.
func (t *table) Close() error {
	_ = files.Guard(t.name, func() error { t.r.Release(); return nil }) // nothing is lost
	_ = t.file.Close()                                                  // nothing was written
	return nil
}

// next reads the next batch if the current one has no rows left. It returns io.EOF at the end of
// the file.
func (t *table) next() error {
	for t.batch == nil || t.at == int(t.batch.NumRows()) {
		t.batch = nil
		ok := false
		err := files.Guard(t.name, func() error {
			if ok = t.r.Next(); !ok && t.r.Err() != nil {
				return fmt.Errorf("%s: row %d: %w", t.name, t.done+1, files.Recovered(t.r.Err()))
			}
			return nil
		})
		if err != nil {
			return err
		}
		if !ok {
			return io.EOF
		}
		t.batch, t.at = t.r.RecordBatch(), 0
		if n := t.batch.NumRows(); n < 0 || n > math.MaxInt32 {
			return fmt.Errorf("%s: the file is damaged: a batch of %d rows", t.name, n)
		}
		if err := files.Guard(t.name, t.openKept); err != nil {
			return err
		}
	}
	return nil
}

// job is a run of rows of a batch, and then their block.
type job struct {
	t     *table
	batch ar.RecordBatch
	from  int
	rows  int
	first int64             // the first row's number in the file, from 1
	vals  [][]nested.Values // by component and column
	kept  []nested.Kept
	bad   []block.Bad // rows that keep too much
	rooms [][]byte
	block block.Block
	err   error
}

// Read takes the next rows of the batch.
func (t *table) Read(j *job) error {
	if err := t.next(); err != nil {
		return err
	}
	n := min(int(t.batch.NumRows())-t.at, blockRows)
	err := files.Guard(t.name, func() (err error) {
		j.kept, j.bad, n, err = t.readKept(j.kept[:0], n)
		return err
	})
	if err != nil {
		return err
	}
	j.t, j.batch, j.from, j.rows, j.first, j.err = t, t.batch, t.at, n, t.done+1, nil
	// The reader releases its batch when it reads the next one; work may not be done with it by
	// then.
	j.batch.Retain()
	t.at += n
	t.done += int64(n)
	return nil
}

// work makes the block of the rows. The block may refer to the batch's memory after the batch is
// released, since that memory belongs to Go's collector.
func (j *job) work() {
	j.err = files.Guard(j.t.name, func() error {
		defer j.batch.Release()
		if err := j.extract(); err != nil {
			return err
		}
		j.build()
		return nil
	})
	j.batch = nil
}

// result returns the block.
func (j *job) result() (*block.Block, error) { return &j.block, j.err }

// extract reads the values of the columns from the batch.
func (j *job) extract() error {
	take := func(i int, out *nested.Values) error {
		c := &j.t.cols[i]
		if err := c.extract(j.batch, j.from, j.rows, out); err != nil {
			return fmt.Errorf("%s: column %q: the file is damaged: %w", j.t.name, c.name, err)
		}
		return nil
	}
	j.vals = slices.Grow(j.vals[:0], len(j.t.Components))[:len(j.t.Components)]
	for c := range j.t.Components {
		cols := j.t.Components[c].Columns
		j.vals[c] = slices.Grow(j.vals[c][:0], len(cols))[:len(cols)]
		for k, i := range cols {
			if err := take(i, &j.vals[c][k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// build makes the block out of the values.
func (j *job) build() {
	j.block = block.Block{File: j.t.name, Rows: j.rows, FileRow: j.first, Columns: j.block.Columns[:0], Bad: j.bad}
	j.rooms = slices.Grow(j.rooms[:0], len(j.t.Components))[:len(j.t.Components)]
	for c := range j.t.Components {
		col, room, bad := j.t.Components[c].Column(j.vals[c], j.rooms[c])
		j.rooms[c] = room
		j.block.Columns = append(j.block.Columns, col)
		j.block.Bad = block.MergeBad(j.block.Bad, bad)
	}
	j.block.Extra = j.t.Extra(j.kept)
}

// Columns lists the columns of a file. Of the options it uses Open.
func Columns(o Options, name string) (out []dataset.Column, err error) {
	o.MaxBatch = defaultMaxBatch
	r, f, err := openReader(name, o)
	if errors.Is(err, errNothing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	err = files.Guard(name, func() error {
		defer r.Release()
		for _, c := range schemaColumns(schemaNodes(r.Schema())) {
			column := c.Column(c.name)
			if len(c.path) > 1 {
				column.Of = r.Schema().Field(c.path[0]).Name
			}
			out = append(out, column)
		}
		return nil
	})
	return out, err
}

// KeptTypes returns the types of the columns that o keeps of a file, also of a file without rows.
// Of the options it uses Open and Keep.
func KeptTypes(o Options, name string) ([]dataset.FieldType, error) {
	o.MaxBatch = defaultMaxBatch
	o.Columns, o.Nulls = nil, nil
	t, err := openTable(name, dataset.Dict(map[string]dataset.Spec{}), o)
	if errors.Is(err, errNothing) {
		return make([]dataset.FieldType, len(o.Keep)), nil
	}
	if err != nil {
		return nil, err
	}
	defer t.Close() //nolint:errcheck // nothing was written
	var types []dataset.FieldType
	for _, k := range t.kept {
		types = append(types, k.t)
	}
	return types, nil
}
