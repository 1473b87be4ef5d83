package parquet

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// packers pack data in every way that a page may be packed.
func packers(t *testing.T) map[string]func([]byte) []byte {
	t.Helper()
	through := func(open func(io.Writer) io.WriteCloser, flush int) func([]byte) []byte {
		return func(data []byte) []byte {
			var b bytes.Buffer
			w := open(&b)
			for len(data) > 0 {
				n := min(len(data), flush)
				if _, err := w.Write(data[:n]); err != nil {
					t.Fatal(err)
				}
				if f, ok := w.(interface{ Flush() error }); ok {
					if err := f.Flush(); err != nil {
						t.Fatal(err)
					}
				}
				data = data[n:]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
	}
	zstream := func(w io.Writer) io.WriteCloser {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	zstdAll := func(data []byte) []byte {
		z, err := zstd.NewWriter(nil, zstd.WithZeroFrames(true))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close() //nolint:errcheck // nothing is left to write
		return z.EncodeAll(data, nil)
	}
	const all = 1 << 40
	return map[string]func([]byte) []byte{
		"zstd, at once":  zstdAll,
		"zstd, streamed": through(zstream, all),
		"zstd, flushed":  through(zstream, 1000),
		"zstd, frames with one to skip": func(data []byte) []byte {
			half := len(data) / 2
			return append(append(zstdAll(data[:half]), "\x50\x2a\x4d\x18\x03\x00\x00\x00abc"...), zstdAll(data[half:])...)
		},
		"gzip":   through(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, all),
		"brotli": through(func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 3) }, all),
		"snappy": func(data []byte) []byte { return snappy.Encode(nil, data) },
		"lz4": func(data []byte) []byte {
			b := make([]byte, lz4.CompressBlockBound(len(data)))
			n, err := new(lz4.Compressor).CompressBlock(data, b)
			if err != nil {
				t.Fatal(err)
			}
			return b[:n]
		},
	}
}

func codecOf(name string) format.CompressionCodec {
	switch prefix, _, _ := strings.Cut(name, ","); prefix {
	case "zstd":
		return format.Zstd
	case "gzip":
		return format.Gzip
	case "brotli":
		return format.Brotli
	case "snappy":
		return format.Snappy
	default:
		return format.Lz4Raw
	}
}

// A page is within what it becomes, and not within less.
func TestWithin(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for name, pack := range packers(t) {
		for kind, data := range map[string][]byte{"zeros": make([]byte, 3_000_000), "noise": noise, "text": bytes.Repeat([]byte("a page of text, "), 9_999)} {
			codec, packed, n := codecOf(name), pack(data), int64(len(data))
			if codec == format.Lz4Raw && kind == "noise" {
				continue // such a block is not made
			}
			if !within(codec, packed, n, 0) {
				t.Errorf("%s of %s: not within its %d bytes", name, kind, n)
			}
			if within(codec, packed, n-1, 0) {
				t.Errorf("%s of %s: %d bytes are within %d", name, kind, n, n-1)
			}
			if codec != format.Lz4Raw && !within(codec, packed, 10, n) {
				t.Errorf("%s of %s: %d bytes that matter little are not let through", name, kind, n)
			}
		}
	}
}

// The walk over Zstandard's blocks does without decompressing, and never says too little.
func TestZstdSize(t *testing.T) {
	t.Parallel()
	packs := packers(t)
	for name, exact := range map[string]bool{"zstd, at once": true, "zstd, streamed": false, "zstd, flushed": false, "zstd, frames with one to skip": true} {
		for _, n := range []int{0, 1, 1000, 128 << 10, 1 << 20, 1<<20 + 1} {
			most, same := zstdSize(packs[name](make([]byte, n)))
			if most < int64(n) || same && most != int64(n) || n >= 1000 && same != exact && name != "zstd, streamed" {
				t.Errorf("%s of %d bytes: %d, exact %v", name, n, most, same)
			}
		}
	}
	if most, exact := zstdSize([]byte("no frame")); exact || most != 0 {
		t.Errorf("bytes that are no frame: %d, exact %v", most, exact)
	}
}
