package kept

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
)

// The types of columns that are made of JSON texts, or of features of tf.Examples.
var (
	Bool    = basic(arrow.FixedWidthTypes.Boolean)
	Int64   = basic(arrow.PrimitiveTypes.Int64)
	Uint64  = basic(arrow.PrimitiveTypes.Uint64)
	Float32 = basic(arrow.PrimitiveTypes.Float32)
	Float64 = basic(arrow.PrimitiveTypes.Float64)
	Text    = basic(arrow.BinaryTypes.String)
	Binary  = basic(arrow.BinaryTypes.Binary)
)

// ListOf returns the type of lists of type t.
func ListOf(t *Type) *Type {
	f := t.field
	f.Name, f.Nullable = "item", true
	return basic(arrow.ListOfField(f))
}

func basic(d arrow.DataType) *Type {
	t, err := Of(arrow.Field{Type: d, Nullable: true})
	if err != nil {
		panic(err) // unreachable: all of them can be kept
	}
	return t
}

// Take returns the value of a field as a value of t, nil for null. A value whose type was joined
// into t by [Join] is converted. A value of another type, or of none, is read from its JSON text;
// where t is text, it is that JSON text.
func (t *Type) Take(f dataset.Field) ([]byte, error) {
	if own, ok := f.Type.(*Type); ok {
		if v, ok := t.convert(own, f.Value); ok {
			return v, nil
		}
	}
	text := f.AppendJSON(nil)
	if v, ok := t.parse(text); ok {
		return v, nil
	}
	const shown = 40
	return nil, fmt.Errorf("%.*s is not of the type of the rows before, %s; write jsonl or csv, which have no types", shown, text, t)
}

// parse reads a value of type t from a JSON text.
func (t *Type) parse(text []byte) (v []byte, ok bool) {
	kind := jsontext.KindOf(text)
	if kind == jsontext.Null {
		return nil, true
	}
	switch t.field.Type.ID() {
	case arrow.BOOL:
		return bits[b2i(string(text) == "true")], kind == jsontext.Bool
	case arrow.STRING:
		return append([]byte{}, jsontext.AsText(text)...), true
	}
	switch n := t.number(); {
	case n.bits == 0:
		return nil, false
	case n.float:
		f, ok := jsontext.AsFloat(text)
		v, exact := appendFloatBits(f, t.width)
		return v, ok && exact
	case n.signed:
		i, err := strconv.ParseInt(string(text), 10, n.bits)
		return le.AppendUint64(nil, uint64(i))[:t.width], err == nil //nolint:gosec // the bits are meant
	default:
		u, err := strconv.ParseUint(string(text), 10, n.bits)
		return le.AppendUint64(nil, u)[:t.width], err == nil
	}
}

var le = binary.LittleEndian

// MarshalBinary encodes the type as a schema of Arrow's with one field.
func (t *Type) MarshalBinary() ([]byte, error) {
	var b bytes.Buffer
	w := ipc.NewWriter(&b, ipc.WithSchema(arrow.NewSchema([]arrow.Field{t.field}, nil)))
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// UnmarshalBinary reads what MarshalBinary returns.
func (t *Type) UnmarshalBinary(data []byte) error {
	r, err := ipc.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer r.Release()
	if r.Schema().NumFields() != 1 {
		return fmt.Errorf("a schema of %d fields", r.Schema().NumFields())
	}
	own, err := Of(r.Schema().Field(0))
	if err != nil {
		return err
	}
	*t = *own
	return nil
}

// MarshalText is MarshalBinary as a text, for JSON.
func (t *Type) MarshalText() ([]byte, error) {
	b, err := t.MarshalBinary()
	return base64.StdEncoding.AppendEncode(nil, b), err
}

// UnmarshalText reads what MarshalText returns.
func (t *Type) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return err
	}
	return t.UnmarshalBinary(b)
}

// Join returns the narrowest type that holds all values of both types exactly, so that a column has
// one type in several files: of int32 and int64 it is int64, of numbers and lists of such numbers
// the lists. Where there is no such type, as for numbers and strings, it is [Text], which holds
// values as JSON.
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

// joinEntries joins a type of lists with the type of a value that may be one entry of a list.
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
	case y.float && x.bits <= y.exact: // an integer, and a float that holds all such integers
		return y.t
	case y.float && !x.float && x.bits <= float64Digits:
		return Float64
	case !y.float && x.bits <= 32 && y.bits <= 32:
		return Int64 // the widest signed integer, for signed and unsigned ones
	}
	return Text
}

// numbers describes how a number is stored.
type numbers struct {
	t      *Type
	bits   int // 0: the type is no number
	signed bool
	float  bool
	exact  int // bits of the widest integers that the float holds exactly
}

const float64Digits = 53

func (n numbers) rank() int {
	if n.float {
		return 1<<10 + n.bits
	}
	return n.bits
}

// number describes how values of the type are stored, if they are numbers.
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

// isString reports whether values are strings, which bytes are not.
func (t *Type) isString() bool {
	switch t.written().ID() {
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return true
	}
	return false
}

// convert returns a value of another type as a value of t, nil for null. ok is false where t has no
// equal value.
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

// appendFloatBits appends a number as a float of the given width in bytes; ok is false where width
// is no float's.
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
