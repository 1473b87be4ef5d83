package hdf5

import (
	"fmt"
	"slices"
)

// chunking says how values are split into chunks, and how the chunks are found.
type chunking struct {
	shape Shape // of a chunk
	index uint8
	// single is the stored size of an only chunk that went through filters, and which filters were
	// left out for it.
	single   uint64
	skipped  uint32
	filtered bool
	pageBits uint8
}

// The ways in which chunks are found.
const (
	indexTree1      = 0 // before version 4 of the layout
	indexSingle     = 1
	indexImplicit   = 2
	indexFixed      = 3
	indexExtensible = 4
	indexTree2      = 5
)

// chunking decodes the shape of chunks, up to the address of their index.
func (c *cursor) chunking(version uint8) chunking {
	ch := chunking{}
	flags, size := uint8(0), 4
	if version == 3 {
		rank := int(c.u8())
		addr := c.pos
		c.skip(c.f.addrSize) // the address comes before the sizes
		ch.dims(c, rank, size)
		end := c.pos
		c.pos = addr
		if c.err == nil && end < addr {
			c.bad("a layout ends too early")
		}
		return ch
	}
	flags = c.u8()
	rank := int(c.u8())
	size = int(c.u8())
	if size < 1 || size > 8 {
		c.bad("sizes of chunks of %d bytes", size)
	}
	ch.dims(c, rank, size)
	switch ch.index = c.u8(); ch.index {
	case indexSingle:
		if ch.filtered = flags&2 != 0; ch.filtered {
			ch.single, ch.skipped = c.length(), c.u32()
		}
	case indexImplicit:
	case indexFixed:
		ch.pageBits = c.u8()
	case indexExtensible:
		c.skip(5)
	case indexTree2:
		c.skip(4 + 1 + 1)
	default:
		c.bad("chunks are found in an unknown way %d", ch.index)
	}
	return ch
}

// dims decodes the sizes of a chunk. The last size in the file is that of a value.
func (ch *chunking) dims(c *cursor, rank, size int) {
	if rank < 1 || rank > maxRank+1 {
		c.bad("chunks of %d axes", rank-1)
		return
	}
	for range rank - 1 {
		ch.shape = append(ch.shape, int64(min(c.uint(size), 1<<62)))
	}
	c.skip(size)
}

// stored is a chunk in the file.
type stored struct {
	addr, size uint64
	skipped    uint32 // a bit for each filter that was left out
}

// grid counts the chunks of a dataset along each axis.
func (d *Dataset) grid() (Shape, error) {
	ch := d.layout.chunks
	if len(ch.shape) != len(d.Shape) {
		return nil, &FormatError{d.head.addr, fmt.Sprintf("chunks of %d axes for values of %d", len(ch.shape), len(d.Shape))}
	}
	grid := make(Shape, len(d.Shape))
	for i, n := range ch.shape {
		if n <= 0 {
			return nil, &FormatError{d.head.addr, "chunks of no size"}
		}
		grid[i] = (d.Shape[i] + n - 1) / n
	}
	return grid, nil
}

// chunkBytes returns the size of a chunk before its filters.
func (d *Dataset) chunkBytes() (uint64, error) {
	n, ok := d.layout.chunks.shape.Count()
	if !ok || n > maxChunk/int64(d.Type.Size) {
		return 0, &UnsupportedError{"a chunk of more than 128 MiB"}
	}
	return uint64(n) * uint64(d.Type.Size), nil
}

// maxChunk bounds the size of a chunk in memory.
const maxChunk = 128 << 20

// chunks returns the stored chunks by their place in the grid, counted row by row.
func (d *Dataset) chunks() (map[int64]stored, error) {
	grid, err := d.grid()
	if err != nil {
		return nil, err
	}
	total, ok := grid.Count()
	if !ok {
		return nil, &FormatError{d.head.addr, "too many chunks"}
	}
	found := map[int64]stored{}
	if d.layout.addr == undefined || total == 0 {
		return found, nil
	}
	add := func(place Shape, s stored) error {
		at := int64(0)
		for i, p := range place {
			if p < 0 || p >= grid[i] {
				return nil // beyond the end of an axis that was shortened
			}
			at = at*grid[i] + p
		}
		if s.addr == undefined {
			return nil
		}
		if _, twice := found[at]; twice {
			return &FormatError{d.head.addr, "two chunks at one place"}
		}
		found[at] = s
		return nil
	}
	switch d.layout.chunks.index {
	case indexTree1:
		err = d.treeChunks(add)
	case indexSingle:
		err = d.singleChunk(add)
	case indexImplicit:
		err = d.implicitChunks(total, found)
	case indexFixed:
		err = d.fixedChunks(total, found)
	case indexTree2:
		err = d.tree2Chunks(add)
	default:
		err = &UnsupportedError{"chunks in an extensible array"}
	}
	return found, err
}

// treeChunks reads the tree of version 1.
func (d *Dataset) treeChunks(add func(Shape, stored) error) error {
	shape := d.layout.chunks.shape
	keySize := 8 + 8*(len(shape)+1)
	return d.f.tree1(d.layout.addr, treeOfChunks, keySize, func(key *cursor, child uint64) error {
		s := stored{addr: child, size: uint64(key.u32()), skipped: key.u32()}
		place := make(Shape, len(shape))
		for i, n := range shape {
			at := int64(min(key.uint(8), 1<<62))
			if at%n != 0 {
				return key.bad("a chunk that does not lie in the grid")
			}
			place[i] = at / n
		}
		return add(place, s)
	})
}

func (d *Dataset) singleChunk(add func(Shape, stored) error) error {
	s := stored{addr: d.layout.addr}
	var err error
	if s.size, err = d.chunkBytes(); d.layout.chunks.filtered {
		s.size, s.skipped = d.layout.chunks.single, d.layout.chunks.skipped
	}
	if err != nil {
		return err
	}
	return add(make(Shape, len(d.Shape)), s)
}

// implicitChunks finds chunks that are stored one after the other.
func (d *Dataset) implicitChunks(total int64, found map[int64]stored) error {
	size, err := d.chunkBytes()
	if err != nil {
		return err
	}
	if uint64(total) > d.f.size/max(size, 1) {
		return &FormatError{d.layout.addr, "chunks beyond the end of the file"}
	}
	for i := range total {
		found[i] = stored{addr: d.layout.addr + uint64(i)*size, size: size}
	}
	return nil
}

// tree2Chunks reads the tree of version 2.
func (d *Dataset) tree2Chunks(add func(Shape, stored) error) error {
	size, err := d.chunkBytes()
	if err != nil {
		return err
	}
	rank := len(d.Shape)
	return d.f.tree2(d.layout.addr, func(kind uint8, r *cursor) error {
		s := stored{addr: r.addr(), size: size}
		switch kind {
		case 10:
		case 11:
			s.size = r.uint(r.left() - 4 - 8*rank)
			s.skipped = r.u32()
		default:
			return r.bad("a tree of kind %d for chunks", kind)
		}
		place := make(Shape, rank)
		for i := range place {
			place[i] = int64(min(r.uint(8), 1<<62))
		}
		if r.err != nil {
			return r.err
		}
		return add(place, s)
	})
}

// fixedChunks reads an array that has an entry for each chunk.
func (d *Dataset) fixedChunks(total int64, found map[int64]stored) error {
	f := d.f
	c, err := f.signed(d.layout.addr, uint64(8+f.lengthSize+f.addrSize), "FAHD")
	if err != nil {
		return err
	}
	c.skip(1)
	filtered, entry, pageBits := c.u8() == 1, uint64(c.u8()), c.u8()
	count, addr := c.length(), c.addr()
	if c.err != nil || addr == undefined {
		return c.err
	}
	if entry == 0 || pageBits > 32 || count > f.size/entry || uint64(total) > count || entry < uint64(f.addrSize) {
		return c.bad("an array of %d chunks for %d", count, total)
	}
	size, err := d.chunkBytes()
	if err != nil {
		return err
	}
	page := uint64(1) << pageBits
	at := addr + uint64(6+f.addrSize)
	var present []byte // a bit for each page
	if count > page {
		bitmap := ((count+page-1)/page + 7) / 8
		if present, err = f.read(at, bitmap); err != nil {
			return err
		}
		present = slices.Clone(present)
		at += bitmap + 4
	}
	for first := uint64(0); first < count; first += page {
		n := min(page, count-first)
		if k := first / page; present == nil || present[k/8]&(0x80>>(k%8)) != 0 {
			if c, err = f.cursor(at, n*entry); err != nil {
				return err
			}
			for i := range min(n, uint64(total)-min(first, uint64(total))) {
				e := c.sub(int(entry))
				s := stored{addr: e.addr(), size: size}
				if filtered {
					s.size, s.skipped = e.uint(e.left()-4), e.u32()
				}
				if s.addr != undefined {
					found[int64(first+i)] = s
				}
			}
			if c.err != nil {
				return c.err
			}
		}
		at += n*entry + 4
	}
	return nil
}
