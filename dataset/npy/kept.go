package npy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	ar "github.com/apache/arrow-go/v18/arrow"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/tensor"
)

// keptTypes maps NumPy's names, without the byte order, to types of kept values. Other types,
// complex numbers among them, are kept as JSON; for coarse units of times see [coarseTimes].
var keptTypes = map[string]ar.DataType{
	"b1": ar.FixedWidthTypes.Boolean, "i1": ar.PrimitiveTypes.Int8, "i2": ar.PrimitiveTypes.Int16, "i4": ar.PrimitiveTypes.Int32, "i8": ar.PrimitiveTypes.Int64,
	"u1": ar.PrimitiveTypes.Uint8, "u2": ar.PrimitiveTypes.Uint16, "u4": ar.PrimitiveTypes.Uint32, "u8": ar.PrimitiveTypes.Uint64,
	"f2": ar.FixedWidthTypes.Float16, "f4": ar.PrimitiveTypes.Float32, "f8": ar.PrimitiveTypes.Float64,
	"M8[D]": ar.FixedWidthTypes.Date32, "M8[s]": &ar.TimestampType{Unit: ar.Second}, "M8[ms]": &ar.TimestampType{Unit: ar.Millisecond},
	"M8[us]": &ar.TimestampType{Unit: ar.Microsecond}, "M8[ns]": &ar.TimestampType{Unit: ar.Nanosecond},
	"m8[s]": ar.FixedWidthTypes.Duration_s, "m8[ms]": ar.FixedWidthTypes.Duration_ms, "m8[us]": ar.FixedWidthTypes.Duration_us, "m8[ns]": ar.FixedWidthTypes.Duration_ns,
}

// notATime is the text of the integer that NumPy stores NaT as.
var notATime = strconv.AppendInt(nil, math.MinInt64, 10)

// keptType returns the type that the array's rows are kept as, or nil where they are kept as JSON.
func (a *array) keptType() *kept.Type {
	d := keptTypes[a.h.descr[1:]]
	if coarse, ok := coarseTimes[a.h.descr[1:]]; ok {
		d = coarse.to
	}
	switch a.h.kind {
	case 'U':
		d = ar.BinaryTypes.String
	case 'S', 'a':
		d = ar.BinaryTypes.Binary
	}
	if d == nil {
		return nil
	}
	for _, n := range slices.Backward(a.dims) {
		if n == 0 || n > math.MaxInt32 { // Arrow has no lists of these lengths
			return nil
		}
		d = ar.FixedSizeListOf(int32(n), d) //nolint:gosec // see above
	}
	t, err := kept.Of(ar.Field{Type: d, Nullable: true})
	if err != nil {
		return nil
	}
	return t
}

// kept reads n rows and returns a function that gives row i of them as a kept value.
func (a *array) kept(n int) (func(i int) dataset.Field, error) {
	col, _, err := a.next(n, true)
	if err != nil {
		return nil, err
	}
	own := a.keptType()
	return func(i int) dataset.Field {
		t, _, _ := col.Row(i, nil)
		if own == nil {
			// All types of arrays can be written, so there is no error.
			text, _ := jsontext.Append(nil, t, nil)
			if a.times() {
				text = bytes.ReplaceAll(text, notATime, []byte("null"))
			}
			return dataset.Field{Value: text}
		}
		at := 0
		return dataset.Field{Type: own, Value: a.keptValue(t, own, &at)}
	}, nil
}

// keptValue returns the kept value of type own that begins at place *at among the row's values.
func (a *array) keptValue(t tensor.Tensor, own *kept.Type, at *int) []byte {
	if n := own.Size(); n >= 0 {
		value := []byte{}
		for range n {
			value = kept.AppendPart(value, a.keptValue(t, own.Parts()[0], at))
		}
		return value
	}
	i := *at
	*at++
	if t.DType() == tensor.String {
		return []byte(t.Strings()[i])
	}
	size := t.DType().Size()
	v := t.Bytes()[i*size : (i+1)*size : (i+1)*size]
	if !a.times() {
		return v
	}
	n := kept.Signed(v)
	if n == math.MinInt64 { // NaT
		return nil
	}
	if coarse, ok := coarseTimes[a.h.descr[1:]]; ok {
		n = coarse.fine(n)
	}
	if own.Field().Type.ID() == ar.DATE32 {
		return binary.LittleEndian.AppendUint32(nil, uint32(clamped(n))) //nolint:gosec // the bits are meant
	}
	return binary.LittleEndian.AppendUint64(nil, uint64(n)) //nolint:gosec // the bits are meant
}

// clamped returns a number of days as 32 bits, at most about five million years.
func clamped(days int64) int32 {
	return int32(min(max(days, math.MinInt32), math.MaxInt32)) //nolint:gosec // that is what it does
}

// coarseTime converts a unit of NumPy's times that Arrow does not have to a unit that it has.
type coarseTime struct {
	to     ar.DataType
	months int64 // months in the unit; days are counted from them
	times  int64 // without months: how many units of to are in the unit
}

var coarseTimes = map[string]coarseTime{
	"M8[Y]": {to: ar.FixedWidthTypes.Date32, months: 12},
	"M8[M]": {to: ar.FixedWidthTypes.Date32, months: 1},
	"M8[W]": {to: ar.FixedWidthTypes.Date32, times: 7},
	"M8[h]": {to: &ar.TimestampType{Unit: ar.Second}, times: 3600},
	"M8[m]": {to: &ar.TimestampType{Unit: ar.Second}, times: 60},
	"m8[W]": {to: ar.FixedWidthTypes.Duration_s, times: 7 * 86400},
	"m8[D]": {to: ar.FixedWidthTypes.Duration_s, times: 86400},
	"m8[h]": {to: ar.FixedWidthTypes.Duration_s, times: 3600},
	"m8[m]": {to: ar.FixedWidthTypes.Duration_s, times: 60},
}

// fine returns n units in units of to. A time beyond the range of to becomes its first or last one.
func (c coarseTime) fine(n int64) int64 {
	if c.months == 0 {
		return min(max(n, math.MinInt64/c.times+1), math.MaxInt64/c.times) * c.times
	}
	const most = 12 * 5_000_000
	months := int(min(max(n, -most), most) * c.months)
	return time.Date(1970, time.January+time.Month(months), 1, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// numpyType is how kept values of a type are written as elements of an array.
type numpyType struct {
	descr string
	size  int
	put   func(dst, v []byte) []byte
	null  []byte // the element for null; nil: there is none
}

// numpyOf returns how values of a type are written; ok is false where NumPy has no such type.
func numpyOf(t *kept.Type) (n numpyType, ok bool) {
	same := func(dst, v []byte) []byte { return append(dst, v...) }
	nat := binary.LittleEndian.AppendUint64(nil, 1<<63)
	switch d := t.Field().Type.(type) {
	case *ar.Float16Type:
		return numpyType{"<f2", 2, same, []byte{0, 0x7e}}, true
	case *ar.Float32Type:
		return numpyType{"<f4", 4, same, binary.LittleEndian.AppendUint32(nil, 0x7fc00000)}, true
	case *ar.Float64Type:
		return numpyType{"<f8", 8, same, binary.LittleEndian.AppendUint64(nil, 0x7ff8<<48)}, true
	case *ar.Date32Type:
		wide := func(dst, v []byte) []byte {
			return binary.LittleEndian.AppendUint64(dst, uint64(kept.Signed(v))) //nolint:gosec // the bits are meant
		}
		return numpyType{"<M8[D]", 8, wide, nat}, true
	case *ar.Date64Type:
		return numpyType{"<M8[ms]", 8, same, nat}, true
	case *ar.TimestampType:
		return numpyType{"<M8[" + d.Unit.String() + "]", 8, same, nat}, true
	case *ar.DurationType:
		return numpyType{"<m8[" + d.Unit.String() + "]", 8, same, nat}, true
	case *ar.FixedSizeBinaryType:
		return numpyType{fmt.Sprintf("|V%d", d.ByteWidth), d.ByteWidth, same, nil}, d.ByteWidth > 0 && !t.IsUUID() && !t.IsInterval()
	}
	for name, d := range keptTypes {
		if ar.TypeEqual(d, t.Field().Type) {
			order, size := "<", d.(ar.FixedWidthDataType).Bytes() //nolint:forcetypeassert // those in the table are
			if size <= 1 {
				order, size = "|", 1
			}
			return numpyType{order + name, size, same, nil}, true
		}
	}
	return n, false
}

// keptStats describes the kept values of an array, and decides on the array's type.
type keptStats struct {
	Type *kept.Type `json:",omitempty"`
	Null bool       // a value is null, and NumPy's type has no element for null
	// Runes is the length of the longest value as JSON, for values that are strings or bytes. They
	// are written as JSON where they end in zeros, which NumPy's strings would lose.
	Runes int64
}

// elements returns the type of the array's elements, and the sizes of a value that is a list of
// fixed length, or of such lists. ok is false where the values are written as strings.
func (s *keptStats) elements() (n numpyType, dims []int64, ok bool) {
	t := s.Type
	if t == nil {
		return n, nil, false
	}
	for t.Size() >= 0 {
		dims = append(dims, int64(t.Size()))
		t = t.Parts()[0]
	}
	n, ok = numpyOf(t)
	return n, dims, ok && !s.Null
}

// add notes what the array's type has to hold.
func (s *keptStats) add(v []byte) {
	if n, dims, ok := s.elements(); ok {
		s.Null = n.lacks(v, len(dims))
	}
	if s.isText() {
		s.Runes = max(s.Runes, int64(utf8.RuneCount(s.Type.AppendJSON(nil, v))))
	}
}

// lacks reports whether a value, or a value in its lists of the given depth, is a null without an
// element.
func (n numpyType) lacks(v []byte, depth int) bool {
	if depth == 0 {
		return v == nil && n.null == nil
	}
	for rest := v; len(rest) > 0; {
		var item []byte
		if item, rest = kept.Next(rest); n.lacks(item, depth-1) {
			return true
		}
	}
	return v == nil
}

// append appends the elements of a value, which lie in lists of the given depth.
func (n numpyType) append(dst, v []byte, depth int) []byte {
	switch {
	case depth == 0 && v == nil:
		return append(dst, n.null...)
	case depth == 0:
		return n.put(dst, v)
	}
	for len(v) > 0 {
		var item []byte
		item, v = kept.Next(v)
		dst = n.append(dst, item, depth-1)
	}
	return dst
}

// isText reports whether values are strings or bytes.
func (s *keptStats) isText() bool {
	switch s.Type.Written().Type.(type) {
	case *ar.StringType, *ar.LargeStringType, *ar.StringViewType, *ar.BinaryType, *ar.LargeBinaryType, *ar.BinaryViewType:
		return true
	}
	return false
}

// text returns a value as an array of strings holds it: bytes and strings as they are, null as the
// empty string, any other value as JSON.
func (s *keptStats) text(v []byte) []byte {
	if s.isText() {
		return v
	}
	return jsontext.AsText(s.Type.AppendJSON(nil, v))
}
