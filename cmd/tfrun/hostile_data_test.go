//go:build cgo && !notf && !race && linux

package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/tensor"
)

// npy returns an npy file with the header's dictionary, and bytes of values.
func npy(dict, values string) []byte {
	b := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(b[8:], uint16(len(dict)+1))
	return append(b, dict+"\n"+values...)
}

// npyShape is npy for a shape of 32-bit floats.
func npyShape(shape string) []byte {
	return npy("{'descr': '<f4', 'fortran_order': False, 'shape': "+shape+", }", "\x00\x00\x80\x3f")
}

// npz returns an archive with a member that holds data and says of itself what lie makes of it.
func npz(h *hostile, data []byte, lie func(*zip.FileHeader)) []byte {
	h.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	head := &zip.FileHeader{
		Name: "keras_tensor.npy", CRC32: crc32.ChecksumIEEE(data), CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data)),
	}
	lie(head)
	w, err := z.CreateRaw(head)
	if err == nil {
		_, err = w.Write(data)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		h.Fatal(err)
	}
	return b.Bytes()
}

// tfrecord returns a file of one record that says it has size bytes.
func tfrecord(size uint64, data []byte) []byte {
	masked := func(b []byte) uint32 {
		sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
		return (sum>>15 | sum<<17) + 0xa282ead8
	}
	b := binary.LittleEndian.AppendUint64(nil, size)
	b = binary.LittleEndian.AppendUint32(b, masked(b))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, masked(data))
}

// field is a protobuf field of bytes that says it has size bytes.
func field(num protowire.Number, size uint64, data []byte) []byte {
	return append(protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.BytesType), size), data...)
}

// nestedFields returns n messages in each other, each the field of that number.
func nestedFields(num protowire.Number, n int) []byte {
	var b []byte
	for range n {
		b = field(num, uint64(len(b)), b)
	}
	return b
}

var idRows = dataset.Dict(map[string]dataset.Spec{"keras_tensor": dataset.TensorSpec(tensor.Float32, -1)})

// element is a row of ids.
func element(ids ...float32) dataset.Element {
	return dataset.Element{Tensors: []tensor.Tensor{tensor.Vector(ids...)}}
}

// parquetFile returns an honest file of three rows.
func parquetFile(h *hostile) []byte {
	h.Helper()
	var b bytes.Buffer
	w, err := parquet.NewWriter(&b, idRows, parquet.WriterOptions{})
	for i := 0; err == nil && i < 3; i++ {
		err = w.Write(element(1, 2, 3))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		h.Fatal(err)
	}
	return b.Bytes()
}

// parquetLie returns a file whose footer says what lie makes of it.
func parquetLie(h *hostile, lie func(*format.FileMetaData)) []byte {
	h.Helper()
	file := parquetFile(h)
	size := int(binary.LittleEndian.Uint32(file[len(file)-8:]))
	start := len(file) - 8 - size
	var meta format.FileMetaData
	protocol := new(thrift.CompactProtocol)
	if err := thrift.Unmarshal(protocol, file[start:start+size], &meta); err != nil {
		h.Fatal(err)
	}
	lie(&meta)
	footer, err := thrift.Marshal(protocol, &meta)
	if err != nil {
		h.Fatal(err)
	}
	file = append(file[:start:start], footer...)
	return append(binary.LittleEndian.AppendUint32(file, uint32(len(footer))), "PAR1"...)
}

// pageLie returns a file whose only column begins with a page of this header and data.
func pageLie(h *hostile, codec format.CompressionCodec, page format.PageHeader, data []byte) []byte {
	h.Helper()
	head, err := thrift.Marshal(new(thrift.CompactProtocol), &page)
	if err != nil {
		h.Fatal(err)
	}
	body := append(head, data...)
	honest := parquetFile(h)
	at := int64(len(honest) - 8 - int(binary.LittleEndian.Uint32(honest[len(honest)-8:])))
	file := parquetLie(h, func(m *format.FileMetaData) {
		c := &m.RowGroups[0].Columns[0].MetaData
		c.Codec, c.DataPageOffset, c.DictionaryPageOffset = codec, at, 0
		c.TotalCompressedSize = int64(len(body))
		if page.Type == format.DictionaryPage {
			c.DictionaryPageOffset = at
		}
	})
	return append(append(file[:at:at], body...), file[at:]...)
}

// arrowFile returns an honest file of three rows.
func arrowFile(h *hostile) []byte {
	h.Helper()
	var b bytes.Buffer
	w, err := arrow.NewWriter(&b, idRows, arrow.WriterOptions{})
	for i := 0; err == nil && i < 3; i++ {
		err = w.Write(element(1, 2, 3))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		h.Fatal(err)
	}
	return b.Bytes()
}

// dataCase is a file of rows that the example's classifier must be spared: it is refused with an
// error that holds says.
func dataCase(name, file string, code int, says string, data func(h *hostile) []byte) hostileCase {
	return hostileCase{"data", name, func(h *hostile) string {
		return h.rowsRefused(code, says, h.file(file, data(h)))
	}}
}

// plain is data that takes no making.
func plain(data []byte) func(*hostile) []byte { return func(*hostile) []byte { return data } }

// hostileData lists files of rows that are not what they say.
func hostileData() []hostileCase {
	const utf16 = "\xff\xfe[\x001\x00]\x00\n\x00"
	cases := []hostileCase{
		dataCase("npy: a negative shape", "rows.npy", 1, "want sizes of at least 0, got -1", plain(npyShape("(-1, 4)"))),
		dataCase("npy: a shape of 2^62", "rows.npy", 1, "rows.npy", plain(npyShape("(4611686018427387904,)"))),
		dataCase("npy: a shape whose product overflows", "rows.npy", 1, "rows.npy", plain(npyShape("(1, 4294967296, 4294967296)"))),
		dataCase("npy: a shape of more digits than numbers have", "rows.npy", 1, "rows.npy", plain(npyShape("("+strings.Repeat("9", 10_000)+",)"))),
		dataCase("npy: a trillion rows of nothing", "rows.npy", 1, "rows.npy", plain(npyShape("(1000000000000, 0)"))),
		dataCase("npy: 1,000 axes", "rows.npy", 1, "rows.npy", plain(npyShape("("+strings.Repeat("1,", 1000)+")"))),
		dataCase("npy: a header of 60 KB of brackets", "rows.npy", 1, "rows.npy", plain(npy(strings.Repeat("{'a':(", 10_000), ""))),
		dataCase("npy: a header of 4 GB", "rows.npy", 1, "rows.npy", plain([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'"))),
		dataCase("npy: Python objects (a pickle)", "rows.npy", 1, "rows.npy", plain(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "cos\nsystem\n"))),
		dataCase("npz: a wrong checksum", "rows.npz", 1, "rows.npz", func(h *hostile) []byte {
			return npz(h, npyShape("(1, 1)"), func(f *zip.FileHeader) { f.CRC32++ })
		}),
		dataCase("npz: a member of 2^60 bytes", "rows.npz", 1, "rows.npz", func(h *hostile) []byte {
			return npz(h, npyShape("(1, 1)"), func(f *zip.FileHeader) { f.UncompressedSize64, f.Method = 1<<60, zip.Deflate })
		}),
		dataCase("npz: a member that reaches beyond the file", "rows.npz", 1, "rows.npz", func(h *hostile) []byte {
			return npz(h, npyShape("(1, 1)"), func(f *zip.FileHeader) { f.CompressedSize64, f.UncompressedSize64 = 1<<40, 1<<40 })
		}),
		dataCase("npz: a row of 16 GB in 16 MB", "rows.npz", 3, "rows.npz", func(h *hostile) []byte {
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			w, err := z.Create("keras_tensor.npy")
			if err == nil {
				_, err = w.Write(npyShape("(1, 4294967296)"))
			}
			if err = errors.Join(err, repeat(w, "\x00", 1<<28), z.Close()); err != nil {
				h.Fatal(err)
			}
			return b.Bytes()
		}),
		dataCase("npz: a directory of 65,534 entries for one member", "rows.npz", 3, "rows.npz", func(h *hostile) []byte {
			file := npz(h, npyShape("(1, 1)"), func(*zip.FileHeader) {})
			at := bytes.Index(file, []byte("PK\x01\x02"))
			end := bytes.Index(file, []byte("PK\x05\x06"))
			entry := file[at:end:end]
			out := append(file[:at:at], bytes.Repeat(entry, 65_534)...)
			tail := append([]byte{}, file[end:]...)
			binary.LittleEndian.PutUint16(tail[8:], 65_534)
			binary.LittleEndian.PutUint16(tail[10:], 65_534)
			binary.LittleEndian.PutUint32(tail[12:], uint32(len(entry)*65_534))
			return append(out, tail...)
		}),
		dataCase("TFRecord: a record of 2^63 bytes with the right checksum of its length", "rows.tfrecord", 3, "more than the limit", plain(tfrecord(1<<63, nil))),
		dataCase("TFRecord: a record longer than its file", "rows.tfrecord", 1, "cut off", plain(tfrecord(100_000_000, []byte("x")))),
		dataCase("TFRecord: a wrong checksum", "rows.tfrecord", 1, "checksum", func(*hostile) []byte {
			b := tfrecord(3, []byte("\x0a\x01\x00"))
			b[len(b)-1]++
			return b
		}),
		dataCase("tf.Example: a feature that says it has 2^60 bytes", "rows.tfrecord", 3, "no tf.train.Examples", func(*hostile) []byte {
			data := field(1, 1<<60, []byte{1})
			return tfrecord(uint64(len(data)), data)
		}),
		dataCase("tf.Example: lengths that reach beyond what holds them", "rows.tfrecord", 3, "no tf.train.Examples", func(*hostile) []byte {
			data := field(1, 6, field(1, 200, []byte("\x0a\x0ckeras_tensor")))
			return tfrecord(uint64(len(data)), data)
		}),
		dataCase("tf.Example: messages nested 10,000 deep", "rows.tfrecord", 3, "no tf.train.Examples", func(*hostile) []byte {
			data := nestedFields(1, 10_000)
			return tfrecord(uint64(len(data)), data)
		}),
		dataCase("tf.Example: a packed list of 50 million values", "rows.tfrecord", 3, "rows.tfrecord", func(*hostile) []byte {
			list := field(1, 50e6, make([]byte, 50e6))
			value := field(3, uint64(len(list)), list)
			entry := append(field(1, 12, []byte("keras_tensor")), field(2, uint64(len(value)), value)...)
			features := field(1, uint64(len(entry)), entry)
			data := field(1, uint64(len(features)), features)
			return tfrecord(uint64(len(data)), data)
		}),
		dataCase("tf.Example: a million features of one name", "rows.tfrecord", 3, "rows.tfrecord", func(*hostile) []byte {
			entry := append(field(1, 1, []byte("x")), field(2, 0, nil)...)
			features := bytes.Repeat(field(1, uint64(len(entry)), entry), 1_000_000)
			data := field(1, uint64(len(features)), features)
			return tfrecord(uint64(len(data)), data)
		}),
		dataCase("CSV: NULs", "rows.csv", 3, "rows.csv:2", plain([]byte("keras_tensor\n1\x00\x00\n"))),
		dataCase("CSV: bytes that are no UTF-8", "rows.csv", 3, "rows.csv:2", plain([]byte("keras_tensor\n\xff\xfe\xfd\n"))),
		dataCase("CSV: UTF-16 with half a surrogate pair", "rows.csv", 1, "half a surrogate pair", plain([]byte(utf16+"\x00\xd8a\x00"))),
		dataCase("JSONL: NULs", "rows.jsonl", 3, "rows.jsonl:1", plain(make([]byte, 100_000))),
		dataCase("JSONL: UTF-16 that is cut off", "rows.jsonl", 1, "cut off", plain([]byte(utf16[:len(utf16)-1]))),
		dataCase("JSONL: random bytes", "rows.jsonl", 3, "rows.jsonl:1", plain(bytes.Repeat([]byte("\x80\xffq\x01{[\""), 10_000))),
		{"data", "JSONL: strings with NULs, lone surrogates and bytes that are no UTF-8", func(h *hostile) string {
			rows := h.file("rows.jsonl", []byte(`"a\u0000b"`+"\n"+`"\ud800"`+"\n"+`"\udc00\ud800"`+"\n\"\xff\xfe\"\n"))
			r := h.run(nil, "predict", h.model("mod_strings"), rows, "--skip-bad-rows")
			if n := strings.Count(r.stdout, "\n"); n != 4 || strings.Count(r.stdout, `{"error"`) != 2 {
				h.Errorf("%d rows: %s", n, r.stdout)
			}
			return h.want(r, 4, "") + ": half a surrogate pair is an error of its row, the others have results"
		}},
		{"data", "JSONL: NaN and infinity", func(h *hostile) string {
			rows := h.file("rows.jsonl", []byte(`{"x": [NaN, Infinity, -Infinity, 1]}`+"\n"))
			r := h.run(nil, "predict", h.model("tf1_half_plus_two"), rows, "--no-batch")
			h.want(r, 0, "")
			return "exit 0: `" + strings.TrimSpace(r.stdout) + "`"
		}},
		{"data", "text: NULs, bytes that are no UTF-8 and a UTF-16 mark", func(h *hostile) string {
			rows := h.file("rows.txt", []byte("\xff\xfea\x00\n\x00\x00\n\xc3\x28\xed\xa0\x80\n"))
			return h.passes("each line has its result", "predict", h.reviews(), rows, "--vocab", h.vocab())
		}},
		{"data", "a vocabulary of NULs and bytes that are no UTF-8", func(h *hostile) string {
			vocab := h.file("vocab", []byte("\x00\x00\n\xff\xfe\n\xed\xa0\x80\ngood\n"))
			r := h.run(nil, "predict", h.reviews(), h.file("rows.txt", []byte("good film\n")), "--vocab", vocab)
			return h.want(r, r.code, "")
		}},
		{"data", "a subword vocabulary of a million empty lines", func(h *hostile) string {
			vocab := h.file("vocab", []byte("### SubwordTextEncoder\n### Metadata: {}\n"+strings.Repeat("\n", 1_000_000)))
			r := h.run(nil, "predict", h.reviews(), h.file("rows.txt", []byte("good film\n")), "--vocab", vocab)
			return h.want(r, r.code, "")
		}},
		{"data", "a subword vocabulary of subwords of 1 MB, and texts of them", func(h *hostile) string {
			var b strings.Builder
			b.WriteString("### SubwordTextEncoder\n### Metadata: {}\n")
			for n := 1; n <= 1<<20; n *= 2 {
				b.WriteString("'" + strings.Repeat("a", n) + "'\n")
			}
			rows := h.file("rows.txt", []byte(strings.Repeat("a", 1<<21-1)+"\n"))
			return h.passes("the text is its subwords", "predict", h.reviews(), rows, "--vocab", h.file("vocab", []byte(b.String())))
		}},
	}
	return append(cases, hostileColumns()...)
}

// hostileColumns lists files of columns, of which other projects' libraries read the insides.
func hostileColumns() []hostileCase {
	parquetCase := func(name string, code int, lie func(*format.FileMetaData)) hostileCase {
		return dataCase("Parquet: "+name, "rows.parquet", code, "rows.parquet", func(h *hostile) []byte { return parquetLie(h, lie) })
	}
	column := func(m *format.FileMetaData) *format.ColumnMetaData { return &m.RowGroups[0].Columns[0].MetaData }
	cases := []hostileCase{
		dataCase("Parquet: a footer longer than the file", "rows.parquet", 1, "rows.parquet", func(h *hostile) []byte {
			b := parquetFile(h)
			binary.LittleEndian.PutUint32(b[len(b)-8:], 1<<31-1)
			return b
		}),
		dataCase("Parquet: a footer of noise", "rows.parquet", 1, "rows.parquet", func(h *hostile) []byte {
			b := parquetFile(h)
			for i := len(b) - 60; i < len(b)-8; i++ {
				b[i] = byte(i * 7)
			}
			return b
		}),
		parquetCase("2^60 rows", 1, func(m *format.FileMetaData) { m.NumRows, m.RowGroups[0].NumRows = 1<<60, 1<<60 }),
		parquetCase("-1 rows", 1, func(m *format.FileMetaData) { m.NumRows, m.RowGroups[0].NumRows = -1, -1 }),
		parquetCase("a column that promises 2^40 values", 0, func(m *format.FileMetaData) { column(m).NumValues = 1 << 40 }),
		parquetCase("a column beyond the file", 1, func(m *format.FileMetaData) { column(m).DataPageOffset, column(m).DictionaryPageOffset = 1<<50, 0 }),
		parquetCase("a column at -1", 1, func(m *format.FileMetaData) { column(m).DataPageOffset, column(m).DictionaryPageOffset = -1, -1 }),
		parquetCase("a column of 2^60 bytes", 1, func(m *format.FileMetaData) {
			column(m).TotalCompressedSize, column(m).TotalUncompressedSize = 1<<60, 1<<60
		}),
		parquetCase("a million row groups", 1, func(m *format.FileMetaData) {
			group := m.RowGroups[0]
			for range 20 {
				m.RowGroups = append(m.RowGroups, m.RowGroups...)
			}
			for i := range m.RowGroups {
				m.RowGroups[i] = format.RowGroup{NumRows: 1 << 40, Columns: group.Columns}
			}
		}),
		parquetCase("a schema with 2^31 children", 1, func(m *format.FileMetaData) { setChildren(m, 1<<31-1) }),
		parquetCase("a schema with -1 children", 1, func(m *format.FileMetaData) { setChildren(m, -1) }),
		parquetCase("a schema nested 100,000 deep", 1, func(m *format.FileMetaData) {
			group := m.Schema[0]
			group.NumChildren.Set(1)
			leaf := m.Schema[len(m.Schema)-1]
			m.Schema = append(slices.Repeat([]format.SchemaElement{group}, 100_000), leaf)
		}),
	}
	page := format.PageHeader{UncompressedPageSize: 1<<31 - 1, CompressedPageSize: 64}
	page.DataPageHeader.Set(format.DataPageHeader{NumValues: 9, RepetitionLevelEncoding: format.RLE, DefinitionLevelEncoding: format.RLE})
	for _, codec := range []format.CompressionCodec{format.Uncompressed, format.Snappy, format.Gzip, format.Zstd, format.Lz4Raw, format.Brotli} {
		cases = append(cases, dataCase("Parquet: a page of 64 bytes that become 2 GB, "+codec.String(), "rows.parquet", 1, "rows.parquet", func(h *hostile) []byte {
			return pageLie(h, codec, page, make([]byte, 64))
		}))
	}
	for name, change := range map[string]func(*format.PageHeader){
		"a page of -1 bytes": func(p *format.PageHeader) { p.CompressedPageSize, p.UncompressedPageSize = -1, -1 },
		"a page of 2 GB":     func(p *format.PageHeader) { p.CompressedPageSize = 1<<31 - 1 },
		"a page of 2^31 values": func(p *format.PageHeader) {
			p.UncompressedPageSize, p.DataPageHeader.V.NumValues = 64, 1<<31-1
		},
		"a page of -1 values": func(p *format.PageHeader) { p.UncompressedPageSize, p.DataPageHeader.V.NumValues = 64, -1 },
		"a dictionary of 2^31 values": func(p *format.PageHeader) {
			p.Type, p.UncompressedPageSize = format.DictionaryPage, 64
			p.DataPageHeader.Reset()
			p.DictionaryPageHeader.Set(format.DictionaryPageHeader{NumValues: 1<<31 - 1})
		},
		"a dictionary of -1 values": func(p *format.PageHeader) {
			p.Type, p.UncompressedPageSize = format.DictionaryPage, 64
			p.DataPageHeader.Reset()
			p.DictionaryPageHeader.Set(format.DictionaryPageHeader{NumValues: -1})
		},
	} {
		cases = append(cases, dataCase("Parquet: "+name, "rows.parquet", 1, "rows.parquet", func(h *hostile) []byte {
			lie := page
			change(&lie)
			return pageLie(h, format.Uncompressed, lie, make([]byte, 64))
		}))
	}
	slices.SortFunc(cases, func(a, b hostileCase) int { return strings.Compare(a.name, b.name) })
	// Every byte of an honest file in turn says the most that it can.
	for _, f := range []struct {
		name, file string
		data       func(*hostile) []byte
	}{{"Parquet", "rows.parquet", parquetFile}, {"Arrow", "rows.arrow", arrowFile}} {
		cases = append(cases, hostileCase{"data", f.name + ": an honest file with four bytes of it made -1, in 40 places", func(h *hostile) string {
			data := f.data(h)
			for i := range 40 {
				b := bytes.Clone(data)
				at := i * (len(b) - 4) / 40
				copy(b[at:], "\xff\xff\xff\xff")
				r := h.run(nil, "predict", h.reviews(), h.file(f.file, b), "--dry-run")
				h.want(r, r.code, "")
			}
			return "no more than an error line each"
		}})
	}
	return append(cases,
		dataCase("Arrow: metadata of 2 GB", "rows.arrow", 1, "rows.arrow", plain([]byte("\xff\xff\xff\xff\xff\xff\xff\x7f"))),
		dataCase("Arrow: a stream that ends in its schema", "rows.arrow", 1, "rows.arrow", func(h *hostile) []byte { return arrowFile(h)[8:100] }),
		dataCase("Arrow: offsets that go backwards", "rows.arrow", 1, "rows.arrow", func(h *hostile) []byte {
			b := arrowFile(h)
			honest := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 3), 6)
			at := bytes.Index(b, honest)
			if at < 0 {
				h.Fatal("no offsets 3, 6")
			}
			copy(b[at:], "\xff\xff\xff\x7f\x00\x00\x00\x80")
			return b
		}),
	)
}

func setChildren(m *format.FileMetaData, n int32) {
	m.Schema[0].NumChildren.Set(n)
}
