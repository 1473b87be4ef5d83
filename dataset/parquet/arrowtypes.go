package parquet

import (
	ar "github.com/apache/arrow-go/v18/arrow"

	"github.com/tfrun/tfrun/dataset/internal/kept"
)

// arrowType returns Arrow's type of a column's values, and the metadata of a field of that type.
func (e *element) arrowType() (ar.DataType, ar.Metadata) {
	var none ar.Metadata
	if e.logical.kind == logicalNull {
		return ar.Null, none
	}
	if scale, ok := e.decimal(); ok && e.physical != boolean && e.physical != int96s {
		return e.arrowDecimal(scale), none
	}
	switch e.physical {
	case boolean:
		return ar.FixedWidthTypes.Boolean, none
	case int32s, int64s:
		return e.arrowInteger(), none
	case int96s:
		if e.micros {
			return &ar.TimestampType{Unit: ar.Microsecond}, none
		}
		return &ar.TimestampType{Unit: ar.Nanosecond}, none
	case floats:
		return ar.PrimitiveTypes.Float32, none
	case doubles:
		return ar.PrimitiveTypes.Float64, none
	case byteArrays:
		switch {
		case e.logical.kind == logicalJSON || e.logical.kind == 0 && e.converted == convertedJSON:
			return ar.BinaryTypes.String, kept.Extension(kept.JSON, "")
		case e.isText():
			return ar.BinaryTypes.String, none
		}
		return ar.BinaryTypes.Binary, none
	}
	switch {
	case e.logical.kind == logicalFloat16 && e.length == 2:
		return ar.FixedWidthTypes.Float16, none
	case e.logical.kind == 0 && e.converted == convertedInterval && e.length == 12:
		return &ar.FixedSizeBinaryType{ByteWidth: 12}, kept.Extension(kept.Interval, "")
	case e.logical.kind == logicalUUID && e.length == 16:
		return &ar.FixedSizeBinaryType{ByteWidth: 16}, kept.Extension(kept.UUID, "")
	}
	return &ar.FixedSizeBinaryType{ByteWidth: int(e.length)}, none
}

// isText reports whether bytes are text.
func (e *element) isText() bool {
	switch e.logical.kind {
	case logicalString, logicalEnum:
		return true
	case 0:
		return e.converted == convertedUTF8 || e.converted == convertedEnum
	}
	return false
}

func (e *element) arrowDecimal(scale int) ar.DataType {
	precision := int32(e.precision)
	if e.logical.kind == logicalDecimal {
		precision = e.logical.precision
	}
	const most = 38 // digits of 128 bits
	if precision > most {
		return &ar.Decimal256Type{Precision: precision, Scale: int32(scale)} //nolint:gosec // it was one
	}
	return &ar.Decimal128Type{Precision: precision, Scale: int32(scale)} //nolint:gosec // it was one
}

func (e *element) arrowInteger() ar.DataType {
	kind, number, utc, width, signed := e.meaning()
	unit, known := map[int16]ar.TimeUnit{unitMillis: ar.Millisecond, unitMicros: ar.Microsecond, unitNanos: ar.Nanosecond}[number]
	switch {
	case kind == logicalDate && e.physical == int32s:
		return ar.FixedWidthTypes.Date32
	case kind == logicalTime && e.physical == int32s:
		return &ar.Time32Type{Unit: ar.Millisecond}
	case kind == logicalTime && known && unit != ar.Millisecond:
		return &ar.Time64Type{Unit: unit}
	case kind == logicalTimestamp && known && e.physical == int64s:
		t := &ar.TimestampType{Unit: unit}
		if utc {
			t.TimeZone = "UTC"
		}
		return t
	}
	own := int64(32)
	if e.physical == int64s {
		own = 64
	}
	if kind != logicalInteger || width > own {
		width = own
	}
	types := map[int64][2]ar.DataType{
		8:  {ar.PrimitiveTypes.Uint8, ar.PrimitiveTypes.Int8},
		16: {ar.PrimitiveTypes.Uint16, ar.PrimitiveTypes.Int16},
		32: {ar.PrimitiveTypes.Uint32, ar.PrimitiveTypes.Int32},
		64: {ar.PrimitiveTypes.Uint64, ar.PrimitiveTypes.Int64},
	}
	pair, ok := types[width]
	if !ok {
		pair = types[own]
	}
	if kind == logicalInteger && !signed {
		return pair[0]
	}
	return pair[1]
}

// meaning returns what the file says that integers mean, by its new or its old annotation: a kind
// of logical type, its unit, whether times are in UTC, and an integer's width and sign.
func (e *element) meaning() (kind, unit int16, utc bool, width int64, signed bool) {
	l := e.logical
	if l.kind != 0 {
		return l.kind, l.unit, l.utc, l.width, l.signed
	}
	switch c := e.converted; {
	case c == convertedDate:
		return logicalDate, 0, false, 0, false
	case c == convertedTimeMillis:
		return logicalTime, unitMillis, true, 0, false
	case c == convertedTimeMicros:
		return logicalTime, unitMicros, true, 0, false
	case c == convertedTimestampMillis:
		return logicalTimestamp, unitMillis, true, 0, false
	case c == convertedTimestampMicros:
		return logicalTimestamp, unitMicros, true, 0, false
	case c >= convertedUint8 && c <= convertedUint64:
		return logicalInteger, 0, false, 8 << (c - convertedUint8), false
	case c >= convertedInt8 && c <= convertedInt64:
		return logicalInteger, 0, false, 8 << (c - convertedInt8), true
	}
	return 0, 0, false, 0, false
}

// restored returns the field with the type that it had in the table the file was written from, if
// values of that type are stored as values of the field's own.
func restored(own, original ar.Field) ar.Field {
	if t, ok := restoredType(own.Type, original.Type); ok {
		own.Type = t
		if name, parameters, ok := kept.ExtensionOf(original); ok {
			own.Metadata = kept.Extension(name, parameters)
		}
	}
	return own
}

// restoredType returns the original type if its values are stored as values of type own.
func restoredType(own, original ar.DataType) (ar.DataType, bool) {
	if ar.TypeEqual(own, original) {
		return original, true
	}
	switch o := original.(type) {
	case *ar.DictionaryType:
		value, ok := restoredType(own, o.ValueType)
		return &ar.DictionaryType{IndexType: o.IndexType, ValueType: value, Ordered: o.Ordered}, ok
	case *ar.MapType:
		if m, ok := own.(*ar.MapType); ok {
			out := ar.MapOfFields(restored(m.KeyField(), o.KeyField()), restored(m.ItemField(), o.ItemField()))
			out.KeysSorted = o.KeysSorted
			return out, true
		}
		return own, false
	case *ar.StructType:
		return restoredStruct(own, o)
	case *ar.TimestampType: // the file has no time zones
		t, ok := own.(*ar.TimestampType)
		if !ok || t.TimeZone == "" || o.TimeZone == "" {
			return own, false
		}
		return &ar.TimestampType{Unit: t.Unit, TimeZone: o.TimeZone}, true
	case ar.ListLikeType:
		l, ok := own.(*ar.ListType)
		if !ok {
			return own, false
		}
		return restoredList(original, restored(l.ElemField(), o.ElemField())), true
	}
	return original, storedAs(own, original)
}

func restoredStruct(own ar.DataType, original *ar.StructType) (ar.DataType, bool) {
	s, ok := own.(*ar.StructType)
	if !ok || s.NumFields() != original.NumFields() {
		return own, false
	}
	fields := s.Fields()
	for i := range fields {
		if fields[i].Name == original.Field(i).Name {
			fields[i] = restored(fields[i], original.Field(i))
		}
	}
	return ar.StructOf(fields...), true
}

func restoredList(original ar.DataType, entry ar.Field) ar.DataType {
	switch o := original.(type) {
	case *ar.FixedSizeListType:
		return ar.FixedSizeListOfField(o.Len(), entry)
	case *ar.LargeListType, *ar.LargeListViewType:
		return ar.LargeListOfField(entry)
	}
	return ar.ListOfField(entry)
}

// storedAs reports whether values of the original type, one without parts, are stored as values of
// own.
func storedAs(own, original ar.DataType) bool {
	switch o := original.(type) {
	case *ar.LargeStringType, *ar.StringViewType:
		return own.ID() == ar.STRING
	case *ar.LargeBinaryType, *ar.BinaryViewType:
		return own.ID() == ar.BINARY
	case *ar.DurationType:
		return own.ID() == ar.INT64
	case *ar.Uint32Type:
		return own.ID() == ar.INT64 // files of the format's first version
	case *ar.Decimal32Type:
		return sameDigits(own, o)
	case *ar.Decimal64Type:
		return sameDigits(own, o)
	case *ar.Decimal256Type:
		return sameDigits(own, o)
	}
	return false
}

func sameDigits(own ar.DataType, original ar.DecimalType) bool {
	d, ok := own.(ar.DecimalType)
	return ok && d.GetPrecision() == original.GetPrecision() && d.GetScale() == original.GetScale()
}
