package parquet

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"

	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/thrift"
)

// encoding is a way to store the values of a page.
type encoding int32

const (
	plain                 encoding = 0
	plainDictionary       encoding = 2
	runLength             encoding = 3
	bitPacked             encoding = 4
	deltaBinaryPacked     encoding = 5
	deltaLengthByteArray  encoding = 6
	deltaByteArray        encoding = 7
	dictionaryEncoding    encoding = 8
	byteStreamSplit       encoding = 9
	firstEncodingNotKnown encoding = 10
)

const (
	// maxPageValues bounds the values of a page: a run stores any number of equal ones in a few
	// bytes, and each takes up to 16 bytes of memory.
	maxPageValues = 32 << 20
	// maxHeader bounds a page's header, which may hold the smallest and the largest string of the
	// page.
	maxHeader = 16 << 20
)

// page is a page of a chunk, decompressed.
type page struct {
	pageHeader
	rep, def []byte // levels that are stored apart from the values
	data     []byte
}

// pageHeader is the header before a page.
type pageHeader struct {
	kind                     int32
	unpacked, packed         int32 // bytes
	sum                      int32
	hasSum                   bool
	values                   int // entries, null or not
	encoding                 encoding
	defEncoding, repEncoding encoding
	v2                       bool
	defBytes, repBytes       int32 // bytes of levels, which are not compressed
	stored                   bool  // the values are not compressed
}

// Kinds of pages.
const (
	kindData       = 0
	kindIndex      = 1
	kindDictionary = 2
	kindDataV2     = 3
)

// pages reads the pages of a chunk one after the other.
type pages struct {
	f    *files.File
	c    *chunk
	at   int64 // place of the next page
	last int64 // place where the chunk ends, by its metadata
	end  int64 // place of the footer's end
	left int64 // entries of the pages to come
	// always: pages of the second version are compressed, even if their headers say that they are
	// not. Some writers are known for that.
	always bool
	head   []byte // bytes of headers that were read, from place headAt on
	headAt int64
	room   []byte // memory for decompressed pages
}

// open sets the reader to the pages of a chunk.
func (p *pages) open(f *files.File, c *chunk, always bool) error {
	start := c.data
	if c.dictionary > 0 && c.dictionary < start {
		start = c.dictionary
	}
	switch {
	case c.elsewhere:
		return errors.New("the column lies in another file, which is not read")
	case c.encrypted:
		return errors.New("the column is encrypted; such columns are not read")
	case start < int64(len(magic)) || c.compressed < 0 || start > f.Size || c.compressed > f.Size-start:
		return errors.New("the file is damaged: a column lies outside of it")
	case c.values < 0:
		return fmt.Errorf("the file is damaged: a column of %d values", c.values)
	}
	p.f, p.c, p.at, p.last, p.end, p.left, p.always = f, c, start, start+c.compressed, f.Size-int64(footerTail), c.values, always
	p.head = p.head[:0]
	return nil
}

// next reads the next page, of a dictionary or of data. After the last one it returns io.EOF. The
// last page is the one that completes the chunk's entries, or, as some writers count entries
// wrongly, the one that ends the chunk's bytes.
func (p *pages) next() (*page, error) {
	for p.left > 0 && p.at != p.last {
		out := new(page)
		if err := p.header(&out.pageHeader); err != nil {
			return nil, err
		}
		if out.kind == kindIndex {
			p.at += int64(out.packed)
			continue
		}
		if err := p.body(out); err != nil {
			return nil, err
		}
		if out.kind != kindDictionary {
			p.left -= int64(out.values)
		}
		return out, nil
	}
	return nil, io.EOF
}

// header reads the header of the next page.
func (p *pages) header(h *pageHeader) error {
	const step = 4 << 10
	for want := step; ; want *= 4 {
		b, err := p.peek(want)
		if err != nil {
			return err
		}
		*h = pageHeader{kind: missing, packed: missing, unpacked: missing, values: missing, encoding: missing}
		r := thrift.NewReader(b)
		h.read(r)
		switch {
		case r.Err == nil:
			p.at += int64(r.At())
			return h.check(p)
		case !errors.Is(r.Err, thrift.ErrShort) || want >= maxHeader:
			return fmt.Errorf("the file is damaged: a page's header: %w", r.Err)
		case int64(len(b)) == p.end-p.at:
			return errors.New("the file is damaged: a column has fewer pages than values")
		}
	}
}

// peek returns up to n bytes from the place of the next page on.
func (p *pages) peek(n int) ([]byte, error) {
	n = int(min(int64(n), max(p.end-p.at, 0)))
	if from := p.at - p.headAt; from >= 0 && from+int64(n) <= int64(len(p.head)) {
		return p.head[from : from+int64(n)], nil
	}
	p.head = slices.Grow(p.head[:0], n)[:n]
	p.headAt = p.at
	_, err := p.f.ReadAt(p.head, p.at)
	return p.head, err
}

func (h *pageHeader) read(r *thrift.Reader) {
	r.Struct(func(id int16, t thrift.Type) {
		switch {
		case id == 1 && t == thrift.I32:
			h.kind = r.Int32()
		case id == 2 && t == thrift.I32:
			h.unpacked = r.Int32()
		case id == 3 && t == thrift.I32:
			h.packed = r.Int32()
		case id == 4 && t == thrift.I32:
			h.sum, h.hasSum = r.Int32(), true
		case (id == 5 || id == 7) && t == thrift.Struct:
			h.numbers(r, []*encoding{2: &h.encoding, 3: &h.defEncoding, 4: &h.repEncoding})
		case id == 8 && t == thrift.Struct:
			h.v2 = true
			h.second(r)
		default:
			r.Skip(t)
		}
	})
}

// numbers reads the header of a page of a dictionary, or of a data page of the first version.
func (h *pageHeader) numbers(r *thrift.Reader, encodings []*encoding) {
	r.Struct(func(id int16, t thrift.Type) {
		switch {
		case t != thrift.I32 || id < 1 || int(id) >= len(encodings):
			r.Skip(t)
		case id == 1:
			h.values = int(r.Int32())
		default:
			*encodings[id] = encoding(r.Int32())
		}
	})
}

// second reads the header of a data page of the second version.
func (h *pageHeader) second(r *thrift.Reader) {
	r.Struct(func(id int16, t thrift.Type) {
		switch {
		case id == 1 && t == thrift.I32:
			h.values = int(r.Int32())
		case id == 4 && t == thrift.I32:
			h.encoding = encoding(r.Int32())
		case id == 5 && t == thrift.I32:
			h.defBytes = r.Int32()
		case id == 6 && t == thrift.I32:
			h.repBytes = r.Int32()
		case id == 7:
			h.stored = t == thrift.False
		default:
			r.Skip(t)
		}
	})
}

// check refuses impossible sizes in a header.
func (h *pageHeader) check(p *pages) error {
	becomes, size := int64(h.unpacked), int64(h.packed)
	levels := int64(h.defBytes) + int64(h.repBytes)
	switch {
	case size < 0 || size > p.end-p.at:
		return errors.New("the file is damaged: a page is longer than the file")
	case becomes < 0:
		return fmt.Errorf("the file is damaged: a page that becomes %d bytes", becomes)
	case h.kind < kindData || h.kind > kindDataV2:
		return fmt.Errorf("the file is damaged: a page of kind %d", h.kind)
	case h.kind == kindIndex:
		return nil
	case h.values < 0:
		return fmt.Errorf("the file is damaged: a page of %d values", h.values)
	case h.values > maxPageValues:
		return fmt.Errorf("a page of %d values; at most %d are read", h.values, maxPageValues)
	case h.defBytes < 0 || h.repBytes < 0 || levels > size || levels > becomes:
		return errors.New("the file is damaged: a page whose levels are longer than itself")
	case becomes > largePage && becomes/largeRatio > size:
		return fmt.Errorf("a page of %d bytes would become %d; at most %d are read, or %d times as many as are stored", size, becomes, int64(largePage), largeRatio)
	}
	return nil
}

// packedRooms are buffers for pages before they are decompressed.
var packedRooms = sync.Pool{New: func() any { return new([]byte) }}

// body reads and decompresses a page.
func (p *pages) body(out *page) error {
	size := int(out.packed)
	room, _ := packedRooms.Get().(*[]byte)
	defer packedRooms.Put(room)
	stored := p.c.codec == uncompressed || out.stored && !p.always
	if stored {
		// An uncompressed page stays in the buffer, so it needs one of its own.
		room = &p.room
	}
	*room = slices.Grow((*room)[:0], size)[:size]
	if n, err := p.f.ReadAt(*room, p.at); n < size {
		return err
	}
	p.at += int64(size)
	b := *room
	if out.hasSum && crc32.ChecksumIEEE(b) != uint32(out.sum) { //nolint:gosec // the bits are meant
		return errors.New("the file is damaged: the checksum of a page does not match")
	}
	if out.v2 {
		out.rep, b = b[:out.repBytes:out.repBytes], b[out.repBytes:]
		out.def, b = b[:out.defBytes:out.defBytes], b[out.defBytes:]
	}
	if stored {
		out.data = b
		return nil
	}
	levels := int(out.repBytes + out.defBytes)
	rest, err := unpackBytes(p.c.codec, p.room[:0], b, int(out.unpacked)-levels)
	if errors.Is(err, errUnpacked) {
		return fmt.Errorf("the file is damaged: a page of %d bytes does not become the %d that its header tells", size, out.unpacked)
	}
	if err != nil {
		return err
	}
	p.room, out.data = rest, rest
	if out.v2 {
		out.rep, out.def = slices.Clone(out.rep), slices.Clone(out.def)
	}
	return nil
}
