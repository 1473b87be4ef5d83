package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// packer packs data in a way that a page may be packed.
type packer struct {
	codec codec
	pack  func([]byte) []byte
}

func packers(t *testing.T) map[string]packer {
	t.Helper()
	through := func(open func(io.Writer) io.WriteCloser) func([]byte) []byte {
		return func(data []byte) []byte {
			var b bytes.Buffer
			w := open(&b)
			_, err := w.Write(data)
			if err := errors.Join(err, w.Close()); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
	}
	zstdStream := through(func(w io.Writer) io.WriteCloser {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		return z
	})
	zstdAll := func(data []byte) []byte {
		z, err := zstd.NewWriter(nil, zstd.WithZeroFrames(true))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close() //nolint:errcheck // nothing is left to write
		return z.EncodeAll(data, nil)
	}
	block := func(data []byte) []byte {
		b := make([]byte, lz4.CompressBlockBound(len(data)))
		n, err := new(lz4.Compressor).CompressBlock(data, b)
		if err != nil {
			t.Fatal(err)
		}
		return b[:n]
	}
	zip := through(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	halves := func(pack func([]byte) []byte) func([]byte) []byte {
		return func(data []byte) []byte {
			return append(pack(data[:len(data)/2]), pack(data[len(data)/2:])...)
		}
	}
	return map[string]packer{
		"zstd":             {zstdCodec, zstdAll},
		"zstd, streamed":   {zstdCodec, zstdStream},
		"zstd, two frames": {zstdCodec, halves(zstdAll)},
		"gzip":             {gzipCodec, zip},
		"gzip, two":        {gzipCodec, halves(zip)},
		"brotli":           {brotliCodec, through(func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 3) })},
		"snappy":           {snappyCodec, func(data []byte) []byte { return snappy.Encode(nil, data) }},
		"lz4":              {lz4Raw, block},
		"lz4 of old":       {lz4Codec, block},
		"lz4 of Hadoop": {lz4Codec, halves(func(data []byte) []byte {
			packed := block(data)
			b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
			return append(binary.BigEndian.AppendUint32(b, uint32(len(packed))), packed...)
		})},
	}
}

// A page becomes what it was, and nothing where its header tells another size or it is cut off.
func TestUnpack(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("a page of text, "), 9_999)
	for i := range text { // no codec's best
		if rand.IntN(9) == 0 {
			text[i] = byte(rand.Uint32())
		}
	}
	for name, p := range packers(t) {
		for kind, data := range map[string][]byte{"zeros": make([]byte, 300_000), "text": text} {
			packed := p.pack(data)
			got, err := unpackBytes(p.codec, make([]byte, 0, 5), packed, len(data))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s of %s: %d bytes of %d, %v", name, kind, len(got), len(data), err)
			}
			for _, size := range []int{0, len(data) - 1, len(data) + 1, 2 * len(data)} {
				if _, err := unpackBytes(p.codec, nil, packed, size); !errors.Is(err, errUnpacked) {
					t.Errorf("%s of %s as %d bytes of %d: %v", name, kind, size, len(data), err)
				}
			}
			if _, err := unpackBytes(p.codec, nil, packed[:len(packed)/2], len(data)); !errors.Is(err, errUnpacked) {
				t.Errorf("%s of %s, cut off: %v", name, kind, err)
			}
		}
	}
}

// A few bytes that claim to become many are not given the memory.
func TestUnpackClaims(t *testing.T) {
	for name, p := range packers(t) {
		packed := p.pack([]byte("a few bytes, a few bytes, a few bytes"))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := unpackBytes(p.codec, nil, packed, largePage)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, errUnpacked) || grown > 32<<20 {
			t.Errorf("%s: %d bytes for %d, %v", name, grown, len(packed), err)
		}
	}
}

// FuzzPage decodes pages of any encoding: there may be errors, but no panic.
func FuzzPage(f *testing.F) {
	for e := range firstEncodingNotKnown {
		for p := boolean; p <= fixedArrays; p++ {
			f.Add(int32(e), int8(p), uint16(5), uint8(3), []byte("\x80\x01\x04\x05\x02\x00\x01\x02\x03\x04\x05\x06\x07\x08"))
		}
	}
	f.Fuzz(func(t *testing.T, e int32, p int8, n uint16, levels uint8, data []byte) {
		l := &leaf{node: &node{element: &element{physical: physical(p), length: 3, converted: -1}, def: int(levels % 4), rep: int(levels % 3)}}
		if l.physical < boolean || l.physical > fixedArrays || l.describe() != nil {
			return
		}
		r := newReader(l, l.values)
		r.dictSize = -1
		h := pageHeader{values: int(n), encoding: encoding(e), defEncoding: runLength, repEncoding: runLength}
		if levels > 100 {
			h.defEncoding = bitPacked
			_ = r.dictionaryPage(&page{pageHeader: pageHeader{values: int(n % 8)}, data: data[:len(data)/2]})
			data = data[len(data)/2:]
		}
		if err := r.dataPage(&page{pageHeader: h, data: data}); err != nil {
			return
		}
		if r.def == nil && r.count() != int(n) || r.def != nil && len(r.def) != int(n) {
			t.Errorf("%d values, %d levels; want %d", r.count(), len(r.def), n)
		}
	})
}
