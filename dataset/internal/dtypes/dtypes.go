// Package dtypes converts the values of a file's columns to the dtype of a component, by one rule
// for every format:
//
//   - numbers go to an integer type where they are whole and fit it;
//   - numbers go to a float type rounded to the nearest value, as NumPy and TensorFlow do, unless a
//     finite number would become infinite;
//   - booleans are 0 and 1, and only 0 and 1 are booleans;
//   - real numbers are complex numbers; complex numbers go to no real type;
//   - strings are strings.
package dtypes

import (
	"fmt"
	"math"

	"github.com/tfrun/tfrun/tensor"
)

// Carrier returns the dtype whose Go values hold those of d: that of the plain integers for the
// quantized types, d itself for all others.
func Carrier(d tensor.DType) tensor.DType {
	switch d {
	case tensor.Qint8:
		return tensor.Int8
	case tensor.Quint8:
		return tensor.Uint8
	case tensor.Qint16:
		return tensor.Int16
	case tensor.Quint16:
		return tensor.Uint16
	case tensor.Qint32:
		return tensor.Int32
	}
	return d
}

// Can reports whether values of type src may be converted to dst at all. Whether a single value
// fits is found by [Convert].
func Can(dst, src tensor.DType) bool {
	dst, src = Carrier(dst), Carrier(src)
	switch {
	case dst == tensor.String || src == tensor.String:
		return dst == src
	case !held(dst) || !held(src):
		return false
	case src.IsComplex():
		return dst.IsComplex()
	}
	return true
}

// held reports whether [tensor.Values] returns the values of a dtype.
func held(d tensor.DType) bool {
	switch d {
	case tensor.Float16, tensor.Bfloat16, tensor.Float32, tensor.Float64, tensor.Bool, tensor.Complex64, tensor.Complex128,
		tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64:
		return true
	}
	return false
}

// Want describes the values that the dtype takes, for error messages: "float32 numbers".
func Want(d tensor.DType) string {
	switch {
	case d == tensor.String:
		return "strings"
	case d == tensor.Bool:
		return "booleans"
	}
	return d.String() + " numbers"
}

// Convert writes the values of src to dst, which has as many. It returns the index of the first
// value that dst's dtype cannot take, or -1 if there is none. [Can] must allow src's and dst's
// dtypes.
func Convert(dst, src tensor.Tensor) int {
	switch Carrier(src.DType()) {
	case tensor.String:
		copy(dst.Strings(), src.Strings())
		return -1
	case Carrier(dst.DType()):
		copy(dst.Bytes(), src.Bytes())
		return -1
	case tensor.Int8:
		return fromInts[int8](dst, src)
	case tensor.Int16:
		return fromInts[int16](dst, src)
	case tensor.Int32:
		return fromInts[int32](dst, src)
	case tensor.Int64:
		return fromInts[int64](dst, src)
	case tensor.Uint8:
		return fromInts[uint8](dst, src)
	case tensor.Uint16:
		return fromInts[uint16](dst, src)
	case tensor.Uint32:
		return fromInts[uint32](dst, src)
	case tensor.Uint64:
		return fromInts[uint64](dst, src)
	case tensor.Float32:
		return fromFloats(dst, src, func(v float32) float64 { return float64(v) })
	case tensor.Float64:
		return fromFloats(dst, src, func(v float64) float64 { return v })
	case tensor.Float16:
		return fromFloats(dst, src, func(v tensor.F16) float64 { return float64(v.Float32()) })
	case tensor.Bfloat16:
		return fromFloats(dst, src, func(v tensor.BF16) float64 { return float64(v.Float32()) })
	case tensor.Bool:
		return fromBools(dst, src)
	}
	return fromComplex(dst, src)
}

// ConvertOr is [Convert] for vectors, with the value of fill in the place of NaN where dst's dtype
// has none. A fill that is not one value of that dtype is not used.
func ConvertOr(dst, src, fill tensor.Tensor) int {
	for from := 0; ; {
		bad := Convert(dst.Slice(from, dst.Len()), src.Slice(from, src.Len()))
		if bad < 0 {
			return -1
		}
		at := from + bad
		if fill.DType() != dst.DType() || !isNaN(src, at) {
			return at
		}
		size := dst.DType().Size()
		copy(dst.Bytes()[at*size:(at+1)*size], fill.Bytes())
		if from = at + 1; from == src.Len() {
			return -1
		}
	}
}

// integer is the set of Go's integer types that tensors have.
type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// values returns a tensor's values as T. The caller has chosen T by the tensor's carrier type.
func values[T tensor.Value](t tensor.Tensor) []T {
	if c := Carrier(t.DType()); c != t.DType() {
		t, _ = tensor.Share(c, t.Bytes(), t.Dims())
	}
	v, _ := tensor.Values[T](t)
	return v
}

func each[S, D tensor.Value](dst, src tensor.Tensor, convert func(S) (D, bool)) int {
	from := values[S](src)
	to := values[D](dst)[:len(from)]
	for i, v := range from {
		d, ok := convert(v)
		if !ok {
			return i
		}
		to[i] = d
	}
	return -1
}

// fromInts converts integers, and returns the index of the first that does not fit, or -1.
func fromInts[S integer](dst, src tensor.Tensor) int {
	switch Carrier(dst.DType()) {
	case tensor.Int8:
		return intToInt[S, int8](dst, src)
	case tensor.Int16:
		return intToInt[S, int16](dst, src)
	case tensor.Int32:
		return intToInt[S, int32](dst, src)
	case tensor.Int64:
		return intToInt[S, int64](dst, src)
	case tensor.Uint8:
		return intToInt[S, uint8](dst, src)
	case tensor.Uint16:
		return intToInt[S, uint16](dst, src)
	case tensor.Uint32:
		return intToInt[S, uint32](dst, src)
	case tensor.Uint64:
		return intToInt[S, uint64](dst, src)
	case tensor.Float32:
		return each(dst, src, func(v S) (float32, bool) { return float32(v), true })
	case tensor.Float64:
		return each(dst, src, func(v S) (float64, bool) { return float64(v), true })
	case tensor.Float16:
		return each(dst, src, func(v S) (tensor.F16, bool) { return Float16(float64(v)) })
	case tensor.Bfloat16:
		return each(dst, src, func(v S) (tensor.BF16, bool) { return Bfloat16(float64(v)) })
	case tensor.Bool:
		return each(dst, src, func(v S) (bool, bool) { return v == 1, v == 0 || v == 1 })
	case tensor.Complex64:
		return each(dst, src, func(v S) (complex64, bool) { return complex(float32(v), 0), true })
	}
	return each(dst, src, func(v S) (complex128, bool) { return complex(float64(v), 0), true })
}

func intToInt[S, D integer](dst, src tensor.Tensor) int {
	return each(dst, src, func(v S) (D, bool) {
		d := D(v)
		return d, S(d) == v && (d < 0) == (v < 0)
	})
}

// fromFloats converts floats and returns the index of the first that does not fit, or -1. float
// makes float64s out of them.
func fromFloats[S tensor.Value](dst, src tensor.Tensor, float func(S) float64) int {
	switch Carrier(dst.DType()) {
	case tensor.Int8:
		return floatToInt[S, int8](dst, src, float, math.MinInt8, math.MaxInt8+1)
	case tensor.Int16:
		return floatToInt[S, int16](dst, src, float, math.MinInt16, math.MaxInt16+1)
	case tensor.Int32:
		return floatToInt[S, int32](dst, src, float, math.MinInt32, math.MaxInt32+1)
	case tensor.Int64:
		return floatToInt[S, int64](dst, src, float, math.MinInt64, 1<<63)
	case tensor.Uint8:
		return floatToInt[S, uint8](dst, src, float, 0, math.MaxUint8+1)
	case tensor.Uint16:
		return floatToInt[S, uint16](dst, src, float, 0, math.MaxUint16+1)
	case tensor.Uint32:
		return floatToInt[S, uint32](dst, src, float, 0, math.MaxUint32+1)
	case tensor.Uint64:
		return floatToInt[S, uint64](dst, src, float, 0, 1<<64)
	case tensor.Float32:
		return each(dst, src, func(v S) (float32, bool) { return Float32(float(v)) })
	case tensor.Float64:
		return each(dst, src, func(v S) (float64, bool) { return float(v), true })
	case tensor.Float16:
		return each(dst, src, func(v S) (tensor.F16, bool) { return Float16(float(v)) })
	case tensor.Bfloat16:
		return each(dst, src, func(v S) (tensor.BF16, bool) { return Bfloat16(float(v)) })
	case tensor.Bool:
		return each(dst, src, func(v S) (bool, bool) { f := float(v); return f == 1, f == 0 || f == 1 })
	case tensor.Complex64:
		return each(dst, src, func(v S) (complex64, bool) { f, ok := Float32(float(v)); return complex(f, 0), ok })
	}
	return each(dst, src, func(v S) (complex128, bool) { return complex(float(v), 0), true })
}

// floatToInt converts floats that are whole numbers lo ≤ v < end.
func floatToInt[S tensor.Value, D integer](dst, src tensor.Tensor, float func(S) float64, lo, end float64) int {
	return each(dst, src, func(v S) (D, bool) {
		f := float(v)
		if !(f >= lo && f < end) || f != math.Trunc(f) {
			return 0, false
		}
		return D(f), true
	})
}

// Float32 rounds v to float32; ok is false where a finite number becomes infinite.
func Float32(v float64) (f float32, ok bool) {
	f = float32(v)
	return f, !math.IsInf(float64(f), 0) || math.IsInf(v, 0)
}

// Float16 rounds v to half precision; ok is false where a finite number becomes infinite.
func Float16(v float64) (f tensor.F16, ok bool) {
	f = tensor.ToF16(v)
	return f, f&0x7fff != 0x7c00 || math.IsInf(v, 0)
}

// Bfloat16 rounds v to bfloat16; ok is false where a finite number becomes infinite.
func Bfloat16(v float64) (f tensor.BF16, ok bool) {
	f = tensor.ToBF16(v)
	return f, f&0x7fff != 0x7f80 || math.IsInf(v, 0)
}

// fromBools converts booleans to 0 and 1.
func fromBools(dst, src tensor.Tensor) int {
	ones, _ := tensor.Share(tensor.Uint8, src.Bytes(), src.Dims())
	return Convert(dst, ones)
}

func fromComplex(dst, src tensor.Tensor) int {
	if src.DType() == tensor.Complex64 {
		return each(dst, src, func(v complex64) (complex128, bool) { return complex128(v), true })
	}
	return each(dst, src, func(v complex128) (complex64, bool) {
		re, ok1 := Float32(real(v))
		im, ok2 := Float32(imag(v))
		return complex(re, im), ok1 && ok2
	})
}

// Text returns value i of t, for error messages.
func Text(t tensor.Tensor, i int) string {
	switch Carrier(t.DType()) {
	case tensor.Float16:
		return fmt.Sprint(values[tensor.F16](t)[i].Float32())
	case tensor.Bfloat16:
		return fmt.Sprint(values[tensor.BF16](t)[i].Float32())
	case tensor.String:
		return fmt.Sprintf("%q", t.Strings()[i])
	case tensor.Float32:
		return fmt.Sprint(values[float32](t)[i])
	case tensor.Float64:
		return fmt.Sprint(values[float64](t)[i])
	case tensor.Bool:
		return fmt.Sprint(values[bool](t)[i])
	case tensor.Complex64:
		return fmt.Sprint(values[complex64](t)[i])
	case tensor.Complex128:
		return fmt.Sprint(values[complex128](t)[i])
	}
	return fmt.Sprint(intAt(t, i))
}

func intAt(t tensor.Tensor, i int) any {
	switch Carrier(t.DType()) {
	case tensor.Int8:
		return values[int8](t)[i]
	case tensor.Int16:
		return values[int16](t)[i]
	case tensor.Int32:
		return values[int32](t)[i]
	case tensor.Int64:
		return values[int64](t)[i]
	case tensor.Uint8:
		return values[uint8](t)[i]
	case tensor.Uint16:
		return values[uint16](t)[i]
	case tensor.Uint32:
		return values[uint32](t)[i]
	}
	return values[uint64](t)[i]
}

// Reason describes, for error messages, why value i of src does not fit dtype.
func Reason(dtype tensor.DType, src tensor.Tensor, i int) string {
	text := Text(src, i)
	switch {
	case dtype == tensor.Bool:
		return fmt.Sprintf("want true, false, 0 or 1, got %s", text)
	case src.DType().IsFloat() && Carrier(dtype).IsInteger() && !whole(src, i):
		return fmt.Sprintf("want %s, got %s", Article(dtype), text)
	}
	return fmt.Sprintf("%s does not fit %s", text, dtype)
}

// Article returns the dtype's name with its article: "an int32", "a float32".
func Article(d tensor.DType) string {
	if name := d.String(); name[0] == 'i' {
		return "an " + name
	}
	return "a " + d.String()
}

// isNaN reports whether value i of t is a float that is not a number.
func isNaN(t tensor.Tensor, i int) bool { return t.DType().IsFloat() && math.IsNaN(float(t, i)) }

func whole(t tensor.Tensor, i int) bool {
	v := float(t, i)
	return v == math.Trunc(v) && !math.IsInf(v, 0)
}

// float returns value i of a tensor of floats.
func float(t tensor.Tensor, i int) float64 {
	var v [1]float64
	dst, _ := tensor.ShareSlice(v[:], []int64{1})
	one, _ := tensor.Share(t.DType(), t.Bytes()[i*t.DType().Size():(i+1)*t.DType().Size()], []int64{1})
	Convert(dst, one)
	return v[0]
}
