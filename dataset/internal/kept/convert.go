package kept

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
)

// The types of columns that are made of JSON texts, and of features of tf.Examples.
var (
	Bool    = basic(arrow.FixedWidthTypes.Boolean)
	Int64   = basic(arrow.PrimitiveTypes.Int64)
	Uint64  = basic(arrow.PrimitiveTypes.Uint64)
	Float32 = basic(arrow.PrimitiveTypes.Float32)
	Float64 = basic(arrow.PrimitiveTypes.Float64)
	Text    = basic(arrow.BinaryTypes.String)
	Binary  = basic(arrow.BinaryTypes.Binary)
)

// ListOf returns the type of lists of a type.
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

// Take returns the value of a field as one of t, nil for null. Values of types that [Join] gives t
// for are converted; a field of another type, or of none, goes by its JSON text, which is itself
// where t is text.
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

// parse returns the value that a JSON text stands for.
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

// MarshalBinary returns the type as a schema of Arrow's of one field.
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

// MarshalText is MarshalBinary in a form that JSON takes.
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
