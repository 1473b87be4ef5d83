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
	skipCell    kind = iota
	float32Cell      // the kinds of plain numbers are read without looking for the cell's end first
	float64Cell
	intCell
	numberCell // any other number, and booleans
	stringCell
	jsonCell
	keptCell
	manyCell // several targets
)

// target is where a cell goes.
type target struct {
	kind   kind
	name   string // of the column
	store  int    // of the component, or of the kept column
	at     int    // the value's place in the component's row
	back   int    // how many bytes of the row are left there
	lo, hi int64  // what an integer may be
	more   []target
}

// parser reads the rows of one file.
type parser struct {
	d      dialect
	file   string
	fields []target
	comps  []component
	keep   []string
	null   []string // texts of cells that are missing
	slow   bool     // such a text may look like a number: plain is not to read it
}

// component is how rows of one component are stored.
type component struct {
	dataset.Component
	dims []int64 // of a row, where each row has the same
	n    int     // values of such a row
	size int     // bytes of one
	json bool
	// fill stands in for missing cells, a scalar; the zero Tensor: nothing does
	fill tensor.Tensor
}

// job is a chunk of a file, then the block of its rows.
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
	field []byte // unquoted
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
	one    []byte // an aligned value, read by other means
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
		i, line = j.row(b, i, line)
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

// grow makes room for a row.
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

// row reads the row that begins at b[i] in the given line, and returns where the next one begins.
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
				clear(j.kept[len(j.kept)-len(p.keep):]) // who knows which cell is whose
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

// plain reads cells that are nothing but numbers, from field f at b[i] on, up to the end of a row
// with the right number of fields, or to the first cell of any other kind. It returns where that
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
			return i, f, false // it is read again, for the error
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

// finish makes the block of what was read.
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
			continue // of a bad row
		}
		dst = append(dst, dataset.Field{Key: key, Value: j.text[at.lo:at.hi:at.hi]})
	}
	return dst
}

// keepCell stores a cell where it is kept, and nowhere else.
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
