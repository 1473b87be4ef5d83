package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// dictionaryPage reads the page of a dictionary. Later pages refer to its values by their indexes.
func (r *reader) dictionaryPage(p *page) error {
	if p.encoding != plain && p.encoding != plainDictionary {
		return fmt.Errorf("a dictionary has the encoding %d, which is not known", p.encoding)
	}
	if err := r.decode(plain, p.data, p.values); err != nil {
		return fmt.Errorf("dictionary: %w", err)
	}
	r.dictSize = p.values
	r.dictData, r.dictStrs = append(r.dictData[:0], r.data...), append(r.dictStrs[:0], r.strs...)
	r.data, r.strs = nil, nil
	return nil
}

// dataPage reads a page of values with their levels.
func (r *reader) dataPage(p *page) error {
	data, n, err := r.levels(p)
	if err != nil {
		return err
	}
	return r.decode(p.encoding, data, n)
}

// levels reads the levels of a page. It returns the bytes after them and the number of values that
// are not null.
func (r *reader) levels(p *page) (data []byte, n int, err error) {
	data, n = p.data, p.values
	r.def, r.rep = nil, nil
	if r.leaf.rep > 0 {
		r.repRoom = slices.Grow(r.repRoom[:0], p.values)[:p.values]
		if data, _, err = readLevels(r.repRoom, p.rep, data, p.repEncoding, r.leaf.rep); err != nil {
			return nil, 0, fmt.Errorf("repetition levels: %w", err)
		}
		r.rep = r.repRoom
	}
	if r.maxDef() > 0 {
		r.defRoom = slices.Grow(r.defRoom[:0], p.values)[:p.values]
		if data, n, err = readLevels(r.defRoom, p.def, data, p.defEncoding, r.maxDef()); err != nil {
			return nil, 0, fmt.Errorf("definition levels: %w", err)
		}
		if r.rep != nil || n < p.values {
			r.def = r.defRoom // otherwise no value is null, and the levels are not needed
		}
	}
	return data, n, nil
}

// readLevels reads levels from own, or, where own is nil, from the beginning of data. It returns
// what follows them in data, and how many levels are the highest (full).
func readLevels(dst, own, data []byte, e encoding, most int) (rest []byte, full int, err error) {
	width := bitsFor(most)
	switch {
	case own != nil:
	case e == bitPacked:
		full, rest, err = bitPackedLevels(dst, data, width, most)
		return rest, full, err
	case e != runLength:
		return nil, 0, fmt.Errorf("levels have the encoding %d, which is not known", e)
	default:
		const length = 4
		if len(data) < length {
			return nil, 0, errShort
		}
		n := int64(binary.LittleEndian.Uint32(data))
		if n > int64(len(data)-length) {
			return nil, 0, errShort
		}
		own, data = data[length:length+n], data[length+n:]
	}
	full, err = (&runs{b: own, width: width}).levels(dst, most)
	return data, full, err
}

// bitsFor returns how many bits levels of at most the given value have.
func bitsFor(most int) int {
	n := 0
	for ; most > 0; most >>= 1 {
		n++
	}
	return n
}

// decode reads n values of an encoding from b.
func (r *reader) decode(e encoding, b []byte, n int) error {
	if e == plainDictionary || e == dictionaryEncoding {
		return r.lookup(b, n)
	}
	r.strings = r.strings[:0]
	raw, err := r.physicalValues(e, b, n)
	if err != nil {
		return err
	}
	switch {
	case r.convert != nil:
		err = r.converted(raw, n)
	case r.width == 0 && r.physical == fixedArrays && e != deltaByteArray:
		r.fixedStrings(raw, n)
	default:
		r.data = raw
	}
	r.strs = r.strings
	return err
}

// physicalValues reads n values as the file stores them. Strings go to r.strs; others are returned
// side by side.
func (r *reader) physicalValues(e encoding, b []byte, n int) ([]byte, error) {
	size := r.size()
	switch {
	case e == plain && r.physical == boolean:
		return r.bitmap(b, n)
	case e == plain && r.physical == byteArrays:
		return nil, r.plainStrings(b, n)
	case e == plain:
		if size > 0 && n > len(b)/size {
			return nil, errShort
		}
		return b[:n*size], nil
	case e == runLength && r.physical == boolean:
		return r.runBooleans(b, n)
	case e == deltaBinaryPacked && (r.physical == int32s || r.physical == int64s):
		return r.deltaIntegers(b, n)
	case e == deltaLengthByteArray && r.physical == byteArrays:
		return nil, r.deltaLengths(b, n)
	case e == deltaByteArray && r.physical == byteArrays:
		return nil, r.deltaStrings(b, n)
	case e == deltaByteArray && r.physical == fixedArrays:
		return r.deltaFixed(b, n)
	case e == byteStreamSplit && size > 0 && r.physical != boolean:
		return r.streams(b, n, size)
	case e < 0 || e >= firstEncodingNotKnown:
		return nil, fmt.Errorf("the encoding %d is not known", e)
	}
	return nil, fmt.Errorf("values of type %s have the encoding %d, which is not theirs", r.physical, e)
}

// size returns the number of bytes of a physical value, 0 where sizes differ.
func (r *reader) size() int {
	switch r.physical {
	case boolean:
		return 1
	case int32s, floats:
		return 4
	case int64s, doubles:
		return 8
	case int96s:
		return 12
	case fixedArrays:
		return int(r.length)
	}
	return 0
}

// room returns n bytes of the reader's memory.
func (r *reader) room(n int) []byte {
	r.scratch = slices.Grow(r.scratch[:0], n)[:n]
	return r.scratch
}

// bitmap reads booleans of one bit each.
func (r *reader) bitmap(b []byte, n int) ([]byte, error) {
	if n > 8*len(b) {
		return nil, errShort
	}
	out := r.room(n)
	for i := range out {
		out[i] = b[i/8] >> (i % 8) & 1
	}
	return out, nil
}

// runBooleans reads booleans in runs; the length of the runs comes before them.
func (r *reader) runBooleans(b []byte, n int) ([]byte, error) {
	const length = 4
	if n == 0 {
		return nil, nil
	}
	if len(b) < length || int64(binary.LittleEndian.Uint32(b)) > int64(len(b)-length) {
		return nil, errShort
	}
	b = b[length : length+binary.LittleEndian.Uint32(b)]
	out := r.room(n)
	_, err := (&runs{b: b, width: 1}).levels(out, 1)
	return out, err
}

// plainStrings reads strings that each follow their length. They share the memory of one copy.
func (r *reader) plainStrings(b []byte, n int) error {
	const length = 4
	all := string(b)
	for range n {
		if len(all) < length {
			return errShort
		}
		size := int64(binary.LittleEndian.Uint32(b))
		if size > int64(len(all)-length) {
			return errShort
		}
		r.strings = append(r.strings, all[length:length+size])
		all, b = all[length+size:], b[length+size:]
	}
	return nil
}

// fixedStrings makes strings of byte arrays of one length.
func (r *reader) fixedStrings(b []byte, n int) {
	size := int(r.length)
	all := string(b)
	for i := range n {
		r.strings = append(r.strings, all[i*size:(i+1)*size])
	}
}

func (r *reader) deltaIntegers(b []byte, n int) (_ []byte, err error) {
	if r.ints, _, err = deltas(r.ints[:0], b, n); err != nil {
		return nil, err
	}
	if len(r.ints) < n {
		return nil, errShort
	}
	if r.physical == int64s {
		out := r.room(8 * n)
		for i, v := range r.ints {
			binary.LittleEndian.PutUint64(out[8*i:], uint64(v)) //nolint:gosec // the bits are meant
		}
		return out, nil
	}
	out := r.room(4 * n)
	for i, v := range r.ints {
		binary.LittleEndian.PutUint32(out[4*i:], uint32(v)) //nolint:gosec // sums wrap around
	}
	return out, nil
}

// deltaFixed reads byte arrays of one length in the encoding of strings.
func (r *reader) deltaFixed(b []byte, n int) ([]byte, error) {
	if err := r.deltaStrings(b, n); err != nil {
		return nil, err
	}
	for _, s := range r.strings {
		if len(s) != int(r.length) {
			return nil, fmt.Errorf("want values of %d bytes, got one of %d", r.length, len(s))
		}
	}
	if r.width == 0 {
		return nil, nil
	}
	out := r.room(n * int(r.length))[:0]
	for _, s := range r.strings {
		out = append(out, s...)
	}
	r.strings = r.strings[:0]
	return out, nil
}

// streams reads values in the encoding that stores all first bytes, then all second ones, and so
// on.
func (r *reader) streams(b []byte, n, size int) ([]byte, error) {
	all := len(b) / size // some of these may be padding
	if n > all {
		return nil, errShort
	}
	out := r.room(n * size)
	for k := range size {
		stream := b[k*all : k*all+n]
		for i, v := range stream {
			out[i*size+k] = v
		}
	}
	return out, nil
}

// converted makes the column's values out of physical ones: those in raw, or the strings.
func (r *reader) converted(raw []byte, n int) (err error) {
	out := make([]byte, 0, n*r.width)
	size := r.size()
	for i := range n {
		if r.physical == byteArrays {
			out, err = r.convert(out, []byte(r.strings[i]))
		} else {
			out, err = r.convert(out, raw[i*size:(i+1)*size])
		}
		if err != nil {
			return err
		}
	}
	r.data, r.strings = out, r.strings[:0]
	return nil
}

// lookup reads indexes into the dictionary and takes the values from there.
func (r *reader) lookup(b []byte, n int) error {
	r.data, r.strs = nil, nil
	if n == 0 {
		return nil
	}
	if len(b) == 0 || b[0] > 32 {
		return errors.New("values refer to a dictionary by numbers of more than 32 bits")
	}
	if r.dictSize < 0 {
		return errors.New("values refer to a dictionary, and the column has none")
	}
	r.indexes = slices.Grow(r.indexes[:0], n)[:n]
	if err := (&runs{b: b[1:], width: int(b[0])}).indices(r.indexes, uint32(r.dictSize)); err != nil { //nolint:gosec // pages hold fewer
		return err
	}
	if r.width == 0 {
		r.strings = slices.Grow(r.strings[:0], n)[:n]
		for i, k := range r.indexes {
			r.strings[i] = r.dictStrs[k]
		}
		r.strs = r.strings
		return nil
	}
	r.data = r.room(n * r.width)
	gather(r.data, r.dictData, r.indexes, r.width)
	return nil
}

// gather copies values of the given size at the indexes from src.
func gather(dst, src []byte, indexes []uint32, size int) {
	switch size {
	case 4:
		for i, k := range indexes {
			at := 4 * int(k)
			binary.LittleEndian.PutUint32(dst[4*i:4*i+4], binary.LittleEndian.Uint32(src[at:at+4]))
		}
	case 8:
		for i, k := range indexes {
			at := 8 * int(k)
			binary.LittleEndian.PutUint64(dst[8*i:8*i+8], binary.LittleEndian.Uint64(src[at:at+8]))
		}
	default:
		for i, k := range indexes {
			copy(dst[i*size:(i+1)*size], src[int(k)*size:])
		}
	}
}
