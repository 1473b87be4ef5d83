// Package jsontext writes tensors as JSON, in the form that JSON lines are read in, and reads what
// JSON texts of kept columns hold.
package jsontext

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/tensor"
)

// Append appends a value as JSON: a scalar, or nested lists; the lists of a ragged value (splits
// not nil) are of unequal length. Integers are exact and floats the shortest text that reads back
// (16-bit floats as the float32 of the same value); NaN, Infinity and -Infinity are written as
// these words; a complex number is [re, im] and a string that is not UTF-8 {"b64": "…"}.
func Append(dst []byte, t tensor.Tensor, splits []tensor.Tensor) ([]byte, error) {
	put, err := Appender(t)
	if err != nil {
		return dst, err
	}
	if len(splits) == 0 {
		dst, _ = nested(dst, t.Dims(), 0, put)
		return dst, nil
	}
	inner := t.Dims()[1:]
	size, _ := tensor.NumElements(inner)
	var list func(dst []byte, depth int, lo, hi int64) []byte
	list = func(dst []byte, depth int, lo, hi int64) []byte {
		dst = append(dst, '[')
		for i := lo; i < hi; i++ {
			if i > lo {
				dst = append(dst, ',')
			}
			if depth < len(splits) {
				a, b := Split(splits[depth], i)
				dst = list(dst, depth+1, a, b)
			} else {
				dst, _ = nested(dst, inner, int(i*size), put)
			}
		}
		return append(dst, ']')
	}
	return list(dst, 0, 0, int64(splits[0].Len()-1)), nil
}

// Split returns where list i of a row-splits vector begins and ends.
func Split(splits tensor.Tensor, i int64) (lo, hi int64) {
	if v, ok := tensor.Values[int64](splits); ok {
		return v[i], v[i+1]
	}
	v, _ := tensor.Values[int32](splits)
	return int64(v[i]), int64(v[i+1])
}

func nested(dst []byte, dims []int64, i int, put func([]byte, int) []byte) ([]byte, int) {
	if len(dims) == 0 {
		return put(dst, i), i + 1
	}
	dst = append(dst, '[')
	for k := range dims[0] {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst, i = nested(dst, dims[1:], i, put)
	}
	return append(dst, ']'), i
}

// Appender returns a function that appends value i of t.
func Appender(t tensor.Tensor) (func(dst []byte, i int) []byte, error) {
	if c := dtypes.Carrier(t.DType()); c != t.DType() {
		t, _ = tensor.Share(c, t.Bytes(), t.Dims())
	}
	switch t.DType() {
	case tensor.Float32:
		return each(t, func(dst []byte, v float32) []byte { return AppendFloat(dst, float64(v), 32) }), nil
	case tensor.Float64:
		return each(t, func(dst []byte, v float64) []byte { return AppendFloat(dst, v, 64) }), nil
	case tensor.Int8:
		return each(t, appendInt[int8]), nil
	case tensor.Int16:
		return each(t, appendInt[int16]), nil
	case tensor.Int32:
		return each(t, appendInt[int32]), nil
	case tensor.Int64:
		return each(t, appendInt[int64]), nil
	case tensor.Uint8:
		return each(t, appendUint[uint8]), nil
	case tensor.Uint16:
		return each(t, appendUint[uint16]), nil
	case tensor.Uint32:
		return each(t, appendUint[uint32]), nil
	case tensor.Uint64:
		return each(t, appendUint[uint64]), nil
	case tensor.Bool:
		return each(t, strconv.AppendBool), nil
	case tensor.Complex64:
		return each(t, func(dst []byte, v complex64) []byte { return pair(dst, float64(real(v)), float64(imag(v)), 32) }), nil
	case tensor.Complex128:
		return each(t, func(dst []byte, v complex128) []byte { return pair(dst, real(v), imag(v), 64) }), nil
	case tensor.Float16:
		return each(t, func(dst []byte, v tensor.F16) []byte { return AppendFloat(dst, float64(v.Float32()), 32) }), nil
	case tensor.Bfloat16:
		return each(t, func(dst []byte, v tensor.BF16) []byte { return AppendFloat(dst, float64(v.Float32()), 32) }), nil
	case tensor.String:
		return each(t, AppendString), nil
	}
	return nil, fmt.Errorf("values of type %s are not written", t.DType())
}

// Check returns an error if values of a dtype cannot be written as JSON.
func Check(dtype tensor.DType) error {
	zero, err := tensor.New(dtype, 0)
	if err == nil {
		_, err = Appender(zero)
	}
	return err
}

func each[T tensor.Value](t tensor.Tensor, put func([]byte, T) []byte) func([]byte, int) []byte {
	values, _ := tensor.Values[T](t)
	return func(dst []byte, i int) []byte { return put(dst, values[i]) }
}

func appendInt[T int8 | int16 | int32 | int64](dst []byte, v T) []byte {
	return strconv.AppendInt(dst, int64(v), 10)
}

func appendUint[T uint8 | uint16 | uint32 | uint64](dst []byte, v T) []byte {
	return strconv.AppendUint(dst, uint64(v), 10)
}

func pair(dst []byte, re, im float64, bits int) []byte {
	dst = AppendFloat(append(dst, '['), re, bits)
	dst = AppendFloat(append(dst, ','), im, bits)
	return append(dst, ']')
}

// AppendFloat appends the shortest text that reads back to v as a float of so many bits. Whole
// numbers have no point, but for -0.0: as an integer that would be 0.
func AppendFloat(dst []byte, v float64, bits int) []byte {
	switch a := math.Abs(v); {
	case a == 0 && math.Signbit(v):
		return append(dst, "-0.0"...)
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	case a != 0 && (a < 1e-6 || a >= 1e21):
		return strconv.AppendFloat(dst, v, 'e', -1, bits)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, bits)
}

// AppendText appends a text in JSON, with escapes for what steers a terminal. That occurs only in
// strings, so the text says the same.
func AppendText(dst, text []byte) []byte {
	from := 0
	for i, c := range text {
		if r, n := steering(c, text[i:]); n > 0 {
			dst = words.AppendEscape(append(dst, text[from:i]...), r)
			from = i + n
		}
	}
	return append(dst, text[from:]...)
}

// steering returns the character that text begins with, and its length, if it steers a terminal and
// is none of ASCII's but DEL. first is the first byte: few can begin such a character.
func steering[T string | []byte](first byte, text T) (rune, int) {
	if first != 0x7f && first != 0xc2 && first != 0xd8 && first != 0xe2 {
		return 0, 0
	}
	if r, n := utf8.DecodeRuneInString(string(text[:min(len(text), utf8.UTFMax)])); words.Steers(r) {
		return r, n
	}
	return 0, 0
}

// AppendString appends s as a JSON string, or as {"b64": "…"} where it is not UTF-8. What steers a
// terminal becomes an escape.
func AppendString(dst []byte, s string) []byte {
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
			if c < 0x7f {
				continue
			}
			if r, n := steering(c, s[i:]); n > 0 {
				dst = words.AppendEscape(append(dst, s[from:i]...), r)
				from = i + n
			}
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
			dst = words.AppendEscape(dst, rune(c))
		}
	}
	return append(append(dst, s[from:]...), '"')
}

// NullNaN returns a line of JSON with null in the place of each NaN, Infinity and -Infinity.
func NullNaN(line []byte) []byte {
	if !bytes.Contains(line, []byte("NaN")) && !bytes.Contains(line, []byte("Infinity")) {
		return line
	}
	out := make([]byte, 0, len(line))
	for i := 0; i < len(line); {
		rest := line[i:]
		switch c := line[i]; {
		case c == '"':
			end := stringEnd(line, i)
			out = append(out, line[i:end]...)
			i = end
			continue
		case bytes.HasPrefix(rest, []byte("NaN")):
			i += len("NaN")
		case bytes.HasPrefix(rest, []byte("Infinity")):
			i += len("Infinity")
		case bytes.HasPrefix(rest, []byte("-Infinity")):
			i += len("-Infinity")
		default:
			out = append(out, c)
			i++
			continue
		}
		out = append(out, "null"...)
	}
	return out
}

// ValidUTF8 returns a JSON value in which each string that is not UTF-8 has become {"b64": "…"}. ok
// is false where that is impossible, since a key is such a string.
func ValidUTF8(text []byte) (valid []byte, ok bool) {
	if utf8.Valid(text) {
		return text, true
	}
	for i := 0; i < len(text); {
		q := bytes.IndexByte(text[i:], '"')
		if q < 0 {
			return append(valid, text[i:]...), utf8.Valid(text[i:])
		}
		valid = append(valid, text[i:i+q]...)
		i += q
		end := stringEnd(text, i)
		s := text[i:end]
		i = end
		if utf8.Valid(s) {
			valid = append(valid, s...)
			continue
		}
		if next := bytes.TrimLeft(text[i:], " \t\r\n"); len(next) > 0 && next[0] == ':' {
			return nil, false
		}
		valid = AppendString(valid, unescape(s))
	}
	return valid, true
}

// stringEnd returns the index after the string that begins at text[i].
func stringEnd(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(text))
}

// unescape returns the bytes of a JSON string. Bytes that are not UTF-8 stay as they are.
func unescape(s []byte) string {
	var out []byte
	s = s[1 : len(s)-1]
	for len(s) > 0 {
		if s[0] != '\\' {
			out, s = append(out, s[0]), s[1:]
			continue
		}
		n := 2
		if len(s) > 1 && s[1] == 'u' {
			n = 6
			if len(s) > 6 && s[6] == '\\' && s[2]|0x20 == 'd' && s[3] > '7' {
				n = 12 // half a surrogate pair, and the other half
			}
		}
		n = min(n, len(s))
		part, _ := Unquote(slices.Concat([]byte{'"'}, s[:n], []byte{'"'}))
		out, s = append(out, part...), s[n:]
	}
	return string(out)
}

// IsNumber reports whether text is a number as JSON writes it: no leading zeros, no plus sign, no
// bare point.
func IsNumber[T string | []byte](text T) bool {
	i, n := 0, len(text)
	digits := func() bool {
		from := i
		for i < n && text[i] >= '0' && text[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < n && text[i] == '-' {
		i++
	}
	if i < n && text[i] == '0' {
		i++
	} else if !digits() {
		return false
	}
	if i < n && text[i] == '.' {
		if i++; !digits() {
			return false
		}
	}
	if i < n && text[i]|0x20 == 'e' {
		if i++; i < n && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == n
}

// Kind is the kind of value that a JSON text holds.
type Kind uint8

// The kinds of values, from the narrowest to the widest. A column with values of several kinds has
// the narrowest kind that fits all, see [Widen].
const (
	Null Kind = iota
	Bool
	Int   // fits an int64
	Float // a number
	Text  // a string
	Other // any value; it stays JSON text
)

// KindOf returns the kind of a JSON text.
func KindOf(text []byte) Kind {
	switch s := string(text); {
	case len(text) == 0 || s == "null":
		return Null
	case s == "true" || s == "false":
		return Bool
	case s == "NaN" || s == "Infinity" || s == "-Infinity":
		return Float
	case text[0] == '"':
		return Text
	case IsNumber(text):
		if _, err := strconv.ParseInt(s, 10, 64); err == nil {
			return Int
		}
		return Float
	}
	return Other
}

// Widen returns the kind of a column that holds values of both kinds.
func Widen(a, b Kind) Kind {
	switch {
	case a == Null || a == b:
		return b
	case b == Null:
		return a
	case a == Int && b == Float || a == Float && b == Int:
		return Float
	}
	return Other
}

// AsText returns a JSON text as plain text: a string without its quotes and escapes, null as the
// empty text, anything else as it is.
func AsText(text []byte) []byte {
	switch KindOf(text) {
	case Null:
		return nil
	case Text:
		if s, ok := Unquote(text); ok {
			return []byte(s)
		}
	}
	return text
}

// Unquote returns the string that a JSON string denotes.
func Unquote(text []byte) (string, bool) {
	var s string
	err := json.Unmarshal(text, &s)
	return s, err == nil
}

// AsFloat returns a JSON number as a float64.
func AsFloat(text []byte) (float64, bool) {
	switch string(text) {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	v, err := strconv.ParseFloat(string(text), 64)
	return v, err == nil
}

// AsInt returns a JSON integer that fits an int64.
func AsInt(text []byte) (int64, bool) {
	v, err := strconv.ParseInt(string(text), 10, 64)
	return v, err == nil
}
