package modeltest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"testing"

	"github.com/klauspost/compress/snappy"
)

// CompressIndex rewrites the index of a checkpoint with its blocks compressed by Snappy, as
// TensorFlow 1 wrote them.
func CompressIndex(tb testing.TB, file string) {
	tb.Helper()
	table, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	footer := table[len(table)-48:]
	_, rest := readHandle(footer)
	index, _ := readHandle(rest)
	w := &tableWriter{}
	meta := w.add([]byte{0, 0, 0, 0, 1, 0, 0, 0}, 0)
	var entries []byte
	for block := table[index[0] : index[0]+index[1]]; len(block) > 0 && block[0] == 0; {
		_, n := binary.Uvarint(block[1:]) // of the key, which shares nothing with the one before
		size, _ := binary.Uvarint(block[1:])
		value, m := binary.Uvarint(block[1+n:])
		key := block[1+n+m : 1+n+m+int(size)]
		handle, _ := readHandle(block[1+n+m+int(size):])
		block = block[1+n+m+int(size)+int(value):]
		data := w.add(snappy.Encode(nil, table[handle[0]:handle[0]+handle[1]]), 1)
		entries = append(entries, 0, byte(len(key)), byte(len(data)))
		entries = append(append(entries, key...), data...)
		if len(block) <= 8 { // the restart points
			break
		}
	}
	entries = binary.LittleEndian.AppendUint32(entries, 0)
	entries = binary.LittleEndian.AppendUint32(entries, 1)
	where := w.add(entries, 0)
	end := append(append(make([]byte, 0, 48), meta...), where...)
	w.out.Write(append(end, make([]byte, 40-len(end))...))
	w.out.Write(footer[40:])
	if err := os.WriteFile(file, w.out.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// readHandle reads a block's handle: its place and size.
func readHandle(b []byte) (handle [2]uint64, rest []byte) {
	for i := range handle {
		v, n := binary.Uvarint(b)
		handle[i], b = v, b[n:]
	}
	return handle, b
}

// tableWriter writes blocks one after the other.
type tableWriter struct{ out bytes.Buffer }

// add writes a block with its trailer, and returns its handle.
func (w *tableWriter) add(block []byte, compression byte) []byte {
	handle := binary.AppendUvarint(nil, uint64(w.out.Len())) //nolint:gosec // a small table
	handle = binary.AppendUvarint(handle, uint64(len(block)))
	whole := append(bytes.Clone(block), compression)
	crc := crc32.Checksum(whole, crc32.MakeTable(crc32.Castagnoli))
	w.out.Write(binary.LittleEndian.AppendUint32(whole, (crc>>15|crc<<17)+0xa282ead8))
	return handle
}
