package csv_test

import (
	"bytes"
	stdcsv "encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What pandas, DuckDB and Python's csv module write is read as they say.
func TestFiles(t *testing.T) {
	for _, c := range rowtest.Load(t, "testdata") {
		t.Run(c.Name, func(t *testing.T) {
			c.Check(t, csv.Rows(c.RowSpec(), csv.Options{Columns: c.Columns, Keep: c.Keep}, c.File))
		})
	}
}

func TestColumns(t *testing.T) {
	cols, err := csv.Columns(csv.Options{}, "testdata/pandas_mixed.csv")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range cols {
		got = append(got, c.Name+": "+c.Type)
	}
	want := []string{"id: integer", "text: text", "flag: boolean", "score: number", "list: list", "nested: list"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Columns (-want +got):\n%s", diff)
	}
	cols, err = csv.Columns(csv.Options{}, "testdata/pandas_no_header.csv")
	if err != nil || len(cols) != 4 || cols[3].Name != "3" {
		t.Errorf("Columns without a header = %v, %v", cols, err)
	}
	if cols, err := csv.Columns(csv.Options{Open: rowtest.Stream(nil)}, "empty.csv"); err != nil || cols != nil {
		t.Errorf("Columns of an empty file = %v, %v", cols, err)
	}
}

var xy = dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Int32), "y": dataset.TensorSpec(tensor.String)})

func read(t *testing.T, spec dataset.Spec, o csv.Options, text string) []rowtest.Row {
	t.Helper()
	o.Open = rowtest.Stream([]byte(text))
	return rowtest.Rows(t, csv.Rows(spec, o, "f.csv"))
}

func TestOptions(t *testing.T) {
	row := func(x int32, y string) rowtest.Row {
		return rowtest.RowOf(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar(x), tensor.Scalar(y)}})
	}
	by := map[string][]string{"x": {"0"}, "y": {"1"}}
	tests := []struct {
		name string
		o    csv.Options
		text string
		want []rowtest.Row
	}{
		{"comma", csv.Options{Comma: '|'}, "x|y\n1|a,b\n", []rowtest.Row{row(1, "a,b")}},
		{"no quotes", csv.Options{NoQuotes: true}, "x,y\n1,\"a\n2,b\"\n", []rowtest.Row{row(1, `"a`), row(2, `b"`)}},
		{"no header", csv.Options{Header: csv.WithoutHeader, Columns: by}, "1,a\n2,b", []rowtest.Row{row(1, "a"), row(2, "b")}},
		{"numbers as names", csv.Options{Header: csv.WithHeader, Columns: map[string][]string{"x": {"7"}, "y": {"8"}}}, "7,8\n1,a\n", []rowtest.Row{row(1, "a")}},
		{"nothing", csv.Options{}, "", nil},
		{"a header alone", csv.Options{}, "x,y", nil},
		{"empty lines", csv.Options{}, "\n\r\nx,y\n\n1,a\n\n\n2,b\n\n", []rowtest.Row{row(1, "a"), row(2, "b")}},
		{"too many values", csv.Options{}, "x,y\n1,a\n1,\"a\n\nb\",c\n3,d\n", []rowtest.Row{row(1, "a"), {Err: "f.csv:3: want 2 fields, got 3"}, row(3, "d")}},
		{"line after a long field", csv.Options{}, "x,y\n1,\"a\n\nb\"\nq,d\n", []rowtest.Row{row(1, "a\n\nb"), {Err: `f.csv:5: field "x": want an integer, got "q"`}}},
		{"same column twice", csv.Options{Columns: map[string][]string{"y": {"x"}}}, "x\n12\n", []rowtest.Row{row(12, "12")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, read(t, xy, tt.o, tt.text)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	long := strings.Repeat("a", 3<<20)
	tests := []struct {
		name string
		spec dataset.Spec
		o    csv.Options
		text string
		want string
	}{
		{"quote without end", xy, csv.Options{}, "x,y\n1,a\n2,\"b\n3,c\n", "f.csv:3: a quoted field that begins in this row does not end"},
		{"row too long", xy, csv.Options{MaxRow: 1 << 20}, "x,y\n1,\"" + long + "\"\n", "f.csv:2: the row is longer than 1048576 bytes; is there a quote that does not end?"},
		{"UTF-16", xy, csv.Options{}, "\xff\xfex\x00,\x00", "f.csv: the file is in UTF-16; save it as UTF-8"},
		{"no column", xy, csv.Options{}, "x,z\n1,2\n", `f.csv: no column "y"; the columns are "x", "z"`},
		{"not filled", dataset.TensorSpec(tensor.Float32, 3), csv.Options{Columns: map[string][]string{".": {"x", "y"}}}, "x,y\n1,2\n", `f.csv: input ".": 2 values do not fill the shape (3,) of a row`},
		{"type", dataset.TensorSpec(tensor.Variant), csv.Options{}, "x\n1\n", `f.csv: input ".": values of type variant are not read from cells`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Open = rowtest.Stream([]byte(tt.text))
			var last error
			for _, err := range csv.Rows(tt.spec, tt.o, "f.csv").All(t.Context()) {
				last = err
			}
			if last == nil || last.Error() != tt.want {
				t.Errorf("error %v, want %s", last, tt.want)
			}
		})
	}
	if ds := csv.Rows(xy, csv.Options{}, "testdata/duckdb.csv"); !errors.As(ds.Err(), new(*dataset.ColumnError)) {
		t.Errorf("Err() of a file without the columns = %v, want a *ColumnError", ds.Err())
	}
	if ds := csv.Rows(xy, csv.Options{}, "testdata/nothing.csv"); ds.Err() == nil {
		t.Error("a file that is not there: no error")
	}
}

func TestSeveralFiles(t *testing.T) {
	o := csv.Options{Open: func(name string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(map[string]string{"a": "x,y\n1,a\n2,b\n", "b": "y,x\nc,3\n", "c": "x;y\n4;d\nx;e\n"}[name])), nil
	}}
	var got []string
	for e, err := range csv.Rows(xy, o, "a", "b", "c").All(t.Context()) {
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, fmt.Sprintf("%d %s", e.Row, e.Tensors[1].Strings()[0]))
	}
	if diff := cmp.Diff([]string{"0 a", "1 b", "2 c", "3 d", `c:3: field "x": want an integer, got "x"`}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// TestReaders: however a reader hands out its bytes, the rows are the same.
func TestReaders(t *testing.T) {
	var text strings.Builder
	text.WriteString("x,y\n")
	for i := range 300 {
		fmt.Fprintf(&text, "%d,\"line %d\nand \"\"more\"\"\"\r\n", i, i)
	}
	want := read(t, xy, csv.Options{}, text.String())
	if len(want) != 300 {
		t.Fatalf("%d rows, want 300", len(want))
	}
	for name, wrap := range map[string]func(io.Reader) io.Reader{"one byte": iotest.OneByteReader, "half": iotest.HalfReader, "data and error": iotest.DataErrReader} {
		o := csv.Options{Open: func(string) (io.ReadCloser, error) {
			return io.NopCloser(wrap(strings.NewReader(text.String()))), nil
		}}
		if diff := cmp.Diff(want, rowtest.Rows(t, csv.Rows(xy, o, "f.csv"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	o := csv.Options{Open: func(string) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("x,y\n1,a\n"), iotest.ErrReader(io.ErrNoProgress))), nil
	}}
	if _, err := csv.Rows(xy, o, "f.csv").Collect(t.Context()); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("error %v, want the reader's", err)
	}
}

// Rows over several chunks, of any length, are encoding/csv's.
func TestAgainstEncodingCSV(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.OneOf(rapid.StringOf(rapid.RuneFrom([]rune("a\",\né \t"))), rapid.StringN(0, 50, -1), rapid.Just(strings.Repeat("long\n\"", 20000)))
		rows := rapid.SliceOfN(rapid.SliceOfN(cell, 2, 2), 0, 8).Draw(t, "rows")
		var b bytes.Buffer
		w := stdcsv.NewWriter(&b)
		_ = w.Write([]string{"a", "b"})
		_ = w.WriteAll(rows)
		ds := csv.Rows(dataset.TensorSpec(tensor.String, 2), csv.Options{Open: rowtest.Stream(b.Bytes()), Comma: ','}, "f")
		var got [][]string
		for e, err := range ds.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, append([]string{}, e.Tensors[0].Strings()...))
		}
		if len(rows) == 0 {
			rows = nil
		}
		if diff := cmp.Diff(rows, got); diff != "" {
			t.Fatalf("rows (-want +got):\n%s", diff)
		}
	})
}

func TestWriter(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{
		"a": dataset.TensorSpec(tensor.Float32), "b": dataset.TensorSpec(tensor.Int64, -1, 2), "s": dataset.TensorSpec(tensor.String),
		"r": dataset.RaggedSpec(tensor.Int32, 1, -1, -1), "w": dataset.TensorSpec(tensor.String, -1),
	})
	text := `{"a": 0.1, "b": [[1, 9007199254740993]], "s": "x,\"y\"\n", "r": [[1], [], [2, 3]], "w": ["a", "b c"], "id": "07", "n": 12}
{"a": "NaN", "b": [], "s": " é ", "r": [], "w": [], "id": null, "n": {"k": [1]}}
`
	var b bytes.Buffer
	w, err := csv.NewWriter(&b, spec, csv.WriterOptions{Keep: []string{"id", "n"}})
	if err != nil {
		t.Fatal(err)
	}
	in := dataset.JSONL(strings.NewReader(text), spec, dataset.JSONLOptions{Keep: []string{"id", "n"}})
	var want []rowtest.Row
	for e, err := range in.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
		e.Extra = nil
		want = append(want, rowtest.RowOf(e))
	}
	if err := w.Write(dataset.Element{Extra: []dataset.Field{{Key: "id", Value: []byte(`"bad"`)}}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const golden = "a,b,r,s,w,id,n\n" +
		"0.1,\"[[1,9007199254740993]]\",\"[[1],[],[2,3]]\",\"x,\"\"y\"\"\n\",\"[\"\"a\"\",\"\"b c\"\"]\",07,12\n" +
		"NaN,[],[],\" é \",[],,\"{\"\"k\"\": [1]}\"\n" +
		",,,,,bad,\n"
	if diff := cmp.Diff(golden, b.String()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	whole := strings.TrimSuffix(b.String(), ",,,,,bad,\n")
	got := rowtest.Rows(t, csv.Rows(spec, csv.Options{Open: rowtest.Stream([]byte(whole))}, "f.csv"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestWriterErrors(t *testing.T) {
	x := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Int32)})
	if _, err := csv.NewWriter(io.Discard, x, csv.WriterOptions{Keep: []string{"x"}}); err == nil {
		t.Error("two columns of one name: no error")
	}
	if _, err := csv.NewWriter(io.Discard, dataset.TensorSpec(tensor.Resource), csv.WriterOptions{}); err == nil {
		t.Error("a column of resources: no error")
	}
	w, err := csv.NewWriter(rowtest.FullDisk{}, x, csv.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar[int64](1)}}); err == nil {
		t.Error("a value of another type: no error")
	}
	if err := w.Close(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Close = %v, want the writer's error", err)
	}
	if err := w.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar[int32](1)}}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Write after an error = %v", err)
	}
}

// What is written is read back, whatever it is.
func TestRoundTrip(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"f": dataset.TensorSpec(tensor.Float64), "s": dataset.TensorSpec(tensor.String), "v": dataset.TensorSpec(tensor.Float32, -1)})
	rapid.Check(t, func(t *rapid.T) {
		var b bytes.Buffer
		comma := rapid.SampledFrom([]byte{',', '\t', ';'}).Draw(t, "comma")
		w, err := csv.NewWriter(&b, spec, csv.WriterOptions{Comma: comma})
		if err != nil {
			t.Fatal(err)
		}
		var want []rowtest.Row
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			e := dataset.Element{Tensors: []tensor.Tensor{
				tensor.Scalar(rapid.Float64().Draw(t, "f")), tensor.Scalar(string(rapid.SliceOf(rapid.Byte()).Draw(t, "s"))), tensor.Vector(rapid.SliceOf(rapid.Float32()).Draw(t, "v")...),
			}}
			want = append(want, rowtest.RowOf(e))
			if err := w.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		_ = w.Close()
		var got []rowtest.Row
		for e, err := range csv.Rows(spec, csv.Options{Open: rowtest.Stream(b.Bytes())}, "f").All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, rowtest.RowOf(e))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("read back (-want +got):\n%s", diff)
		}
	})
}

func FuzzRows(f *testing.F) {
	for _, s := range []string{"x,y\n1,a\n", "x,y\n\"1\",\"a\"\"b\"\n2,\"c\nd\"\r\n", "x;y\n1;\"", "\ufeffx\ty\n1\t2\n", "0,1\n2,3\n", ",\n,", "\"", "x,y\n1,[1,2]\n"} {
		f.Add(s)
	}
	specs := []dataset.Spec{xy, dataset.TensorSpec(tensor.Float32, -1), dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32), "y": dataset.RaggedSpec(tensor.Int64, 1, -1, -1)})}
	f.Fuzz(func(t *testing.T, s string) {
		lines := int64(strings.Count(s, "\n") + strings.Count(s, "\r") - strings.Count(s, "\r\n") + 1)
		for _, spec := range specs {
			ds := csv.Rows(spec, csv.Options{Open: rowtest.Stream([]byte(s))}, "f")
			for e, err := range ds.All(t.Context()) {
				if bad, ok := errors.AsType[*dataset.SyntaxError](err); ok && (bad.Line < 1 || bad.Line > lines) {
					t.Errorf("error at line %d: %v", bad.Line, err)
				}
				for _, f := range e.Extra {
					if !json.Valid(f.Value) {
						t.Errorf("%s is no JSON", f.Value)
					}
				}
			}
		}
	})
}
