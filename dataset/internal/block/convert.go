package block

import (
	"slices"

	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/tensor"
)

// Convert returns the values of src, a vector, as values of dtype, and the rows with a value that
// does not fit. room is memory to use, or nil. fill, if it is one value of dtype, takes the place
// of NaN where dtype has none. rowOf returns the row that a value belongs to, and where the next
// row's values begin.
func Convert(dtype tensor.DType, src, fill tensor.Tensor, room []byte, path string, rowOf func(value int) (row, end int)) (tensor.Tensor, []byte, []Bad) {
	if dtype == src.DType() || dtype == tensor.String {
		return src, room, nil
	}
	size := dtype.Size()
	room = slices.Grow(room[:0], src.Len()*size)[:src.Len()*size]
	dst, err := tensor.Share(dtype, room, []int64{int64(src.Len())})
	if err != nil {
		panic(err) // unreachable: the memory was made for it
	}
	var bad []Bad
	for from := 0; from < src.Len(); {
		n := int64(src.Len() - from)
		part, to := view(src, from, src.Len(), []int64{n}), view(dst, from, dst.Len(), []int64{n})
		at := dtypes.ConvertOr(to, part, fill)
		if at < 0 {
			break
		}
		row, end := rowOf(from + at)
		bad = append(bad, Bad{Index: row, Field: path, Msg: dtypes.Reason(dtype, part, at)})
		from = end
	}
	return dst, room, bad
}

// Put writes v, one value of t's type, as value i of t.
func Put(t tensor.Tensor, i int, v tensor.Tensor) {
	if t.DType() == tensor.String {
		t.Strings()[i] = v.Strings()[0]
		return
	}
	size := t.DType().Size()
	copy(t.Bytes()[i*size:(i+1)*size], v.Bytes())
}

// Each returns a rowOf function for [Convert], for rows of n values.
func Each(n int) func(int) (row, end int) {
	return func(value int) (int, int) { return value / n, (value/n + 1) * n }
}
