package tfrecord

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/dataset/internal/lossless"
	"github.com/tfrun/tfrun/tensor"
)

// plan says where features go.
type plan struct {
	file    string
	comps   []dataset.Component
	paths   []string
	names   []string // of each component's feature
	keep    []string
	targets map[string][]int // by feature: components, then len(comps) + kept columns
	max     int64            // values of a component
}

// job is a run of records, then the block of their rows.
type job struct {
	p       *plan
	buf     []byte
	ends    []int // of each record, in buf
	corrupt []int // records whose checksum is wrong; they have no bytes
	first   int64 // the first record's number in the file, from 1
	stores  []store
	kept    []span // by row and kept column, in text
	text    []byte
	bad     []block.Bad
	floats  []float32
	ints    []int64
	bytes   [][]byte
	block   block.Block
}

type span struct{ lo, hi int }

// store holds the values of one component.
type store struct {
	seen   bool // in this row
	data   []byte
	text   []byte
	spans  []span
	starts []int   // the first value of each row, and one more
	dims   []int64 // of all rows
	dimsAt []int   // where each row's sizes begin
	splits [][]tensor.Tensor
	strs   []string
	values []tensor.Tensor
}

func (s *store) len(size int) int {
	if size == 0 {
		return len(s.spans)
	}
	return len(s.data) / size
}

// truncate drops the values from value n on.
func (s *store) truncate(n, size int) {
	if size == 0 {
		s.spans = s.spans[:n]
	} else {
		s.data = s.data[:n*size]
	}
}

// parse reads the records.
func (j *job) parse() {
	j.bad, j.kept, j.text = nil, j.kept[:0], j.text[:0]
	if len(j.stores) != len(j.p.comps) {
		j.stores = make([]store, len(j.p.comps))
	}
	for c := range j.stores {
		s := &j.stores[c]
		s.data, s.text, s.spans, s.starts, s.dims, s.dimsAt, s.splits = s.data[:0], s.text[:0], s.spans[:0], s.starts[:0], s.dims[:0], s.dimsAt[:0], s.splits[:0]
	}
	corrupt := j.corrupt
	from := 0
	for i, end := range j.ends {
		var path, msg string
		j.begin()
		if len(corrupt) > 0 && corrupt[0] == i {
			corrupt, msg = corrupt[1:], errChecksum.Error()
		} else {
			path, msg = j.record(j.buf[from:end])
		}
		if msg == "" {
			path, msg = j.complete()
		}
		if msg != "" {
			j.bad = append(j.bad, block.Bad{Index: i, Field: path, Msg: msg})
			j.drop(i)
		}
		from = end
	}
	j.finish()
}

// begin starts a row.
func (j *job) begin() {
	for c := range j.stores {
		s := &j.stores[c]
		s.seen = false
		s.starts = append(s.starts, s.len(j.p.comps[c].DType.Size()))
		s.dimsAt = append(s.dimsAt, len(s.dims))
	}
	j.kept = append(j.kept, make([]span, len(j.p.keep))...)
}

// drop takes back what row i, the last one, has stored, and leaves an empty row in its place.
func (j *job) drop(i int) {
	for c := range j.stores {
		s, comp := &j.stores[c], &j.p.comps[c]
		s.truncate(s.starts[i], comp.DType.Size())
		s.dims = append(s.dims[:s.dimsAt[i]], 0)
		if comp.Ragged {
			s.splits = append(s.splits[:i], nil)
		}
	}
}

// record reads the features of a serialized Example or SequenceExample.
func (j *job) record(b []byte) (path, msg string) {
	err := eachField(b, func(number uint64, wire byte, data []byte) error {
		if wire != wireBytes && number <= 2 {
			return errWire
		}
		if number > 2 {
			return nil
		}
		return eachField(data, func(inner uint64, wire byte, data []byte) error {
			if inner != 1 {
				return nil
			}
			if wire != wireBytes {
				return errWire
			}
			key, value, err := entry(data)
			if err != nil {
				return err
			}
			for _, t := range j.p.targets[string(key)] {
				if path, msg = j.set(t, value, number == 2); msg != "" {
					return errRow
				}
			}
			return nil
		})
	})
	if err != nil && msg == "" {
		return "", err.Error()
	}
	return path, msg
}

// errRow ends the reading of a row whose path and message are known.
var errRow = fmt.Errorf("row")

// set stores a feature, or a list of features, in a component or a kept column.
func (j *job) set(target int, value []byte, list bool) (path, msg string) {
	if k := target - len(j.p.comps); k >= 0 {
		lo := len(j.text)
		var err error
		if j.text, err = j.appendJSON(j.text, value, list); err != nil {
			return j.p.keep[k], err.Error()
		}
		j.kept[len(j.kept)-len(j.p.keep)+k] = span{lo, len(j.text)}
		return "", ""
	}
	s, path := &j.stores[target], j.p.paths[target]
	if s.seen {
		return path, "the feature stands twice in the row"
	}
	s.seen = true
	var steps []int64
	if list {
		err := eachField(value, func(number uint64, wire byte, data []byte) error {
			if number != 1 || wire != wireBytes {
				return errWire
			}
			before := s.len(j.p.comps[target].DType.Size())
			if msg = j.append(target, data); msg != "" {
				return errRow
			}
			steps = append(steps, int64(s.len(j.p.comps[target].DType.Size())-before))
			return nil
		})
		if err != nil && msg == "" {
			msg = err.Error()
		}
		if steps == nil {
			steps = []int64{}
		}
	} else {
		msg = j.append(target, value)
	}
	if msg != "" {
		return path, msg
	}
	return path, j.shape(target, steps)
}

// append stores the values of a feature.
func (j *job) append(target int, value []byte) (msg string) {
	k, list, err := feature(value)
	if err != nil {
		return err.Error()
	}
	s, dtype := &j.stores[target], j.p.comps[target].DType
	switch {
	case k == noValues:
		return ""
	case atLeast(k, list) > j.p.max:
		return fmt.Sprintf("more values than the limit of %d", j.p.max)
	case k == bytesList && dtype == tensor.String:
		if j.bytes, err = appendStrings(j.bytes[:0], list); err != nil {
			return err.Error()
		}
		for _, v := range j.bytes {
			lo := len(s.text)
			s.text = append(s.text, v...)
			s.spans = append(s.spans, span{lo, len(s.text)})
		}
	case k == bytesList:
		return j.raw(target, list)
	case dtype == tensor.String:
		return "want strings, got " + k.String()
	case k == floatList:
		if j.floats, err = appendFloats(j.floats[:0], list); err != nil {
			return err.Error()
		}
		return j.convert(s, dtype, tensor.Vector(j.floats...))
	default:
		if j.ints, err = appendInts(j.ints[:0], list); err != nil {
			return err.Error()
		}
		return j.convert(s, dtype, tensor.Vector(j.ints...))
	}
	return ""
}

// atLeast returns a number of values that a list has at least, half of what it has or more: so that no memory is asked for values that are too many.
func atLeast(k kind, list []byte) int64 {
	switch k {
	case floatList:
		return int64(len(list)) / 5 // four bytes each, or five where they are not packed
	case int64List:
		ends := 0
		for _, b := range list {
			if b < 0x80 {
				ends++
			}
		}
		return int64(ends-2) / 2 // each has a tag of its own where they are not packed
	}
	n := int64(0)
	_ = eachField(list, func(uint64, byte, []byte) error { // what is wrong with it will be told when it is read
		n++
		return nil
	})
	return n
}

// raw stores values whose bytes stand in a single value of bytes: tf.io.decode_raw.
func (j *job) raw(target int, list []byte) (msg string) {
	var err error
	if j.bytes, err = appendStrings(j.bytes[:0], list); err != nil {
		return err.Error()
	}
	s, dtype := &j.stores[target], j.p.comps[target].DType
	size := dtype.Size()
	switch {
	case len(j.bytes) != 1:
		return fmt.Sprintf("want %s, or their bytes in one value, got %d values of bytes", lossless.Want(dtype), len(j.bytes))
	case len(j.bytes[0])%size != 0:
		return fmt.Sprintf("want %s, got a value of %d bytes, which are no whole number of them", lossless.Want(dtype), len(j.bytes[0]))
	}
	s.data = append(s.data, j.bytes[0]...)
	if dtype == tensor.Bool {
		for _, v := range j.bytes[0] {
			if v > 1 {
				return "want booleans, got other bytes"
			}
		}
	}
	return ""
}

// convert appends values as the component's dtype.
func (j *job) convert(s *store, dtype tensor.DType, src tensor.Tensor) (msg string) {
	from, n := len(s.data), src.Len()*dtype.Size()
	s.data = slices.Grow(s.data, n)[:from+n]
	dst, err := tensor.Share(dtype, s.data[from:], src.Dims())
	if err != nil {
		return err.Error()
	}
	if bad := lossless.Convert(dst, src); bad >= 0 {
		return lossless.Reason(dtype, src, bad)
	}
	return ""
}

// shape works out the sizes of the row's value. steps are the lengths of a feature list's features, nil for a feature.
func (j *job) shape(target int, steps []int64) (msg string) {
	s, comp := &j.stores[target], &j.p.comps[target]
	n := int64(s.len(comp.DType.Size()) - s.starts[len(s.starts)-1])
	if n > j.p.max {
		return fmt.Sprintf("%d values are more than the limit of %d", n, j.p.max)
	}
	var dims []int64
	ok := true
	switch {
	case comp.Ragged:
		return j.ragged(s, comp, steps, n)
	case steps != nil:
		dims, ok = stepDims(comp, steps)
	case n == 0:
		dims, ok = emptyDims(comp)
	case n > math.MaxInt32:
		ok = false
	default:
		dims, ok = columns.Side(*comp, int(n))
	}
	if !ok {
		if steps != nil {
			return fmt.Sprintf("a feature list of %d steps does not fill the shape %v", len(steps), comp.Shape)
		}
		return fmt.Sprintf("%d values do not fill the shape %v", n, comp.Shape)
	}
	s.dims = append(s.dims, dims...)
	return ""
}

// stepDims returns the sizes of a feature list whose features have equal lengths.
func stepDims(comp *dataset.Component, steps []int64) ([]int64, bool) {
	n := int64(len(steps))
	each := int64(1)
	if n > 0 {
		each = steps[0]
	}
	for _, l := range steps {
		if l != each {
			return nil, false
		}
	}
	inner := *comp
	inner.Shape = comp.Shape.Drop(1)
	rest, ok := emptyDims(&inner)
	if n > 0 && each > 0 {
		rest, ok = columns.Side(inner, int(each))
	}
	dims := append([]int64{n}, rest...)
	return dims, ok && comp.Shape.Admits(dims)
}

// emptyDims returns the sizes of a value without values.
func emptyDims(comp *dataset.Component) ([]int64, bool) {
	if !comp.Shape.Ranked() {
		return []int64{0}, true
	}
	dims, zero := comp.Shape.Dims(), false
	for i, d := range dims {
		dims[i] = max(d, 0)
		zero = zero || dims[i] == 0
	}
	return dims, zero
}

func (j *job) ragged(s *store, comp *dataset.Component, steps []int64, n int64) (msg string) {
	splits := []tensor.Tensor{}
	switch {
	case comp.RaggedRank == 1 && steps != nil:
		at := make([]int64, 1, len(steps)+1)
		for _, l := range steps {
			at = append(at, at[len(at)-1]+l)
		}
		split := tensor.Vector(at...)
		if comp.SplitsDType == tensor.Int32 {
			narrow, err := tensor.New(tensor.Int32, int64(len(at)))
			if err != nil {
				return err.Error()
			}
			lossless.Convert(narrow, split)
			split = narrow
		}
		splits = append(splits, split)
	case comp.RaggedRank == 0 && steps == nil:
	default:
		return fmt.Sprintf("a ragged value with %d levels of splits is no %s", comp.RaggedRank, map[bool]string{true: "feature list", false: "feature"}[steps != nil])
	}
	inner := *comp
	inner.Ragged, inner.Shape = false, comp.Shape.Drop(comp.RaggedRank)
	dims, ok := []int64{0}, true
	if n > 0 {
		dims, ok = columns.Side(inner, int(n))
	}
	if !ok || len(dims) == 0 {
		return fmt.Sprintf("%d values do not fill the shape %v", n, comp.Shape)
	}
	s.splits = append(s.splits, splits)
	s.dims = append(s.dims, dims...)
	return ""
}

// complete looks after the features that the row lacks.
func (j *job) complete() (path, msg string) {
	for c := range j.stores {
		if j.stores[c].seen {
			continue
		}
		var steps []int64
		if j.p.comps[c].Ragged && j.p.comps[c].RaggedRank == 1 {
			steps = []int64{}
		}
		if msg := j.shape(c, steps); msg != "" {
			return j.p.paths[c], fmt.Sprintf("the row has no feature %q, and the shape %v takes no empty value", j.p.names[c], j.p.comps[c].Shape)
		}
	}
	return "", ""
}

// finish makes the block.
func (j *job) finish() {
	j.block = block.Block{File: j.p.file, Rows: len(j.ends), FileRow: j.first, Bad: j.bad, Columns: j.block.Columns[:0]}
	for c := range j.stores {
		j.block.Columns = append(j.block.Columns, j.stores[c].column(&j.p.comps[c]))
	}
	if len(j.p.keep) > 0 {
		j.block.Extra = func(i int, dst []dataset.Field) []dataset.Field {
			for k, key := range j.p.keep {
				if at := j.kept[i*len(j.p.keep)+k]; at.hi > at.lo {
					dst = append(dst, dataset.Field{Key: key, JSON: j.text[at.lo:at.hi:at.hi]})
				}
			}
			return dst
		}
	}
}

// column returns the rows of a component.
func (s *store) column(comp *dataset.Component) block.Column {
	size := comp.DType.Size()
	if size == 0 {
		s.strs = s.strs[:0]
		all := string(s.text)
		for _, at := range s.spans {
			s.strs = append(s.strs, all[at.lo:at.hi])
		}
	}
	if n, ok := comp.Shape.NumElements(); ok && !comp.Ragged && int64(s.len(size)) == n*int64(len(s.starts)) {
		flat := s.view(comp.DType, 0, s.len(size), []int64{int64(s.len(size))})
		return block.NewFixed(flat, comp.Shape.Dims())
	}
	s.values = s.values[:0]
	for i, from := range s.starts {
		end, dimsEnd := s.len(size), len(s.dims)
		if i+1 < len(s.starts) {
			end, dimsEnd = s.starts[i+1], s.dimsAt[i+1]
		}
		dims := s.dims[s.dimsAt[i]:dimsEnd:dimsEnd]
		s.values = append(s.values, s.view(comp.DType, from, end, dims))
	}
	if comp.Ragged {
		return &block.Tensors{Values: s.values, Splits: s.splits}
	}
	return &block.Tensors{Values: s.values}
}

func (s *store) view(dtype tensor.DType, from, end int, dims []int64) tensor.Tensor {
	var t tensor.Tensor
	var err error
	if size := dtype.Size(); size == 0 {
		t, err = tensor.ShareSlice(s.strs[from:end:end], dims)
	} else {
		t, err = tensor.Share(dtype, s.data[from*size:end*size:end*size], dims)
	}
	if err != nil {
		panic(err) // unreachable: the sizes were worked out from the number of values
	}
	return t
}

// appendJSON appends a feature as JSON: a single value alone, others in a list; a feature list as a list of those.
func (j *job) appendJSON(dst, value []byte, list bool) ([]byte, error) {
	if list {
		dst = append(dst, '[')
		err := eachField(value, func(_ uint64, _ byte, data []byte) (err error) {
			if dst[len(dst)-1] != '[' {
				dst = append(dst, ',')
			}
			dst, err = j.appendJSON(dst, data, false)
			return err
		})
		return append(dst, ']'), err
	}
	k, data, err := feature(value)
	if err != nil {
		return dst, err
	}
	var t tensor.Tensor
	switch k {
	case bytesList:
		var values [][]byte
		values, err = appendStrings(nil, data)
		strs := make([]string, len(values))
		for i, v := range values {
			strs[i] = string(v)
		}
		t = tensor.Vector(strs...)
	case floatList:
		j.floats, err = appendFloats(j.floats[:0], data)
		t = tensor.Vector(j.floats...)
	case int64List:
		j.ints, err = appendInts(j.ints[:0], data)
		t = tensor.Vector(j.ints...)
	default:
		return append(dst, "null"...), nil
	}
	if err != nil {
		return dst, err
	}
	if t.Len() == 1 {
		t = t.Index(0)
	}
	return jsontext.Append(dst, t, nil)
}

// typeName describes a feature for [Columns].
func typeName(k kind, list bool) string {
	name := strings.TrimPrefix(k.String(), "a list of ")
	if list {
		return "feature list of " + name
	}
	return name
}

// appendTag appends a field's number and wire type.
func appendTag(dst []byte, number uint64, wire byte) []byte {
	return binary.AppendUvarint(dst, number<<3|uint64(wire))
}
