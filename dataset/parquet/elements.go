package parquet

import (
	"fmt"
	"math/big"

	ar "github.com/apache/arrow-go/v18/arrow"

	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/thrift"
)

// elements appends the schema of a field of Arrow's: one element for each node of its tree.
func elements(dst []element, f ar.Field) ([]element, error) {
	e := element{physical: noPhysical, converted: -1, name: f.Name}
	if f.Nullable {
		e.repetition = optional
	}
	group := func(e element, repeatedName string, fields ...ar.Field) ([]element, error) {
		e.children = int32(len(fields)) //nolint:gosec // far fewer
		if repeatedName != "" {
			e.children = 1
			dst = append(dst, e, element{physical: noPhysical, converted: -1, name: repeatedName, repetition: repeated, children: int32(len(fields))}) //nolint:gosec // far fewer
		} else {
			dst = append(dst, e)
		}
		var err error
		for _, f := range fields {
			if dst, err = elements(dst, f); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
	switch t := f.Type.(type) {
	case *ar.MapType:
		e.logical.kind, e.converted = logicalMap, convertedMap
		return group(e, "key_value", named(t.KeyField(), "key"), named(t.ItemField(), "value"))
	case ar.ListLikeType:
		e.logical.kind, e.converted = logicalList, convertedList
		return group(e, "list", named(t.ElemField(), "element"))
	case *ar.StructType:
		if t.NumFields() == 0 {
			return dst, fmt.Errorf("a structure without fields: Parquet has none; write arrow or jsonl")
		}
		return group(e, "", t.Fields()...)
	}
	if err := e.describe(f); err != nil {
		return dst, err
	}
	return append(dst, e), nil
}

func named(f ar.Field, name string) ar.Field {
	f.Name = name
	return f
}

// describe sets the element's type, for a field without parts.
func (e *element) describe(f ar.Field) error {
	integer := func(width int64, signed bool, converted int64) {
		e.physical, e.logical, e.converted = int32s, logical{kind: logicalInteger, width: width, signed: signed}, converted
		if width == 64 {
			e.physical = int64s
		}
	}
	switch t := f.Type.(type) {
	case *ar.BooleanType:
		e.physical = boolean
	case *ar.Int8Type:
		integer(8, true, convertedInt8)
	case *ar.Int16Type:
		integer(16, true, convertedInt8+1)
	case *ar.Int32Type:
		e.physical = int32s
	case *ar.Int64Type, *ar.DurationType:
		e.physical = int64s
	case *ar.Uint8Type:
		integer(8, false, convertedUint8)
	case *ar.Uint16Type:
		integer(16, false, convertedUint8+1)
	case *ar.Uint32Type:
		integer(32, false, convertedUint8+2)
	case *ar.Uint64Type:
		integer(64, false, convertedUint64)
	case *ar.Float16Type:
		e.physical, e.length, e.logical.kind = fixedArrays, 2, logicalFloat16
	case *ar.Float32Type:
		e.physical = floats
	case *ar.Float64Type:
		e.physical = doubles
	case *ar.NullType:
		e.physical, e.logical.kind = int32s, logicalNull
	case ar.DecimalType:
		e.decimals(t)
	case *ar.FixedSizeBinaryType:
		e.physical, e.length = fixedArrays, int32(t.ByteWidth) //nolint:gosec // it was one
		switch name, _, _ := kept.ExtensionOf(f); {
		case name == kept.UUID && t.ByteWidth == 16:
			e.logical.kind = logicalUUID
		case name == kept.Interval && t.ByteWidth == 12:
			e.converted = convertedInterval
		}
	case *ar.BinaryType, *ar.LargeBinaryType, *ar.BinaryViewType:
		e.physical = byteArrays
	case *ar.StringType, *ar.LargeStringType, *ar.StringViewType:
		e.physical, e.logical.kind, e.converted = byteArrays, logicalString, convertedUTF8
		if name, _, _ := kept.ExtensionOf(f); name == kept.JSON {
			e.logical.kind, e.converted = logicalJSON, convertedJSON
		}
	default:
		return e.moments(t)
	}
	return nil
}

// moments is describe for dates and times.
func (e *element) moments(d ar.DataType) error {
	units := map[ar.TimeUnit]int16{ar.Second: unitMillis, ar.Millisecond: unitMillis, ar.Microsecond: unitMicros, ar.Nanosecond: unitNanos}
	switch t := d.(type) {
	case *ar.Date32Type, *ar.Date64Type:
		e.physical, e.logical.kind, e.converted = int32s, logicalDate, convertedDate
	case *ar.Time32Type:
		e.physical, e.logical = int32s, logical{kind: logicalTime, unit: units[t.Unit]}
	case *ar.Time64Type:
		e.physical, e.logical = int64s, logical{kind: logicalTime, unit: units[t.Unit]}
	case *ar.TimestampType:
		e.physical, e.logical = int64s, logical{kind: logicalTimestamp, unit: units[t.Unit], utc: t.TimeZone != ""}
		if e.logical.utc && e.logical.unit != unitNanos {
			e.converted = convertedTimestampMillis + int64(e.logical.unit-unitMillis)
		}
	default:
		return fmt.Errorf("values of type %s have no type in Parquet; write arrow or jsonl", d)
	}
	return nil
}

// decimals is describe for decimals. Parquet has no negative scales: the zeros are written instead.
func (e *element) decimals(t ar.DecimalType) {
	e.precision, e.scale = t.GetPrecision(), t.GetScale()
	if e.scale < 0 {
		e.precision, e.scale = e.precision-e.scale, 0
	}
	e.physical, e.length = fixedArrays, int32(decimalBytes(e.precision)) //nolint:gosec // few
	e.logical = logical{kind: logicalDecimal, scale: e.scale, precision: e.precision}
	e.converted = convertedDecimal
}

// decimalBytes returns the number of bytes of decimals with so many digits.
func decimalBytes(digits int32) int {
	most := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	return most.BitLen()/8 + 1
}

// write writes an element of the schema.
func (e *element) write(w *thrift.Writer) {
	if e.children == 0 {
		w.Int(1, thrift.I32, int64(e.physical))
	}
	if e.physical == fixedArrays {
		w.Int(2, thrift.I32, int64(e.length))
	}
	w.Int(3, thrift.I32, int64(e.repetition))
	w.Binary(4, e.name)
	if e.children > 0 {
		w.Int(5, thrift.I32, int64(e.children))
	}
	if e.converted >= 0 {
		w.Int(6, thrift.I32, e.converted)
	}
	if e.logical.kind == logicalDecimal {
		w.Int(7, thrift.I32, int64(e.scale))
		w.Int(8, thrift.I32, int64(e.precision))
	}
	if e.logical.kind != 0 {
		w.Struct(10, func() { w.Struct(e.logical.kind, func() { e.logical.write(w) }) })
	}
}

func (l *logical) write(w *thrift.Writer) {
	switch l.kind {
	case logicalDecimal:
		w.Int(1, thrift.I32, int64(l.scale))
		w.Int(2, thrift.I32, int64(l.precision))
	case logicalTime, logicalTimestamp:
		w.Bool(1, l.utc)
		w.Struct(2, func() { w.Struct(l.unit, func() {}) })
	case logicalInteger:
		w.Int(1, thrift.Byte, l.width)
		w.Bool(2, l.signed)
	}
}
