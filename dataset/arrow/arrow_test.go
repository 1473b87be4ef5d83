package arrow_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What pyarrow and pandas write is read as they say, from files and from streams.
func TestFiles(t *testing.T) {
	for _, c := range rowtest.Load(t, "testdata") {
		t.Run(c.Name, func(t *testing.T) {
			for _, o := range []arrow.Options{{}, {Open: rowtest.Pipe}} {
				o.Columns, o.Keep, o.Nulls = c.Columns, c.Keep, c.NullValues(t)
				c.Check(t, arrow.Rows(c.RowSpec(), o, c.File))
			}
		})
	}
}

func TestSeveralFiles(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"int64": dataset.TensorSpec(tensor.Int64)})
	rows := rowtest.Rows(t, arrow.Rows(spec, arrow.Options{}, "testdata/file.arrow", "testdata/stream_zstd.arrow", "testdata/pyarrow.feather"))
	if len(rows) != 21 || rows[0].Values[0] != rows[14].Values[0] {
		t.Errorf("%d rows, want 21: %v", len(rows), rows)
	}
}

func TestColumns(t *testing.T) {
	cols, err := arrow.Columns(arrow.Options{}, "testdata/logical.arrow")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range cols {
		got = append(got, c.Name+" "+c.Type+" "+c.DType.String()+c.Shape.String())
	}
	want := []string{
		"day date32 int32()", "d64 date64 int64()", "s timestamp[s] int64()", "us timestamp[us, tz=UTC] int64()", "time time64[us] int64()", "t32 time32[ms] int32()", "dur duration[ms] int64()",
		"dec decimal(9, 2) float64()", "wide decimal256(60, 4) float64()", "deep.a int64 int64()", "deep.b.c list<item: float64> float64(None,)", "map map<utf8, int64, items_nullable> invalid()", "none null int32()",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Columns (-want +got):\n%s", diff)
	}
	if _, err := arrow.Columns(arrow.Options{}, "testdata/other.arrow"); err == nil || !strings.Contains(err.Error(), "other.arrow") {
		t.Errorf("Columns of another file = %v", err)
	}
}

func TestErrors(t *testing.T) {
	ds := arrow.Rows(dataset.Dict(map[string]dataset.Spec{"list": dataset.TensorSpec(tensor.Int64, -1, -1)}), arrow.Options{}, "testdata/file.arrow")
	want := `testdata/file.arrow: column "list": want 2 levels of lists, the column has 1`
	if !errors.As(ds.Err(), new(*dataset.ColumnError)) || ds.Err().Error() != want {
		t.Errorf("Err() = %v, want %s", ds.Err(), want)
	}
	if ds := arrow.Rows(dataset.TensorSpec(tensor.String), arrow.Options{}, "testdata/nothing.arrow"); ds.Err() == nil {
		t.Error("a file that is not there: no error")
	}
	data, err := os.ReadFile("testdata/file.arrow")
	if err != nil {
		t.Fatal(err)
	}
	small := arrow.Rows(dataset.TensorSpec(tensor.Int64), arrow.Options{Open: rowtest.Stream(data), MaxBatch: 100, Columns: map[string][]string{".": {"int64"}}}, "f")
	if _, err := small.Collect(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "f: ") {
		t.Errorf("a batch beyond the limit: %v", err)
	}
}

// A stream may end without a mark, a file may not.
func TestEnds(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"int64": dataset.TensorSpec(tensor.Int64)})
	for name, cut := range map[string]struct {
		bytes int
		want  string
	}{"stream": {8, ""}, "stream_zstd": {12, "the file is cut off"}, "file": {0, ""}} {
		data, err := os.ReadFile("testdata/" + name + ".arrow")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := arrow.Rows(spec, arrow.Options{Open: rowtest.Stream(data[:len(data)-cut.bytes])}, "f").Collect(t.Context())
		if cut.want == "" && (err != nil || len(rows) != 7) || cut.want != "" && (err == nil || !strings.Contains(err.Error(), cut.want)) {
			t.Errorf("%s without its last %d bytes: %d rows, %v; want %q", name, cut.bytes, len(rows), err, cut.want)
		}
	}
	data, err := os.ReadFile("testdata/file.arrow")
	if err != nil {
		t.Fatal(err)
	}
	end := bytes.LastIndex(data, []byte("\xff\xff\xff\xff\x00\x00\x00\x00"))
	if _, err := arrow.Rows(spec, arrow.Options{Open: rowtest.Stream(data[:end])}, "f").Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "the file is cut off") {
		t.Errorf("a file without its end: %v", err)
	}
}

var format = rowtest.Columnar{
	NewWriter: func(w io.Writer, spec dataset.Spec, keep []string) (rowtest.RowWriter, error) {
		return arrow.NewWriter(w, spec, arrow.WriterOptions{Keep: keep, Types: rowtest.Types})
	},
	Rows: func(spec dataset.Spec, open dataset.Opener, keep []string, name string) *dataset.Dataset {
		return arrow.Rows(spec, arrow.Options{Open: open, Keep: keep}, name)
	},
	Columns: func(name string) ([]dataset.Column, error) { return arrow.Columns(arrow.Options{}, name) },
}

// A file that the writer writes, kept in testdata/written, is what check.py there finds right with
// pyarrow.
func TestWritten(t *testing.T) { format.CheckWritten(t, "testdata/written/rows.arrow") }

func TestWriterErrors(t *testing.T) {
	format.CheckWriterErrors(t)
	stream := format
	stream.NewWriter = func(w io.Writer, spec dataset.Spec, keep []string) (rowtest.RowWriter, error) {
		return arrow.NewWriter(w, spec, arrow.WriterOptions{Keep: keep, Types: rowtest.Types, Stream: true})
	}
	stream.CheckWriterErrors(t)
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rowtest.DrawLists(t)
		var b bytes.Buffer
		w, err := arrow.NewWriter(&b, rowtest.Lists, arrow.WriterOptions{BatchRows: rapid.IntRange(1, 20).Draw(t, "batch"), Stream: rapid.Bool().Draw(t, "stream")})
		if err != nil {
			t.Fatal(err)
		}
		rowtest.Write(t, w, rows...)
		rowtest.CheckRead(t, arrow.Rows(rowtest.Lists, arrow.Options{Open: rowtest.Stream(b.Bytes())}, "f"), rows)
	})
}

// Kept values of any type come back as they were.
func TestKept(t *testing.T) { rapid.Check(t, format.CheckKept) }

// FuzzRows damages files: there may be errors, but no panic, and however many bytes each Read
// gives, rows and errors are the same.
func FuzzRows(f *testing.F) {
	for _, name := range []string{"nulls", "stream", "file_lz4", "empty"} {
		b, err := os.ReadFile("testdata/" + name + ".arrow")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(13))
	}
	specs := map[string]dataset.Spec{"v": dataset.TensorSpec(tensor.Float32), "l": dataset.TensorSpec(tensor.Int64, -1), "cat": dataset.TensorSpec(tensor.String), "deep": dataset.RaggedSpec(tensor.Int64, 1, -1, -1), "fixed": dataset.TensorSpec(tensor.Float32, 3), "c": dataset.TensorSpec(tensor.String)}
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		for name, spec := range specs {
			n := 0
			o := arrow.Options{Open: rowtest.Sized(data), MaxBatch: 1 << 24, Columns: map[string][]string{".": {name}}}
			for _, err := range arrow.Rows(spec, o, "f").All(t.Context()) {
				if n++; n > 10000 {
					break
				}
				if err != nil && !strings.HasPrefix(err.Error(), "f: ") {
					t.Errorf("error %v", err)
				}
			}
			rows := func(open dataset.Opener) []rowtest.Row {
				o.Open = open
				return rowtest.All(t, arrow.Rows(spec, o, "f").Take(10000))
			}
			if diff := cmp.Diff(rows(rowtest.Stream(data)), rows(rowtest.Pieces(data, int(size)+1))); diff != "" {
				t.Errorf("%s, read %d bytes at a time (-whole +pieces):\n%s", name, int(size)+1, diff)
			}
		}
	})
}

// TestStringsTakeLittle: strings that are written one by one take memory for what they are, not for
// all those of their batch each time.
func TestStringsTakeLittle(t *testing.T) {
	const rows, text = 20_000, "a string of thirty characters."
	w, err := arrow.NewWriter(io.Discard, dataset.TensorSpec(tensor.String), arrow.WriterOptions{BatchRows: rows})
	if err != nil {
		t.Fatal(err)
	}
	e := dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar(text)}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rows {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 64*rows*uint64(len(text)) {
		t.Errorf("%d bytes for %d of text", took, rows*len(text))
	}
}
