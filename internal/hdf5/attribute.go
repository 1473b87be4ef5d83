package hdf5

import (
	"fmt"
	"slices"
	"strings"
)

// Attribute is a small value with a name, attached to a group or a dataset.
type Attribute struct {
	Name  string
	Type  Type
	Shape Shape
	f     *File
	data  []byte
}

// Attributes returns the group's attributes in the order of their names.
func (g *Group) Attributes() ([]Attribute, error) { return g.f.attributes(g.path, g.head) }

// Attributes returns the dataset's attributes in the order of their names.
func (d *Dataset) Attributes() ([]Attribute, error) { return d.f.attributes(d.Path, d.head) }

// attributes collects an object's attributes from its header and from its heap.
func (f *File) attributes(path string, h header) ([]Attribute, error) {
	var list []Attribute
	for _, m := range h.messages {
		var err error
		switch m.kind {
		case msgAttribute:
			if m, err = f.resolve(m, 0); err == nil {
				var a Attribute
				if a, err = f.attribute(f.body(m)); err == nil {
					list = append(list, a)
				}
			}
		case msgAttrInfo:
			err = f.denseAttributes(m, func(a Attribute) { list = append(list, a) })
		}
		if err != nil {
			return nil, fmt.Errorf("attributes of %q: %w", path, err)
		}
	}
	slices.SortStableFunc(list, func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// denseAttributes calls add with the attributes in a fractal heap.
func (f *File) denseAttributes(m message, add func(Attribute)) error {
	c := f.body(m)
	c.skip(1)
	if flags := c.u8(); flags&1 != 0 {
		c.skip(2)
	}
	heapAddr, tree := c.addr(), c.addr()
	if c.err != nil || heapAddr == undefined || tree == undefined {
		return c.err
	}
	heap, err := f.fractalHeap(heapAddr)
	if err != nil {
		return err
	}
	return f.tree2(tree, func(kind uint8, record *cursor) error {
		if kind != 8 {
			return record.bad("a tree of kind %d for attributes", kind)
		}
		object, err := heap.object(record)
		if err != nil {
			return err
		}
		if flags := record.u8(); flags&2 != 0 {
			return &UnsupportedError{"a table of shared messages"}
		}
		a, err := f.attribute(object)
		if err == nil {
			add(a)
		}
		return err
	})
}

// attribute decodes an attribute.
func (f *File) attribute(c *cursor) (Attribute, error) {
	a := Attribute{f: f}
	version, flags := c.u8(), c.u8()
	if c.err == nil && (version < 1 || version > 3) {
		return a, c.bad("version %d of an attribute", version)
	}
	sizes := [3]int{int(c.u16()), int(c.u16()), int(c.u16())}
	if version == 3 {
		c.skip(1) // the character set of the name
	}
	var parts [3]*cursor // name, type, shape
	for i, n := range sizes {
		start := c.pos
		parts[i] = c.sub(n)
		if version == 1 {
			c.align(start)
		}
	}
	if c.err != nil {
		return a, c.err
	}
	a.Name = beforeZero(parts[0].b)
	var err error
	if flags&1 != 0 && version > 1 {
		m, err := f.resolve(message{kind: msgDatatype, shared: true, body: parts[1].b, at: parts[1].at}, 0)
		if err != nil {
			return a, err
		}
		parts[1] = f.body(m)
	}
	a.Type = parts[1].datatype(0)
	sp := parts[2].dataspace()
	if err = parts[1].err; err == nil {
		err = parts[2].err
	}
	if err != nil {
		return a, fmt.Errorf("%q: %w", a.Name, err)
	}
	a.Shape = sp.shape
	n, ok := a.Shape.Count()
	if sp.null {
		n = 0
	}
	if !ok || n > int64(c.left()/a.Type.Size) {
		return a, c.bad("attribute %q is larger than its message", a.Name)
	}
	a.data = c.bytes(int(n) * a.Type.Size)
	return a, c.err
}

// Strings returns the values of an attribute of texts, one for each value.
func (a Attribute) Strings() ([]string, error) {
	switch {
	case a.Type.Class == String:
		return a.Type.texts(a.data), nil
	case a.Type.Class == Variable && (a.Type.Text || a.Type.Base.Size == 1):
		return a.f.variable(a.data)
	}
	return nil, &UnsupportedError{fmt.Sprintf("attribute %q as text: it is of type %v", a.Name, a.Type)}
}

// variable reads texts of variable length, each of which is an object of a global heap.
func (f *File) variable(data []byte) ([]string, error) {
	c := &cursor{f: f, b: data}
	var out []string
	for size := 4 + f.addrSize + 4; c.left() >= size; {
		n, addr, index := c.u32(), c.addr(), c.u32()
		if n == 0 || addr == 0 || addr == undefined {
			out = append(out, "")
			continue
		}
		b, err := f.globalObject(addr, uint16(index))
		if err != nil {
			return nil, err
		}
		out = append(out, beforeZero(b[:min(int(n), len(b))]))
	}
	return out, c.err
}
