package tfrecord_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What TensorFlow writes is read as it says.
func TestFiles(t *testing.T) {
	for _, c := range rowtest.Load(t, "testdata") {
		t.Run(c.Name, func(t *testing.T) {
			c.Check(t, tfrecord.Rows(c.RowSpec(), tfrecord.Options{Columns: c.Columns, Keep: c.Keep}, c.File))
		})
	}
}

func TestColumns(t *testing.T) {
	for file, want := range map[string][]string{
		"example":  {"flag: int64", "id: int64", "image: bytes", "text: bytes", "tokens: int64", "words: bytes", "x: floats"},
		"sequence": {"first: feature list of bytes", "id: int64", "steps: feature list of int64", "words: feature list of bytes"},
		"empty":    nil,
	} {
		cols, err := tfrecord.Columns(tfrecord.Options{}, "testdata/"+file+".tfrecord")
		var got []string
		for _, c := range cols {
			got = append(got, c.Name+": "+c.Type)
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", file, err, diff)
		}
	}
}

// TestHostile: damaged records are refused with the file and their number.
func TestHostile(t *testing.T) {
	good, err := os.ReadFile("testdata/example.tfrecord")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"other", []byte("PAR1 is no record at all"), "f: not a TFRecord file: its first bytes are no record's"},
		{"length", append(bytes.Clone(good), "xxxxxxxxxxxxxxxx"...), "f: record 7: the checksum of its length is wrong: the file is damaged from here on"},
		{"head cut", good[:5], "f: the file is cut off in record 1"},
		{"enormous", record(1<<40, nil), "f: record 1: 1099511627776 bytes are more than the limit of 134217728"},
		{"lying", record(1<<27, []byte("xx")), "f: the file is cut off in record 1"},
		{"no example", record(3, []byte("abc\x00\x00\x00\x00")), `f: its records are no tf.train.Examples, and have no feature "x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var last error
			for _, err := range tfrecord.Rows(dataset.TensorSpec(tensor.Float32, 4), tfrecord.Options{Open: rowtest.Stream(tt.data), Columns: map[string][]string{".": {"x"}}}, "f").All(t.Context()) {
				last = err
			}
			if last == nil || last.Error() != tt.want {
				t.Errorf("error %v, want %s", last, tt.want)
			}
		})
	}
	ds := tfrecord.Rows(dataset.TensorSpec(tensor.Int64, -1), tfrecord.Options{MaxValues: 2, Columns: map[string][]string{".": {"tokens"}}}, "testdata/example.tfrecord")
	rows := rowtest.Rows(t, ds)
	if want := "3 values are more than the limit of 2"; len(rows) != 6 || rows[2].Err != "" || !strings.Contains(rows[3].Err, want) {
		t.Errorf("rows %v, want %q from row 4 on", rows, want)
	}
}

// record returns the beginning of a record that promises size bytes.
func record(size uint64, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, size)
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	b = binary.LittleEndian.AppendUint32(b, (c>>15|c<<17)+0xa282ead8)
	if size == 3 && len(data) >= 3 {
		d := crc32.Checksum(data[:3], crc32.MakeTable(crc32.Castagnoli))
		data = binary.LittleEndian.AppendUint32(data[:3], (d>>15|d<<17)+0xa282ead8)
	}
	return append(b, data...)
}

func TestReadersAndFiles(t *testing.T) {
	data, err := os.ReadFile("testdata/example.tfrecord")
	if err != nil {
		t.Fatal(err)
	}
	spec := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32, 4), "words": dataset.TensorSpec(tensor.String, -1)})
	want := rowtest.Rows(t, tfrecord.Rows(spec, tfrecord.Options{}, "testdata/example.tfrecord"))
	for name, wrap := range map[string]func(io.Reader) io.Reader{"one byte": iotest.OneByteReader, "half": iotest.HalfReader, "data and error": iotest.DataErrReader} {
		o := tfrecord.Options{Open: func(string) (io.ReadCloser, error) { return io.NopCloser(wrap(bytes.NewReader(data))), nil }}
		if diff := cmp.Diff(want, rowtest.Rows(t, tfrecord.Rows(spec, o, "f"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	twice := tfrecord.Rows(spec, tfrecord.Options{}, "testdata/example.tfrecord", "testdata/empty.tfrecord", "testdata/example.tfrecord")
	if n := len(rowtest.Rows(t, twice)); n != 12 {
		t.Errorf("%d rows, want 12", n)
	}
}

var written = dataset.Dict(map[string]dataset.Spec{
	"b": dataset.TensorSpec(tensor.Bool), "d": dataset.TensorSpec(tensor.Float64), "f": dataset.TensorSpec(tensor.Float32, -1, 2), "h": dataset.TensorSpec(tensor.Float16, 2),
	"i": dataset.TensorSpec(tensor.Int64), "s": dataset.TensorSpec(tensor.String, -1), "u": dataset.TensorSpec(tensor.Uint8, -1),
})

// Records that the writer writes, kept in testdata/written, are what check.py there finds right
// with TensorFlow.
func TestWritten(t *testing.T) {
	const text = `{"b": true, "d": 0.5, "f": [[1, 2], [3, "NaN"]], "h": [0.5, -1], "i": -9223372036854775808, "s": ["é", {"b64": "/wA="}], "u": [1, 255], "id": 7, "name": "n", "z": null, "q": 0.25}
{"b": false, "d": -2, "f": [], "h": [0, 1], "i": 1, "s": [], "u": [], "id": true, "name": [1, 2], "z": 1}
`
	keep := []string{"id", "name", "z", "q"}
	var b bytes.Buffer
	w, err := tfrecord.NewWriter(&b, written, tfrecord.WriterOptions{Keep: keep})
	if err != nil {
		t.Fatal(err)
	}
	var want []rowtest.Row
	for e, err := range dataset.JSONL(strings.NewReader(text), written, dataset.JSONLOptions{Keep: keep}).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
		e.Extra = nil
		want = append(want, rowtest.RowOf(e))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "written", "rows.tfrecord")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil { //nolint:gosec // a test file
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(kept, b.Bytes()) {
		t.Errorf("what is written is not what testdata/written has (%v); write it with UPDATE=1 and run check.py", err)
	}
	if diff := cmp.Diff(want, rowtest.Rows(t, tfrecord.Rows(written, tfrecord.Options{}, golden))); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestWriterErrors(t *testing.T) {
	for want, spec := range map[string]dataset.Spec{
		"lists of unequal lengths":     dataset.RaggedSpec(tensor.Int32, 1, -1, -1),
		"type complex64 are not":       dataset.TensorSpec(tensor.Complex64),
		"type variant are not written": dataset.TensorSpec(tensor.Variant),
	} {
		if _, err := tfrecord.NewWriter(io.Discard, spec, tfrecord.WriterOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewWriter(%v) = %v, want %q", spec, err, want)
		}
	}
	if _, err := tfrecord.AppendExample(nil, []string{"u"}, []tensor.Tensor{tensor.Scalar(uint64(1) << 63)}); err == nil {
		t.Error("an integer beyond int64: no error")
	}
	if _, err := tfrecord.AppendExample(nil, []string{"d"}, []tensor.Tensor{tensor.Scalar(1e300)}); err == nil {
		t.Error("a float beyond float32: no error")
	}
}

func TestRoundTrip(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"f": dataset.TensorSpec(tensor.Float32, -1), "i": dataset.TensorSpec(tensor.Int64, -1), "s": dataset.TensorSpec(tensor.String, -1), "x": dataset.TensorSpec(tensor.Int32, 2)})
	rapid.Check(t, func(t *rapid.T) {
		var b bytes.Buffer
		w, err := tfrecord.NewWriter(&b, spec, tfrecord.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var rows []dataset.Element
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			strs := rapid.SliceOf(rapid.String()).Draw(t, "s")
			rows = append(rows, dataset.Element{Tensors: []tensor.Tensor{
				tensor.Vector(rapid.SliceOf(rapid.Float32()).Draw(t, "f")...), tensor.Vector(rapid.SliceOf(rapid.Int64()).Draw(t, "i")...),
				tensor.Vector(strs...), tensor.Vector(rapid.SliceOfN(rapid.Int32(), 2, 2).Draw(t, "x")...),
			}})
		}
		rowtest.Write(t, w, rows...)
		rowtest.CheckRead(t, tfrecord.Rows(spec, tfrecord.Options{Open: rowtest.Stream(b.Bytes())}, "f"), rows)
	})
}

func FuzzFile(f *testing.F) {
	for _, name := range []string{"missing", "damaged", "cut", "sequence"} {
		b, err := os.ReadFile("testdata/" + name + ".tfrecord")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(13))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		readAll(t, data)
		// however many bytes each Read gives, the rows and errors are the same
		spec := fuzzed.Items()[1]
		rows := func(open dataset.Opener) []rowtest.Row {
			o := tfrecord.Options{Open: open, Columns: map[string][]string{".": {"b"}}, Keep: []string{"a", "words"}, MaxRecord: 1 << 20}
			return rowtest.All(t, tfrecord.Rows(spec, o, "f"))
		}
		if diff := cmp.Diff(rows(rowtest.Stream(data)), rows(rowtest.Pieces(data, int(size)+1))); diff != "" {
			t.Errorf("read %d bytes at a time (-whole +pieces):\n%s", int(size)+1, diff)
		}
	})
}

var fuzzed = dataset.Dict(map[string]dataset.Spec{
	"a": dataset.TensorSpec(tensor.Float32), "b": dataset.TensorSpec(tensor.Int16, -1), "steps": dataset.RaggedSpec(tensor.Int64, 1, -1, -1), "words": dataset.TensorSpec(tensor.String, -1, 2),
})

// readAll reads records by several specs. There are no panics, and errors say where they are.
func readAll(t *testing.T, data []byte) {
	t.Helper()
	for i, spec := range fuzzed.Items() {
		o := tfrecord.Options{Open: rowtest.Stream(data), Columns: map[string][]string{".": {fuzzed.Keys()[i]}}, Keep: []string{fuzzed.Keys()[i]}, MaxRecord: 1 << 20}
		for _, err := range tfrecord.Rows(spec, o, "f").All(t.Context()) {
			if err != nil && !strings.HasPrefix(err.Error(), "f: ") {
				t.Errorf("error %v", err)
			}
		}
	}
}

// FuzzExample gives the fuzzer the bytes of an Example, in a record whose checksums are right.
func FuzzExample(f *testing.F) {
	e, err := tfrecord.AppendExample(nil, []string{"a", "b", "words"}, []tensor.Tensor{tensor.Scalar[float32](1), tensor.Vector[int32](1, -1), tensor.Vector("x", "y")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e)
	f.Add([]byte("\n\x0f\n\r\n\x01a\x12\x08\x12\x06\r\x00\x00\xc0\x3f"))
	f.Fuzz(func(t *testing.T, example []byte) {
		head := record(uint64(len(example)), nil)
		c := crc32.Checksum(example, crc32.MakeTable(crc32.Castagnoli))
		data := append(head[:12:12], example...)
		readAll(t, binary.LittleEndian.AppendUint32(data, (c>>15|c<<17)+0xa282ead8))
	})
}

func BenchmarkRows(b *testing.B) {
	const rows = 20000
	rng := rand.New(rand.NewPCG(1, 2))
	var buf bytes.Buffer
	spec := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32, 32), "ids": dataset.TensorSpec(tensor.Int64, -1)})
	w, err := tfrecord.NewWriter(&buf, spec, tfrecord.WriterOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for range rows {
		x, ids := make([]float32, 32), make([]int64, 32)
		for i := range x {
			x[i], ids[i] = float32(rng.NormFloat64()), rng.Int64N(8000)
		}
		if err := w.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Vector(ids...), tensor.Vector(x...)}}); err != nil {
			b.Fatal(err)
		}
	}
	_ = w.Close()
	for _, spec := range []dataset.Spec{
		dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32, 32)}),
		dataset.Dict(map[string]dataset.Spec{"ids": dataset.TensorSpec(tensor.Int64, -1)}),
	} {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("%v/workers=%d", spec.Keys(), workers), func(b *testing.B) {
				b.SetBytes(int64(buf.Len()))
				for b.Loop() {
					n := 0
					for _, err := range tfrecord.Rows(spec, tfrecord.Options{Open: rowtest.Stream(buf.Bytes()), Workers: workers}, "f").All(context.Background()) {
						if err != nil {
							b.Fatal(err)
						}
						n++
					}
					if n != rows {
						b.Fatal(n)
					}
				}
				b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

var errDisk = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errDisk }

func TestDiskFull(t *testing.T) {
	w, err := tfrecord.NewWriter(full{}, dataset.TensorSpec(tensor.Int32), tfrecord.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar[int32](1)}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, errDisk) {
		t.Errorf("Close = %v, want %v", err, errDisk)
	}
}
