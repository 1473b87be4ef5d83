package csv

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/tensor"
)

// kind is how a cell is read.
type kind uint8

const (
	skipCell kind = iota
	// The kinds of plain numbers, read without looking for the cell's end first.
	float32Cell
	float64Cell
	intCell
	numberCell // any other number, and booleans
	stringCell
	jsonCell
	keptCell
	manyCell // for several targets
)

// target is what a column's cells are read into: a component, or a kept column.
type target struct {
	kind   kind
	name   string // of the column
	store  int    // index of the component, or of the kept column
	at     int    // index of the value in the component's row
	back   int    // bytes from the value's place to the end of the component's row
	lo, hi int64  // the least and largest integer of the dtype
	more   []target
}

// parser reads the rows of one file.
type parser struct {
	d      dialect
	file   string
	fields []target
	comps  []component
	keep   []string
	// mostKept is how many bytes the kept cells of a row may take.
	mostKept int64
	null     []string // texts of missing cells
	slow     bool     // such a text may look like a number, so plain must not read cells
}

// component is how rows of one component are stored.
type component struct {
	dataset.Component
	dims []int64 // sizes of a row, where all rows have the same
	n    int     // number of values of such a row
	size int     // bytes of one value
	json bool
	// fill is the scalar that takes the place of missing cells; the zero Tensor: missing is an
	// error
	fill tensor.Tensor
}

// job is a chunk of a file, and then the block of rows that was read from it.
type job struct {
	p     *parser
	buf   []byte // the chunk
	line  int64
	rows  int
	lines []int64
	bad   []block.Bad
	comps []store
	kept  []span // by row and kept column, in text
	text  []byte
	field []byte // scratch memory for a field without its quotes
	block block.Block
}

// store holds the values of one component.
type store struct {
	data   []byte
	spans  []span // of strings, in text
	text   []byte
	strs   []string
	values []tensor.Tensor
	splits [][]tensor.Tensor
	parser *dataset.ValueParser
	one    []byte // aligned memory for one value
}

type span struct{ lo, hi int }

// parse reads the rows of the chunk.
func (j *job) parse() {
	j.reset()
	b, line := j.buf, j.line
	for i := 0; ; {
		at, lines := j.p.d.skip(b, i)
		if at == len(b) {
			break
		}
		i, line = at, line+int64(lines)
		j.lines = append(j.lines, line)
		j.grow()
		stored := len(j.text)
		i, line = j.row(b, i, line)
		if int64(len(j.text)-stored) > j.p.mostKept {
			j.dropKept()
		}
		j.rows++
	}
	j.finish()
}

func (j *job) reset() {
	j.rows, j.lines, j.bad, j.kept, j.text = 0, j.lines[:0], nil, j.kept[:0], j.text[:0]
	if j.comps == nil {
		j.comps = make([]store, len(j.p.comps))
	}
	for c := range j.comps {
		s := &j.comps[c]
		s.data, s.spans, s.text, s.values, s.splits = s.data[:0], s.spans[:0], s.text[:0], s.values[:0], s.splits[:0]
	}
}

// dropKept drops what is kept of the row that was just read, which is too much.
func (j *job) dropKept() {
	clear(j.kept[len(j.kept)-len(j.p.keep):])
	if n := len(j.bad); n == 0 || j.bad[n-1].Index != j.rows {
		err := dataset.KeptError(j.p.mostKept)
		j.bad = append(j.bad, block.Bad{Index: j.rows, Msg: err.Error(), Err: err})
	}
}

// grow makes room for one more row in the stores.
func (j *job) grow() {
	for c := range j.comps {
		s, comp := &j.comps[c], &j.p.comps[c]
		switch {
		case comp.json:
			s.values = append(s.values, tensor.Tensor{})
			if comp.Ragged {
				s.splits = append(s.splits, nil)
			}
		case comp.DType == tensor.String:
			s.spans = append(s.spans, make([]span, comp.n)...)
		default:
			n := len(s.data) + comp.n*comp.size
			if n > cap(s.data) {
				s.data = slices.Grow(s.data, n)
			}
			s.data = s.data[:n]
		}
	}
	j.kept = append(j.kept, make([]span, len(j.p.keep))...)
}

// row reads the row that begins at b[i], in the given line, and returns where the next row begins,
// and in which line.
func (j *job) row(b []byte, i int, line int64) (int, int64) {
	p := j.p
	good := true
	fail := func(field, msg string) {
		if good {
			j.bad = append(j.bad, block.Bad{Index: j.rows, Field: field, Msg: msg})
			good = false
		}
	}
	f, end := 0, false
	if i, f, end = j.plain(b, i, f); end {
		return i, line + 1
	}
	for {
		var cell field
		cell, j.field = p.d.field(b, i, j.field)
		if b[i] == p.d.quote && p.d.quote != 0 {
			line += int64(countEnds(b[i:cell.end]))
		}
		i = cell.end
		switch {
		case f >= len(p.fields):
		case cell.bad:
			fail(p.fields[f].name, "text stands after the closing quote")
		case good:
			if msg := j.set(&p.fields[f], cell); msg != "" {
				fail(p.fields[f].name, msg)
				j.keepCell(&p.fields[f], cell)
			}
		default:
			j.keepCell(&p.fields[f], cell)
		}
		if isEnd(b[i]) {
			if f+1 != len(p.fields) {
				// The row has too many fields or too few: no cell can be told to belong to a
				// column.
				clear(j.kept[len(j.kept)-len(p.keep):])
				fail("", fmt.Sprintf("want %d fields, got %d", len(p.fields), f+1))
			}
			return afterEnd(b, i), line + 1
		}
		i++
		f++
		if good {
			if i, f, end = j.plain(b, i, f); end {
				return i, line + 1
			}
		}
	}
}

// plain reads plain numbers, from field f at b[i] on. It stops at the end of a row with the right
// number of fields (end), or before the first cell that holds anything else, and returns where that
// is.
func (j *job) plain(b []byte, i, f int) (at, next int, end bool) {
	p := j.p
	if p.slow {
		return i, f, false
	}
	for ; f < len(p.fields); f++ {
		t := &p.fields[f]
		var stop int
		ok := false
		switch t.kind {
		case float32Cell:
			var v float32
			if v, stop, ok = readFloat32(b, i); ok {
				s := &j.comps[t.store]
				binary.LittleEndian.PutUint32(s.data[len(s.data)-t.back:], math.Float32bits(v))
			}
		case float64Cell:
			var v float64
			if v, stop, ok = readFloat64(b, i); ok {
				s := &j.comps[t.store]
				binary.LittleEndian.PutUint64(s.data[len(s.data)-t.back:], math.Float64bits(v))
			}
		case intCell:
			var v int64
			if v, stop, ok = readInt(b, i); ok && v >= t.lo && v <= t.hi {
				j.putInt(t, v)
			} else {
				ok = false
			}
		case skipCell:
			if ok = b[i] != p.d.quote || p.d.quote == 0; ok {
				stop = p.d.separator(b, i)
			}
		}
		if !ok {
			return i, f, false
		}
		last := f+1 == len(p.fields)
		switch c := b[stop]; {
		case c == p.d.comma && !last:
			i = stop + 1
		case isEnd(c) && last:
			return afterEnd(b, stop), f + 1, true
		default:
			// The caller reads the cell again and reports it.
			return i, f, false
		}
	}
	return i, f, false
}

func (j *job) putInt(t *target, v int64) {
	s, comp := &j.comps[t.store], &j.p.comps[t.store]
	dst := s.data[len(s.data)-t.back:]
	switch comp.size {
	case 8:
		binary.LittleEndian.PutUint64(dst, uint64(v)) //nolint:gosec // the bits are meant, here and below
	case 4:
		binary.LittleEndian.PutUint32(dst, uint32(v)) //nolint:gosec // see above
	case 2:
		binary.LittleEndian.PutUint16(dst, uint16(v)) //nolint:gosec // see above
	default:
		dst[0] = byte(v)
	}
}

// finish makes the block of the rows that were read.
func (j *job) finish() {
	j.block = block.Block{File: j.p.file, Rows: j.rows, Lines: j.lines, Bad: j.bad, Columns: j.block.Columns[:0]}
	for c := range j.comps {
		s, comp := &j.comps[c], &j.p.comps[c]
		switch {
		case comp.json:
			col := &block.Tensors{Values: s.values}
			if comp.Ragged {
				col.Splits = s.splits
			}
			j.block.Columns = append(j.block.Columns, col)
			continue
		case comp.DType == tensor.String:
			s.strs = s.strs[:0]
			all := string(s.text)
			for _, at := range s.spans {
				s.strs = append(s.strs, all[at.lo:at.hi])
			}
		}
		j.block.Columns = append(j.block.Columns, block.NewFixed(block.Flat(comp.DType, s.data, s.strs), comp.dims))
	}
	if len(j.p.keep) > 0 {
		j.block.Extra = j.extra
	}
}

// result returns the block.
func (j *job) result() (*block.Block, error) { return &j.block, nil }

func (j *job) extra(i int, dst []dataset.Field) []dataset.Field {
	for k, key := range j.p.keep {
		at := j.kept[i*len(j.p.keep)+k]
		if at.hi == at.lo {
			// A bad row has no kept cells.
			continue
		}
		dst = append(dst, dataset.Field{Key: key, Value: j.text[at.lo:at.hi:at.hi]})
	}
	return dst
}

// keepCell stores a cell of a column that is only kept.
func (j *job) keepCell(t *target, cell field) {
	for i := range t.more {
		j.keepCell(&t.more[i], cell)
	}
	if t.kind != keptCell {
		return
	}
	lo := len(j.text)
	if j.p.missing(cell) {
		j.text = append(j.text, "null"...)
	} else {
		j.text = appendKept(j.text, cell.text)
	}
	j.kept[len(j.kept)-len(j.p.keep)+t.store] = span{lo, len(j.text)}
}
