// Package nested holds a column of a table as the columnar formats have it: flat values, the
// offsets of lists, and what is null. It makes rows of a component of it.
package nested

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/tensor"
)

// Type is what is known of a column before it is read.
type Type struct {
	Name  string // in the file's words
	DType tensor.DType
	Depth int // levels of lists
	// Decimal says how decimals are stored, whose DType is Float64.
	Decimal Decimal
}

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
		case t.DType != comp.DType && !dtypes.Can(comp.DType, t.DType):
			return nil, fmt.Sprintf("want %s, the column's type is %s", dtypes.Want(comp.DType), t.Name)
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
	return len(v.Data) / v.Type.Size()
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
// none. room is memory to use, or nil; it is returned. fill, where it is one value of dtype, stands
// in for values that are null, and for NaN where dtype has none.
func (v *Values) Flat(dtype tensor.DType, fill tensor.Tensor, path string, room []byte) (tensor.Tensor, []byte, []block.Bad) {
	flat, room, bad := v.converted(dtype, fill, path, room)
	if fill.DType() != dtype {
		return flat, room, block.MergeBad(bad, v.nulls(path))
	}
	if len(v.NullSlots) > 0 {
		if flat.DType() == tensor.String {
			flat, _ = tensor.ShareSlice(slices.Clone(flat.Strings()), flat.Dims())
		} else if flat.DType() == v.Type.DType { // it is the column's own memory
			room = append(room[:0], flat.Bytes()...)
			flat, _ = tensor.Share(dtype, room, flat.Dims())
		}
	}
	for _, i := range v.NullSlots {
		block.Put(flat, i, fill)
	}
	lists := *v
	lists.NullSlots = nil
	return flat, room, block.MergeBad(bad, lists.nulls(path))
}

// converted is Flat but for nulls, whose places hold any value.
func (v *Values) converted(dtype tensor.DType, fill tensor.Tensor, path string, room []byte) (tensor.Tensor, []byte, []block.Bad) {
	rowOf := func(i int) (int, int) {
		row := v.row(len(v.Offsets), i)
		return row, v.end(row)
	}
	if v.Type.Decimal.Bytes > 0 {
		flat, bad := v.decimals(dtype, path, rowOf)
		return flat, room, bad
	}
	return block.Convert(dtype, v.flat(), fill, room, path, rowOf)
}

// Column returns the values as rows of a component, and the rows that are none; see Flat. dims are
// the sizes of a row that is no list.
func (v *Values) Column(comp dataset.Component, fill tensor.Tensor, path string, dims []int64, room []byte) (block.Column, []byte, []block.Bad) {
	if fill.DType() == comp.DType && len(v.NullLists) > 0 && len(v.NullLists[0]) > 0 {
		if _, one := comp.Side(1); one {
			v = v.withoutNulls()
		}
	}
	flat, room, bad := v.Flat(comp.DType, fill, path, room)
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

// withoutNulls returns the values with a list of one null in the place of each row that is null.
func (v *Values) withoutNulls() *Values {
	out := &Values{Type: v.Type, Rows: v.Rows, NullLists: make([][]int, len(v.NullLists))}
	size := v.Type.Size()
	out.Offsets = make([][]int64, len(v.Offsets))
	for level := range out.Offsets {
		out.Offsets[level] = make([]int64, 1, len(v.Offsets[level])+len(v.NullLists[0]))
	}
	add := func(level int, n int64) {
		off := out.Offsets[level]
		out.Offsets[level] = append(off, off[len(off)-1]+n)
	}
	nulls := v.NullLists[0]
	at := make([]int, len(v.NullLists)) // the next null list of each level
	slot := 0
	for row := range v.Rows {
		if len(nulls) > 0 && nulls[0] == row {
			nulls = nulls[1:]
			for level := range v.Offsets {
				add(level, 1)
			}
			out.NullSlots = append(out.NullSlots, out.Len())
			out.Data = append(out.Data, make([]byte, size)...)
			if size == 0 {
				out.Strings = append(out.Strings, "")
			}
			continue
		}
		lo, hi := row, row+1
		for level, off := range v.Offsets {
			for ; level > 0 && level < len(at) && at[level] < len(v.NullLists[level]) && v.NullLists[level][at[level]] < hi; at[level]++ {
				shift := len(out.Offsets[level]) - 1 - lo
				out.NullLists[level] = append(out.NullLists[level], v.NullLists[level][at[level]]+shift)
			}
			for i := lo; i < hi; i++ {
				add(level, off[i+1]-off[i])
			}
			lo, hi = int(off[lo]), int(off[hi])
		}
		for ; slot < len(v.NullSlots) && v.NullSlots[slot] < hi; slot++ {
			out.NullSlots = append(out.NullSlots, v.NullSlots[slot]-lo+out.Len())
		}
		if size == 0 {
			out.Strings = append(out.Strings, v.Strings[lo:hi]...)
		} else {
			out.Data = append(out.Data, v.Data[lo*size:hi*size]...)
		}
	}
	return out
}

// Stack returns the values of several columns without lists, side by side, as rows of the given
// sizes; see Flat.
func Stack(dtype tensor.DType, fill tensor.Tensor, vals []Values, paths []string, dims []int64, room []byte) (block.Column, []byte, []block.Bad) {
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
		flat, memory, here := vals[i].Flat(dtype, fill, paths[i], part)
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
