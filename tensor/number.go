package tensor

import (
	"encoding/binary"
	"math"
)

// Number returns a function that reads one value of type d from the front of b, its little-endian
// bytes, as a float64. Integers beyond 2^53 are rounded, true is 1, and a quantized value is the
// integer that is stored. Number returns nil for types without such a reading: complex numbers,
// strings, numbers of 4 bits, floats of 8, and types that hold no values.
func (d DType) Number() func(b []byte) float64 {
	le := binary.LittleEndian
	switch d {
	case Float32:
		return func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) }
	case Float64:
		return func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) }
	case Float16:
		return func(b []byte) float64 { return float64(F16(le.Uint16(b)).Float32()) }
	case Bfloat16:
		return func(b []byte) float64 { return float64(BF16(le.Uint16(b)).Float32()) }
	case Int8, Qint8:
		return func(b []byte) float64 { return float64(int8(b[0])) } //nolint:gosec // these are its bits, here and below
	case Int16, Qint16:
		return func(b []byte) float64 { return float64(int16(le.Uint16(b))) } //nolint:gosec // as above
	case Int32, Qint32:
		return func(b []byte) float64 { return float64(int32(le.Uint32(b))) } //nolint:gosec // as above
	case Int64:
		return func(b []byte) float64 { return float64(int64(le.Uint64(b))) } //nolint:gosec // as above
	case Uint8, Quint8:
		return func(b []byte) float64 { return float64(b[0]) }
	case Uint16, Quint16:
		return func(b []byte) float64 { return float64(le.Uint16(b)) }
	case Uint32:
		return func(b []byte) float64 { return float64(le.Uint32(b)) }
	case Uint64:
		return func(b []byte) float64 { return float64(le.Uint64(b)) }
	case Bool:
		return func(b []byte) float64 {
			if b[0] != 0 {
				return 1
			}
			return 0
		}
	}
	return nil
}
