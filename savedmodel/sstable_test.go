package savedmodel

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
)

// tableBuilder writes tables, whole ones and others.
type tableBuilder struct{ b []byte }

// add writes a block and returns its handle.
func (t *tableBuilder) add(block []byte) []byte {
	at := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(len(t.b))), uint64(len(block)))
	t.b = append(append(t.b, block...), 0)
	sum := maskedCRC(crc32.Checksum(t.b[len(t.b)-len(block)-1:], castagnoli))
	t.b = binary.LittleEndian.AppendUint32(t.b, sum)
	return at
}

// finish writes an index block of the handles, and the footer.
func (t *tableBuilder) finish(handles ...[]byte) []byte {
	meta := t.add(tableBlock())
	var entries [][]byte
	for i, h := range handles {
		entries = append(entries, tableEntry(0, fmt.Sprintf("%08d", i), string(h)))
	}
	footer := append(meta, t.add(tableBlock(entries...))...)
	footer = append(footer, make([]byte, tableFooterSize-8-len(footer))...)
	return append(append(t.b, footer...), binary.LittleEndian.AppendUint64(nil, tableMagic)...)
}

// tableEntry is a key that shares bytes with the one before it, and its value.
func tableEntry(shared int, own, value string) []byte {
	b := binary.AppendUvarint(nil, uint64(shared))
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(len(own))), uint64(len(value)))
	return append(b, own+value...)
}

func tableBlock(entries ...[]byte) []byte {
	var b []byte
	for _, e := range entries {
		b = append(b, e...)
	}
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, 0), 1)
}

// TestTablesAreReadOnce has tables that say more than they hold: blocks that are listed again and
// again, and keys that come to gigabytes.
func TestTablesAreReadOnce(t *testing.T) {
	t.Parallel()
	const n = 20_000
	one := func(keys ...string) func(*tableBuilder) []byte {
		return func(t *tableBuilder) []byte {
			var entries [][]byte
			for _, k := range keys {
				entries = append(entries, tableEntry(0, k, "v"))
			}
			return t.finish(t.add(tableBlock(entries...)))
		}
	}
	for _, c := range []struct {
		name string
		make func(*tableBuilder) []byte
		want string // "": read
	}{
		{"keys that ascend", one("", "a", "b"), ""},
		{"two blocks", func(t *tableBuilder) []byte {
			return t.finish(t.add(tableBlock(tableEntry(0, "a", ""))), t.add(tableBlock(tableEntry(0, "b", ""))))
		}, ""},
		{"keys that descend", one("b", "a"), `the entry "a" stands behind "b"`},
		{"a key that stands twice", one("a", "a"), `the entry "a" stands behind "a"`},
		{"the header that stands twice", one("", ""), `the entry "" stands behind ""`},
		{"a block that is listed many times", func(t *tableBuilder) []byte {
			h := t.add(tableBlock(make([][]byte, 40_000)...))
			handles := make([][]byte, 40_000)
			for i := range handles {
				handles[i] = h
			}
			return t.finish(handles...)
		}, "lies before the end of another"},
		{"blocks within a block", func(t *tableBuilder) []byte {
			t.add(tableBlock(tableEntry(0, "a", "")))
			return t.finish(binary.AppendUvarint([]byte{0}, 8), binary.AppendUvarint([]byte{1}, 8))
		}, "damaged"},
		{"keys that share 100,000 bytes", func(t *tableBuilder) []byte {
			entries := [][]byte{tableEntry(0, strings.Repeat("a", 100_000), "")}
			for i := range n {
				entries = append(entries, tableEntry(99_000, fmt.Sprintf("b%06d", i), ""))
			}
			return t.finish(t.add(tableBlock(entries...)))
		}, "its keys are many times as long as the file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seen := 0
			err := eachEntry(c.make(&tableBuilder{}), func(_, _ []byte) error { seen++; return nil })
			switch {
			case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v after %d entries, want %q", err, seen, c.want)
			case seen > n/10:
				t.Errorf("%d entries were read", seen)
			}
		})
	}
}
