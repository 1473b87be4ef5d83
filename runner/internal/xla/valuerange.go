package xla

import (
	"math"

	"github.com/tfrun/tfrun/tensor"
)

// valueRange is the smallest and the largest of some numbers. The zero value is that of no numbers.
type valueRange struct {
	any      bool // there are numbers
	wild     bool // some are NaN
	low, top float64
}

// within reports whether all numbers lie within o.
func (r valueRange) within(o valueRange) bool {
	return !r.wild && (!r.any || o.any && r.low >= o.low && r.top <= o.top)
}

// include extends the range by another one.
func (r *valueRange) include(o valueRange) {
	switch {
	case !o.any:
	case !r.any:
		r.any, r.low, r.top = true, o.low, o.top
	default:
		r.low, r.top = min(r.low, o.low), max(r.top, o.top)
	}
}

// rangeOf returns the range of a tensor's values, given as little-endian bytes. For dtypes that are
// no plain numbers, which no model uses as indices, it is empty. float64 is exact enough, since
// tables end before 2^53.
func rangeOf(dtype tensor.DType, b []byte) valueRange {
	number := dtype.Number()
	if number == nil || !dtype.IsFloat() && !dtype.IsInteger() {
		return valueRange{}
	}
	return scanValues(b, dtype.Size(), number)
}

func scanValues(b []byte, size int, number func([]byte) float64) valueRange {
	r := valueRange{any: len(b) >= size, low: math.Inf(1), top: math.Inf(-1)}
	for ; len(b) >= size; b = b[size:] {
		v := number(b)
		switch {
		case v != v: //nolint:staticcheck // NaN
			r.wild = true
		default:
			r.low, r.top = min(r.low, v), max(r.top, v)
		}
	}
	return r
}
