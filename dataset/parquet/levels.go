package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

var (
	errShort = errors.New("a page with fewer values than it says")
	errRuns  = errors.New("a page whose runs are damaged")
)

// runs reads integers of up to 32 bits in the format's hybrid encoding of run lengths and packed
// bits.
type runs struct {
	b     []byte
	width int
}

// next returns the next run: n times value, or, where packed is not nil, n packed integers, a
// multiple of 8.
func (r *runs) next() (n int, value uint32, packed []byte, err error) {
	head, k := binary.Uvarint(r.b)
	if k <= 0 || head>>1 > maxPageValues {
		return 0, 0, nil, errRuns
	}
	r.b = r.b[k:]
	if head&1 == 1 {
		n = int(head>>1) * 8
		size := n / 8 * r.width
		// The last group of packed integers may be cut off after the last one that is used.
		packed = r.b[:min(size, len(r.b))]
		r.b = r.b[len(packed):]
		if r.width > 0 {
			n = min(n, len(packed)*8/r.width)
		}
		if n == 0 && size > 0 {
			return 0, 0, nil, errRuns
		}
		return n, 0, packed, nil
	}
	size := (r.width + 7) / 8
	if size > len(r.b) {
		return 0, 0, nil, errRuns
	}
	for i := range size {
		value |= uint32(r.b[i]) << (8 * i)
	}
	r.b = r.b[size:]
	return int(head >> 1), value, nil, nil
}

// levels reads levels of at most most into dst, and returns how many of them equal most.
func (r *runs) levels(dst []byte, most int) (full int, err error) {
	for len(dst) > 0 {
		n, v, packed, err := r.next()
		if err != nil {
			return 0, err
		}
		n = min(n, len(dst))
		if packed == nil {
			if int(v) > most {
				return 0, fmt.Errorf("a level of %d, where %d is the highest", v, most)
			}
			fill(dst[:n], byte(v))
			if int(v) == most {
				full += n
			}
		} else {
			k, err := packedLevels(dst[:n], packed, r.width, most)
			if err != nil {
				return 0, err
			}
			full += k
		}
		dst = dst[n:]
	}
	return full, nil
}

func fill(dst []byte, v byte) {
	for i := range dst {
		dst[i] = v
	}
}

// packedLevels reads levels of width bits, up to 8.
func packedLevels(dst, packed []byte, width, most int) (full int, err error) {
	if width == 1 { // as in most columns
		for i := range dst {
			dst[i] = packed[i/8] >> (i % 8) & 1
		}
		for _, b := range packed[:len(dst)/8] {
			full += bits.OnesCount8(b)
		}
		for _, v := range dst[len(dst)/8*8:] {
			full += int(v)
		}
		return full, nil
	}
	mask := uint32(1)<<width - 1
	for i := range dst {
		at := i * width
		v := uint32(packed[at/8])
		if at/8+1 < len(packed) {
			v |= uint32(packed[at/8+1]) << 8
		}
		v = v >> (at % 8) & mask
		if int(v) > most {
			return 0, fmt.Errorf("a level of %d, where %d is the highest", v, most)
		}
		if int(v) == most {
			full++
		}
		dst[i] = byte(v)
	}
	return full, nil
}

// bitPackedLevels reads levels in the oldest encoding: packed without runs, the first level in the
// highest bits. It returns the bytes after them too.
func bitPackedLevels(dst, b []byte, width, most int) (full int, rest []byte, err error) {
	size := (len(dst)*width + 7) / 8
	if size > len(b) {
		return 0, nil, errShort
	}
	for i := range dst {
		v := 0
		for k := range width {
			at := i*width + k
			v = v<<1 | int(b[at/8]>>(7-at%8)&1)
		}
		if v > most {
			return 0, nil, fmt.Errorf("a level of %d, where %d is the highest", v, most)
		}
		if v == most {
			full++
		}
		dst[i] = byte(v)
	}
	return full, b[size:], nil
}

// indices reads integers into dst; each must be below limit.
func (r *runs) indices(dst []uint32, limit uint32) error {
	for len(dst) > 0 {
		n, v, packed, err := r.next()
		if err != nil {
			return err
		}
		n = min(n, len(dst))
		if packed == nil {
			if v >= limit {
				return errIndex
			}
			part := dst[:n]
			for i := range part {
				part[i] = v
			}
		} else {
			unpack(dst[:n], packed, r.width)
			most := uint32(0)
			for _, v := range dst[:n] {
				most = max(most, v)
			}
			if most >= limit {
				return errIndex
			}
		}
		dst = dst[n:]
	}
	return nil
}

var errIndex = errors.New("an index beyond the dictionary")

// unpack reads packed integers of width bits, up to 32, from the lowest bit on.
func unpack(dst []uint32, b []byte, width int) {
	mask := uint64(1)<<width - 1
	i := 0
	// Eight values take width bytes. Each value is read with the eight bytes from its first byte
	// on.
	for ; i+8 <= len(dst) && len(b) >= width+8; i += 8 {
		out, in := dst[i:i+8:i+8], b[:width+8]
		for k := range out {
			at := k * width
			out[k] = uint32(binary.LittleEndian.Uint64(in[at/8:]) >> (at % 8) & mask) //nolint:gosec // masked
		}
		b = b[width:]
	}
	for k := 0; i < len(dst); i, k = i+1, k+1 {
		var last [8]byte
		at := k * width
		copy(last[:], b[min(at/8, len(b)):])
		dst[i] = uint32(binary.LittleEndian.Uint64(last[:]) >> (at % 8) & mask) //nolint:gosec // masked
	}
}
