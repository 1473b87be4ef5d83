package hdf5

import (
	"fmt"
)

// Dataset is an array of values.
type Dataset struct {
	Path  string
	Type  Type
	Shape Shape
	// Null says that the dataset has no values at all.
	Null bool
	// External lists the other files that hold the values.
	External []string
	// Virtual says that the values come from other datasets.
	Virtual bool

	f       *File
	head    header
	layout  layout
	filters []filter
	fill    []byte // the value of places that were never written; nil: zeros
}

// layout says where a dataset's values are.
type layout struct {
	class   uint8
	compact []byte
	addr    uint64
	size    uint64 // of contiguous values
	chunks  chunking
}

// The classes of layouts.
const (
	compact    = 0
	contiguous = 1
	chunked    = 2
	virtual    = 3
)

// dataset decodes a dataset's header.
func (f *File) dataset(path string, h header) (*Dataset, error) {
	d := &Dataset{Path: path, f: f, head: h}
	for _, m := range h.messages {
		m, err := f.resolve(m, 0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		c := f.body(m)
		switch m.kind {
		case msgDatatype:
			d.Type = c.datatype(0)
		case msgDataspace:
			s := c.dataspace()
			d.Shape, d.Null = s.shape, s.null
		case msgLayout:
			d.layout = c.layout()
		case msgPipeline:
			d.filters = c.pipeline()
		case msgFill, msgFillOld:
			if fill := c.fillValue(m.kind); fill != nil {
				d.fill = fill
			}
		case msgExternal:
			d.External, c.err = f.externalFiles(c)
		}
		if c.err != nil {
			return nil, fmt.Errorf("%s: %w", path, c.err)
		}
	}
	if d.Type.Size == 0 {
		return nil, fmt.Errorf("%s: %w", path, &FormatError{h.addr, "a dataset without a type"})
	}
	d.Virtual = d.layout.class == virtual
	return d, nil
}

// layout decodes where the values are.
func (c *cursor) layout() layout {
	version := c.u8()
	if version < 3 || version > 4 {
		if c.err == nil {
			c.err = &UnsupportedError{fmt.Sprintf("version %d of a layout", version)}
		}
		return layout{}
	}
	l := layout{class: c.u8(), addr: undefined}
	switch l.class {
	case compact:
		l.compact = c.bytes(int(c.u16()))
	case contiguous:
		l.addr, l.size = c.addr(), c.length()
	case chunked:
		l.chunks = c.chunking(version)
		l.addr = c.addr()
	case virtual:
	default:
		c.bad("a layout of an unknown class %d", l.class)
	}
	return l
}

// fillValue decodes the value of places that were never written; nil: zeros.
func (c *cursor) fillValue(kind uint16) []byte {
	if kind == msgFillOld {
		return c.bytes(int(c.u32()))
	}
	version := c.u8()
	defined := false
	if version < 3 {
		c.skip(2)
		defined = c.u8() != 0
	} else {
		defined = c.u8()&0x20 != 0
	}
	if !defined && version > 1 {
		return nil
	}
	return c.bytes(int(min(c.u32(), 1<<30)))
}

// externalFiles decodes the names of the files that hold a dataset's values.
func (f *File) externalFiles(c *cursor) ([]string, error) {
	c.skip(4 + 2)
	n := int(c.u16())
	heapAddr := c.addr()
	if c.err != nil {
		return nil, c.err
	}
	heap, err := f.localHeap(heapAddr)
	if err != nil {
		return nil, err
	}
	var names []string
	for range n {
		name := c.length()
		c.skip(2 * f.lengthSize) // the part of that file
		if c.err != nil {
			return nil, c.err
		}
		text, err := heap.text(name)
		if err != nil {
			return nil, err
		}
		names = append(names, text)
	}
	return names, nil
}

// Stored returns how many bytes the file keeps for the values, compressed or not.
func (d *Dataset) Stored() (int64, error) {
	switch d.layout.class {
	case compact:
		return int64(len(d.layout.compact)), nil
	case contiguous:
		if d.layout.addr == undefined {
			return 0, nil
		}
		return int64(min(d.layout.size, d.f.size)), nil
	case chunked:
		chunks, err := d.chunks()
		stored := int64(0)
		for _, c := range chunks {
			stored += int64(min(c.size, d.f.size))
		}
		return min(stored, int64(d.f.size)), err // in a hostile file chunks may share bytes
	}
	return 0, nil
}
