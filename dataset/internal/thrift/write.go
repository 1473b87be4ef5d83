package thrift

import "encoding/binary"

// Writer appends structures to Bytes. Their fields must be written in the order of their numbers.
type Writer struct {
	Bytes []byte
	last  int16
	open  []int16 // of each enclosing structure, the number of its last field
}

func (w *Writer) field(id int16, t Type) {
	if delta := id - w.last; delta > 0 && delta <= 15 {
		w.Bytes = append(w.Bytes, byte(delta)<<4|byte(t))
	} else {
		w.Bytes = append(w.Bytes, byte(t))
		w.varint(int64(id))
	}
	w.last = id
}

func (w *Writer) varint(v int64) {
	w.Bytes = binary.AppendUvarint(w.Bytes, uint64(v)<<1^uint64(v>>63)) //nolint:gosec // zigzag: the bits are meant
}

// Int writes a field of an integer type.
func (w *Writer) Int(id int16, t Type, v int64) {
	w.field(id, t)
	if t == Byte {
		w.Bytes = append(w.Bytes, byte(v)) //nolint:gosec // it fits
		return
	}
	w.varint(v)
}

// Bool writes a boolean field.
func (w *Writer) Bool(id int16, v bool) {
	if v {
		w.field(id, True)
	} else {
		w.field(id, False)
	}
}

// Binary writes a field of bytes or a string.
func (w *Writer) Binary(id int16, v string) {
	w.field(id, Binary)
	w.ListBinary(v)
}

// Struct writes a field that is a structure; fields writes its fields.
func (w *Writer) Struct(id int16, fields func()) {
	w.field(id, Struct)
	w.ListStruct(fields)
}

// List writes the head of a field that is a list of n elements; the caller writes the elements
// next.
func (w *Writer) List(id int16, t Type, n int) {
	w.field(id, List)
	if n < 15 {
		w.Bytes = append(w.Bytes, byte(n)<<4|byte(t))
		return
	}
	w.Bytes = append(w.Bytes, 15<<4|byte(t))
	w.Bytes = binary.AppendUvarint(w.Bytes, uint64(n)) //nolint:gosec // a length
}

// ListInt writes an element of a list of integers.
func (w *Writer) ListInt(v int64) { w.varint(v) }

// ListBinary writes an element of a list of bytes or strings.
func (w *Writer) ListBinary(v string) {
	w.Bytes = binary.AppendUvarint(w.Bytes, uint64(len(v)))
	w.Bytes = append(w.Bytes, v...)
}

// ListStruct writes an element of a list of structures, or a structure by itself.
func (w *Writer) ListStruct(fields func()) {
	w.open = append(w.open, w.last)
	w.last = 0
	fields()
	w.Bytes = append(w.Bytes, byte(stop))
	w.last = w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
}
