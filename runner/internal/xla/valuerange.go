package xla

import (
	"math"

	"github.com/tfrun/tfrun/tensor"
)

// valueRange is the least and the greatest of some numbers. The zero value is that of none.
type valueRange struct {
	any      bool // there are some
	wild     bool // NaN is among them
	low, top float64
}

// within reports whether all numbers lie in the range o.
func (r valueRange) within(o valueRange) bool {
	return !r.wild && (!r.any || o.any && r.low >= o.low && r.top <= o.top)
}

// include widens the range by another.
func (r *valueRange) include(o valueRange) {
	switch {
	case !o.any:
	case !r.any:
		r.any, r.low, r.top = true, o.low, o.top
	default:
		r.low, r.top = min(r.low, o.low), max(r.top, o.top)
	}
}

// rangeOf returns the range of a tensor's values, given as little-endian bytes. Values of dtypes
// that are no plain numbers, which no model takes for an index, have none. A float64 is exact
// enough: tables end before 2^53.
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
