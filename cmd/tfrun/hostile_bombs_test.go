//go:build cgo && !notf && !race && linux

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/andybalholm/brotli"
	ar "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// hostileBombs lists parts of files that become much more than they are.
func hostileBombs() []hostileCase {
	var cases []hostileCase
	for _, codec := range []format.CompressionCodec{format.Gzip, format.Zstd, format.Brotli} {
		bomb := func(says int32) func(h *hostile) []byte {
			return func(h *hostile) []byte {
				page := format.PageHeader{UncompressedPageSize: says}
				page.DataPageHeader.Set(format.DataPageHeader{NumValues: 9, RepetitionLevelEncoding: format.RLE, DefinitionLevelEncoding: format.RLE})
				data := h.packedZeros(codec, 1<<31-1)
				page.CompressedPageSize = int32(len(data))
				return pageLie(h, codec, page, data)
			}
		}
		cases = append(cases,
			dataCase("Parquet: a page that becomes 2 GB, as its header tells, "+codec.String(), "rows.parquet", 1, "would become 2147483647", bomb(1<<31-1)),
			dataCase("Parquet: a page that becomes 2 GB, and whose header tells 64 bytes, "+codec.String(), "rows.parquet", 1, "does not become the 64", bomb(64)),
		)
	}
	return append(cases,
		dataCase("Parquet: a page of 40 million values in 64 bytes", "rows.parquet", 1, "40000000 values", func(h *hostile) []byte {
			page := format.PageHeader{UncompressedPageSize: 64, CompressedPageSize: 64}
			page.DataPageHeader.Set(format.DataPageHeader{NumValues: 40e6, RepetitionLevelEncoding: format.RLE, DefinitionLevelEncoding: format.RLE})
			return pageLie(h, format.Uncompressed, page, make([]byte, 64))
		}),
		dataCase("Arrow: a compressed buffer that says it becomes 3 GB", "rows.arrow", 1, "would become", func(h *hostile) []byte {
			b := packedArrow(h, 1<<20)
			honest := binary.LittleEndian.AppendUint64(nil, 4<<20)
			// before a frame of Zstandard
			at := bytes.Index(b, append(honest, 0x28, 0xb5, 0x2f, 0xfd))
			if at < 0 {
				h.Fatal("no compressed buffer of 4 MiB")
			}
			binary.LittleEndian.PutUint64(b[at:], 3e9)
			return b
		}),
		dataCase("Arrow: a compressed buffer that becomes 400 MB", "rows.arrow", 1, "would become", func(h *hostile) []byte { return packedArrow(h, 100e6) }),
		hostileCase{"data", "npz and Parquet: `/dev/zero` on standard input", func(h *hostile) string {
			for _, f := range []string{"npz", "parquet"} {
				zero, err := os.Open("/dev/zero")
				if err != nil {
					h.Fatal(err)
				}
				h.want(h.run(zero, "predict", h.reviews(), "-", "--input-format", f, "-o", "out.jsonl"), 1, "it begins with")
				if err := zero.Close(); err != nil {
					h.Error(err)
				}
			}
			return "exit 1: nothing is copied of what does not begin as such a file"
		}},
		hostileCase{"data", "files of rows that are sockets", func(h *hostile) string {
			outcome := ""
			for _, ext := range []string{"jsonl", "csv", "npy", "npz", "tfrecord", "parquet", "arrow"} {
				name := "rows." + ext
				h.socket(name)
				outcome = h.refused(1, "is a socket, not a file", "predict", h.model("k3_autoencoder"), name, "-o", "out.jsonl")
				if err := os.Rename(filepath.Join(h.dir, name), filepath.Join(h.dir, "gone")); err != nil {
					h.Fatal(err)
				}
			}
			return outcome
		}},
		hostileCase{"data", "a FIFO that nobody writes to, whose name tells a format, or none", func(h *hostile) string {
			h.fifo("rows.csv")
			h.refused(1, "is a pipe that nobody writes to", "predict", h.model("k3_autoencoder"), "rows.csv", "-o", "out.jsonl")
			h.fifo("rows")
			return h.refused(2, "the name does not tell the format", "predict", h.model("k3_autoencoder"), "rows", "-o", "out.jsonl")
		}},
		hostileCase{"data", "`.gz` and `.zst`: 20 MB of members and blocks of a byte or none", (*hostile).crumbs},
		dataCase("`.gz` that is none", "rows.jsonl.gz", 1, "not compressed with gzip", plain([]byte("[1,2,3]\n"))),
		dataCase("`.zst` that is none", "rows.jsonl.zst", 1, "not compressed with zstd", plain([]byte("[1,2,3]\n"))),
	)
}

// crumbs tries files of a million parts, each of which is a byte or none.
func (h *hostile) crumbs() string {
	const size = 20 << 20
	gz := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := io.WriteString(z, text)
		if err := errors.Join(err, z.Close()); err != nil {
			h.Fatal(err)
		}
		return b.String()
	}
	const (
		magic = "\x28\xb5\x2f\xfd"
		end   = "\x01\x00\x00" // an empty block, the last
	)
	for i, c := range []struct{ ext, head, part, tail string }{
		{".jsonl.zst", "", magic + "\x20\x00" + end, ""},
		{".jsonl.zst", "", magic + "\x00\x88" + end, ""}, // a window of 128 MiB
		{".jsonl.zst", "", magic + "\x20\x01\x09\x00\x00\n", ""},
		{".jsonl.zst", "", "\x50\x2a\x4d\x18\x00\x00\x00\x00", ""}, // frames that are skipped
		{".jsonl.zst", magic + "\x00\x00", "\x00\x00\x00", end},
		{".jsonl.zst", magic + "\x00\x00", "\x0a\x00\x00\n", end},
		{".jsonl.gz", "", gz(""), ""},
		{".jsonl.gz", "", gz("\n"), ""},
		{".jsonl.gz", gz("["), gz(" "), ""},
		{".jsonl.gz", gz("{"), gz("\n"), ""},
		{".csv.gz", gz("x\n"), gz(" "), ""},
		{".csv.gz", gz("x\n\""), gz("1"), ""},
		{".jsonl.gz", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\xff\xff", "\x03\x00" + strings.Repeat("\x00", 8)},
	} {
		rows := h.file(fmt.Sprint("rows", i, c.ext), []byte(c.head+strings.Repeat(c.part, size/len(c.part))+c.tail))
		h.run(nil, "predict", h.model("k3_autoencoder"), rows, "-o", fmt.Sprint("out", i, ".jsonl"))
	}
	return "an answer or an error line each"
}

// packedZeros compresses n zeros.
func (h *hostile) packedZeros(codec format.CompressionCodec, n int64) []byte {
	h.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch codec {
	case format.Gzip:
		w, err = gzip.NewWriterLevel(&b, gzip.BestSpeed)
	case format.Brotli:
		w = brotli.NewWriterLevel(&b, 1)
	default:
		w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	}
	if err != nil {
		h.Fatal(err)
	}
	if _, err := io.Copy(w, io.LimitReader(zeros{}, n)); err != nil {
		h.Fatal(err)
	}
	if err := w.Close(); err != nil {
		h.Fatal(err)
	}
	return b.Bytes()
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// packedArrow is a file of one row of n zeros, compressed.
func packedArrow(h *hostile, n int) []byte {
	h.Helper()
	mem := memory.NewGoAllocator()
	b := array.NewListBuilder(mem, ar.PrimitiveTypes.Float32)
	defer b.Release()
	b.Append(true)
	b.ValueBuilder().(*array.Float32Builder).AppendValues(make([]float32, n), nil)
	list := b.NewArray()
	defer list.Release()
	schema := ar.NewSchema([]ar.Field{{Name: "keras_tensor", Type: list.DataType()}}, nil)
	batch := array.NewRecordBatch(schema, []ar.Array{list}, 1)
	defer batch.Release()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(schema), ipc.WithZstd())
	if err := w.Write(batch); err != nil {
		h.Fatal(err)
	}
	if err := w.Close(); err != nil {
		h.Fatal(err)
	}
	return out.Bytes()
}
