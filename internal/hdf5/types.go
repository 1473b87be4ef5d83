package hdf5

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Class is the kind of a type.
type Class uint8

// The classes of HDF5's types, under the numbers that files have for them.
const (
	Integer   Class = 0
	Float     Class = 1
	Time      Class = 2
	String    Class = 3 // of fixed length
	Bits      Class = 4
	Opaque    Class = 5
	Compound  Class = 6
	Reference Class = 7
	Enum      Class = 8
	Variable  Class = 9 // of variable length: a list or a text
	Array     Class = 10
	Complex   Class = 11
)

var classNames = [...]string{
	"integer", "float", "time", "string", "bits", "opaque", "compound", "reference", "enum", "variable-length", "array",
	"complex",
}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// Type is the type of a dataset's or an attribute's values.
type Type struct {
	Class Class
	Size  int // in bytes, of one value
	// Order is the byte order of integers, floats and enums.
	Order  binary.ByteOrder
	Signed bool // integers
	// Exponent and Mantissa are the numbers of bits of a float.
	Exponent, Mantissa int
	Tag                string   // of opaque types
	Text               bool     // variable length: it is a text
	Base               *Type    // of enums, arrays, complex numbers and variable length
	Dims               []int64  // of arrays
	Members            []Member // of compounds
	// Values of an enum, by name, as they are stored.
	Values map[string][]byte
	pad    uint8 // how strings end: by a zero, filled up with zeros, or with blanks
}

// Member is a field of a compound type.
type Member struct {
	Name   string
	Offset int
	Type   Type
}

// String names the type: "float32", "uint8", "compound of 2".
func (t Type) String() string {
	switch t.Class {
	case Integer:
		if t.Signed {
			return fmt.Sprintf("int%d", 8*t.Size)
		}
		return fmt.Sprintf("uint%d", 8*t.Size)
	case Float:
		return fmt.Sprintf("float%d", 8*t.Size)
	case Compound:
		return fmt.Sprintf("compound of %d", len(t.Members))
	case Opaque, Bits, String:
		return fmt.Sprintf("%s of %d bytes", t.Class, t.Size)
	}
	return t.Class.String()
}

// datatype decodes a type.
func (c *cursor) datatype(depth int) Type {
	head, flags := c.u8(), uint32(c.uint(3))
	t := Type{Class: Class(head & 15), Size: int(c.u32()), Order: binary.LittleEndian}
	version := head >> 4
	if depth > maxDepth || c.err != nil {
		c.bad("a type with too many types in it")
		return t
	}
	switch t.Class {
	case Integer, Bits:
		t.order(flags)
		t.Signed = flags&8 != 0
		c.skip(4)
	case Float:
		t.order(flags)
		c.skip(5)
		t.Exponent = int(c.u8())
		c.skip(1)
		t.Mantissa = int(c.u8())
		c.skip(4)
	case Time:
		c.skip(2)
	case String:
		t.pad = uint8(flags & 15)
	case Opaque:
		t.Tag = beforeZero(c.bytes(int(flags & 0xFF)))
	case Compound:
		c.members(&t, int(flags&0xFFFF), version, depth)
	case Reference:
	case Enum:
		c.enum(&t, int(flags&0xFFFF), version, depth)
	case Variable:
		t.Text = flags&15 == 1
		c.base(&t, depth)
	case Array:
		c.array(&t, version, depth)
	case Complex:
		c.base(&t, depth)
	default:
		c.bad("a type of an unknown class %d", t.Class)
	}
	if t.Size <= 0 {
		c.bad("a type without a size")
	}
	return t
}

func (t *Type) order(flags uint32) {
	if flags&1 != 0 {
		t.Order = binary.BigEndian
	}
}

func (c *cursor) base(t *Type, depth int) {
	base := c.datatype(depth + 1)
	t.Base = &base
}

// name reads a name. Older versions fill it up to a multiple of 8 bytes.
func (c *cursor) name(version uint8) string {
	start := c.pos
	s := c.text()
	if version < 3 {
		c.align(start)
	}
	return s
}

func (c *cursor) members(t *Type, n int, version uint8, depth int) {
	for range n {
		m := Member{Name: c.name(version)}
		offset := 4
		if version >= 3 {
			offset = bytesFor(uint64(t.Size))
		}
		m.Offset = int(c.uint(offset))
		dims := int64(1)
		if version == 1 { // an array is a property of the member
			rank := int(c.u8())
			c.skip(3 + 4 + 4)
			for i := range 4 {
				if d := int64(c.u32()); i < rank {
					dims *= max(d, 1)
				}
			}
		}
		m.Type = c.datatype(depth + 1)
		if c.err != nil {
			return
		}
		if dims > 1 {
			base := m.Type
			m.Type = Type{Class: Array, Base: &base, Dims: []int64{dims}, Size: base.Size * int(min(dims, 1<<31))}
		}
		t.Members = append(t.Members, m)
	}
}

func (c *cursor) enum(t *Type, n int, version uint8, depth int) {
	c.base(t, depth)
	if c.err != nil {
		return
	}
	t.Order, t.Signed = t.Base.Order, t.Base.Signed
	names := make([]string, 0, min(n, c.left()))
	for range n {
		names = append(names, c.name(version))
	}
	t.Values = map[string][]byte{}
	for _, name := range names {
		t.Values[name] = c.bytes(t.Base.Size)
	}
}

func (c *cursor) array(t *Type, version uint8, depth int) {
	rank := int(c.u8())
	if version < 3 {
		c.skip(3)
	}
	if rank > maxRank {
		c.bad("an array of %d axes", rank)
	}
	for range rank {
		t.Dims = append(t.Dims, int64(c.u32()))
	}
	if version < 3 {
		c.skip(4 * rank) // a permutation, never used
	}
	c.base(t, depth)
}

// Shape is the shape of a dataset or an attribute: no axes for a scalar.
type Shape []int64

// space is a shape, or says that there are no values at all.
type space struct {
	shape Shape
	null  bool
}

// dataspace decodes a shape.
func (c *cursor) dataspace() space {
	version := c.u8()
	rank, flags := int(c.u8()), c.u8()
	s := space{}
	switch version {
	case 1:
		c.skip(5)
	case 2:
		s.null = c.u8() == 2
	default:
		c.bad("version %d of a shape", version)
	}
	if rank > maxRank {
		c.bad("a shape of %d axes", rank)
		return s
	}
	for range rank {
		d := c.length()
		if d > 1<<62 {
			c.bad("an axis of %d places", d)
		}
		s.shape = append(s.shape, int64(d))
	}
	if flags&1 != 0 {
		c.skip(rank * c.f.lengthSize) // how far the axes may grow
	}
	return s
}

// Count returns the number of values, and false where it does not fit 62 bits.
func (s Shape) Count() (n int64, ok bool) {
	n, ok = 1, true
	for _, d := range s {
		if d == 0 {
			return 0, true
		}
		if n > (1<<62)/d {
			ok = false
		}
		n *= d
	}
	return n, ok
}

// texts splits values of fixed length into texts.
func (t Type) texts(data []byte) []string {
	var out []string
	for ; len(data) >= t.Size; data = data[t.Size:] {
		if t.pad == 2 {
			out = append(out, strings.TrimRight(string(data[:t.Size]), " "))
		} else {
			out = append(out, beforeZero(data[:t.Size]))
		}
	}
	return out
}
