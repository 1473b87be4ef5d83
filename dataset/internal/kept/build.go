package kept

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Written returns the field that values of the type are written as. It is the type's own field
// without dictionaries, runs and views of lists: these only say how values are stored, and a
// builder stores them plainly.
func (t *Type) Written() arrow.Field {
	f := t.field
	f.Type = t.written()
	return f
}

// Original returns the field that the type was made of, for files that keep it beside their own
// types. Views and runs are left out, as they only say how values are stored.
func (t *Type) Original() arrow.Field {
	// Ordered categories have the order of their dictionary, which the values do not tell.
	if d, ok := t.field.Type.(*arrow.DictionaryType); ok && !d.Ordered {
		return t.field
	}
	return t.Written()
}

func (t *Type) written() arrow.DataType {
	return written(t.field.Type, t.parts)
}

func written(d arrow.DataType, parts []*Type) arrow.DataType {
	switch d := d.(type) {
	case arrow.ExtensionType:
		return written(d.StorageType(), parts)
	case *arrow.DictionaryType:
		return written(d.ValueType, parts)
	case *arrow.RunEndEncodedType:
		return written(d.Encoded(), parts)
	case *arrow.MapType:
		out := arrow.MapOfFields(parts[0].Written(), parts[1].Written())
		out.KeysSorted = d.KeysSorted
		return out
	case *arrow.FixedSizeListType:
		return arrow.FixedSizeListOfField(d.Len(), parts[0].Written())
	case *arrow.LargeListType, *arrow.LargeListViewType:
		return arrow.LargeListOfField(parts[0].Written())
	case arrow.ListLikeType:
		return arrow.ListOfField(parts[0].Written())
	case *arrow.StructType:
		fields := make([]arrow.Field, len(parts))
		for i, p := range parts {
			fields[i] = p.Written()
		}
		return arrow.StructOf(fields...)
	}
	return d
}

// Builder collects values of a type, and makes an array of the type that is written.
type Builder struct {
	t     *Type
	d     arrow.DataType
	n     int
	nulls int
	valid []byte // one bit for each value
	data  []byte
	ends  []byte // a zero, then where each list, string or bytes ends
	large bool   // each of ends has eight bytes
	end   int64
	parts []*Builder
	views *array.BinaryViewBuilder // for views, which the library builds
	// required: a null becomes a value of zeros. It is for the parts of a value that is null as a
	// whole.
	required bool
}

// NewBuilder returns a builder without values.
func NewBuilder(t *Type) *Builder {
	b := &Builder{t: t, d: t.written()}
	switch b.d.ID() {
	case arrow.LARGE_STRING, arrow.LARGE_BINARY, arrow.LARGE_LIST:
		b.large = true
	}
	for _, p := range t.parts {
		part := NewBuilder(p)
		part.required = !p.field.Nullable
		b.parts = append(b.parts, part)
	}
	if _, ok := b.d.(arrow.BinaryViewDataType); ok {
		b.views = array.NewBinaryViewBuilder(memory.NewGoAllocator())
	}
	b.reset()
	return b
}

// reset drops the values. Arrays made of them keep their memory.
func (b *Builder) reset() {
	b.n, b.nulls, b.valid, b.data, b.ends, b.end = 0, 0, nil, nil, nil, 0
	switch b.t.form {
	case text, list, pairs:
		b.endsAt()
	}
}

// Len returns the number of values.
func (b *Builder) Len() int { return b.n }

// endsAt appends the end of a value to ends.
func (b *Builder) endsAt() {
	if b.large {
		b.ends = binary.LittleEndian.AppendUint64(b.ends, uint64(b.end)) //nolint:gosec // a length
	} else {
		b.ends = binary.LittleEndian.AppendUint32(b.ends, uint32(b.end)) //nolint:gosec // batches are smaller
	}
}

// setBit appends bit n of a bitmap.
func setBit(bits []byte, n int, on bool) []byte {
	if n%8 == 0 {
		bits = append(bits, 0)
	}
	if on {
		bits[n/8] |= 1 << (n % 8)
	}
	return bits
}

// Append adds a value, nil for null.
func (b *Builder) Append(v []byte) {
	valid := v != nil || b.required
	if b.views != nil {
		b.n++
		if valid {
			b.views.Append(v)
		} else {
			b.views.AppendNull()
		}
		return
	}
	b.valid = setBit(b.valid, b.n, valid)
	if !valid {
		b.nulls++
	}
	switch b.t.form {
	case bit:
		b.data = setBit(b.data, b.n, v != nil && v[0] != 0)
	case fixed:
		if v == nil {
			v = make([]byte, b.t.width)
		}
		b.data = append(b.data, v...)
	case text:
		b.data, b.end = append(b.data, v...), b.end+int64(len(v))
		b.endsAt()
	case list, pairs:
		for ; len(v) > 0; b.end++ {
			v = b.appendParts(v)
		}
		b.endsAt()
	case vector:
		for range b.t.width {
			v = b.appendParts(v)
		}
	case group:
		b.appendParts(v)
	}
	b.n++
}

// appendParts adds a value to each part, from the parts that v begins with; null where v is null.
func (b *Builder) appendParts(v []byte) (rest []byte) {
	for _, p := range b.parts {
		var item []byte
		item, v = Next(v)
		p.Append(item)
	}
	return v
}

// Array returns the values as an array, and drops them.
func (b *Builder) Array() arrow.Array {
	d := b.arrayData()
	defer d.Release()
	return array.MakeFromData(d)
}

func (b *Builder) arrayData() *array.Data {
	if b.views != nil {
		b.n = 0
		d := b.views.NewArray().Data()
		return array.NewData(b.d, d.Len(), d.Buffers(), nil, d.NullN(), 0)
	}
	var children []arrow.ArrayData
	for _, p := range b.parts {
		children = append(children, p.arrayData())
	}
	buffers := []*memory.Buffer{nil}
	if b.t.form != null && b.nulls > 0 {
		buffers[0] = memory.NewBufferBytes(b.valid)
	}
	n, nulls := b.n, b.nulls
	switch b.t.form {
	case bit, fixed:
		buffers = append(buffers, memory.NewBufferBytes(b.data))
	case text:
		buffers = append(buffers, memory.NewBufferBytes(b.ends), memory.NewBufferBytes(b.data))
	case list, pairs:
		buffers = append(buffers, memory.NewBufferBytes(b.ends))
	}
	if b.t.form == pairs {
		entries := b.d.(*arrow.MapType).Elem() //nolint:forcetypeassert // written says so
		children = []arrow.ArrayData{array.NewData(entries, int(b.end), []*memory.Buffer{nil}, children, 0, 0)}
	}
	b.reset()
	return array.NewData(b.d, n, buffers, children, nulls, 0)
}
