package xla

import (
	"math"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

func TestValueRange(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for _, test := range []struct {
		name string
		t    tensor.Tensor
		want valueRange
	}{
		{"int64", tensor.Vector[int64](3, -1, 2), valueRange{any: true, low: -1, top: 3}},
		{"int32", tensor.Vector[int32](-7), valueRange{any: true, low: -7, top: -7}},
		{"int16", tensor.Vector[int16](-7, 9), valueRange{any: true, low: -7, top: 9}},
		{"int8", tensor.Vector[int8](-128, 127), valueRange{any: true, low: -128, top: 127}},
		{"uint8", tensor.Vector[uint8](0, 255), valueRange{any: true, low: 0, top: 255}},
		{"uint16", tensor.Vector[uint16](65535), valueRange{any: true, low: 65535, top: 65535}},
		{"uint32", tensor.Vector[uint32](1, 1<<31), valueRange{any: true, low: 1, top: 1 << 31}},
		{"uint64", tensor.Vector[uint64](1, 1<<63), valueRange{any: true, low: 1, top: 1 << 63}},
		{"float32", tensor.Vector[float32](1.5, -2), valueRange{any: true, low: -2, top: 1.5}},
		{"float64", tensor.Vector(1.5, nan), valueRange{any: true, wild: true, low: 1.5, top: 1.5}},
		{"none", tensor.Vector[int64](), valueRange{low: math.Inf(1), top: math.Inf(-1)}},
		{"bool", tensor.Vector(true), valueRange{}},
	} {
		if got := rangeOf(test.t.DType(), test.t.Bytes()); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
	var seen valueRange
	for _, step := range []struct {
		r    valueRange
		want bool
	}{
		{valueRange{}, true},
		{valueRange{any: true, low: 1, top: 5}, false},
		{valueRange{any: true, low: 2, top: 5}, true},
		{valueRange{any: true, low: 0, top: 1}, false},
		{valueRange{any: true, low: 0, top: 6}, false},
		{valueRange{any: true, wild: true, low: 1, top: 2}, false},
	} {
		if got := step.r.within(seen); got != step.want {
			t.Errorf("%+v within %+v = %v, want %v", step.r, seen, got, step.want)
		}
		seen.include(step.r)
	}
}
