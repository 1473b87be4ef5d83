package hdf5

import (
	"fmt"
	"slices"
	"strings"
)

// LinkKind says what a link leads to.
type LinkKind string

// The kinds of links.
const (
	Hard     LinkKind = "hard"     // an object of this file
	Soft     LinkKind = "soft"     // a path in this file
	External LinkKind = "external" // a path in another file
)

// Link is one entry of a group.
type Link struct {
	Name string
	Kind LinkKind
	// Target is the path of a soft link; of an external link "file:path".
	Target string

	addr uint64 // of a hard link's object
}

// Group is a group of the file: links and attributes.
type Group struct {
	f    *File
	path string
	head header
}

// Root returns the group that holds all others.
func (f *File) Root() *Group { return &Group{f: f, path: "/", head: f.root} }

// Path returns the path by which the group was opened.
func (g *Group) Path() string { return g.path }

// Links returns the group's entries in the order of their names.
func (g *Group) Links() ([]Link, error) {
	var links []Link
	add := func(l Link) { links = append(links, l) }
	for _, m := range g.head.messages {
		var err error
		switch m.kind {
		case msgSymbolTable:
			err = g.f.symbolTable(m, add)
		case msgLink:
			var l Link
			if l, err = g.f.link(g.f.body(m)); err == nil {
				add(l)
			}
		case msgLinkInfo:
			err = g.f.denseLinks(m, add)
		}
		if err != nil {
			return nil, fmt.Errorf("group %q: %w", g.path, err)
		}
	}
	slices.SortStableFunc(links, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	return links, nil
}

// Open opens the object that a hard link of the group leads to: a *Group, a *Dataset, or nil for a
// named type. Other links are refused, since they may lead anywhere.
func (g *Group) Open(l Link) (any, error) {
	path := strings.TrimSuffix(g.path, "/") + "/" + l.Name
	if l.Kind != Hard {
		return nil, &UnsupportedError{fmt.Sprintf("%s (%s link to %q)", path, l.Kind, l.Target)}
	}
	h, err := g.f.header(l.addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, ok := h.first(msgLayout); ok {
		return g.f.dataset(path, h)
	}
	if _, ok := h.first(msgDatatype); ok {
		return nil, nil
	}
	return &Group{f: g.f, path: path, head: h}, nil
}

// ID identifies the object that a link leads to: all links to one object have the same.
func (l Link) ID() uint64 { return l.addr }

// symbolTable calls add with the links of a group of the old kind: a tree whose leaves are tables
// of links, and a heap with their names.
func (f *File) symbolTable(m message, add func(Link)) error {
	c := f.body(m)
	tree, heap := c.addr(), c.addr()
	if c.err != nil {
		return c.err
	}
	names, err := f.localHeap(heap)
	if err != nil {
		return err
	}
	return f.tree1(tree, treeOfGroup, 0, func(_ *cursor, child uint64) error {
		return f.symbolNode(child, names, add)
	})
}

// symbolNode reads one table of links.
func (f *File) symbolNode(addr uint64, names *localHeap, add func(Link)) error {
	c, err := f.signed(addr, 8, "SNOD")
	if err != nil {
		return err
	}
	c.skip(2)
	count, entry := uint64(c.u16()), uint64(2*f.addrSize+4+4+16)
	if c, err = f.cursor(addr+8, count*entry); err != nil {
		return err
	}
	for range count {
		name, target := c.addr(), c.addr()
		cached := c.u32()
		c.skip(4)
		scratch := c.sub(16)
		l := Link{Kind: Hard, addr: target}
		if l.Name, err = names.text(name); err != nil {
			return err
		}
		if cached == 2 {
			l.Kind = Soft
			if l.Target, err = names.text(uint64(scratch.u32())); err != nil {
				return err
			}
		}
		add(l)
	}
	return c.err
}

// link decodes a link of the new kind.
func (f *File) link(c *cursor) (Link, error) {
	l := Link{Kind: Hard}
	if v := c.u8(); c.err == nil && v != 1 {
		return l, c.bad("version %d of a link", v)
	}
	flags, kind := c.u8(), uint8(0)
	if flags&8 != 0 {
		kind = c.u8()
	}
	if flags&4 != 0 {
		c.skip(8) // the order of creation
	}
	if flags&16 != 0 {
		c.skip(1) // the character set
	}
	l.Name = string(c.bytes(int(min(c.uint(1<<(flags&3)), 1<<30))))
	switch kind {
	case 0:
		l.addr = c.addr()
	case 1:
		l.Kind, l.Target = Soft, string(c.bytes(int(c.u16())))
	case 64:
		l.Kind = External
		v := c.sub(int(c.u16()))
		v.skip(1)
		l.Target = v.text() + ":" + v.text()
		if c.err == nil {
			c.err = v.err
		}
	default:
		return l, c.bad("a link of kind %d", kind)
	}
	return l, c.err
}

// denseLinks calls add with the links that a group keeps in a fractal heap.
func (f *File) denseLinks(m message, add func(Link)) error {
	c := f.body(m)
	c.skip(1)
	if flags := c.u8(); flags&1 != 0 {
		c.skip(8)
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
		if kind != 5 {
			return record.bad("a tree of kind %d for links", kind)
		}
		record.skip(4) // hash of the name
		object, err := heap.object(record)
		if err != nil {
			return err
		}
		l, err := f.link(object)
		if err == nil {
			add(l)
		}
		return err
	})
}
