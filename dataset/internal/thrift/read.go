// Package thrift reads and writes structures in Thrift's compact protocol, which Parquet files have
// their metadata in. The caller goes through the fields by their numbers and reads or skips each
// one: skipped fields cost no memory.
package thrift

import (
	"encoding/binary"
	"errors"
	"math"
)

// Type is the type of a field, or of the elements of a list.
type Type byte

// The types of the protocol. A boolean field holds its value in its type.
const (
	stop Type = iota
	True
	False
	Byte
	I16
	I32
	I64
	Double
	Binary
	List
	Set
	Map
	Struct
	UUID
)

// ErrShort says that a structure does not end within the bytes.
var ErrShort = errors.New("the metadata is cut off")

var (
	errType  = errors.New("the metadata has a field of an unknown type")
	errDepth = errors.New("the metadata nests too deeply")
)

// maxDepth bounds how deep structures may nest.
const maxDepth = 64

// Reader reads a structure. Err is its first error; everything read after it is zero.
type Reader struct {
	b     []byte
	at    int
	depth int
	Err   error
}

// NewReader returns a reader of b.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// At returns how many bytes were read.
func (r *Reader) At() int { return r.at }

// Fail sets the reader's error, if it has none yet.
func (r *Reader) Fail(err error) {
	if r.Err == nil {
		r.Err = err
	}
}

// Byte reads an integer of one byte.
func (r *Reader) Byte() byte {
	if r.Err != nil || r.at >= len(r.b) {
		r.Fail(ErrShort)
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

func (r *Reader) uvarint() uint64 {
	if r.Err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.b[r.at:])
	switch {
	case n == 0:
		r.Fail(ErrShort)
		return 0
	case n < 0:
		r.Fail(errors.New("a number in the metadata that is too large"))
		return 0
	}
	r.at += n
	return v
}

// Int reads an integer of any size.
func (r *Reader) Int() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1) //nolint:gosec // zigzag: the bits are meant
}

// Int32 reads an integer that fits 32 bits.
func (r *Reader) Int32() int32 {
	v := r.Int()
	if v != int64(int32(v)) { //nolint:gosec // that is the question
		r.Fail(errors.New("a number in the metadata that does not fit its type"))
		return 0
	}
	return int32(v)
}

// Binary reads bytes. They are a part of the slice that the reader was made of.
func (r *Reader) Binary() []byte {
	n := r.uvarint()
	if r.Err != nil || n > uint64(len(r.b)-r.at) {
		r.Fail(ErrShort)
		return nil
	}
	r.at += int(n) //nolint:gosec // no more than there are bytes
	return r.b[r.at-int(n) : r.at : r.at]
}

// String reads a string.
func (r *Reader) String() string { return string(r.Binary()) }

// Struct calls field with each field of a structure, which must read or skip it.
func (r *Reader) Struct(field func(id int16, t Type)) {
	if !r.enter() {
		return
	}
	defer r.leave()
	id := int16(0)
	for r.Err == nil {
		head := r.Byte()
		t := Type(head & 15)
		if t == stop {
			return
		}
		if delta := head >> 4; delta != 0 {
			id += int16(delta)
		} else {
			// A number beyond 16 bits becomes one that no field has.
			id = int16(r.Int()) //nolint:gosec
		}
		if r.Err == nil {
			field(id, t)
		}
	}
}

// List calls element for each element of a list, which must read or skip it.
func (r *Reader) List(element func(t Type)) {
	if !r.enter() {
		return
	}
	defer r.leave()
	head := r.Byte()
	n, t := uint64(head>>4), Type(head&15)
	if n == 15 {
		n = r.uvarint()
	}
	for ; n > 0 && r.Err == nil; n-- {
		if t == True || t == False {
			t = r.listBool()
		}
		before := r.at
		element(t)
		if r.at == before && t > False {
			// Elements of an unknown type have no known end.
			r.Fail(errType)
		}
	}
}

// listBool reads the byte of a boolean in a list.
func (r *Reader) listBool() Type {
	if r.Byte() == 1 {
		return True
	}
	return False
}

func (r *Reader) enter() bool {
	if r.depth++; r.depth > maxDepth {
		r.Fail(errDepth)
	}
	return r.Err == nil
}

func (r *Reader) leave() { r.depth-- }

// Skip passes over a value.
func (r *Reader) Skip(t Type) {
	switch t {
	case True, False:
	case Byte:
		r.Byte()
	case I16, I32, I64:
		r.uvarint()
	case Double:
		r.skip(8)
	case UUID:
		r.skip(16)
	case Binary:
		r.Binary()
	case List, Set:
		r.List(r.Skip)
	case Map:
		r.skipMap()
	case Struct:
		r.Struct(func(_ int16, t Type) { r.Skip(t) })
	default:
		r.Fail(errType)
	}
}

func (r *Reader) skip(n int) {
	if r.Err != nil || n > len(r.b)-r.at {
		r.Fail(ErrShort)
		return
	}
	r.at += n
}

func (r *Reader) skipMap() {
	if !r.enter() {
		return
	}
	defer r.leave()
	n := r.uvarint()
	if n == 0 {
		return
	}
	types := r.Byte()
	for ; n > 0 && r.Err == nil; n-- {
		before := r.at
		for _, t := range []Type{Type(types >> 4), Type(types & 15)} {
			if t == True || t == False {
				r.Byte()
				continue
			}
			r.Skip(t)
		}
		if r.at == before {
			r.Fail(errType)
		}
	}
}

// Double reads a number of double precision.
func (r *Reader) Double() float64 {
	r.skip(8)
	if r.Err != nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(r.b[r.at-8:]))
}
