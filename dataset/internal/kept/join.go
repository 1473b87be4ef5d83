package kept

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/float16"
)

// Join returns the narrowest type that holds all values of both types exactly, so that a column of
// several files has one: int32 and int64 are int64, a number and lists of such numbers are lists.
// Where there is none, as for numbers and strings, it is [Text], which holds values as JSON.
func Join(a, b *Type) *Type {
	switch {
	case a == nil || b != nil && a.form == null:
		return b
	case b == nil || b.form == null || a.Equal(b):
		return a
	case a.form == list && b.form == list:
		return ListOf(Join(a.parts[0], b.parts[0]))
	case a.form == list && b.form != vector:
		return joinEntries(a, b)
	case b.form == list && a.form != vector:
		return joinEntries(b, a)
	}
	return joinSingle(a, b)
}

// joinEntries joins a list with a value that is one entry of such lists.
func joinEntries(lists, entry *Type) *Type {
	t := Join(lists.parts[0], entry)
	if t.Equal(Text) && !(entry.isString() && lists.parts[0].isString()) {
		return Text
	}
	return ListOf(t)
}

// joinSingle joins types of values without parts.
func joinSingle(a, b *Type) *Type {
	if a.form == text && b.form == text {
		if a.isString() && b.isString() {
			return Text
		}
		return Binary
	}
	if a.extension() != "" || b.extension() != "" {
		return Text
	}
	x, y := a.number(), b.number()
	if x.bits == 0 || y.bits == 0 {
		return Text
	}
	if y.rank() < x.rank() {
		x, y = y, x
	}
	switch {
	case x.float == y.float && x.signed == y.signed:
		return y.t
	case y.float && x.bits <= y.exact: // an integer, and a float that holds all such
		return y.t
	case y.float && !x.float && x.bits <= float64Digits:
		return Float64
	case !y.float && x.bits <= 32 && y.bits <= 32:
		return Int64 // with a sign and without
	}
	return Text
}

// numbers says how a number is stored.
type numbers struct {
	t      *Type
	bits   int // 0: it is none
	signed bool
	float  bool
	exact  int // bits of the widest integers that all are floats of the type
}

const float64Digits = 53

func (n numbers) rank() int {
	if n.float {
		return 1<<10 + n.bits
	}
	return n.bits
}

// number says how values of the type are stored, where they are numbers.
func (t *Type) number() numbers {
	n := numbers{t: t, bits: 8 * t.width}
	switch t.field.Type.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64:
		n.signed = true
	case arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
	case arrow.FLOAT16:
		n.float, n.exact = true, 8
	case arrow.FLOAT32:
		n.float, n.exact = true, 24
	case arrow.FLOAT64:
		n.float, n.exact = true, float64Digits
	default:
		return numbers{}
	}
	return n
}

// isString reports whether values are strings, not bytes.
func (t *Type) isString() bool {
	switch t.written().ID() {
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return true
	}
	return false
}

// convert returns a value of another type as one of t, nil for null; ok is false where t has no
// such value.
func (t *Type) convert(from *Type, v []byte) (out []byte, ok bool) {
	switch {
	case v == nil:
		return nil, true
	case t.Equal(from):
		return v, true
	case t.form == text && from.form == text && (from.isString() || !t.isString()):
		return v, true
	case t.form == list && from.form == list:
		out = []byte{}
		for len(v) > 0 {
			var item []byte
			item, v = Next(v)
			if item, ok = t.parts[0].convert(from.parts[0], item); !ok {
				return nil, false
			}
			out = AppendPart(out, item)
		}
		return out, true
	case t.form == list && from.form != vector:
		if v, ok = t.parts[0].convert(from, v); !ok {
			return nil, false
		}
		return AppendPart([]byte{}, v), true
	}
	return t.parse(from.AppendJSON(nil, v))
}

// appendFloatBits appends a number as a float of the type's width; ok is false where it is none.
func appendFloatBits(f float64, width int) (v []byte, ok bool) {
	switch narrow := float32(f); width {
	case 8:
		return le.AppendUint64(nil, math.Float64bits(f)), true
	case 4:
		return le.AppendUint32(nil, math.Float32bits(narrow)), float64(narrow) == f || f != f
	default:
		half := float16.New(narrow)
		return le.AppendUint16(nil, half.Uint16()), float64(half.Float32()) == f || f != f
	}
}
