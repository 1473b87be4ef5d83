// Package nested holds a run of a table's column as the columnar formats have it: flat values, the
// offsets of lists, and which of both are null. It makes rows of a component out of them.
package nested

import (
	"encoding/binary"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/tensor"
)

// Flat returns the values as a vector of dtype, and the rows with a value that does not fit or is
// null. fill, if it is one value of dtype, takes the place of nulls, and of NaN where dtype has
// none. room is memory to use, or nil; it is returned for the next call.
func (v *Values) Flat(dtype tensor.DType, fill tensor.Tensor, path string, room []byte) (tensor.Tensor, []byte, []block.Bad) {
	flat, room, bad := v.converted(dtype, fill, path, room)
	if fill.DType() != dtype {
		return flat, room, block.MergeBad(bad, v.nulls(path))
	}
	if len(v.NullSlots) > 0 {
		if flat.DType() == tensor.String {
			flat, _ = tensor.ShareSlice(slices.Clone(flat.Strings()), flat.Dims())
		} else if flat.DType() == v.Type.DType { // flat is in the column's own memory
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

// converted is [Values.Flat] without the nulls, in whose places it leaves any values.
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

// Column returns the values as rows of a component, and the rows that do not fit; see
// [Values.Flat]. dims are the sizes of a row that is no list.
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
	at := make([]int, len(v.NullLists)) // index of the next null list, by level
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
// sizes; see [Values.Flat].
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
