package message

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Everything that messages hold is checked before the library sees it. The library trusts metadata:
// a list in it that claims a billion entries gets the memory for them before one is read. So
// tables, strings and vectors must lie within the metadata, as a FlatBuffers verifier has it.
//
// The layouts are those of Message.fbs and Schema.fbs of the Arrow format; fields are counted from
// 0.

// maxFields bounds the fields of a schema: as many as a CSV file may have columns. maxNesting
// bounds how deep fields nest.
const (
	maxFields  = 1 << 20
	maxNesting = 64
)

// The bounds of how often parts are visited. In a FlatBuffer a part may be referred to from several
// places, so a few megabytes could be a field with a million properties, a million times over. A
// table takes at least four bytes, and each reference to it four more. Writers share nothing but
// texts, if at all.
const (
	tableBytes  = 8
	sharedTexts = 16
)

var (
	errMetadata = errors.New("metadata that reaches beyond itself")
	errShared   = errors.New("metadata whose parts stand in too many places")
	errBuffers  = errors.New("a column of more buffers than there are")
	errFields   = fmt.Errorf("a schema of more than %d fields", maxFields)
	errNesting  = fmt.Errorf("a schema that nests deeper than %d levels", maxNesting)
)

// flat is a FlatBuffer that is being checked. err is the first fault.
type flat struct {
	b      []byte
	fields int    // seen so far
	tables int    // tables seen so far
	values uint64 // bytes of vectors and texts seen so far
	// packed lists the compressed buffers of a batch: for each, its place in the body and its
	// length.
	packed []byte
	err    error
}

// flatTable is a table at b[at:], with its vtable.
type flatTable struct {
	f      *flat
	at     uint64
	vtable []byte
}

func (f *flat) fail() { f.failWith(errMetadata) }

func (f *flat) failWith(err error) {
	if f.err == nil {
		f.err = err
	}
}

// bytes returns n bytes at a place, or fails.
func (f *flat) bytes(at, n uint64) []byte {
	if f.err != nil || at > uint64(len(f.b)) || n > uint64(len(f.b))-at {
		f.fail()
		return make([]byte, min(n, 8))
	}
	return f.b[at : at+n]
}

func (f *flat) u32(at uint64) uint64 { return uint64(binary.LittleEndian.Uint32(f.bytes(at, 4))) }

// table returns the table at a place.
func (f *flat) table(at uint64) flatTable {
	t := flatTable{f: f, at: at}
	if f.tables++; f.tables > len(f.b)/tableBytes+64 {
		f.failWith(errShared)
	}
	// The vtable lies before or after the table, at a signed distance.
	v := int64(at) - int64(int32(binary.LittleEndian.Uint32(f.bytes(at, 4)))) //nolint:gosec // places are within a slice
	if v < 0 || f.err != nil {
		f.fail()
		return t
	}
	size := uint64(binary.LittleEndian.Uint16(f.bytes(uint64(v), 2)))
	if size < 4 || size%2 != 0 {
		f.fail()
		return t
	}
	t.vtable = f.bytes(uint64(v), size)
	if f.err != nil {
		t.vtable = nil
		return t
	}
	f.bytes(at, uint64(binary.LittleEndian.Uint16(t.vtable[2:])))
	return t
}

// field returns the place of field i, which has the given size; ok is false where the table lacks
// it.
func (t flatTable) field(i, size int) (at uint64, ok bool) {
	o := 4 + 2*i
	if t.f.err != nil || o+2 > len(t.vtable) {
		return 0, false
	}
	off := uint64(binary.LittleEndian.Uint16(t.vtable[o:]))
	if off == 0 {
		return 0, false
	}
	t.f.bytes(t.at+off, uint64(size)) //nolint:gosec // sizes are constants
	return t.at + off, t.f.err == nil
}

// ref returns the place that field i, an offset, refers to.
func (t flatTable) ref(i int) (at uint64, ok bool) {
	at, ok = t.field(i, 4)
	if !ok {
		return 0, false
	}
	return at + t.f.u32(at), t.f.err == nil
}

// vector checks a vector of values of the given size, and returns the place of the first one and
// their number.
func (t flatTable) vector(i int, size uint64) (at, n uint64) {
	at, ok := t.ref(i)
	if !ok {
		return 0, 0
	}
	n = t.f.u32(at)
	t.f.bytes(at+4, n*size)
	if t.f.values += n * size; t.f.values > sharedTexts*uint64(len(t.f.b))+1<<20 {
		t.f.failWith(errShared)
	}
	if t.f.err != nil {
		return 0, 0
	}
	return at + 4, n
}

// each calls check with each table of field i, a vector of tables.
func (t flatTable) each(i int, check func(flatTable)) {
	at, n := t.vector(i, 4)
	for k := range n {
		if t.f.err != nil {
			return
		}
		place := at + 4*k
		check(t.f.table(place + t.f.u32(place)))
	}
}

func (t flatTable) scalar(i, size int) { t.field(i, size) }

// int64 returns field i, 0 where it is not there.
func (t flatTable) int64(i int) int64 {
	at, ok := t.field(i, 8)
	if !ok {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(t.f.b[at:])) //nolint:gosec // users refuse negative ones
}

func (t flatTable) string(i int) { t.vector(i, 1) }

// Numbers of MessageHeader.
const (
	headerSchema     = 1
	headerDictionary = 2
	headerBatch      = 3
)

// metadata is what verify finds in a message's metadata.
type metadata struct {
	kind       byte   // number of MessageHeader
	body       int64  // bytes of the message's body
	packed     []byte // which of its buffers are compressed: their places and sizes
	rows       int64  // of a record batch
	dictionary int64  // number of a dictionary
	delta      bool   // the dictionary's values are added to those it has
}

// verify checks a message's metadata.
func verify(meta []byte) (out metadata, err error) {
	f := &flat{b: meta}
	m := f.table(f.u32(0))
	m.scalar(0, 2)
	if at, ok := m.field(1, 1); ok {
		out.kind = meta[at]
	}
	out.body = m.int64(3)
	m.each(4, keyValue)
	if at, ok := m.ref(2); ok {
		header := f.table(at)
		switch out.kind {
		case headerSchema:
			schema(header)
		case headerBatch:
			recordBatch(header)
			out.rows = header.int64(0)
		case headerDictionary:
			out.dictionary = header.int64(0)
			if at, ok := header.field(2, 1); ok {
				out.delta = meta[at] != 0
			}
			if data, ok := header.ref(1); ok {
				recordBatch(f.table(data))
			} else {
				f.fail()
			}
		}
	} else {
		f.fail()
	}
	if f.err == nil && out.body < 0 {
		f.fail()
	}
	out.packed = f.packed
	return out, f.err
}

func keyValue(t flatTable) {
	t.string(0)
	t.string(1)
}

func schema(t flatTable) {
	t.scalar(0, 2)
	t.each(1, func(c flatTable) { fieldTable(c, 0) })
	t.each(2, keyValue)
	t.vector(3, 8)
}

func fieldTable(t flatTable, depth int) {
	t.f.fields++
	switch {
	case t.f.fields > maxFields:
		t.f.failWith(errFields)
	case depth > maxNesting:
		t.f.failWith(errNesting)
	}
	if t.f.err != nil {
		return
	}
	t.string(0)
	t.scalar(1, 1)
	t.scalar(2, 1)
	if at, ok := t.ref(3); ok {
		typeTable(t.f.table(at), t)
	}
	if at, ok := t.ref(4); ok {
		d := t.f.table(at)
		d.scalar(0, 8)
		d.scalar(2, 1)
		d.scalar(3, 2)
		if index, ok := d.ref(1); ok {
			i := t.f.table(index)
			i.scalar(0, 4)
			i.scalar(1, 1)
		}
	}
	t.each(5, func(c flatTable) { fieldTable(c, depth+1) })
	t.each(6, keyValue)
}

// Numbers of Type whose tables hold more than scalars.
const (
	typeTimestamp = 10
	typeUnion     = 14
)

// typeTable checks the table of a type. Tables of scalars have at most three of them, of at most
// four bytes each.
func typeTable(t, owner flatTable) {
	kind := byte(0)
	if at, ok := owner.field(2, 1); ok {
		kind = t.f.b[at]
	}
	switch kind {
	case typeTimestamp:
		t.scalar(0, 2)
		t.string(1)
	case typeUnion:
		t.scalar(0, 2)
		t.vector(1, 4)
	default:
		for i := range 3 {
			if at, ok := t.field(i, 1); ok {
				t.f.bytes(at, min(4, uint64(len(t.f.b))-at))
			}
		}
	}
}

func recordBatch(t flatTable) {
	t.scalar(0, 8)
	t.vector(1, 16)
	buffers, n := t.vector(2, 16)
	// Columns of views say how many buffers they have: the library makes room for that many.
	views, columns := t.vector(4, 8)
	for left := n; columns > 0 && t.f.err == nil; views, columns = views+8, columns-1 {
		count := binary.LittleEndian.Uint64(t.f.bytes(views, 8))
		if count > left {
			t.f.failWith(errBuffers)
		}
		left -= count
	}
	if at, ok := t.ref(3); ok {
		c := t.f.table(at)
		c.scalar(0, 1)
		c.scalar(1, 1)
		t.f.packed = t.f.bytes(buffers, 16*n)
	}
}

const (
	// largeBatch bounds the decompressed buffers of a batch together, where they are more than
	// largeRatio times as large as they are stored.
	largeBatch = 256 << 20
	largeRatio = 16
	// maxBuffer bounds what one buffer claims, so that the sum of all fits an int64.
	maxBuffer = 1 << 40
)

// checkPacked checks the decompressed sizes that compressed buffers claim, and returns their sum.
// The library takes that much memory, and reads no more than that.
func checkPacked(packed, body []byte) (sum int64, err error) {
	const length = 8 // of the size before the compressed bytes; -1: the bytes are not compressed
	var stored int64
	for ; len(packed) > 0; packed = packed[16:] {
		at, size := int64(binary.LittleEndian.Uint64(packed)), int64(binary.LittleEndian.Uint64(packed[8:])) //nolint:gosec // negative ones are refused
		if size == 0 {
			continue
		}
		if at < 0 || size < length || at > int64(len(body))-size {
			return 0, errors.New("a buffer that lies outside its batch")
		}
		n := int64(binary.LittleEndian.Uint64(body[at:])) //nolint:gosec // negative ones are refused
		if n < -1 || n > maxBuffer {
			return 0, fmt.Errorf("a compressed buffer that would become %d bytes", n)
		}
		if n > 0 {
			sum, stored = sum+n, stored+size
		}
	}
	if sum > largeBatch && sum/largeRatio > stored {
		return 0, fmt.Errorf("compressed buffers of %d bytes would become %d; at most %d are read in a batch, or %d times as many as are stored", stored, sum, int64(largeBatch), largeRatio)
	}
	return sum, nil
}
