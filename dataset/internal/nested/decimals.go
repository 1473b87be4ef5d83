package nested

import (
	"slices"

	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/dataset/internal/jsonscan"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/tensor"
)

// decimals returns a column of decimals as a vector of dtype, and the rows with a decimal that does
// not fit. A decimal becomes what the same number in JSON becomes: an integer exactly, a float
// rounded once. For rowOf see [block.Convert].
func (v *Values) decimals(dtype tensor.DType, path string, rowOf func(int) (row, end int)) (tensor.Tensor, []block.Bad) {
	carrier := dtypes.Carrier(dtype)
	sink, err := jsonscan.NewSink(carrier, tensor.Tensor{})
	if err != nil {
		panic(err) // unreachable: Check has allowed the dtype
	}
	var bad []block.Bad
	var s jsonscan.Scanner
	put := func(text []byte) error {
		s.B, s.I = text, 0
		return sink.Scalar(&s)
	}
	n, size, skip := v.Len(), v.Type.Size(), 0
	floats := make([]float64, 0, n)
	for i := range n {
		value := v.Data[i*size : (i+1)*size]
		_, null := slices.BinarySearch(v.NullSlots, i)
		if f, ok := v.Type.Decimal.quick(value); ok && carrier == tensor.Float64 {
			floats = append(floats, f)
			continue
		}
		text := []byte("0")
		if !null && i >= skip {
			text = kept.AppendDecimal(s.B[:0], value, v.Type.Decimal.Scale)
		}
		if err := put(text); err != nil {
			row, end := rowOf(i)
			bad, skip = append(bad, block.Bad{Index: row, Field: path, Msg: err.Error()}), end
			_ = put([]byte("0")) // takes the place of the value
		}
		if carrier == tensor.Float64 {
			last, _ := tensor.Values[float64](sink.Tensor([]int64{1}, &jsonscan.Arena{Keep: true}))
			floats = append(floats, last[0])
			sink.Reset()
		}
	}
	if carrier == tensor.Float64 {
		return tensor.Vector(floats...), bad
	}
	out := sink.Tensor([]int64{int64(n)}, &jsonscan.Arena{Keep: true})
	if carrier != dtype {
		out, _ = tensor.Share(dtype, out.Bytes(), out.Dims())
	}
	return out, bad
}
