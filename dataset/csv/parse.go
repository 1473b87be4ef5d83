package csv

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
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
}

// component is how rows of one component are stored.
type component struct {
	dataset.Component
	dims []int64 // of a row, where each row has the same
	n    int     // values of such a row
	size int     // bytes of one
	json bool
}

// job is a chunk of a file, then the block of its rows.
type job struct {
	p     *parser
	buf   []byte // the chunk
	from  int    // where its rows begin
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
	for i := j.from; i < len(b); {
		if b[i] == '\n' || b[i] == '\r' && b[i+1] == '\n' {
			i += 1 + btoi(b[i] == '\r')
			line++
			continue
		}
		j.lines = append(j.lines, line)
		j.grow()
		i, line = j.row(b, i, line)
		j.rows++
	}
	j.finish()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
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
			line += int64(bytes.Count(b[i:cell.end], []byte("\n")))
		}
		i = cell.end
		switch {
		case f >= len(p.fields):
		case cell.bad:
			fail(p.fields[f].name, "text stands after the closing quote")
		case good:
			if msg := j.set(&p.fields[f], cell); msg != "" {
				fail(p.fields[f].name, msg)
			}
		}
		if b[i] == '\n' {
			if f+1 != len(p.fields) {
				fail("", fmt.Sprintf("want %d fields, got %d", len(p.fields), f+1))
			}
			return i + 1, line + 1
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
		c := b[stop]
		if c == '\r' && b[stop+1] == '\n' {
			stop, c = stop+1, '\n'
		}
		switch {
		case c == '\n' && f+1 == len(p.fields):
			return stop + 1, f + 1, true
		case c != p.d.comma || f+1 == len(p.fields):
			return i, f, false // it is read again, for the error
		}
		i = stop + 1
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

// set stores a cell by its text.
func (j *job) set(t *target, cell field) (msg string) {
	text := cell.text
	switch t.kind {
	case skipCell:
		return ""
	case manyCell:
		for i := range t.more {
			if msg := j.set(&t.more[i], cell); msg != "" {
				return msg
			}
		}
		return ""
	case keptCell:
		lo := len(j.text)
		j.text = appendKept(j.text, cell)
		j.kept[len(j.kept)-len(j.p.keep)+t.store] = span{lo, len(j.text)}
		return ""
	}
	s, comp := &j.comps[t.store], &j.p.comps[t.store]
	switch t.kind {
	case stringCell:
		lo := len(s.text)
		s.text = append(s.text, onlyString(comp, text)...)
		s.spans[len(s.spans)-comp.n+t.at] = span{lo, len(s.text)}
		return ""
	case jsonCell:
		return s.parseJSON(comp, text)
	}
	if s.one == nil {
		s.one = make([]byte, comp.size)
	}
	one, err := tensor.Share(comp.DType, s.one, []int64{1})
	if err != nil {
		return err.Error()
	}
	if msg := number(onlyNumber(comp, bytes.TrimSpace(text)), one); msg != "" {
		return msg
	}
	copy(s.data[len(s.data)-t.back:], s.one)
	return ""
}

// onlyNumber takes the brackets from the cell of a list of one: [[1.5]].
func onlyNumber(comp *component, text []byte) []byte {
	for range comp.dims {
		if comp.n != 1 || len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
			break
		}
		text = bytes.TrimSpace(text[1 : len(text)-1])
	}
	return text
}

// onlyString returns the string of a cell, or that of a JSON list of one string where one is
// wanted: ["a"].
func onlyString(comp *component, text []byte) []byte {
	if inner := onlyNumber(comp, text); len(inner) < len(text) && len(inner) > 1 && inner[0] == '"' {
		var only string
		if json.Unmarshal(inner, &only) == nil {
			return []byte(only)
		}
	}
	return text
}

// parseJSON reads a cell that holds a list.
func (s *store) parseJSON(comp *component, text []byte) (msg string) {
	if s.parser == nil {
		p, err := dataset.NewValueParser(comp.Component, dataset.ReadOptions{Keep: true})
		if err != nil {
			return err.Error()
		}
		s.parser = p
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return "want a list, got an empty cell"
	}
	t, splits, err := s.parser.Parse(text)
	if err != nil && (text[0] == '[' || text[0] == '(' && comp.DType != tensor.String) {
		if list, ok := fromPython(text); ok {
			if t, splits, again := s.parser.Parse(list); again == nil {
				return s.put(comp, t, splits)
			}
		}
	}
	if err != nil && text[0] != '[' && comp.Shape.Admits([]int64{1}) && !comp.Ragged {
		// A single value stands for a list of one. A string may stand without quotes.
		if comp.DType == tensor.String {
			text = jsontext.AppendString(nil, string(text))
		}
		var again error
		if t, splits, again = s.parser.Parse(slices.Concat([]byte("["), text, []byte("]"))); again == nil {
			err = nil
		}
	}
	if err != nil {
		return err.Error()
	}
	return s.put(comp, t, splits)
}

// put stores the value of the last row.
func (s *store) put(comp *component, t tensor.Tensor, splits []tensor.Tensor) (msg string) {
	s.values[len(s.values)-1] = t
	if comp.Ragged {
		s.splits[len(s.splits)-1] = splits
	}
	return ""
}

// appendKept appends a kept cell as JSON: a number where it is one as JSON writes it, a boolean
// where it is the word for one, null where nothing stands between the separators, otherwise a
// string. Quotes make a difference to the empty cell alone: some programs quote every cell, or
// every one but numbers.
func appendKept(dst []byte, cell field) []byte {
	switch string(cell.text) {
	case "":
		if !cell.quoted {
			return append(dst, "null"...)
		}
	case "true", "True", "TRUE":
		return append(dst, "true"...)
	case "false", "False", "FALSE":
		return append(dst, "false"...)
	}
	if jsontext.IsNumber(cell.text) {
		return append(dst, cell.text...)
	}
	return jsontext.AppendString(dst, string(cell.text))
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
		dst = append(dst, dataset.Field{Key: key, Value: j.text[at.lo:at.hi:at.hi]})
	}
	return dst
}
