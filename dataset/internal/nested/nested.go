// Package nested holds a column of a table as the columnar formats have it: flat values, the
// offsets of lists, and what is null. It makes rows of a component of it, or JSON for a column that
// is kept.
package nested

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/dataset/internal/lossless"
	"github.com/tfrun/tfrun/tensor"
)

// Type is what is known of a column before it is read.
type Type struct {
	Name  string // in the file's words
	DType tensor.DType
	Depth int // levels of lists
	Text  Text
}

// Text says what integers stand for, when they are written as text.
type Text struct {
	Kind Kind
	Unit time.Duration // of a time or a timestamp
}

// Kind is the meaning of integers.
type Kind uint8

// The kinds.
const (
	Plain Kind = iota
	Date
	Time
	Timestamp    // without a zone
	TimestampUTC // a point in time
)

// Column describes the type for the public.
func (t Type) Column(name string) dataset.Column {
	dims := make([]int64, t.Depth)
	for i := range dims {
		dims[i] = tensor.Unknown
	}
	return dataset.Column{Name: name, Type: t.Name, DType: t.DType, Shape: tensor.MakeShape(dims...)}
}

// Check says whether columns of the given types can be read for a component: an error message, or
// "".
func Check(comp dataset.Component, types []Type) (dims []int64, msg string) {
	for _, t := range types {
		switch {
		case t.DType == tensor.Invalid:
			return nil, fmt.Sprintf("values of type %s are not read", t.Name)
		case t.DType != comp.DType && !lossless.Can(comp.DType, t.DType):
			return nil, fmt.Sprintf("want %s, the column's type is %s", lossless.Want(comp.DType), t.Name)
		case len(types) > 1 && t.Depth > 0:
			return nil, fmt.Sprintf("want single values to stand side by side, the column's type is %s", t.Name)
		}
	}
	if depth := types[0].Depth; depth > 0 {
		return nil, block.CheckDepth(comp, depth)
	}
	dims, ok := comp.Side(len(types))
	switch {
	case ok:
		return dims, ""
	case len(types) == 1:
		return nil, fmt.Sprintf("want values of shape %v, the column holds single ones of type %s", comp.Shape, types[0].Name)
	}
	return nil, fmt.Sprintf("%d values do not fill the shape %v of a row", len(types), comp.Shape)
}

// Values is a run of a column's rows.
type Values struct {
	Type    Type
	Rows    int
	Data    []byte   // of fixed-size values, as tensors hold them
	Strings []string // of strings
	// Offsets holds, by level, where each list begins in the next level, and one entry more; at
	// last in the values.
	Offsets [][]int64
	// NullSlots lists the values that are null; they have a place among the values. NullLists lists
	// the lists that are, by level; they are empty.
	NullSlots []int
	NullLists [][]int
}

// Len returns the number of values.
func (v *Values) Len() int {
	if v.Type.DType == tensor.String {
		return len(v.Strings)
	}
	return len(v.Data) / v.Type.DType.Size()
}

// flat returns the values as a vector.
func (v *Values) flat() tensor.Tensor { return block.Flat(v.Type.DType, v.Data, v.Strings) }

// row returns the row that holds a list of the given level, or a value: one level more than there
// are.
func (v *Values) row(level, i int) int {
	for l := level - 1; l >= 0; l-- {
		off := v.Offsets[l]
		i = sort.Search(len(off), func(k int) bool { return off[k] > int64(i) }) - 1
	}
	return i
}

// end returns where the values of a row end.
func (v *Values) end(row int) int {
	at := int64(row + 1)
	for _, off := range v.Offsets {
		at = off[at]
	}
	return int(at)
}

// nulls returns the rows that hold a null.
func (v *Values) nulls(path string) []block.Bad {
	var rows []int
	for _, s := range v.NullSlots {
		rows = append(rows, v.row(len(v.Offsets), s))
	}
	for level, nulls := range v.NullLists {
		for _, i := range nulls {
			rows = append(rows, v.row(level, i))
		}
	}
	slices.Sort(rows)
	var bad []block.Bad
	for _, r := range slices.Compact(rows) {
		msg := "the value is null"
		if v.Type.Depth > 0 {
			msg = "the list is null, or holds a null"
		}
		bad = append(bad, block.Bad{Index: r, Field: path, Msg: msg})
	}
	return bad
}

// Flat returns the values as a vector of dtype, and the rows that hold a value, or a null, that is
// none. room is memory to use, or nil; it is returned. With nullIsNaN a null among floats is NaN.
func (v *Values) Flat(dtype tensor.DType, path string, room []byte, nullIsNaN bool) (tensor.Tensor, []byte, []block.Bad) {
	flat, room, bad := block.Convert(dtype, v.flat(), room, path, func(i int) (int, int) {
		row := v.row(len(v.Offsets), i)
		return row, v.end(row)
	})
	if !nullIsNaN || !dtype.IsFloat() || len(v.NullSlots) == 0 {
		return flat, room, block.MergeBad(bad, v.nulls(path))
	}
	if flat.DType() == v.Type.DType { // it is the column's own memory
		room = append(room[:0], flat.Bytes()...)
		flat, _ = tensor.Share(dtype, room, flat.Dims())
	}
	for _, i := range v.NullSlots {
		PutNaN(dtype, flat.Bytes(), i)
	}
	lists := *v
	lists.NullSlots = nil
	return flat, room, block.MergeBad(bad, lists.nulls(path))
}

// Column returns the values as rows of a component, and the rows that are none; see Flat. dims are
// the sizes of a row that is no list.
func (v *Values) Column(comp dataset.Component, path string, dims []int64, room []byte, nullIsNaN bool) (block.Column, []byte, []block.Bad) {
	flat, room, bad := v.Flat(comp.DType, path, room, nullIsNaN)
	if len(v.Offsets) == 0 {
		return block.NewFixed(flat, dims), room, bad
	}
	lists := block.NewLists(comp, flat, v.Offsets, nil)
	if comp.Ragged || !comp.Shape.FullyKnown() {
		return lists, room, bad
	}
	fixed, bad := lists.Fix(v.Rows, path, bad)
	return fixed, room, bad
}

// Stack returns the values of several columns without lists, side by side, as rows of the given
// sizes; see Flat.
func Stack(dtype tensor.DType, vals []Values, paths []string, dims []int64, room []byte, nullIsNaN bool) (block.Column, []byte, []block.Bad) {
	k, n := len(vals), vals[0].Rows
	var bad []block.Bad
	var strs []string
	if dtype == tensor.String {
		strs = make([]string, n*k)
	} else {
		room = slices.Grow(room[:0], n*k*dtype.Size())[:n*k*dtype.Size()]
	}
	var part []byte
	for i := range vals {
		flat, memory, here := vals[i].Flat(dtype, paths[i], part, nullIsNaN)
		part = memory
		bad = block.MergeBad(bad, here)
		if dtype != tensor.String {
			Scatter(room, flat.Bytes(), dtype.Size(), k, i)
		}
		for row, s := range flat.Strings() {
			strs[row*k+i] = s
		}
	}
	return block.NewFixed(block.Flat(dtype, room, strs), dims), room, bad
}

// PutNaN writes NaN as value i.
func PutNaN(d tensor.DType, data []byte, i int) {
	switch d {
	case tensor.Float32:
		binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(float32(math.NaN())))
	case tensor.Float64:
		binary.LittleEndian.PutUint64(data[8*i:], math.Float64bits(math.NaN()))
	case tensor.Float16:
		binary.LittleEndian.PutUint16(data[2*i:], uint16(tensor.ToF16(math.NaN())))
	case tensor.Bfloat16:
		binary.LittleEndian.PutUint16(data[2*i:], uint16(tensor.ToBF16(math.NaN())))
	}
}

// Scatter writes values of the given size to the places at, at+k, at+2k, … of dst.
func Scatter(dst, src []byte, size, k, at int) {
	step := size * k
	dst = dst[min(at*size, len(dst)):]
	switch size {
	case 4:
		for i, o := 0, 0; i+4 <= len(src); i, o = i+4, o+step {
			binary.LittleEndian.PutUint32(dst[o:], binary.LittleEndian.Uint32(src[i:]))
		}
	case 8:
		for i, o := 0, 0; i+8 <= len(src); i, o = i+8, o+step {
			binary.LittleEndian.PutUint64(dst[o:], binary.LittleEndian.Uint64(src[i:]))
		}
	default:
		for i, o := 0, 0; i+size <= len(src); i, o = i+size, o+step {
			copy(dst[o:o+size], src[i:i+size])
		}
	}
}

// JSON returns a function that appends row i as JSON, null where it is, valid as long as the values
// are.
func (v *Values) JSON() (func(dst []byte, i int) []byte, error) {
	put, err := v.Type.Text.appender(v.flat())
	if err != nil {
		return nil, err
	}
	null := func(list []int, i int) bool {
		_, ok := slices.BinarySearch(list, i)
		return ok
	}
	var value func(dst []byte, level, i int) []byte
	value = func(dst []byte, level, i int) []byte {
		if level == len(v.Offsets) {
			if null(v.NullSlots, i) {
				return append(dst, "null"...)
			}
			return put(dst, i)
		}
		if level < len(v.NullLists) && null(v.NullLists[level], i) {
			return append(dst, "null"...)
		}
		dst = append(dst, '[')
		lo, hi := v.Offsets[level][i], v.Offsets[level][i+1]
		for k := lo; k < hi; k++ {
			if k > lo {
				dst = append(dst, ',')
			}
			dst = value(dst, level+1, int(k))
		}
		return append(dst, ']')
	}
	return func(dst []byte, i int) []byte { return value(dst, 0, i) }, nil
}

// appender returns a function that appends value i of t.
func (x Text) appender(t tensor.Tensor) (func([]byte, int) []byte, error) {
	if x.Kind == Plain {
		return jsontext.Appender(t)
	}
	wide, err := tensor.New(tensor.Int64, int64(t.Len()))
	if err != nil {
		return nil, err
	}
	if bad := lossless.Convert(wide, t); bad >= 0 {
		return nil, fmt.Errorf("%s", lossless.Reason(tensor.Int64, t, bad))
	}
	values, _ := tensor.Values[int64](wide)
	return func(dst []byte, i int) []byte { return x.append(dst, values[i]) }, nil
}

// append appends a date or a time as ISO 8601 has it; as a number where it is beyond the years that
// have four digits.
func (x Text) append(dst []byte, v int64) []byte {
	const day = 86400
	var t time.Time
	layout := "2006-01-02"
	if x.Kind == Date {
		if v < -719162 || v > 2932896 {
			return strconv.AppendInt(dst, v, 10)
		}
		t = time.Unix(v*day, 0).UTC()
	} else {
		per := int64(time.Second / x.Unit)
		sec, rest := v/per, v%per
		if rest < 0 {
			sec, rest = sec-1, rest+per
		}
		if sec < -719162*day || sec >= 2932897*day {
			return strconv.AppendInt(dst, v, 10)
		}
		t = time.Unix(sec, rest*int64(x.Unit)).UTC()
		layout = map[Kind]string{Time: "15:04:05.999999999", Timestamp: "2006-01-02T15:04:05.999999999", TimestampUTC: "2006-01-02T15:04:05.999999999Z"}[x.Kind]
	}
	dst = append(dst, '"')
	return append(t.AppendFormat(dst, layout), '"')
}
