package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/ahead"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/lossless"
	"github.com/tfrun/tfrun/tensor"
)

// Header says whether a file's first line holds the names of its columns.
type Header uint8

// The choices of [Options.Header].
const (
	DetectHeader Header = iota // see the package's section on the format
	WithHeader
	WithoutHeader
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
	// Keep lists columns whose cells go to [dataset.Element.Extra] as JSON, in this order: as a
	// number where the cell is one, as a boolean where it is true or false (True, TRUE), as null
	// where it is empty and not quoted, otherwise as a string.
	Keep []string
	// Header: whether there is one.
	Header Header
	// Comma separates the fields. 0: a tab in files named .tsv or .tab, otherwise what the first
	// line has: a comma, a tab or a semicolon.
	Comma byte
	// NoQuotes takes quotes as text: every line is a row, and its separators separate.
	NoQuotes bool
	// MaxRow bounds a row's bytes. 0: [dataset.DefaultMaxLine].
	MaxRow int
	// Workers is the number of goroutines that parse. 0: one for each processor, up to 4.
	Workers int
}

// Rows returns a dataset of the rows of the files, read one after the other. Row numbers go on from
// file to file. What is wrong with the columns of the first file, if it is one that can be read
// twice, is an error of the dataset: a *[dataset.ColumnError].
func Rows(spec dataset.Spec, o Options, names ...string) *dataset.Dataset {
	if o.MaxRow == 0 {
		o.MaxRow = dataset.DefaultMaxLine
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
			Spare: func(j *job) *job { return &job{buf: j.buf} }, // the rest holds the rows
		}
	})
}

// check looks at the columns of a file that can be read twice.
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
	parser *parser // nil before the first line
}

func open(name string, spec dataset.Spec, o Options) (*file, error) {
	c, err := openChunks(o.Open, name, o.dialect(name), o.MaxRow)
	if err != nil {
		return nil, err
	}
	return &file{chunks: c, spec: spec, o: o}, nil
}

// Close closes the file.
func (f *file) Close() error {
	if err := f.close(); err != nil {
		return fmt.Errorf("read %s: %w", f.name, err)
	}
	return nil
}

// Read fills a job with the next chunk.
func (f *file) Read(j *job) (err error) {
	for {
		if j.buf, j.line, err = f.next(j.buf); err != nil {
			return err
		}
		j.from = 0
		if f.parser == nil {
			ok, err := f.begin(j)
			if err != nil {
				return err
			}
			if !ok {
				continue // nothing but empty lines so far
			}
		}
		if j.p != f.parser {
			j.p, j.comps = f.parser, nil
		}
		return nil
	}
}

// dialect returns what the options say of a file's dialect, and its name.
func (o Options) dialect(name string) dialect {
	d := dialect{comma: o.Comma, quote: '"'}
	if o.NoQuotes {
		d.quote = 0
	}
	plain := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(name), ".gz"), ".zst")
	if ext := filepath.Ext(plain); d.comma == 0 && (ext == ".tsv" || ext == ".tab") {
		d.comma = '\t'
	}
	return d
}

// begin reads a file's first line and makes the parser. ok is false where the chunk holds no line.
func (f *file) begin(j *job) (ok bool, err error) {
	b, i := j.buf, 0
	for i < len(b) && (b[i] == '\n' || b[i] == '\r') {
		if b[i] == '\n' {
			j.line++
		}
		i++
	}
	if i == len(b) {
		return false, nil
	}
	d := f.d
	first := d.split(b[i:])
	if len(first) > maxColumns {
		return false, tooManyColumns(f.name)
	}
	j.from = i
	header := f.o.Header == WithHeader || f.o.Header == DetectHeader && isHeader(first)
	names := first
	if header {
		line := d.lineEnd(b, i)
		j.line += int64(bytes.Count(b[i:line], []byte("\n")))
		j.from = line
	} else {
		names = numbered(len(first))
	}
	f.parser, err = newParser(f.name, d, f.spec, names, f.o)
	return true, err
}

// maxColumns bounds a file's columns: each takes a hundred bytes while rows are read.
const maxColumns = 1 << 20

func tooManyColumns(file string) error {
	return fmt.Errorf("%s:1: more than %d columns", file, maxColumns)
}

// lineEnd returns the index after the row that begins at b[i].
func (d dialect) lineEnd(b []byte, i int) int {
	for {
		f, _ := d.field(b, i, nil)
		i = f.end + 1
		if b[f.end] == '\n' {
			return i
		}
	}
}

// isHeader reports whether a file's first line holds names: it is not all numbers, or the numbers
// that pandas gives to columns without names.
func isHeader(cells []string) bool {
	counting := true
	for i, c := range cells {
		if i == 0 && c == "" && len(cells) > 1 {
			continue // the name of pandas' index
		}
		if _, err := strconv.ParseFloat(strings.TrimSpace(c), 64); err != nil && !errors.Is(err, strconv.ErrRange) {
			return true
		}
		counting = counting && c == strconv.Itoa(i-btoi(cells[0] == ""))
	}
	return counting && len(cells) > 1
}

func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}

// newParser finds the columns.
func newParser(file string, d dialect, spec dataset.Spec, names []string, o Options) (*parser, error) {
	pick, err := columns.Match(file, spec, names, columns.Options{Map: o.Columns, Keep: o.Keep})
	if err != nil {
		return nil, err
	}
	p := &parser{d: d, file: file, keep: o.Keep, fields: make([]target, len(names))}
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

// add makes a target of one more.
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

// storage says how a component that is read from n columns is stored, and its cells are read.
func storage(file, path string, comp dataset.Component, n int) (component, target, error) {
	out := component{Component: comp, size: comp.DType.Size()}
	_, fixed := columns.Side(comp, n)
	if n == 1 && (!fixed || comp.DType.IsComplex() || !comp.Shape.FullyKnown()) {
		out.json = true
		if _, err := dataset.NewValueParser(comp, dataset.ReadOptions{}); err != nil {
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

// cellOf says how a cell of one value is read.
func cellOf(d tensor.DType) (t target, ok bool) {
	switch lossless.Carrier(d) {
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
		return t, lossless.Can(d, tensor.Float64) && !d.IsComplex()
	}
	return t, true
}

// sampleRows is how many rows [Columns] looks at.
const sampleRows = 1000

// Columns lists the columns of a file, with the types that its first rows have. Of o it uses Open,
// Header, Comma and NoQuotes.
func Columns(o Options, name string) ([]dataset.Column, error) {
	d := o.dialect(name)
	c, err := openChunks(o.Open, name, d, dataset.DefaultMaxLine)
	if err != nil {
		return nil, err
	}
	defer c.close() //nolint:errcheck // nothing was written
	b, _, err := c.next(nil)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b = bytes.TrimLeft(b, "\r\n")
	if len(b) == 0 {
		return nil, nil
	}
	d = c.d
	first := d.split(b)
	if len(first) > maxColumns {
		return nil, tooManyColumns(name)
	}
	i := 0
	names := numbered(len(first))
	if o.Header == WithHeader || o.Header == DetectHeader && isHeader(first) {
		names, i = first, d.lineEnd(b, 0)
	}
	types := make([]cellType, len(names))
	for n := 0; n < sampleRows && i < len(b); n++ {
		for k, cell := range d.split(b[i:]) {
			if k < len(types) {
				types[k] = types[k].with(typeOf(strings.TrimSpace(cell)))
			}
		}
		i = d.lineEnd(b, i)
	}
	out := make([]dataset.Column, len(names))
	for k, name := range names {
		out[k] = types[k].column(name)
	}
	return out, nil
}

// cellType is what cells look like.
type cellType uint8

const (
	noCells cellType = iota
	boolCells
	intCells
	floatCells
	listCells
	textCells
)

// with returns the type of cells of both types.
func (t cellType) with(u cellType) cellType {
	switch {
	case t == noCells || u == noCells || t == u, t == intCells && u == floatCells, t == floatCells && u == intCells:
		return max(t, u)
	}
	return textCells
}

func typeOf(cell string) cellType {
	if cell == "" {
		return noCells
	}
	if _, err := strconv.ParseInt(cell, 10, 64); err == nil {
		return intCells
	}
	if _, ok := parseFloat([]byte(cell), 64); ok {
		return floatCells
	}
	if _, ok := parseBool([]byte(cell)); ok {
		return boolCells
	}
	if cell[0] == '[' && cell[len(cell)-1] == ']' {
		return listCells
	}
	return textCells
}

func (t cellType) column(name string) dataset.Column {
	scalar := tensor.MakeShape()
	switch t {
	case boolCells:
		return dataset.Column{Name: name, Type: "boolean", DType: tensor.Bool, Shape: scalar}
	case intCells:
		return dataset.Column{Name: name, Type: "integer", DType: tensor.Int64, Shape: scalar}
	case floatCells:
		return dataset.Column{Name: name, Type: "number", DType: tensor.Float64, Shape: scalar}
	case listCells:
		return dataset.Column{Name: name, Type: "list", DType: tensor.Float64}
	}
	return dataset.Column{Name: name, Type: "text", DType: tensor.String, Shape: scalar}
}
