package hdf5

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// cursor decodes a structure field by field. The first invalid field sets err; all later fields are
// read as zero.
type cursor struct {
	f   *File
	b   []byte
	pos int
	at  uint64 // the address of b[0], for errors
	err error
}

// cursor returns a cursor over n bytes at an address.
func (f *File) cursor(at, n uint64) (*cursor, error) {
	b, err := f.read(at, n)
	return &cursor{f: f, b: b, at: at}, err
}

// signed is like cursor, for a structure that begins with a signature of four bytes.
func (f *File) signed(at, n uint64, signature string) (*cursor, error) {
	c, err := f.cursor(at, n)
	if err != nil {
		return nil, err
	}
	if got := c.bytes(4); c.err == nil && string(got) != signature {
		return nil, &FormatError{at, fmt.Sprintf("want the signature %s, got %q", signature, got)}
	}
	return c, c.err
}

// bad sets and returns an error at the cursor's place.
func (c *cursor) bad(format string, args ...any) error {
	if c.err == nil {
		c.err = &FormatError{c.at + uint64(c.pos), fmt.Sprintf(format, args...)}
	}
	return c.err
}

func (c *cursor) left() int { return len(c.b) - c.pos }

// bytes returns the next n bytes, which the caller must not change.
func (c *cursor) bytes(n int) []byte {
	if c.err != nil {
		return nil
	}
	if n < 0 || n > c.left() {
		c.bad("a structure ends too early")
		return nil
	}
	c.pos += n
	return c.b[c.pos-n : c.pos : c.pos]
}

func (c *cursor) skip(n int) { c.bytes(n) }

// align skips to the next multiple of 8 bytes after start.
func (c *cursor) align(start int) { c.skip((8 - (c.pos-start)%8) % 8) }

// uint reads a little-endian number of n bytes, at most 8.
func (c *cursor) uint(n int) uint64 {
	var buf [8]byte
	copy(buf[:], c.bytes(n))
	return binary.LittleEndian.Uint64(buf[:])
}

func (c *cursor) u8() uint8   { return uint8(c.uint(1)) }
func (c *cursor) u16() uint16 { return uint16(c.uint(2)) }
func (c *cursor) u32() uint32 { return uint32(c.uint(4)) }

// length reads a number of the size that the file uses for lengths.
func (c *cursor) length() uint64 { return c.uint(c.f.lengthSize) }

// addr reads an address. An address with all bits set is [undefined].
func (c *cursor) addr() uint64 {
	a := c.uint(c.f.addrSize)
	if c.f.addrSize < 8 && a == 1<<(8*c.f.addrSize)-1 {
		return undefined
	}
	return a
}

// text reads up to and past a zero byte.
func (c *cursor) text() string {
	if c.err != nil {
		return ""
	}
	i := bytes.IndexByte(c.b[c.pos:], 0)
	if i < 0 {
		c.bad("a name has no end")
		return ""
	}
	s := string(c.b[c.pos : c.pos+i])
	c.pos += i + 1
	return s
}

// sub returns a cursor over the next n bytes.
func (c *cursor) sub(n int) *cursor {
	at := c.at + uint64(c.pos)
	return &cursor{f: c.f, b: c.bytes(n), at: at, err: c.err}
}

// beforeZero returns the text before the first zero byte.
func beforeZero(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
