package parquet

import (
	"encoding/binary"
	"math"

	"github.com/tfrun/tfrun/dataset/internal/thrift"
)

// extremes are the smallest and the largest value of a chunk. Readers pass over a chunk whose
// extremes show that it cannot hold what they look for.
type extremes struct {
	size      int
	less      func(a, b []byte) bool
	skip      func(v []byte) bool // reports NaN, which is neither small nor large
	low, high []byte
}

// newExtremes returns the extremes of a column of numbers, dates or times; nil for other columns.
func newExtremes(e *element) *extremes {
	i32 := func(v []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(v))) } //nolint:gosec // the bits are meant
	i64 := func(v []byte) int64 { return int64(binary.LittleEndian.Uint64(v)) }        //nolint:gosec // the bits are meant
	f32 := func(v []byte) float64 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(v)))
	}
	f64 := func(v []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(v)) }
	switch {
	case e.logical.kind == logicalNull:
		return nil
	case e.physical == int32s && e.unsigned():
		return &extremes{size: 4, less: func(a, b []byte) bool { return binary.LittleEndian.Uint32(a) < binary.LittleEndian.Uint32(b) }}
	case e.physical == int64s && e.unsigned():
		return &extremes{size: 8, less: func(a, b []byte) bool { return binary.LittleEndian.Uint64(a) < binary.LittleEndian.Uint64(b) }}
	case e.physical == int32s:
		return &extremes{size: 4, less: func(a, b []byte) bool { return i32(a) < i32(b) }}
	case e.physical == int64s:
		return &extremes{size: 8, less: func(a, b []byte) bool { return i64(a) < i64(b) }}
	case e.physical == floats:
		return &extremes{size: 4, less: func(a, b []byte) bool { return f32(a) < f32(b) }, skip: func(v []byte) bool { return math.IsNaN(f32(v)) }}
	case e.physical == doubles:
		return &extremes{size: 8, less: func(a, b []byte) bool { return f64(a) < f64(b) }, skip: func(v []byte) bool { return math.IsNaN(f64(v)) }}
	}
	return nil
}

// add takes values into account that lie side by side in data.
func (x *extremes) add(data []byte) {
	for ; len(data) > 0; data = data[x.size:] {
		v := data[:x.size]
		if x.skip != nil && x.skip(v) {
			continue
		}
		if x.low == nil {
			x.low, x.high = append([]byte{}, v...), append([]byte{}, v...)
			continue
		}
		if x.less(v, x.low) {
			copy(x.low, v)
		}
		if x.less(x.high, v) {
			copy(x.high, v)
		}
	}
}

// write writes the statistics of a chunk. An extreme of zero is written with the sign that includes
// both zeros: comparing takes -0 and 0 for equal, but a reader may look for either.
func (x *extremes) write(t *thrift.Writer, nulls int64) {
	t.Int(3, thrift.I64, nulls)
	if x == nil || x.low == nil {
		return
	}
	if x.skip != nil {
		sign := x.size - 1
		if isZero(x.low) {
			x.low[sign] = 0x80
		}
		if isZero(x.high) {
			x.high[sign] = 0
		}
	}
	t.Binary(5, string(x.high))
	t.Binary(6, string(x.low))
}

// isZero reports whether a float is 0 or -0.
func isZero(v []byte) bool {
	for _, b := range v[:len(v)-1] {
		if b != 0 {
			return false
		}
	}
	return v[len(v)-1]&0x7f == 0
}
