package npy

import (
	"bytes"

	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/tensor"
)

// The rows of an array include those that have no values, since they failed. Their elements are
// NaN, zero, false or the empty string.

// nans holds the bytes of NaN for the dtypes that have it.
var nans = map[tensor.DType][]byte{
	tensor.Float16: {0, 0x7e}, tensor.Float32: nan32, tensor.Bfloat16: nan32, tensor.Float64: nan64,
	tensor.Complex64: append(nan32, nan32...), tensor.Complex128: append(nan64, nan64...),
}

var (
	nan32 = []byte{0, 0, 0xc0, 0x7f}
	nan64 = []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x7f}
)

// writeNone adds a row without values.
func (a *arrayWriter) writeNone() error {
	a.rows++
	if a.dims == nil {
		// fixShape writes its elements, once a row with values gives the shape.
		return nil
	}
	return a.fill(1)
}

// fixShape sets the shape of rows, and writes the elements of the rows without values so far.
func (a *arrayWriter) fixShape(dims []int64) error {
	a.dims = append([]int64{}, dims...)
	return a.fill(a.rows)
}

// fill writes the elements of rows without values.
func (a *arrayWriter) fill(rows int64) error {
	n, _ := tensor.NumElements(a.dims)
	none, ok := nans[a.dtype]
	if !ok {
		none = make([]byte, max(dtypes.Carrier(a.dtype).Size(), 0))
	}
	if a.strs == nil {
		none = bytes.Repeat(none, int(n))
	}
	for range rows {
		var err error
		if a.strs != nil {
			err = a.writeStrings(make([]string, n))
		} else {
			_, err = a.buf.Write(none)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle writes the elements of the rows where no row has had values.
func (a *arrayWriter) settle() error {
	if a.kept || a.dims != nil || a.rows == 0 {
		return nil
	}
	return a.fixShape(a.leastDims())
}
