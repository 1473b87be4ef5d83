package hdf5

// The two kinds of trees of version 1.
const (
	treeOfGroup  = 0
	treeOfChunks = 1
)

// tree1 calls leaf with each entry at the bottom of a tree of version 1: a cursor over its key, and
// the address of what it leads to. keySize is the size of a key; 0: the size of a length, as for
// groups.
func (f *File) tree1(addr uint64, kind uint8, keySize int, leaf func(key *cursor, child uint64) error) error {
	if keySize == 0 {
		keySize = f.lengthSize
	}
	return f.node1(addr, kind, keySize, -1, leaf)
}

// node1 walks a node, which must be of the given level; -1 allows any.
func (f *File) node1(addr uint64, kind uint8, keySize, level int, leaf func(key *cursor, child uint64) error) error {
	head := uint64(8 + 2*f.addrSize)
	c, err := f.signed(addr, head, "TREE")
	if err != nil {
		return err
	}
	k, l, n := c.u8(), int(c.u8()), uint64(c.u16())
	switch {
	case k != kind:
		return c.bad("a tree of kind %d, not %d", k, kind)
	case level >= 0 && l != level || l > maxDepth:
		return c.bad("a node of level %d below one of level %d", l, level+1)
	}
	if c, err = f.cursor(addr+head, n*uint64(keySize+f.addrSize)); err != nil {
		return err
	}
	for range n {
		key, child := c.sub(keySize), c.addr()
		if l == 0 {
			err = leaf(key, child)
		} else {
			err = f.node1(child, kind, keySize, l-1, leaf)
		}
		if err != nil {
			return err
		}
	}
	return c.err
}

// tree2 is the head of a tree of version 2.
type tree2 struct {
	f          *File
	kind       uint8
	nodeSize   uint64
	recordSize int
	// countSize is the size of a child's number of records. totals holds, by the depth of a child,
	// the size of the number of all records below it, which a child has from depth 1 on.
	countSize int
	totals    []int
	record    func(kind uint8, record *cursor) error
}

// tree2 calls record with each record of a tree of version 2, and with the tree's kind.
func (f *File) tree2(addr uint64, record func(kind uint8, record *cursor) error) error {
	c, err := f.signed(addr, uint64(16+f.addrSize+2+f.lengthSize), "BTHD")
	if err != nil {
		return err
	}
	c.skip(1)
	t := &tree2{f: f, kind: c.u8(), nodeSize: uint64(c.u32()), recordSize: int(c.u16()), record: record}
	depth := int(c.u16())
	c.skip(2) // at which fill nodes are split
	root, count := c.addr(), uint64(c.u16())
	switch {
	case c.err != nil || root == undefined:
		return c.err
	case t.nodeSize < 16 || t.recordSize == 0 || depth > maxDepth:
		return c.bad("a tree with nodes of %d bytes and records of %d, %d deep", t.nodeSize, t.recordSize, depth)
	}
	t.measure(depth)
	return t.node(root, count, depth)
}

// measure computes the sizes of the numbers in inner nodes: each is as wide as its largest possible
// value needs.
func (t *tree2) measure(depth int) {
	const around = 10 // signature, version, kind, checksum
	most := (t.nodeSize - around) / uint64(t.recordSize)
	t.countSize = bytesFor(most)
	t.totals = []int{0}
	below := most // all records below a node of the previous depth
	for d := 1; d <= depth; d++ {
		pointer := uint64(t.f.addrSize + t.countSize + t.totals[d-1])
		here := (t.nodeSize - min(around+pointer, t.nodeSize)) / (uint64(t.recordSize) + pointer)
		below = (here+1)*below + here
		t.totals = append(t.totals, bytesFor(below))
	}
}

// bytesFor returns how many bytes numbers up to n need.
func bytesFor(n uint64) int {
	size := 1
	for ; n > 255; n >>= 8 {
		size++
	}
	return size
}

// node walks a node with count records.
func (t *tree2) node(addr, count uint64, depth int) error {
	signature := "BTLF"
	if depth > 0 {
		signature = "BTIN"
	}
	c, err := t.f.signed(addr, t.nodeSize, signature)
	if err != nil {
		return err
	}
	c.skip(1)
	if kind := c.u8(); kind != t.kind {
		return c.bad("a node of kind %d in a tree of kind %d", kind, t.kind)
	}
	records := c.sub(int(count) * t.recordSize)
	for range count {
		r := records.sub(t.recordSize)
		if records.err != nil {
			return records.err
		}
		if err := t.record(t.kind, r); err != nil {
			return err
		}
	}
	for range count + 1 {
		if depth == 0 {
			break
		}
		child, n := c.addr(), c.uint(t.countSize)
		c.skip(t.totals[depth-1])
		if c.err != nil {
			return c.err
		}
		if err := t.node(child, n, depth-1); err != nil {
			return err
		}
	}
	return c.err
}
