package savedmodel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/snappy"
)

// The index of a checkpoint is a table of sorted keys in LevelDB's format
// (tensorflow/core/lib/io/table_format.txt): data blocks, an index block with a handle to each, and
// a footer with a handle to the index block. A handle is two varints, offset and size; behind each
// block stand a byte for its compression and a masked CRC-32C of both.
const (
	tableFooterSize  = 48
	tableTrailerSize = 5
	tableMagic       = 0xdb4775248b80fb57
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC returns the checksum of b as TensorFlow stores it: masked, so that a checksum over data
// with checksums stays sound (crc32c::Mask).
func maskedCRC(crc uint32) uint32 { return (crc>>15 | crc<<17) + 0xa282ead8 }

var errNotATable = errors.New("not a checkpoint index, or cut off: it does not end with the table format's mark")

// Bytes that the keys of a table may come to, written out: keysFree, and keysPerByte for each byte
// of the table. A key is stored as what differs from the one before it, so a table of 300 KB can
// have gigabytes of keys. Names of variables share some three quarters with their neighbours.
const (
	keysFree    = 16 << 20
	keysPerByte = 16
)

// eachEntry calls f with every key and value of the table, in the file's order. Neither may be
// kept: they are reused.
//
// Blocks follow each other in the file and keys ascend, as in every table that TensorFlow writes.
// So no byte is read twice, however many handles the index holds.
func eachEntry(table []byte, f func(key, value []byte) error) error {
	if len(table) < tableFooterSize {
		return errNotATable
	}
	footer := table[len(table)-tableFooterSize:]
	if binary.LittleEndian.Uint64(footer[tableFooterSize-8:]) != tableMagic {
		return errNotATable
	}
	_, rest, err := blockHandle(footer) // of the metaindex block, which TensorFlow leaves empty
	if err != nil {
		return err
	}
	handle, _, err := blockHandle(rest)
	if err != nil {
		return err
	}
	index, err := readBlock(table, handle)
	if err != nil {
		return fmt.Errorf("index block: %w", err)
	}
	w := tableWalk{left: keysFree + keysPerByte*len(table), f: f}
	read := uint64(0) // up to here
	return eachInBlock(index, func(_, value []byte) error {
		handle, _, err := blockHandle(value)
		if err != nil {
			return err
		}
		if handle.offset < read {
			return fmt.Errorf("damaged: the block at byte %d lies before the end of another", handle.offset)
		}
		block, err := readBlock(table, handle)
		if err != nil {
			return fmt.Errorf("data block: %w", err)
		}
		read = handle.offset + handle.size
		return eachInBlock(block, w.entry)
	})
}

// tableWalk is a walk over the entries of a table.
type tableWalk struct {
	f    func(key, value []byte) error
	last []byte // the key before; nil before the first
	left int    // bytes that keys may still come to
}

// entry hands on an entry whose key is in its place.
func (w *tableWalk) entry(key, value []byte) error {
	if w.left -= len(key); w.left < 0 {
		return errors.New("damaged: its keys are many times as long as the file")
	}
	if w.last != nil && bytes.Compare(key, w.last) <= 0 {
		return fmt.Errorf("damaged: the entry %.200q stands behind %.200q", key, w.last)
	}
	w.last = append(w.last[:0], key...)
	if w.last == nil {
		w.last = []byte{} // the header's key, which is empty
	}
	return w.f(key, value)
}

// handle is the place of a block in a table.
type handle struct{ offset, size uint64 }

// blockHandle reads a handle and returns what follows it.
func blockHandle(b []byte) (h handle, rest []byte, err error) {
	var n, m int
	h.offset, n = binary.Uvarint(b)
	if n > 0 {
		h.size, m = binary.Uvarint(b[n:])
	}
	if n <= 0 || m <= 0 {
		return h, nil, errors.New("damaged: a block's place cannot be read")
	}
	return h, b[n+m:], nil
}

// The compression of a block. TensorFlow reads both ever since checkpoints have such an index, and
// wrote the first until release 1.15.
const (
	blockSnappy = 1
	blockPlain  = 0
)

// readBlock returns a block's contents after a look at its checksum.
func readBlock(table []byte, h handle) ([]byte, error) {
	limit := uint64(len(table) - tableFooterSize)
	if h.offset > limit || h.size > limit-h.offset || limit-h.offset-h.size < tableTrailerSize {
		return nil, fmt.Errorf("damaged: a block of %d bytes at byte %d lies outside the file", h.size, h.offset)
	}
	// with the compression's byte, which the checksum covers
	block := table[h.offset : h.offset+h.size+1]
	stored := binary.LittleEndian.Uint32(table[h.offset+h.size+1:])
	if maskedCRC(crc32.Checksum(block, castagnoli)) != stored {
		return nil, fmt.Errorf("damaged: the checksum of the block at byte %d does not match", h.offset)
	}
	switch c := block[h.size]; c {
	case blockPlain:
		return block[:h.size], nil
	case blockSnappy:
		return inflate(block[:h.size], h.offset)
	default:
		return nil, fmt.Errorf("the block at byte %d is compressed in a way (%d) that TensorFlow does not know", h.offset, c)
	}
}

// maxRatio bounds how often its own size a compressed block may unfold to. Snappy's copies make up
// to 64 bytes of 3.
const maxRatio = 22

// inflate unfolds a block that Snappy compressed.
func inflate(block []byte, offset uint64) ([]byte, error) {
	n, err := snappy.DecodedLen(block)
	if err == nil && n > maxRatio*len(block) {
		err = fmt.Errorf("%d bytes cannot unfold to %d", len(block), n)
	}
	var out []byte
	if err == nil {
		out, err = snappy.Decode(nil, block)
	}
	if err != nil {
		return nil, fmt.Errorf("damaged: the compressed block at byte %d: %v", offset, err) //nolint:errorlint // the library's own words
	}
	return out, nil
}

// eachInBlock walks a block's entries. A key is stored as what it shares with the key before it,
// and what it does not.
func eachInBlock(block []byte, f func(key, value []byte) error) error {
	if len(block) < 4 {
		return errors.New("damaged: a block is too short")
	}
	restarts := uint64(binary.LittleEndian.Uint32(block[len(block)-4:]))
	if restarts*4+4 > uint64(len(block)) {
		return errors.New("damaged: a block's restart points lie outside it")
	}
	entries := block[:uint64(len(block))-4-restarts*4]
	var key []byte
	for len(entries) > 0 {
		var sizes [3]uint64 // shared and other bytes of the key, bytes of the value
		for i := range sizes {
			v, n := binary.Uvarint(entries)
			if n <= 0 {
				return errors.New("damaged: an entry's sizes cannot be read")
			}
			sizes[i], entries = v, entries[n:]
		}
		shared, own, value := sizes[0], sizes[1], sizes[2]
		if shared > uint64(len(key)) || own > uint64(len(entries)) || value > uint64(len(entries))-own {
			return errors.New("damaged: an entry reaches beyond its block")
		}
		key = append(key[:shared], entries[:own]...)
		if err := f(key, entries[own:own+value]); err != nil {
			return err
		}
		entries = entries[own+value:]
	}
	return nil
}

// sliceKey decodes the key of one slice of a partitioned variable
// (checkpoint::EncodeTensorNameSlice): the number 0, the name, the rank and a pair of start and
// length for each axis, in the ordered code. ok is false for any other key.
func sliceKey(key []byte) (name string, extents []extent, ok bool) {
	rest, found := bytes.CutPrefix(key, []byte{0})
	if !found || len(rest) == 0 {
		return "", nil, false
	}
	raw, rest, ok := orderedString(rest)
	if !ok {
		return "", nil, false
	}
	rank, rest, ok := orderedUint(rest)
	if !ok || rank > uint64(len(rest)) {
		return "", nil, false
	}
	for range rank {
		var e extent
		if e.start, rest, ok = orderedInt(rest); !ok {
			return "", nil, false
		}
		if e.length, rest, ok = orderedInt(rest); !ok {
			return "", nil, false
		}
		extents = append(extents, e)
	}
	return string(raw), extents, len(rest) == 0
}

// extent is the part of one axis that a slice holds. A length of -1 is the whole axis.
type extent struct{ start, length int64 }

// orderedString reads OrderedCode::WriteString: 0 and 255 are escaped, 0x00 0x01 ends it.
func orderedString(b []byte) (s, rest []byte, ok bool) {
	for i := 0; i+1 < len(b); i++ {
		switch {
		case b[i] == 0 && b[i+1] == 1:
			return s, b[i+2:], true
		case b[i] == 0 && b[i+1] == 0xff:
			s, i = append(s, 0), i+1
		case b[i] == 0xff && b[i+1] == 0:
			s, i = append(s, 0xff), i+1
		case b[i] == 0 || b[i] == 0xff:
			return nil, nil, false
		default:
			s = append(s, b[i])
		}
	}
	return nil, nil, false
}

// orderedUint reads OrderedCode::WriteNumIncreasing: a byte with the number of bytes, then these,
// highest first.
func orderedUint(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] > 8 || int(b[0]) >= len(b)+0 && b[0] != 0 || len(b) < int(b[0])+1 {
		return 0, nil, false
	}
	for _, c := range b[1 : 1+b[0]] {
		v = v<<8 | uint64(c)
	}
	return v, b[1+b[0]:], true
}

// orderedInt reads OrderedCode::WriteSignedNumIncreasing: a big-endian two's complement number
// whose length is written in its leading bits, as in UTF-8: n bytes have n-1 ones after the sign,
// inverted for negative numbers.
func orderedInt(b []byte) (v int64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	var flip byte
	if b[0]&0x80 == 0 {
		flip = 0xff
	}
	n := 0 // leading ones
	for n < 10 && n/8 < len(b) && (b[n/8]^flip)&(0x80>>(n%8)) != 0 {
		n++
	}
	if n == 0 || n > 9 || n > len(b) {
		return 0, nil, false
	}
	var u uint64
	for i, c := range b[:n] {
		c ^= flip
		if i == 0 {
			c &= byte(0xff) >> min(n, 8)
		}
		if i == 1 && n > 8 {
			c &= byte(0xff) >> (n - 8)
		}
		u = u<<8 | uint64(c)
	}
	v = int64(u)
	if flip != 0 {
		v = ^v
	}
	return v, b[n:], true
}
