package parquet

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/klauspost/compress/snappy"

	"github.com/tfrun/tfrun/dataset/internal/sample"
	"github.com/tfrun/tfrun/dataset/internal/thrift"
	"github.com/tfrun/tfrun/tensor"
)

// leafWriter collects the values of a column, page by page, until its chunk is written.
type leafWriter struct {
	*leaf
	// The fields down to before are of the page that is being filled.
	defs, reps []byte
	data       []byte // values in the encoding PLAIN; booleans a byte each
	values     int    // number of values that are not null
	before     [3]int // entries, bytes and values at the beginning of the current row
	// The fields from here on are of the chunk.
	chunk    []byte // pages, compressed
	entries  int64  // of all pages, null or not
	nulls    int64
	unpacked int64
	stats    *extremes
}

// A page ends after about pageBytes bytes of values, or after pageValues entries.
const (
	pageBytes  = 1 << 20
	pageValues = 1 << 20
)

// entry adds the levels of an entry. The caller adds a value as well if the definition level is the
// highest.
func (w *leafWriter) entry(rep, def int) {
	w.reps, w.defs = append(w.reps, byte(rep)), append(w.defs, byte(def))
	if def == w.maxDef() {
		w.values++
	}
}

// beginRow notes where the row begins, for dropRow.
func (w *leafWriter) beginRow() { w.before = [3]int{len(w.defs), len(w.data), w.values} }

// dropRow removes what was added of the row.
func (w *leafWriter) dropRow() {
	entries := w.before[0]
	w.defs, w.reps, w.data, w.values = w.defs[:entries], w.reps[:entries], w.data[:w.before[1]], w.before[2]
}

// endRow ends the page if it is full, and returns roughly how many bytes the row takes. A page ends
// only between rows.
func (w *leafWriter) endRow() int {
	size := w.size() - w.before[0] - w.before[1]
	w.endFull()
	return size
}

// size returns roughly how many bytes the page takes.
func (w *leafWriter) size() int { return len(w.defs) + len(w.data) }

// endFull ends the page if it is full.
func (w *leafWriter) endFull() {
	if len(w.data) >= pageBytes || len(w.defs) >= pageValues {
		w.endPage()
	}
}

// block adds the values of a component in rows of one shape. first holds the first row alone.
func (w *leafWriter) block(t tensor.Tensor, first *leafWriter) error {
	t, err := sample.Parts(t)
	if err != nil {
		return err
	}
	for all := int(t.Dims()[0]); all > 0; all = int(t.Dims()[0]) {
		// As many rows as fill the page.
		n := min(all, 1+max(0, pageValues-len(w.defs)-1)/len(first.defs))
		if len(first.data) > 0 {
			n = min(n, 1+max(0, pageBytes-len(w.data)-1)/len(first.data))
		}
		w.defs = append(w.defs, bytes.Repeat(first.defs, n)...)
		w.reps = append(w.reps, bytes.Repeat(first.reps, n)...)
		w.values += n * first.values
		w.data = appendPlain(w.data, t.Slice(0, n))
		w.endFull()
		t = t.Slice(n, all)
	}
	return nil
}

// endPage appends the page to the chunk.
func (w *leafWriter) endPage() {
	if len(w.defs) == 0 {
		return
	}
	var body []byte
	if w.leaf.rep > 0 {
		body = appendLevels(body, w.reps, bitsFor(w.leaf.rep))
	}
	if w.maxDef() > 0 {
		body = appendLevels(body, w.defs, bitsFor(w.maxDef()))
	}
	if w.stats != nil {
		w.stats.add(w.data)
	}
	if w.physical == boolean {
		body = appendBits(body, w.data)
	} else {
		body = append(body, w.data...)
	}
	packed := snappy.Encode(nil, body)
	var head thrift.Writer
	head.ListStruct(func() {
		head.Int(1, thrift.I32, kindData)
		head.Int(2, thrift.I32, int64(len(body)))
		head.Int(3, thrift.I32, int64(len(packed)))
		head.Int(4, thrift.I32, int64(int32(crc32.ChecksumIEEE(packed)))) //nolint:gosec // the bits are meant
		head.Struct(5, func() {
			head.Int(1, thrift.I32, int64(len(w.defs)))
			head.Int(2, thrift.I32, int64(plain))
			head.Int(3, thrift.I32, int64(runLength))
			head.Int(4, thrift.I32, int64(runLength))
		})
	})
	w.chunk = append(append(w.chunk, head.Bytes...), packed...)
	w.entries += int64(len(w.defs))
	w.nulls += int64(len(w.defs) - w.values)
	w.unpacked += int64(len(head.Bytes) + len(body))
	w.defs, w.reps, w.data, w.values = w.defs[:0], w.reps[:0], w.data[:0], 0
}

// takeChunk returns the chunk's pages and begins the next chunk. meta writes the metadata of the
// chunk, whose pages begin at place at of the file.
func (w *leafWriter) takeChunk() (pages []byte, meta func(t *thrift.Writer, at int64)) {
	w.endPage()
	pages, entries, nulls, unpacked, stats := w.chunk, w.entries, w.nulls, w.unpacked, w.stats
	w.chunk, w.entries, w.nulls, w.unpacked = nil, 0, 0, 0
	if stats != nil {
		w.stats = newExtremes(w.element)
	}
	return pages, func(t *thrift.Writer, at int64) {
		t.Int(2, thrift.I64, at)
		t.Struct(3, func() {
			t.Int(1, thrift.I32, int64(w.physical))
			t.List(2, thrift.I32, 2)
			t.ListInt(int64(plain))
			t.ListInt(int64(runLength))
			path := w.path()
			t.List(3, thrift.Binary, len(path))
			for _, name := range path {
				t.ListBinary(name)
			}
			t.Int(4, thrift.I32, int64(snappyCodec))
			t.Int(5, thrift.I64, entries)
			t.Int(6, thrift.I64, unpacked)
			t.Int(7, thrift.I64, int64(len(pages)))
			t.Int(9, thrift.I64, at)
			t.Struct(12, func() { stats.write(t, nulls) })
		})
	}
}

// appendBits appends booleans of a byte each as bits.
func appendBits(dst, bools []byte) []byte {
	for i, v := range bools {
		if i%8 == 0 {
			dst = append(dst, 0)
		}
		dst[len(dst)-1] |= v << (i % 8)
	}
	return dst
}

// appendLevels appends levels of width bits as runs, after the length of the runs. Eight and more
// equal levels are written as a run of one level; the others are packed in groups of eight.
func appendLevels(dst, levels []byte, width int) []byte {
	const length = 4
	at := len(dst)
	dst = append(dst, make([]byte, length)...)
	for len(levels) > 0 {
		n := run(levels, levels[0])
		if n >= 8 || n == len(levels) {
			dst = append(binary.AppendUvarint(dst, uint64(n)<<1), levels[0]) //nolint:gosec // a length
			levels = levels[n:]
			continue
		}
		n = packedRun(levels)
		dst = binary.AppendUvarint(dst, uint64((n+7)/8)<<1|1) //nolint:gosec // a length
		dst = packLevels(dst, levels[:n], width)
		levels = levels[n:]
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-length)) //nolint:gosec // pages are small
	return dst
}

// packedRun returns how many levels, a multiple of eight or all, come before eight equal levels.
func packedRun(levels []byte) int {
	for n := 8; n < len(levels); n += 8 {
		if run(levels[n:], levels[n]) >= 8 {
			return n
		}
	}
	return len(levels)
}

// packLevels appends levels of width bits each, filled up to a multiple of eight levels.
func packLevels(dst, levels []byte, width int) []byte {
	bits, n := uint32(0), 0
	for i := range (len(levels) + 7) / 8 * 8 {
		if i < len(levels) {
			bits |= uint32(levels[i]) << n
		}
		for n += width; n >= 8; n -= 8 {
			dst, bits = append(dst, byte(bits)), bits>>8
		}
	}
	return dst
}
