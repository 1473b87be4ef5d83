package csv

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/ahead"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/tensor"
)

// Rows returns a dataset of the rows of the files, read one after the other. Row numbers go on from
// file to file. The columns of the first file are looked at right away, if the file can be read
// twice: a column that is missing or does not fit is then an error of the dataset, a
// *[dataset.ColumnError].
func Rows(spec dataset.Spec, o Options, names ...string) *dataset.Dataset {
	_, err := o.Nulls.For(spec)
	if err = errors.Join(o.Check(), err); err != nil {
		return dataset.Failed(err)
	}
	if o.Workers <= 0 {
		o.Workers = ahead.Workers()
	}
	if len(names) > 0 {
		if err := check(spec, o, names[0]); err != nil {
			return dataset.Failed(err)
		}
	}
	return block.Rows(spec, dataset.UnknownCardinality, func() *block.Files[job] {
		return &block.Files[job]{
			Names: names, Open: func(name string) (block.File[job], error) { return open(name, spec, o) },
			Workers: o.Workers, Work: (*job).parse, Block: (*job).result,
			// The memory of a job holds its rows, so a new job takes over only the buffer.
			Spare: func(j *job) *job { return &job{buf: j.buf} },
		}
	})
}

// check finds the columns of a file that can be read twice, and returns what is wrong with them.
func check(spec dataset.Spec, o Options, name string) error {
	return block.Look(o.Open, name, func(again dataset.Opener) (block.File[job], error) {
		o.Open = again
		return open(name, spec, o)
	})
}

// file is an open file.
type file struct {
	*chunks
	spec   dataset.Spec
	o      Options
	parser *parser // nil before the first row
}

func open(name string, spec dataset.Spec, o Options) (*file, error) {
	c, err := openChunks(name, o)
	if err != nil {
		return nil, err
	}
	return &file{chunks: c, spec: spec, o: o}, nil
}

// Read fills a job with the next chunk of the file.
func (f *file) Read(j *job) (err error) {
	if f.parser == nil {
		names, d, err := f.begin(f.o)
		if err != nil {
			return err
		}
		if names == nil {
			return io.EOF
		}
		if f.o.Sniffed != nil {
			f.o.Sniffed(f.name, d)
		}
		if f.parser, err = newParser(f.name, f.d, f.spec, names, f.o); err != nil {
			return err
		}
	}
	if j.buf, j.line, err = f.next(j.buf); err != nil {
		return err
	}
	if j.p != f.parser {
		j.p, j.comps = f.parser, nil
	}
	return nil
}

// newParser matches the columns of a file with the components, and returns a parser of its rows.
func newParser(file string, d dialect, spec dataset.Spec, names []string, o Options) (*parser, error) {
	pick, err := columns.Match(file, spec, names, columns.Options{Map: o.Columns, Keep: o.Keep})
	if err != nil {
		return nil, err
	}
	fill, err := o.Nulls.For(spec)
	if err != nil {
		return nil, err
	}
	p := &parser{d: d, file: file, keep: o.Keep, mostKept: dataset.Limits{RowBytes: int64(o.MaxRow)}.KeptBytes(), null: o.Null, fields: make([]target, len(names))}
	p.slow = slices.ContainsFunc(o.Null, func(text string) bool { return strings.ContainsAny(text, "0123456789") })
	for i, name := range names {
		p.fields[i].name = name
	}
	paths := spec.Paths()
	for c, comp := range spec.Flatten() {
		cols := pick.Components[c]
		stored, t, err := storage(file, paths[c], comp, len(cols))
		if err != nil {
			return nil, err
		}
		stored.fill = fill[c]
		p.comps = append(p.comps, stored)
		for at, col := range cols {
			t.store, t.at, t.back = c, at, stored.size*(len(cols)-at)
			p.fields[col].add(t)
		}
	}
	for k, col := range pick.Keep {
		p.fields[col].add(target{kind: keptCell, store: k})
	}
	return p, nil
}

// add gives the cells of a target's column to another target too.
func (t *target) add(more target) {
	more.name = t.name
	switch t.kind {
	case skipCell:
		*t = more
	case manyCell:
		t.more = append(t.more, more)
	default:
		*t = target{kind: manyCell, name: t.name, more: []target{*t, more}}
	}
}

// storage returns how a component that is read from n columns is stored, and how its cells are
// read.
func storage(file, path string, comp dataset.Component, n int) (component, target, error) {
	out := component{Component: comp, size: comp.DType.Size()}
	_, fixed := comp.Side(n)
	if n == 1 && (!fixed || comp.DType.IsComplex() || !comp.Shape.FullyKnown()) {
		out.json = true
		if _, err := dataset.NewValueParser(comp, tensor.Tensor{}, dataset.ReadOptions{}); err != nil {
			return out, target{}, &dataset.ColumnError{File: file, Component: path, Msg: err.Error()}
		}
		return out, target{kind: jsonCell}, nil
	}
	dims, err := columns.CheckSide(file, path, comp, n)
	if err != nil {
		return out, target{}, err
	}
	out.dims, out.n = dims, n
	t, ok := cellOf(comp.DType)
	if !ok {
		return out, t, &dataset.ColumnError{File: file, Component: path, Msg: fmt.Sprintf("values of type %s are not read from cells", comp.DType)}
	}
	return out, t, nil
}

// cellOf returns how a cell of one value is read; ok is false for dtypes whose
// values are not read from cells.
func cellOf(d tensor.DType) (t target, ok bool) {
	switch dtypes.Carrier(d) {
	case tensor.Float32:
		t.kind = float32Cell
	case tensor.Float64:
		t.kind = float64Cell
	case tensor.String:
		t.kind = stringCell
	case tensor.Int8:
		t = target{kind: intCell, lo: math.MinInt8, hi: math.MaxInt8}
	case tensor.Int16:
		t = target{kind: intCell, lo: math.MinInt16, hi: math.MaxInt16}
	case tensor.Int32:
		t = target{kind: intCell, lo: math.MinInt32, hi: math.MaxInt32}
	case tensor.Int64:
		t = target{kind: intCell, lo: math.MinInt64, hi: math.MaxInt64}
	case tensor.Uint8:
		t = target{kind: intCell, hi: math.MaxUint8}
	case tensor.Uint16:
		t = target{kind: intCell, hi: math.MaxUint16}
	case tensor.Uint32:
		t = target{kind: intCell, hi: math.MaxUint32}
	case tensor.Uint64:
		t = target{kind: intCell, hi: math.MaxInt64}
	default:
		t.kind = numberCell
		return t, dtypes.Can(d, tensor.Float64) && !d.IsComplex()
	}
	return t, true
}
