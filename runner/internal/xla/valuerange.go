package xla

import (
	"encoding/binary"
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
	le := binary.LittleEndian
	switch dtype {
	case tensor.Float32:
		return scanValues(b, 4, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) })
	case tensor.Float64:
		return scanValues(b, 8, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) })
	case tensor.Int64:
		return scanValues(b, 8, func(b []byte) float64 { return float64(int64(le.Uint64(b))) })
	case tensor.Int32:
		return scanValues(b, 4, func(b []byte) float64 { return float64(int32(le.Uint32(b))) })
	case tensor.Int16:
		return scanValues(b, 2, func(b []byte) float64 { return float64(int16(le.Uint16(b))) })
	case tensor.Int8:
		return scanValues(b, 1, func(b []byte) float64 { return float64(int8(b[0])) })
	case tensor.Uint64:
		return scanValues(b, 8, func(b []byte) float64 { return float64(le.Uint64(b)) })
	case tensor.Uint32:
		return scanValues(b, 4, func(b []byte) float64 { return float64(le.Uint32(b)) })
	case tensor.Uint16:
		return scanValues(b, 2, func(b []byte) float64 { return float64(le.Uint16(b)) })
	case tensor.Uint8:
		return scanValues(b, 1, func(b []byte) float64 { return float64(b[0]) })
	case tensor.Float16:
		return scanValues(b, 2, func(b []byte) float64 { return float64(tensor.F16(le.Uint16(b)).Float32()) })
	case tensor.Bfloat16:
		return scanValues(b, 2, func(b []byte) float64 { return float64(tensor.BF16(le.Uint16(b)).Float32()) })
	}
	return valueRange{}
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
