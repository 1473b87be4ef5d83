package tensor

import (
	"math"
	"testing"
)

// Every type of fixed size has numbers, but for complex ones and those of 4 and 8 bits that no
// model is fed with, and reads the extremes of its values.
func TestNumber(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		t    Tensor
		want []float64
	}{
		{Vector[float32](0.5, float32(math.Inf(-1))), []float64{0.5, math.Inf(-1)}},
		{Vector(0.1, -math.MaxFloat64), []float64{0.1, -math.MaxFloat64}},
		{Vector(ToF16(65504), ToF16(-0.5)), []float64{65504, -0.5}},
		{Vector(ToBF16(-2), ToBF16(3)), []float64{-2, 3}},
		{Vector[int8](math.MinInt8, 127), []float64{-128, 127}},
		{Vector[int16](math.MinInt16, 2), []float64{-32768, 2}},
		{Vector[int32](math.MinInt32, 3), []float64{-2147483648, 3}},
		{Vector[int64](math.MinInt64, 1<<53), []float64{-9223372036854775808, 9007199254740992}},
		{Vector[uint8](255, 0), []float64{255, 0}},
		{Vector[uint16](65535, 1), []float64{65535, 1}},
		{Vector[uint32](math.MaxUint32, 1), []float64{4294967295, 1}},
		{Vector[uint64](math.MaxUint64, 1), []float64{18446744073709551616, 1}},
		{Vector(true, false), []float64{1, 0}},
	} {
		d := test.t.DType()
		read := d.Number()
		for i, want := range test.want {
			if got := read(test.t.Bytes()[i*d.Size():]); got != want {
				t.Errorf("value %d of %v: %v, want %v", i, d, got, want)
			}
		}
	}
	for i := range dtypes {
		d := DType(i)
		none := d.IsComplex() || d == Float8E5M2 || d == Float8E4M3 || d == Int4 || d == Uint4
		if got, want := d.Number() != nil, d.Size() > 0 && !none; got != want {
			t.Errorf("%v has numbers: %v, want %v", d, got, want)
		}
	}
}
