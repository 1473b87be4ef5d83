package runner

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/tfrun/tfrun/tensor"
)

// AppendJSON appends a tensor's values to dst as JSON: a scalar, or nested lists. Integers are exact and floats the shortest text that reads back
// to the same value of their dtype; what is not finite is written NaN, Infinity or -Infinity, as Python's json does. A complex number is
// [re, im]; a string that is not UTF-8 is {"b64": "…"}. It fails for dtypes that have no values in Go ([DTypeError]).
func AppendJSON(dst []byte, t tensor.Tensor) ([]byte, error) {
	put, err := appender(t)
	if err != nil {
		return dst, err
	}
	dst, _ = appendNested(dst, t.Dims(), 0, put)
	return dst, nil
}

// appendNested writes the values from index i on as nested lists of the given sizes, and returns the index after the last.
func appendNested(dst []byte, dims []int64, i int, put func([]byte, int) []byte) ([]byte, int) {
	if len(dims) == 0 {
		return put(dst, i), i + 1
	}
	dst = append(dst, '[')
	for k := range dims[0] {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst, i = appendNested(dst, dims[1:], i, put)
	}
	return append(dst, ']'), i
}

// appender returns a function that appends value i of t.
func appender(t tensor.Tensor) (func(dst []byte, i int) []byte, error) {
	switch t.DType() {
	case tensor.Float32:
		return each(t, func(dst []byte, v float32) []byte { return appendFloat(dst, float64(v), 32) }), nil
	case tensor.Float64:
		return each(t, func(dst []byte, v float64) []byte { return appendFloat(dst, v, 64) }), nil
	case tensor.Int8, tensor.Qint8:
		return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(int8(t.Bytes()[i])), 10) }, nil
	case tensor.Uint8, tensor.Quint8:
		return func(dst []byte, i int) []byte { return strconv.AppendUint(dst, uint64(t.Bytes()[i]), 10) }, nil
	case tensor.Int16:
		return each(t, appendInt[int16]), nil
	case tensor.Int32:
		return each(t, appendInt[int32]), nil
	case tensor.Int64:
		return each(t, appendInt[int64]), nil
	case tensor.Uint16:
		return each(t, appendUint[uint16]), nil
	case tensor.Uint32:
		return each(t, appendUint[uint32]), nil
	case tensor.Uint64:
		return each(t, appendUint[uint64]), nil
	case tensor.Qint16, tensor.Quint16, tensor.Qint32:
		return quantized(t)
	case tensor.Bool:
		return each(t, strconv.AppendBool), nil
	case tensor.Complex64:
		return each(t, func(dst []byte, v complex64) []byte {
			return appendComplex(dst, float64(real(v)), float64(imag(v)), 32)
		}), nil
	case tensor.Complex128:
		return each(t, func(dst []byte, v complex128) []byte { return appendComplex(dst, real(v), imag(v), 64) }), nil
	case tensor.Float16:
		return each(t, func(dst []byte, v tensor.F16) []byte {
			return appendShort(dst, float64(v.Float32()), 5, func(f float64) bool { return tensor.ToF16(f) == v })
		}), nil
	case tensor.Bfloat16:
		return each(t, func(dst []byte, v tensor.BF16) []byte {
			return appendShort(dst, float64(v.Float32()), 4, func(f float64) bool { return tensor.ToBF16(f) == v })
		}), nil
	case tensor.String:
		return func(dst []byte, i int) []byte { return appendText(dst, t.Strings()[i]) }, nil
	}
	return nil, &DTypeError{DType: t.DType()}
}

func each[T tensor.Value](t tensor.Tensor, put func([]byte, T) []byte) func([]byte, int) []byte {
	values, _ := tensor.Values[T](t)
	return func(dst []byte, i int) []byte { return put(dst, values[i]) }
}

// quantized writes the wide quantized types through the integers that they hold.
func quantized(t tensor.Tensor) (func([]byte, int) []byte, error) {
	ints, err := tensor.FromBytes(carriers[t.DType()], t.Bytes(), t.Dims()...)
	if err != nil {
		return nil, err
	}
	return appender(ints)
}

func appendInt[T int16 | int32 | int64](dst []byte, v T) []byte {
	return strconv.AppendInt(dst, int64(v), 10)
}

func appendUint[T uint16 | uint32 | uint64](dst []byte, v T) []byte {
	return strconv.AppendUint(dst, uint64(v), 10)
}

func appendComplex(dst []byte, re, im float64, bits int) []byte {
	dst = appendFloat(append(dst, '['), re, bits)
	dst = appendFloat(append(dst, ','), im, bits)
	return append(dst, ']')
}

// appendFloat writes the shortest text, in the notation that encoding/json and JavaScript choose.
func appendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	}
	return strconv.AppendFloat(dst, v, notation(v), -1, bits)
}

func notation(v float64) byte {
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		return 'e'
	}
	return 'f'
}

// appendShort writes a 16-bit float with the fewest digits, at most most, that same accepts.
func appendShort(dst []byte, v float64, most int, same func(float64) bool) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return appendFloat(dst, v, 64)
	}
	for digits := 1; digits <= most; digits++ {
		short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', digits-1, 64), 64)
		if err == nil && same(short) {
			return appendFloat(dst, short, 64)
		}
	}
	return appendFloat(dst, v, 64)
}

const hexDigits = "0123456789abcdef"

// appendText writes a string, or its base64 where it is not UTF-8.
func appendText(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		dst = append(dst, `{"b64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, []byte(s))
		return append(dst, `"}`...)
	}
	dst = append(dst, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}

// AppendRow appends a result as a line of JSON without its end: {"<output>": value, …} with the outputs in the order of names, then the
// extra fields as they were read; or {"error": "…"} and the extra fields for a row that has no values.
func AppendRow(dst []byte, names []string, r Result) ([]byte, error) {
	dst = append(dst, '{')
	if r.Err != nil {
		dst = appendText(append(dst, `"error":`...), r.Err.Error())
	} else {
		for i, v := range r.Values {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendText(dst, names[i]), ':')
			var err error
			if dst, err = v.AppendJSON(dst); err != nil {
				return dst, fmt.Errorf("output %q: %w", names[i], err)
			}
		}
	}
	for _, x := range r.Extra {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, x.Key), ':')
		dst = append(dst, x.JSON...)
	}
	return append(dst, '}'), nil
}
