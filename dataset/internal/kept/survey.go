package kept

import (
	"bytes"
	"strconv"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
)

// Survey looks at all values of a column to find its type.
type Survey struct {
	t    *Type // type of the values that have one
	seen untyped
}

// untyped describes the JSON texts of the values that have no type.
type untyped struct {
	bool, int, negative, large, float bool
	// inexact: a number is no float64's exactly; wide: an integer does not fit 64 bits.
	inexact, wide bool
	other         bool // there are strings, lists or objects
}

// Add takes a value into account.
func (s *Survey) Add(f dataset.Field) {
	if own, ok := f.Type.(*Type); ok {
		s.t = Join(s.t, own)
		return
	}
	text := bytes.TrimSpace(f.Value)
	switch jsontext.KindOf(text) {
	case jsontext.Null:
	case jsontext.Bool:
		s.seen.bool = true
	case jsontext.Int, jsontext.Float:
		s.seen.number(string(text))
	default:
		s.seen.other = true
	}
}

// number takes a number into account.
func (u *untyped) number(text string) {
	const most = 1 << float64Digits
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && text != "-0" {
		u.int, u.negative, u.wide = true, u.negative || n < 0, u.wide || n > most || n < -most
		return
	}
	if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		u.int, u.large, u.wide = true, true, true
		return
	}
	u.float = true
	u.inexact = u.inexact || !isFloat64(text)
}

// Type returns the type of a column that holds all values exactly. It is [Text] where no other type
// does that, and where there are no values.
func (s *Survey) Type() *Type {
	u := s.seen
	switch {
	case s.t != nil && u == (untyped{}):
		return s.t
	case s.t != nil || u.other || u.bool && (u.int || u.float) || u.inexact || u.float && u.wide || u.large && u.negative:
		return Text
	case u.bool:
		return Bool
	case u.float:
		return Float64
	case u.large:
		return Uint64
	case u.int:
		return Int64
	}
	return Text
}

// isFloat64 reports whether a text writes exactly a number that a float64 keeps: whether the
// shortest text of the nearest float64 is the same number.
func isFloat64(text string) bool {
	f, ok := jsontext.AsFloat([]byte(text))
	if !ok {
		return false
	}
	if f != f || f-f != 0 { //nolint:gocritic // NaN, and what is infinite
		return true
	}
	digits, exp := decimal(text)
	shortest, e := decimal(strconv.FormatFloat(f, 'e', -1, 64))
	return digits == shortest && (exp == e || digits == "")
}

// decimal returns the digits of a number without leading and trailing zeros, "" for zero, and the
// power of ten of the first digit.
func decimal(text string) (digits string, exp int) {
	if text[0] == '-' {
		text = text[1:]
	}
	point, at := -1, 0
	var d []byte
	for ; at < len(text) && text[at]|0x20 != 'e'; at++ {
		if text[at] == '.' {
			point = at
		} else {
			d = append(d, text[at])
		}
	}
	if point < 0 {
		point = at
	}
	if at < len(text) {
		exp, _ = strconv.Atoi(text[at+1:]) // the number was read: its exponent is small
	}
	lead := len(d) - len(bytes.TrimLeft(d, "0"))
	return string(bytes.Trim(d, "0")), exp + point - 1 - lead
}
