package parquet

import (
	"bytes"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"
)

// Levels that are written are read again, whatever their runs.
func TestLevels(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 130).Draw(t, "most")
		var levels []byte
		for range rapid.IntRange(1, 20).Draw(t, "runs") {
			v, n := byte(rapid.IntRange(0, most).Draw(t, "level")), rapid.IntRange(1, 40).Draw(t, "times")
			levels = append(levels, bytes.Repeat([]byte{v}, n)...)
		}
		packed := appendLevels([]byte("before"), levels, bitsFor(most))[len("before"):]
		if n := binary.LittleEndian.Uint32(packed); int(n) != len(packed)-4 {
			t.Fatalf("a length of %d, for %d bytes", n, len(packed)-4)
		}
		got := make([]byte, len(levels))
		rest, full, err := readLevels(got, nil, append(packed, "after"...), runLength, most)
		if err != nil || !bytes.Equal(got, levels) || full != bytes.Count(levels, []byte{byte(most)}) || string(rest) != "after" {
			t.Fatalf("%v, %d of the highest, %q after them, %v; want %v", got, full, rest, err, levels)
		}
		if len(levels) > 1 {
			if _, _, err := readLevels(make([]byte, len(levels)+9), nil, packed, runLength, most); err == nil {
				t.Fatal("more levels than there are: no error")
			}
		}
	})
}

// Integers of any number of bits are unpacked, up to the end of their bytes.
func TestUnpackBits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(0, 32).Draw(t, "width")
		want := rapid.SliceOf(rapid.Uint32Range(0, uint32(1<<width-1))).Draw(t, "values")
		var packed []byte
		for i, v := range want {
			for k := range width {
				at := i*width + k
				if at%8 == 0 {
					packed = append(packed, 0)
				}
				packed[at/8] |= byte(v>>k&1) << (at % 8)
			}
		}
		got := make([]uint32, len(want))
		unpack(got, packed, width)
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%d bits: value %d is %d, want %d", width, i, got[i], want[i])
			}
			if v := bitsAt(packed, i*width, width); v != uint64(want[i]) {
				t.Fatalf("%d bits at %d: %d, want %d", width, i*width, v, want[i])
			}
		}
	})
}
