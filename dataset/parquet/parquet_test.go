package parquet_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pq "github.com/parquet-go/parquet-go"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func pipe(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	return struct{ io.ReadCloser }{f}, err
}

// What pyarrow, pandas, DuckDB and fastparquet write is read as they say, from files and from streams, in blocks of any size.
func TestFiles(t *testing.T) {
	for _, c := range rowtest.Load(t, "testdata") {
		t.Run(c.Name, func(t *testing.T) {
			for _, o := range []parquet.Options{{}, {Open: pipe, Workers: 3}, {BlockBytes: 1}, {BlockBytes: 200}} {
				o.Columns, o.Keep, o.NullIsNaN = c.Columns, c.Keep, c.Options["null_is_nan"] != ""
				c.Check(t, parquet.Rows(c.RowSpec(), o, c.File))
			}
		})
	}
}

func TestSeveralFiles(t *testing.T) {
	ds := parquet.Rows(dataset.Dict(map[string]dataset.Spec{"int64": dataset.TensorSpec(tensor.Int64)}), parquet.Options{},
		"testdata/pyarrow.parquet", "testdata/pyarrow_zstd_groups.parquet", "testdata/pyarrow_encodings.parquet")
	if rows := rowtest.Rows(t, ds); len(rows) != 21 || ds.Cardinality() != 21 {
		t.Errorf("%d rows, cardinality %d; want 21", len(rows), ds.Cardinality())
	}
}

func TestColumns(t *testing.T) {
	cols, err := parquet.Columns(parquet.Options{}, "testdata/logical.parquet")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range cols {
		got = append(got, c.Name+" "+c.DType.String()+c.Shape.String())
	}
	want := []string{
		"day int32()", "ms int64()", "us int64()", "ns int64()", "time int64()", "d9 float64()", "d38 float64()", "s.a int64()", "s.b.c float64(None,)", "ls.k int64(None,)", "ls.v string(None,)",
		"cat string()", "fsb string()", "large string()", "map.key_value.key string(None,)", "map.key_value.value int64(None,)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Columns (-want +got):\n%s", diff)
	}
	if _, err := parquet.Columns(parquet.Options{}, "testdata/other.parquet"); err == nil || !strings.Contains(err.Error(), "other.parquet") {
		t.Errorf("Columns of another file = %v", err)
	}
}

func TestErrors(t *testing.T) {
	ds := parquet.Rows(dataset.Dict(map[string]dataset.Spec{"f0": dataset.TensorSpec(tensor.String)}), parquet.Options{}, "testdata/columns.parquet")
	want := `testdata/columns.parquet: column "f0": want strings, the column's type is float`
	if !errors.As(ds.Err(), new(*dataset.ColumnError)) || ds.Err().Error() != want {
		t.Errorf("Err() = %v, want %s", ds.Err(), want)
	}
	if ds := parquet.Rows(dataset.TensorSpec(tensor.String), parquet.Options{}, "testdata/nothing.parquet"); ds.Err() == nil {
		t.Error("a file that is not there: no error")
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
	w, err := parquet.NewWriter(&b, spec, parquet.WriterOptions{Keep: keep})
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

// A file that the writer writes, kept in testdata/written, is what check.py there finds right with pyarrow and DuckDB.
func TestWritten(t *testing.T) {
	keep := []string{"name", "id", "more", "score"}
	data := write(t, written, keep, rowsText)
	golden := filepath.Join("testdata", "written", "rows.parquet")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, data, 0o644); err != nil { //nolint:gosec // a test file
			t.Fatal(err)
		}
	}
	cols, err := parquet.Columns(parquet.Options{}, golden)
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
		got := rowtest.Rows(t, parquet.Rows(spec, parquet.Options{Open: open, Keep: keep}, golden))
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
	w, err := parquet.NewWriter(io.Discard, x, parquet.WriterOptions{Keep: []string{"k"}})
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
	if _, err := parquet.NewWriter(io.Discard, dataset.TensorSpec(tensor.Variant), parquet.WriterOptions{}); err == nil {
		t.Error("a column of variants: no error")
	}
	full, err := parquet.NewWriter(failing{}, dataset.TensorSpec(tensor.Int32), parquet.WriterOptions{})
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
		w, err := parquet.NewWriter(&b, spec, parquet.WriterOptions{GroupBytes: rapid.IntRange(1, 2000).Draw(t, "group")})
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
		out, err := parquet.Rows(spec, parquet.Options{Open: opener(b.Bytes()), BlockBytes: rapid.Int64Range(1, 5000).Draw(t, "block")}, "f").Collect(context.Background())
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
	for _, name := range []string{"nulls", "unequal", "duckdb", "pandas_index"} {
		b, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	specs := map[string]dataset.Spec{"v": dataset.TensorSpec(tensor.Float32), "l": dataset.TensorSpec(tensor.Int64, -1), "t": dataset.TensorSpec(tensor.String), "r": dataset.RaggedSpec(tensor.Int64, 1, -1, -1)}
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, spec := range specs {
			n := 0
			o := parquet.Options{Open: func(string) (io.ReadCloser, error) { return sized{bytes.NewReader(data)}, nil }, Columns: map[string][]string{".": {name}}}
			for _, err := range parquet.Rows(spec, o, "f").All(t.Context()) {
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

// A file of several row groups holds their rows, and a writer that goes on after any of them makes the same file.
func TestResume(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"f": dataset.TensorSpec(tensor.Float32, -1), "s": dataset.TensorSpec(tensor.String)})
	var rows []dataset.Element
	for i := range int64(3000) {
		rows = append(rows, dataset.Element{
			Row: i, Tensors: []tensor.Tensor{tensor.Vector(float32(i), 0.5), tensor.Scalar(fmt.Sprint("row ", i%100))},
			Extra: []dataset.Field{{Key: "k", JSON: fmt.Append(nil, i)}},
		})
	}
	for _, o := range []parquet.WriterOptions{{GroupRows: 700}, {GroupBytes: 40000}, {GroupRows: 1024}, {}} {
		o.Keep = []string{"k"}
		var log bytes.Buffer
		o.Log = &log
		whole := resumed(t, spec, o, nil, rows)
		groups, err := pq.OpenFile(bytes.NewReader(whole), int64(len(whole)))
		if err != nil {
			t.Fatal(err)
		}
		open := func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(whole)), nil }
		got := rowtest.Rows(t, parquet.Rows(spec, parquet.Options{Open: open, Keep: o.Keep}, "f"))
		if len(got) != len(rows) {
			t.Fatalf("%d rows, want %d", len(got), len(rows))
		}
		for i := range got {
			if diff := cmp.Diff(rowtest.RowOf(rows[i]), got[i]); diff != "" {
				t.Fatalf("row %d (-want +got):\n%s", i, diff)
			}
		}
		// The log after each group is one that a killed writer may have left.
		all, done, end := log.Bytes(), int64(0), int64(0)
		lines := bytes.IndexByte(all, '\n') + 1
		for k, g := range groups.Metadata().RowGroups {
			if int(g.Ordinal) != k {
				t.Errorf("group %d has the ordinal %d", k, g.Ordinal)
			}
			_, n := binary.Uvarint(all[lines:])
			size, m := binary.Uvarint(all[lines+n:])
			lines += n + m + int(size) //nolint:gosec // a length
			done += g.NumRows
			end = g.FileOffset + g.TotalCompressedSize
			o.Resume, o.Log = all[:lines], io.Discard
			if again := resumed(t, spec, o, whole[:end], rows[done:]); !bytes.Equal(again, whole) {
				t.Errorf("%+v: resumed after %d rows: another file", o.GroupRows, done)
			}
		}
	}
	for _, bad := range []string{"[]", "[]\n", "[{}]\n", "[{},{},{}]\n\x05", "[{},{},{}]\n\x09\x00", "[{},{},{}]\n\x09\x0a0123456789"} {
		if _, err := parquet.NewWriter(io.Discard, spec, parquet.WriterOptions{Keep: []string{"k"}, Resume: []byte(bad)}); err == nil {
			t.Errorf("NewWriter with the log %q: no error", bad)
		}
	}
}

// resumed writes rows behind what there is.
func resumed(t *testing.T, spec dataset.Spec, o parquet.WriterOptions, have []byte, rows []dataset.Element) []byte {
	t.Helper()
	b := bytes.NewBuffer(bytes.Clone(have))
	w, err := parquet.NewWriter(b, spec, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range rows {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
