package parquet

import (
	"encoding/binary"
	"errors"
	"slices"
)

var errDelta = errors.New("a page whose deltas are damaged")

// deltas reads at most n integers in the format's encoding DELTA_BINARY_PACKED, and returns them
// with the bytes after them. The encoding has the first integer, then differences: in each block
// the least difference, and how much larger each other one is, in packed bits. Sums wrap around.
func deltas(dst []int64, b []byte, n int) (out []int64, rest []byte, err error) {
	block, b, err := uvarint(b)
	if err != nil {
		return dst, nil, err
	}
	parts, b, err := uvarint(b)
	if err != nil {
		return dst, nil, err
	}
	count, b, err := uvarint(b)
	if err != nil {
		return dst, nil, err
	}
	first, k := binary.Varint(b)
	if k <= 0 {
		return dst, nil, errDelta
	}
	b = b[k:]
	const largest = 1 << 20
	if block == 0 || block > largest || parts == 0 || block%parts != 0 || block/parts%8 != 0 || count > uint64(n) {
		return dst, nil, errDelta
	}
	if count == 0 {
		return dst, b, nil
	}
	left, part := int(count)-1, int(block/parts) //nolint:gosec // bounded above
	dst = append(slices.Grow(dst, int(count)), first)
	for left > 0 {
		least, k := binary.Varint(b)
		if k <= 0 || len(b)-k < int(parts) { //nolint:gosec // bounded above
			return dst, nil, errDelta
		}
		widths := b[k : k+int(parts)] //nolint:gosec // bounded above
		b = b[k+int(parts):]          //nolint:gosec // bounded above
		for _, w := range widths {
			if left == 0 {
				break // the widths of parts beyond the last integer mean nothing
			}
			size := part / 8 * int(w)
			if w > 64 || size > len(b) {
				return dst, nil, errDelta
			}
			here := min(part, left)
			dst = sums(dst, b[:size], int(w), least, here)
			b, left = b[size:], left-here
		}
	}
	return dst, b, nil
}

func uvarint(b []byte) (uint64, []byte, error) {
	v, k := binary.Uvarint(b)
	if k <= 0 {
		return 0, nil, errDelta
	}
	return v, b[k:], nil
}

// sums appends n integers. Each is larger than the one before by least plus a packed integer of
// width bits.
func sums(dst []int64, b []byte, width int, least int64, n int) []int64 {
	v := dst[len(dst)-1]
	for i := range n {
		v += least + int64(bitsAt(b, i*width, width)) //nolint:gosec // the bits are meant
		dst = append(dst, v)
	}
	return dst
}

// bitsAt returns the integer of width bits, at most 64, that begins at the given bit.
func bitsAt(b []byte, at, width int) uint64 {
	if width == 0 {
		return 0
	}
	var in [9]byte
	from := b
	if from = b[at/8:]; len(from) < 9 {
		copy(in[:], from)
		from = in[:]
	}
	shift := at % 8
	v := binary.LittleEndian.Uint64(from) >> shift
	if shift+width > 64 {
		v |= uint64(from[8]) << (64 - shift)
	}
	return v & (1<<width - 1)
}

// deltaLengths reads n strings in the encoding DELTA_LENGTH_BYTE_ARRAY: all lengths, then all
// bytes.
func (r *reader) deltaLengths(b []byte, n int) error {
	var err error
	if r.ints, b, err = deltas(r.ints[:0], b, n); err != nil {
		return err
	}
	if len(r.ints) < n {
		return errShort
	}
	total := int64(0)
	for _, l := range r.ints {
		if l < 0 || l > int64(len(b))-total {
			return errDelta
		}
		total += l
	}
	all := string(b[:total])
	for _, l := range r.ints {
		r.strings = append(r.strings, all[:l])
		all = all[l:]
	}
	return nil
}

// deltaStrings reads n strings in the encoding DELTA_BYTE_ARRAY: each string begins with a number
// of bytes of the one before.
func (r *reader) deltaStrings(b []byte, n int) error {
	prefixes, b, err := deltas(nil, b, n)
	if err != nil {
		return err
	}
	if err := r.deltaLengths(b, n); err != nil {
		return err
	}
	if len(prefixes) < n {
		return errShort
	}
	// The total is checked before memory is asked for: shared beginnings let a few bytes stand for
	// many.
	total, before := int64(0), int64(0)
	for i, s := range r.strings {
		if prefixes[i] < 0 || prefixes[i] > before {
			return errDelta
		}
		before = prefixes[i] + int64(len(s))
		if total += before; total > largePage {
			return errors.New("a page whose strings take more than 256 MiB")
		}
	}
	all, begin := make([]byte, 0, total), 0
	for i, s := range r.strings {
		at := len(all)
		all = append(append(all, all[begin:begin+int(prefixes[i])]...), s...)
		begin, r.ints[i] = at, int64(len(all))
	}
	joined, at := string(all), int64(0)
	for i, end := range r.ints {
		r.strings[i], at = joined[at:end], end
	}
	return nil
}
