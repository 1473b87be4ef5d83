package arrow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
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

func pipe(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	return struct{ io.ReadCloser }{f}, err
}

// What pyarrow and pandas write is read as they say, from files and from streams.
func TestFiles(t *testing.T) {
	for _, c := range rowtest.Load(t, "testdata") {
		t.Run(c.Name, func(t *testing.T) {
			for _, o := range []arrow.Options{{}, {Open: pipe}} {
				o.Columns, o.Keep, o.NullIsNaN = c.Columns, c.Keep, c.Options["null_is_nan"] != ""
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
	ds := arrow.Rows(dataset.Dict(map[string]dataset.Spec{"list": dataset.TensorSpec(tensor.Int64)}), arrow.Options{}, "testdata/file.arrow")
	want := `testdata/file.arrow: column "list": want a single value, the column holds lists`
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
	small := arrow.Rows(dataset.TensorSpec(tensor.Int64), arrow.Options{Open: opener(data), MaxBatch: 100, Columns: map[string][]string{".": {"int64"}}}, "f")
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
		rows, err := arrow.Rows(spec, arrow.Options{Open: opener(data[:len(data)-cut.bytes])}, "f").Collect(t.Context())
		if cut.want == "" && (err != nil || len(rows) != 7) || cut.want != "" && (err == nil || !strings.Contains(err.Error(), cut.want)) {
			t.Errorf("%s without its last %d bytes: %d rows, %v; want %q", name, cut.bytes, len(rows), err, cut.want)
		}
	}
	data, err := os.ReadFile("testdata/file.arrow")
	if err != nil {
		t.Fatal(err)
	}
	end := bytes.LastIndex(data, []byte("\xff\xff\xff\xff\x00\x00\x00\x00"))
	if _, err := arrow.Rows(spec, arrow.Options{Open: opener(data[:end])}, "f").Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "the file is cut off") {
		t.Errorf("a file without its end: %v", err)
	}
}

var written = dataset.Dict(map[string]dataset.Spec{
	"b": dataset.TensorSpec(tensor.Bool), "c": dataset.TensorSpec(tensor.Complex64), "d": dataset.TensorSpec(tensor.Float64), "f": dataset.TensorSpec(tensor.Float32, -1, 2),
	"h": dataset.TensorSpec(tensor.Float16), "i": dataset.TensorSpec(tensor.Int64), "r": dataset.RaggedSpec(tensor.Int32, 1, -1, -1), "raw": dataset.TensorSpec(tensor.String),
	"s": dataset.TensorSpec(tensor.String, -1), "u": dataset.TensorSpec(tensor.Uint64), "u8": dataset.TensorSpec(tensor.Uint8, 2), "z": dataset.UnknownRankSpec(tensor.Int32),
})

const rowsText = `{"b": true, "c": [1, -2], "d": 0.5, "f": [[1, 2], [3, "NaN"]], "h": 0.25, "i": -9223372036854775808, "r": [[1], [], [2, 3]], "raw": {"b64": "/wA="}, "s": ["é", ""], "u": 18446744073709551615, "u8": [1, 255], "z": [1, 2], "id": 7, "name": "n", "more": [1], "score": 1}
{"b": false, "c": [0, 0], "d": -2, "f": [], "h": -1, "i": 1, "r": [], "raw": "plain", "s": [], "u": 0, "u8": [0, 0], "z": [], "id": 8, "name": null, "more": {"a": 1}, "score": 0.5}
`

func write(t *testing.T, spec dataset.Spec, keep []string, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := arrow.NewWriter(&b, spec, arrow.WriterOptions{Keep: keep})
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range dataset.JSONL(strings.NewReader(text), spec, dataset.JSONLOptions{Keep: keep}).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(dataset.Element{Row: 2, Extra: []dataset.Field{{Key: "name", JSON: []byte(`"no values"`)}}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A file that the writer writes, kept in testdata/written, is what check.py there finds right with pyarrow.
func TestWritten(t *testing.T) {
	keep := []string{"name", "id", "more", "score"}
	data := write(t, written, keep, rowsText)
	golden := filepath.Join("testdata", "written", "rows.arrow")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, data, 0o644); err != nil { //nolint:gosec // a test file
			t.Fatal(err)
		}
	}
	cols, err := arrow.Columns(arrow.Options{}, golden)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range cols {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{"b", "c", "d", "f", "h", "i", "r", "raw", "s", "u", "u8", "z", "name", "id", "more", "score"}, names); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	items := map[string]dataset.Spec{}
	for i, k := range written.Keys() {
		switch c := written.Items()[i]; k {
		case "c":
			items[k] = dataset.TensorSpec(tensor.Float32, 2)
		case "z":
			items[k] = dataset.TensorSpec(tensor.Int32, -1)
		default:
			items[k] = c
		}
	}
	spec := dataset.Dict(items)
	var want []rowtest.Row
	for e, err := range dataset.JSONL(strings.NewReader(rowsText), spec, dataset.JSONLOptions{Keep: keep}).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		e.Extra[2].JSON, _ = json.Marshal(string(e.Extra[2].JSON)) // text, since the values differ in kind
		want = append(want, rowtest.RowOf(e))
	}
	want = append(want, rowtest.Row{Err: "null"})
	for name, open := range map[string]dataset.Opener{"now": opener(data), "kept": nil} {
		got := rowtest.Rows(t, arrow.Rows(spec, arrow.Options{Open: open, Keep: keep}, golden))
		for i := range got {
			if strings.Contains(got[i].Err, "null") {
				got[i].Err = "null"
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: read back (-want +got):\n%s", name, diff)
		}
	}
}

func opener(data []byte) dataset.Opener {
	return func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

func TestWriterErrors(t *testing.T) {
	x := dataset.Dict(map[string]dataset.Spec{"x": dataset.UnknownRankSpec(tensor.Int32), "t": dataset.TensorSpec(tensor.String)})
	w, err := arrow.NewWriter(io.Discard, x, arrow.WriterOptions{Keep: []string{"k"}, Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	row := func(i int64, x tensor.Tensor, s, kept string) dataset.Element {
		return dataset.Element{Row: i, Tensors: []tensor.Tensor{tensor.Scalar(s), x}, Extra: []dataset.Field{{Key: "k", JSON: []byte(kept)}}}
	}
	for i := range int64(1024) {
		if err := w.Write(row(i, tensor.Scalar[int32](1), "text", "1")); err != nil {
			t.Fatal(err)
		}
	}
	for want, e := range map[string]dataset.Element{
		`row 5: column "x": a value of 1 dimensions, after rows of 0`:                row(5, tensor.Vector[int32](1), "", "1"),
		`row 5: column "t": a string that is not UTF-8`:                              row(5, tensor.Scalar[int32](1), "\xff", "1"),
		`row 5: column "k": "a" is not of the type of the rows before, which are in`: row(5, tensor.Scalar[int32](1), "", `"a"`),
	} {
		if err := w.Write(e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Write = %v, want %q", err, want)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := arrow.NewWriter(io.Discard, dataset.TensorSpec(tensor.Variant), arrow.WriterOptions{}); err == nil {
		t.Error("a column of variants: no error")
	}
	full, err := arrow.NewWriter(failing{}, dataset.TensorSpec(tensor.Int32), arrow.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_ = full.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar[int32](1)}})
	if err := full.Close(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Close = %v, want the writer's error", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestRoundTrip(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{
		"f": dataset.TensorSpec(tensor.Float32, -1), "i": dataset.TensorSpec(tensor.Int64), "r": dataset.RaggedSpec(tensor.Uint16, 2, -1, -1, -1), "s": dataset.TensorSpec(tensor.String, -1), "v": dataset.TensorSpec(tensor.Bool, -1, 2),
	})
	rapid.Check(t, func(t *rapid.T) {
		var text []byte
		for range rapid.IntRange(0, 30).Draw(t, "n") {
			row := map[string]any{
				"f": rapid.SliceOf(rapid.Float32()).Draw(t, "f"), "i": rapid.Int64().Draw(t, "i"), "s": rapid.SliceOf(rapid.String()).Draw(t, "s"),
				"r": rapid.SliceOfN(rapid.SliceOfN(rapid.SliceOfN(rapid.Uint16(), 0, 3), 0, 3), 0, 3).Draw(t, "r"), "v": rapid.SliceOf(rapid.SliceOfN(rapid.Bool(), 2, 2)).Draw(t, "v"),
			}
			line, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			text = append(append(text, line...), '\n')
		}
		in, err := dataset.JSONL(bytes.NewReader(text), spec).Collect(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w, err := arrow.NewWriter(&b, spec, arrow.WriterOptions{BatchRows: rapid.IntRange(1, 20).Draw(t, "batch"), Stream: rapid.Bool().Draw(t, "stream")})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range in {
			if err := w.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		out, err := arrow.Rows(spec, arrow.Options{Open: opener(b.Bytes())}, "f").Collect(context.Background())
		if err != nil || len(out) != len(in) {
			t.Fatalf("%d rows, want %d: %v", len(out), len(in), err)
		}
		for i := range in {
			if diff := cmp.Diff(rowtest.RowOf(in[i]), rowtest.RowOf(out[i])); diff != "" {
				t.Fatalf("row %d (-want +got):\n%s", i, diff)
			}
		}
	})
}

// sized is a reader that can be read at any place.
type sized struct{ *bytes.Reader }

func (sized) Close() error { return nil }

// FuzzRows damages files: there may be errors, but no panic.
func FuzzRows(f *testing.F) {
	for _, name := range []string{"nulls", "stream", "file_lz4", "empty"} {
		b, err := os.ReadFile("testdata/" + name + ".arrow")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	specs := map[string]dataset.Spec{"v": dataset.TensorSpec(tensor.Float32), "l": dataset.TensorSpec(tensor.Int64, -1), "cat": dataset.TensorSpec(tensor.String), "deep": dataset.RaggedSpec(tensor.Int64, 1, -1, -1), "fixed": dataset.TensorSpec(tensor.Float32, 3), "c": dataset.TensorSpec(tensor.String)}
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, spec := range specs {
			n := 0
			o := arrow.Options{Open: func(string) (io.ReadCloser, error) { return sized{bytes.NewReader(data)}, nil }, MaxBatch: 1 << 24, Columns: map[string][]string{".": {name}}}
			for _, err := range arrow.Rows(spec, o, "f").All(t.Context()) {
				if n++; n > 10000 {
					break
				}
				if err != nil && !strings.HasPrefix(err.Error(), "f: ") {
					t.Errorf("error %v", err)
				}
			}
		}
	})
}
