package tensor

import "fmt"

// DType is the type of a tensor's values. Its numbers are those of TensorFlow's DataType enum
// (tensorflow/core/framework/types.proto), so a DType may be converted to and from the enum of any
// binding. The zero DType is [Invalid].
type DType uint8

// The data types of TensorFlow, named as tf.dtypes names them.
const (
	Invalid    DType = 0
	Float32    DType = 1
	Float64    DType = 2
	Int32      DType = 3
	Uint8      DType = 4
	Int16      DType = 5
	Int8       DType = 6
	String     DType = 7
	Complex64  DType = 8
	Int64      DType = 9
	Bool       DType = 10
	Qint8      DType = 11
	Quint8     DType = 12
	Qint32     DType = 13
	Bfloat16   DType = 14
	Qint16     DType = 15
	Quint16    DType = 16
	Uint16     DType = 17
	Complex128 DType = 18
	Float16    DType = 19
	Resource   DType = 20
	Variant    DType = 21
	Uint32     DType = 22
	Uint64     DType = 23
	Float8E5M2 DType = 24
	Float8E4M3 DType = 25
	Int4       DType = 29
	Uint4      DType = 30
)

// dtypes holds the name and the size in bytes of one value of each DType, by number.
// A size of 0 means that values have no fixed size.
var dtypes = [...]struct {
	name string
	size int
}{
	Invalid:    {"invalid", 0},
	Float32:    {"float32", 4},
	Float64:    {"float64", 8},
	Int32:      {"int32", 4},
	Uint8:      {"uint8", 1},
	Int16:      {"int16", 2},
	Int8:       {"int8", 1},
	String:     {"string", 0},
	Complex64:  {"complex64", 8},
	Int64:      {"int64", 8},
	Bool:       {"bool", 1},
	Qint8:      {"qint8", 1},
	Quint8:     {"quint8", 1},
	Qint32:     {"qint32", 4},
	Bfloat16:   {"bfloat16", 2},
	Qint16:     {"qint16", 2},
	Quint16:    {"quint16", 2},
	Uint16:     {"uint16", 2},
	Complex128: {"complex128", 16},
	Float16:    {"float16", 2},
	Resource:   {"resource", 0},
	Variant:    {"variant", 0},
	Uint32:     {"uint32", 4},
	Uint64:     {"uint64", 8},
	Float8E5M2: {"float8_e5m2", 1},
	Float8E4M3: {"float8_e4m3fn", 1},
	Int4:       {"int4", 1},
	Uint4:      {"uint4", 1},
}

// String returns the name that tf.dtypes gives the type: "float32", "string", "bfloat16".
// A number that TensorFlow does not define reads "dtype(N)"; the reference types of TensorFlow 1
// (the number plus 100) read as their type with "_ref".
func (d DType) String() string {
	if int(d) < len(dtypes) && dtypes[d].name != "" {
		return dtypes[d].name
	}
	if d > refOffset && int(d-refOffset) < len(dtypes) && dtypes[d-refOffset].name != "" {
		return dtypes[d-refOffset].name + "_ref"
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// refOffset is kDataTypeRefOffset of types.h: DT_FLOAT_REF is DT_FLOAT + 100.
const refOffset = 100

// Base returns the type behind one of TensorFlow 1's reference types (DT_FLOAT_REF), and any other
// type as it is.
func (d DType) Base() DType {
	if d > refOffset {
		return d - refOffset
	}
	return d
}

// Size returns the number of bytes of one value in memory, or 0 for the types whose values have no
// fixed size ([String], [Resource], [Variant], [Invalid] and unknown numbers).
// The 4-bit integers take a byte each, as in a tf.Tensor.
func (d DType) Size() int {
	if int(d) < len(dtypes) {
		return dtypes[d].size
	}
	return 0
}

// IsFloat reports whether d is a real floating-point type, 8-bit and 16-bit ones included.
func (d DType) IsFloat() bool {
	switch d {
	case Float32, Float64, Float16, Bfloat16, Float8E5M2, Float8E4M3:
		return true
	}
	return false
}

// IsInteger reports whether d is a signed or unsigned integer type. As in tf.DType.is_integer,
// quantized types and bool are none.
func (d DType) IsInteger() bool {
	switch d {
	case Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64, Int4, Uint4:
		return true
	}
	return false
}

// IsComplex reports whether d is complex64 or complex128.
func (d DType) IsComplex() bool { return d == Complex64 || d == Complex128 }

// ParseDType returns the type with the given name, as [DType.String] writes it. "half", "float" and
// "double" are understood too, as in tf.as_dtype.
func ParseDType(name string) (DType, error) {
	switch name {
	case "half":
		return Float16, nil
	case "float":
		return Float32, nil
	case "double":
		return Float64, nil
	}
	for i, d := range dtypes {
		if d.name == name && d.name != "" && DType(i) != Invalid {
			return DType(i), nil
		}
	}
	return Invalid, fmt.Errorf("dtype %q: TensorFlow has no such type", name)
}

// MarshalText writes the name, so that a DType reads "float32" in JSON.
func (d DType) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what [DType.MarshalText] writes.
func (d *DType) UnmarshalText(text []byte) error {
	if string(text) == "invalid" {
		*d = Invalid
		return nil
	}
	v, err := ParseDType(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// Value is the set of Go types that a tensor's values may have. Strings hold arbitrary bytes, as in
// TensorFlow.
type Value interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 |
		bool | complex64 | complex128 | string | F16 | BF16
}
