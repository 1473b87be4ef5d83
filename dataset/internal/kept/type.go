// Package kept holds the types of kept columns, in Arrow's words, and the encoding of their values:
// bytes that a row carries from a file with types to another one, or to text.
//
// # Encoding
//
// A number, a date, a time, a decimal or bytes of one length are encoded as in an Arrow array. A
// boolean is one byte, 0 or 1. A string or bytes are themselves. A list is its entries, a map its
// keys and values in turn, a structure its fields. Before each such part stand four bytes: the
// length of the part's encoding plus one, or zero for a part that is null. A value that is null
// itself is nil.
package kept

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
)

// Type is the type of a kept column, or of a part of one. It is a dataset.FieldType.
type Type struct {
	field arrow.Field // its name is that of a part
	form  form
	width int       // bytes of a fixed value, or entries of a vector
	parts []*Type   // entries of a list, keys and values of a map, fields of a structure
	leaf  putString // appends a value that has no parts as JSON
}

type putString func(dst, value []byte) []byte

// form is how a value of the type is encoded.
type form uint8

const (
	null   form = iota // always null
	bit                // one byte, 0 or 1
	fixed              // width bytes
	text               // any number of bytes
	list               // entries
	vector             // a fixed number of entries, width
	pairs              // keys and values
	group              // fields
)

// Of returns the type of a field's values. A type that cannot be kept is an error.
func Of(f arrow.Field) (*Type, error) {
	t := &Type{field: f}
	err := t.describe(f.Type, 0)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// maxDepth bounds how deep types nest.
const maxDepth = 128

// describe sets the form of values of Arrow's type d.
func (t *Type) describe(d arrow.DataType, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("values nested deeper than %d levels are not kept", maxDepth)
	}
	part := func(fields ...arrow.Field) error {
		for _, f := range fields {
			p := &Type{field: f}
			if err := p.describe(f.Type, depth+1); err != nil {
				return err
			}
			t.parts = append(t.parts, p)
		}
		return nil
	}
	switch d := d.(type) {
	case arrow.ExtensionType:
		return t.describe(d.StorageType(), depth)
	case *arrow.DictionaryType:
		return t.describe(d.ValueType, depth+1)
	case *arrow.RunEndEncodedType:
		return t.describe(d.Encoded(), depth+1)
	case *arrow.NullType:
		t.form = null
	case *arrow.BooleanType:
		t.form = bit
	case *arrow.MapType:
		t.form = pairs
		return part(d.KeyField(), d.ItemField())
	case *arrow.FixedSizeListType:
		t.form, t.width = vector, int(d.Len())
		return part(d.ElemField())
	case arrow.ListLikeType:
		t.form = list
		return part(d.ElemField())
	case *arrow.StructType:
		t.form = group
		return part(d.Fields()...)
	case arrow.BinaryDataType, *arrow.StringViewType, *arrow.BinaryViewType:
		t.form = text
	case arrow.FixedWidthDataType:
		t.form, t.width = fixed, d.Bytes()
	default:
		return fmt.Errorf("values of type %s are not kept", d)
	}
	t.leaf = t.putLeaf(d)
	if t.leaf == nil && t.form != null {
		return fmt.Errorf("values of type %s are not kept", d)
	}
	return nil
}

// String returns the type in Arrow's words.
func (t *Type) String() string { return t.field.Type.String() }

// Field returns the field that the type was made of.
func (t *Type) Field() arrow.Field { return t.field }

// Equal reports whether both types encode values alike, and give them the same meaning.
func (t *Type) Equal(other *Type) bool {
	return t == other || arrow.TypeEqual(t.field.Type, other.field.Type) && t.extension() == other.extension()
}

const (
	extensionName       = "ARROW:extension:name"
	extensionParameters = "ARROW:extension:metadata"
	// UUID is the name of the extension type of 16 bytes that are a UUID.
	UUID = "arrow.uuid"
	// JSON is the name of the extension type of strings that are JSON.
	JSON = "arrow.json"
	// Interval is the name of the extension type of 12 bytes that are an INTERVAL of Parquet:
	// months, days and milliseconds. Arrow's own readers of Parquet take them for mere bytes.
	Interval = "parquet.interval"
)

// Extension returns the metadata of a field whose values are of an extension type.
func Extension(name, parameters string) arrow.Metadata {
	return arrow.NewMetadata([]string{extensionName, extensionParameters}, []string{name, parameters})
}

// ExtensionOf returns the extension type of a field's values; ok is false where there is none.
func ExtensionOf(f arrow.Field) (name, parameters string, ok bool) {
	if e, is := f.Type.(arrow.ExtensionType); is {
		return e.ExtensionName(), e.Serialize(), true
	}
	name, ok = f.Metadata.GetValue(extensionName)
	parameters, _ = f.Metadata.GetValue(extensionParameters)
	return name, parameters, ok
}

func (t *Type) extension() string {
	name, _, _ := ExtensionOf(t.field)
	return name
}

// IsUUID reports whether values are UUIDs.
func (t *Type) IsUUID() bool { return t.form == fixed && t.width == 16 && t.extension() == UUID }

// IsInterval reports whether values are Parquet's intervals.
func (t *Type) IsInterval() bool {
	return t.form == fixed && t.width == 12 && t.extension() == Interval
}

// Size returns how many entries each list of the type has, or -1 where lists differ.
func (t *Type) Size() int {
	if t.form == vector {
		return t.width
	}
	return -1
}

// Parts returns the types of a value's parts: of a list its entries, of a map keys and values, of a
// structure its fields.
func (t *Type) Parts() []*Type { return t.parts }
