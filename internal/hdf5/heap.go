package hdf5

import (
	"bytes"
	"math/bits"
)

// localHeap holds the names of a group of the old kind.
type localHeap struct {
	f    *File
	data uint64
	size uint64
}

func (f *File) localHeap(addr uint64) (*localHeap, error) {
	c, err := f.signed(addr, uint64(8+2*f.lengthSize+f.addrSize), "HEAP")
	if err != nil {
		return nil, err
	}
	c.skip(4)
	h := &localHeap{f: f, size: c.length()}
	c.skip(f.lengthSize) // free space
	h.data = c.addr()
	return h, c.err
}

// text returns the text that starts at an offset.
func (h *localHeap) text(offset uint64) (string, error) {
	const step = 128
	var text []byte
	for offset < h.size {
		b, err := h.f.read(h.data+offset, min(step, h.size-offset))
		if err != nil {
			return "", err
		}
		if i := bytes.IndexByte(b, 0); i >= 0 {
			return string(append(text, b[:i]...)), nil
		}
		text = append(text, b...)
		offset += uint64(len(b))
	}
	return "", &FormatError{h.data + offset, "a name has no end"}
}

// collection maps the numbers of a global heap's objects to their places.
type collection map[uint16]block

// globalObject returns an object of a global heap.
func (f *File) globalObject(addr uint64, index uint16) ([]byte, error) {
	objects, ok := f.heaps[addr]
	if !ok {
		var err error
		if objects, err = f.collection(addr); err != nil {
			return nil, err
		}
		f.heaps[addr] = objects
	}
	b, ok := objects[index]
	if !ok {
		return nil, &FormatError{addr, "a heap lacks an object that a value refers to"}
	}
	return f.read(b.addr, b.size)
}

// collection reads the places of a global heap's objects.
func (f *File) collection(addr uint64) (collection, error) {
	head := uint64(8+f.lengthSize+7) / 8 * 8 // of the heap, and of each object
	c, err := f.signed(addr, head, "GCOL")
	if err != nil {
		return nil, err
	}
	c.skip(4)
	size := c.length()
	if c.err != nil || size > f.size || size < head {
		return nil, c.bad("a heap of %d bytes", size)
	}
	objects := collection{}
	for at := head; at+head <= size; {
		if c, err = f.cursor(addr+at, head); err != nil {
			return nil, err
		}
		index := c.u16()
		c.skip(2 + 4) // references
		n := c.length()
		if index == 0 { // free space, to the end
			break
		}
		if n > size-at-head {
			return nil, c.bad("an object beyond its heap")
		}
		objects[index] = block{addr + at + head, n}
		at += head + (n+7)/8*8
	}
	return objects, nil
}

// fractalHeap holds objects of any size, which have short numbers.
type fractalHeap struct {
	f *File
	// The number of a normal object consists of an offset and a length of these sizes.
	idSize, offsetSize, lengthSize int
	width                          uint64 // number of blocks in a row
	start, maxDirect               uint64 // size of the first and of the largest block
	root                           uint64 // a block of objects, or rows of blocks
	rows                           int    // number of rows in root; 0: root is a block of objects
	filtered                       bool
	huge                           uint64 // tree of the objects that are larger than a block
}

func (f *File) fractalHeap(addr uint64) (*fractalHeap, error) {
	c, err := f.signed(addr, uint64(22+12*f.lengthSize+3*f.addrSize), "FRHP")
	if err != nil {
		return nil, err
	}
	c.skip(1)
	h := &fractalHeap{f: f, idSize: int(c.u16()), filtered: c.u16() > 0}
	c.skip(1)
	maxManaged := uint64(c.u32())
	c.skip(f.lengthSize)
	h.huge = c.addr()
	c.skip(f.lengthSize + f.addrSize + 8*f.lengthSize) // free space, counts and sizes
	h.width, h.start, h.maxDirect = uint64(c.u16()), c.length(), c.length()
	h.offsetSize = (int(c.u16()) + 7) / 8
	c.skip(2)
	h.root, h.rows = c.addr(), int(c.u16())
	h.lengthSize = min(bytesFor(h.maxDirect), bytesFor(maxManaged))
	if c.err == nil && (h.width == 0 || h.start == 0 || h.start&(h.start-1) != 0 || h.maxDirect < h.start || h.offsetSize > 8) {
		c.bad("a heap with rows of %d blocks from %d to %d bytes", h.width, h.start, h.maxDirect)
	}
	return h, c.err
}

// object returns a cursor over the object whose number is read next from id.
func (h *fractalHeap) object(id *cursor) (*cursor, error) {
	id = id.sub(h.idSize)
	switch kind := id.u8() >> 4 & 3; {
	case id.err != nil:
		return nil, id.err
	case kind == 0:
		offset, n := id.uint(h.offsetSize), id.uint(h.lengthSize)
		if id.err != nil {
			return nil, id.err
		}
		at, err := h.find(h.root, h.rows, 0, offset, 0)
		if err != nil {
			return nil, err
		}
		return h.f.cursor(at, n)
	case kind == 2:
		n := int(id.b[0]&15) + 1
		if h.idSize > 17 { // then the length takes 12 bits
			n = int(id.b[0]&15)<<8 + int(id.u8()) + 1
		}
		return id.sub(n), id.err
	case kind == 1:
		return h.hugeObject(id)
	}
	return nil, id.bad("an object of an unknown kind in a heap")
}

// find returns the address for an offset into the heap, below a block that begins at offset first.
func (h *fractalHeap) find(addr uint64, rows int, first, offset uint64, depth int) (uint64, error) {
	if h.filtered {
		return 0, &UnsupportedError{"a compressed heap"}
	}
	if rows == 0 {
		return addr + offset - first, nil
	}
	if depth > maxDepth {
		return 0, &FormatError{addr, "a heap without end"}
	}
	size, at := h.start, addr+uint64(5+h.f.addrSize+h.offsetSize)
	for row := range rows {
		if row > 1 {
			size *= 2
		}
		if span := size * h.width; size == 0 || offset-first < span {
			child, err := h.child(at + (offset-first)/max(size, 1)*uint64(h.f.addrSize))
			if err != nil {
				return 0, err
			}
			first += (offset - first) / max(size, 1) * size
			return h.find(child, h.rowsOf(size), first, offset, depth+1)
		} else {
			first += span
		}
		at += h.width * uint64(h.f.addrSize)
	}
	return 0, &FormatError{addr, "an object beyond its heap"}
}

// rowsOf returns how many rows of blocks a block of the given size has; 0 if it holds objects.
func (h *fractalHeap) rowsOf(size uint64) int {
	if size <= h.maxDirect {
		return 0
	}
	return bits.Len64(size) - bits.Len64(h.start*h.width) + 1
}

// child reads the address of a block.
func (h *fractalHeap) child(at uint64) (uint64, error) {
	c, err := h.f.cursor(at, uint64(h.f.addrSize))
	if err != nil {
		return 0, err
	}
	if addr := c.addr(); addr != undefined {
		return addr, nil
	}
	return 0, c.bad("an object in a block that is not there")
}

// hugeObject returns an object that is stored on its own. Its number is its place, or a key of the
// tree of such objects.
func (h *fractalHeap) hugeObject(id *cursor) (*cursor, error) {
	if h.filtered {
		return nil, &UnsupportedError{"a compressed heap"}
	}
	f := h.f
	if h.idSize-1 >= f.addrSize+f.lengthSize {
		at, n := id.addr(), id.length()
		if id.err != nil {
			return nil, id.err
		}
		return f.cursor(at, n)
	}
	key := id.uint(min(h.idSize-1, f.lengthSize, 8))
	var found *cursor
	err := f.tree2(h.huge, func(kind uint8, r *cursor) error {
		at, n := r.addr(), r.length()
		if kind != 1 || r.err != nil || r.length() != key || found != nil {
			return r.err
		}
		var err error
		found, err = f.cursor(at, n)
		return err
	})
	if err == nil && found == nil {
		err = id.bad("a heap lacks an object that is referred to")
	}
	return found, err
}
