package hdf5

import "fmt"

// The kinds of messages in an object's header that this package reads.
const (
	msgDataspace    = 0x0001
	msgLinkInfo     = 0x0002
	msgDatatype     = 0x0003
	msgFillOld      = 0x0004
	msgFill         = 0x0005
	msgLink         = 0x0006
	msgExternal     = 0x0007
	msgLayout       = 0x0008
	msgPipeline     = 0x000B
	msgAttribute    = 0x000C
	msgContinuation = 0x0010
	msgSymbolTable  = 0x0011
	msgAttrInfo     = 0x0015
)

// message is one entry of an object's header.
type message struct {
	kind   uint16
	shared bool // the body only says where the message is
	body   []byte
	at     uint64
}

// header is an object's header: its kind, and its messages.
type header struct {
	addr     uint64
	messages []message
}

// first returns the first message of a kind.
func (h *header) first(kind uint16) (message, bool) {
	for _, m := range h.messages {
		if m.kind == kind {
			return m, true
		}
	}
	return message{}, false
}

// block is a run of messages.
type block struct{ addr, size uint64 }

// header reads the header of the object at an address, with all its continuations.
func (f *File) header(addr uint64) (header, error) {
	h := header{addr: addr}
	c, err := f.cursor(addr, min(16, f.size-min(addr, f.size)))
	if err != nil {
		return h, err
	}
	if len(c.b) >= 4 && string(c.b[:4]) == "OHDR" {
		return h, f.header2(&h)
	}
	if v := c.u8(); v != 1 {
		return h, &FormatError{addr, fmt.Sprintf("want an object header, got version %d of one", v)}
	}
	c.skip(1)
	count := int(c.u16())
	c.skip(4) // references
	size := uint64(c.u32())
	if c.err != nil {
		return h, c.err
	}
	todo := []block{{addr + 16, size}}
	for i := 0; i < len(todo) && len(h.messages) < count; i++ {
		b, err := f.cursor(todo[i].addr, todo[i].size)
		if err != nil {
			return h, err
		}
		for b.left() >= 8 && len(h.messages) < count {
			m := message{kind: b.u16(), at: b.at + uint64(b.pos)}
			n := int(b.u16())
			m.shared = b.u8()&2 != 0
			b.skip(3)
			m.body = b.bytes(n)
			if b.err != nil {
				return h, b.err
			}
			if err := f.add(&h, m, &todo); err != nil {
				return h, err
			}
		}
	}
	return h, nil
}

// header2 reads a header of version 2.
func (f *File) header2(h *header) error {
	c, err := f.cursor(h.addr, min(64, f.size-h.addr))
	if err != nil {
		return err
	}
	c.skip(4)
	if v := c.u8(); v != 2 {
		return c.bad("version %d of an object header", v)
	}
	flags := c.u8()
	if flags&0x20 != 0 {
		c.skip(16) // times
	}
	if flags&0x10 != 0 {
		c.skip(4) // number of attributes from which on they are in a heap
	}
	size := c.uint(1 << (flags & 3))
	if c.err != nil {
		return c.err
	}
	todo := []block{{h.addr + uint64(c.pos), size}}
	for i := 0; i < len(todo); i++ {
		b, err := f.cursor(todo[i].addr, todo[i].size)
		if err != nil {
			return err
		}
		if i > 0 { // only blocks after the first have a signature and a checksum
			if b, err = f.signed(todo[i].addr, todo[i].size, "OCHK"); err != nil {
				return err
			}
			b.b = b.b[:max(len(b.b)-4, b.pos)]
		}
		if err := f.messages2(h, b, flags, &todo); err != nil {
			return err
		}
	}
	return nil
}

// messages2 reads the messages of one block of a header of version 2.
func (f *File) messages2(h *header, b *cursor, flags uint8, todo *[]block) error {
	head := 4
	if flags&4 != 0 {
		head = 6
	}
	for b.left() >= head { // a smaller rest is a gap
		m := message{kind: uint16(b.u8())}
		n := int(b.u16())
		m.shared = b.u8()&2 != 0
		b.skip(head - 4) // the order of creation
		m.at = b.at + uint64(b.pos)
		m.body = b.bytes(n)
		if b.err != nil {
			return b.err
		}
		if err := f.add(h, m, todo); err != nil {
			return err
		}
	}
	return nil
}

// add appends a message, or the block that a continuation names.
func (f *File) add(h *header, m message, todo *[]block) error {
	if m.kind != msgContinuation {
		if h.messages = append(h.messages, m); len(h.messages) > maxMessages {
			return &FormatError{h.addr, "an object with too many messages"}
		}
		return nil
	}
	c := f.body(m)
	next := block{c.addr(), c.length()}
	if c.err != nil {
		return c.err
	}
	for _, b := range *todo {
		if b.addr == next.addr {
			return c.bad("a header that continues in itself")
		}
	}
	*todo = append(*todo, next)
	return nil
}

// body returns a cursor over a message's body.
func (f *File) body(m message) *cursor { return &cursor{f: f, b: m.body, at: m.at} }

// resolve returns a message, or, for a shared one, the message of the same kind that it refers to.
func (f *File) resolve(m message, depth int) (message, error) {
	if !m.shared {
		return m, nil
	}
	c := f.body(m)
	version, kind := c.u8(), c.u8()
	if version == 1 {
		c.skip(6)
	}
	if version == 3 && kind == 1 {
		return m, &UnsupportedError{"a table of shared messages"}
	}
	addr := c.addr()
	if c.err != nil {
		return m, c.err
	}
	if depth > 4 {
		return m, c.bad("a shared message that stands for another without end")
	}
	h, err := f.header(addr)
	if err != nil {
		return m, err
	}
	target, ok := h.first(m.kind)
	if !ok {
		return m, c.bad("a shared message that is not where it is said to be")
	}
	return f.resolve(target, depth+1)
}
