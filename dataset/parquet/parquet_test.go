package parquet_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
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

// What pyarrow, pandas, DuckDB and fastparquet write is read as they say, from files and from
// streams, in blocks of any size.
func TestFiles(t *testing.T) {
	for _, c := range rowtest.Load(t, "testdata") {
		t.Run(c.Name, func(t *testing.T) {
			for _, o := range []parquet.Options{{}, {Open: rowtest.Pipe, Workers: 3}, {BlockBytes: 1}, {BlockBytes: 200}} {
				o.Columns, o.Keep, o.Nulls = c.Columns, c.Keep, c.NullValues(t)
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

var format = rowtest.Columnar{
	NewWriter: func(w io.Writer, spec dataset.Spec, keep []string) (rowtest.RowWriter, error) {
		return parquet.NewWriter(w, spec, parquet.WriterOptions{Keep: keep, Types: rowtest.Types})
	},
	Rows: func(spec dataset.Spec, open dataset.Opener, keep []string, name string) *dataset.Dataset {
		return parquet.Rows(spec, parquet.Options{Open: open, Keep: keep}, name)
	},
	Columns: func(name string) ([]dataset.Column, error) { return parquet.Columns(parquet.Options{}, name) },
}

// A file that the writer writes, kept in testdata/written, is what check.py there finds right with
// pyarrow and DuckDB.
func TestWritten(t *testing.T) { format.CheckWritten(t, "testdata/written/rows.parquet") }

func TestWriterErrors(t *testing.T) { format.CheckWriterErrors(t) }

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rowtest.DrawLists(t)
		var b bytes.Buffer
		w, err := parquet.NewWriter(&b, rowtest.Lists, parquet.WriterOptions{GroupBytes: rapid.IntRange(1, 2000).Draw(t, "group")})
		if err != nil {
			t.Fatal(err)
		}
		rowtest.Write(t, w, rows...)
		rowtest.CheckRead(t, parquet.Rows(rowtest.Lists, parquet.Options{Open: rowtest.Stream(b.Bytes()), BlockBytes: rapid.Int64Range(1, 5000).Draw(t, "block")}, "f"), rows)
	})
}

// Kept values of any type come back as they were.
func TestKept(t *testing.T) { rapid.Check(t, format.CheckKept) }

// Intervals have the text that DuckDB gives them, and are intervals again where they are written.
func TestIntervals(t *testing.T) {
	t.Parallel()
	keep := []string{"i", "t"}
	read := func(o parquet.Options, name string) (rows []dataset.Element, types []dataset.FieldType) {
		o.Keep = keep
		types, err := parquet.KeptTypes(o, name)
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range parquet.Rows(dataset.Dict(map[string]dataset.Spec{}), o, name).All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, e.Clone())
			if got, want := string(e.Extra[0].AppendJSON(nil)), string(e.Extra[1].AppendJSON(nil)); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		return rows, types
	}
	rows, types := read(parquet.Options{}, "testdata/intervals.parquet")
	if len(rows) != 8 {
		t.Fatalf("%d rows", len(rows))
	}
	var b bytes.Buffer
	w, err := parquet.NewWriter(&b, dataset.Dict(map[string]dataset.Spec{}), parquet.WriterOptions{Keep: keep, Types: map[string]dataset.FieldType{"i": types[0], "t": types[1]}})
	if err != nil {
		t.Fatal(err)
	}
	rowtest.Write(t, w, rows...)
	again, _ := read(parquet.Options{Open: rowtest.Sized(b.Bytes())}, "written")
	if len(again) != len(rows) {
		t.Errorf("%d rows, want %d", len(again), len(rows))
	}
	file, err := pq.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if c := file.Metadata().Schema[1]; c.ConvertedType.V != 21 { // INTERVAL
		t.Errorf("the column is %v, want an INTERVAL", c)
	}
}

// Columns of many pages hold their rows, which do not go on from page to page.
func TestPages(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"l": dataset.TensorSpec(tensor.Float64, -1), "s": dataset.TensorSpec(tensor.String)})
	var rows []dataset.Element
	for i := range int64(30_000) {
		rows = append(rows, dataset.Element{Row: i, Tensors: []tensor.Tensor{tensor.Vector(make([]float64, i%13)...), tensor.Scalar(fmt.Sprint("row ", i))}})
	}
	var b bytes.Buffer
	w, err := parquet.NewWriter(&b, spec, parquet.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rowtest.Write(t, w, rows...)
	rowtest.CheckRead(t, parquet.Rows(spec, parquet.Options{Open: rowtest.Sized(b.Bytes())}, "f"), rows)
	file, err := pq.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	pages := file.RowGroups()[0].ColumnChunks()[0].Pages()
	defer pages.Close() //nolint:errcheck // nothing was written
	n, count := int64(0), 0
	for ; ; count++ {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n += page.NumRows()
	}
	if n != int64(len(rows)) || count < 2 {
		t.Errorf("%d pages of %d rows, for %d", count, n, len(rows))
	}
}

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
			o := parquet.Options{Open: rowtest.Sized(data), Columns: map[string][]string{".": {name}}}
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

// A file of several row groups holds their rows, and a writer that goes on after any of them makes
// the same file.
func TestResume(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"f": dataset.TensorSpec(tensor.Float32, -1), "s": dataset.TensorSpec(tensor.String)})
	var rows []dataset.Element
	for i := range int64(3000) {
		rows = append(rows, dataset.Element{
			Row: i, Tensors: []tensor.Tensor{tensor.Vector(float32(i), 0.5), tensor.Scalar(fmt.Sprint("row ", i%100))},
			Extra: []dataset.Field{{Key: "id", Value: fmt.Append(nil, i)}},
		})
	}
	for _, o := range []parquet.WriterOptions{{GroupRows: 700}, {GroupBytes: 40000}, {GroupRows: 1024}, {}} {
		o.Keep, o.Types = []string{"id"}, rowtest.Types
		var log bytes.Buffer
		o.Log = &log
		whole := resumed(t, spec, o, nil, rows)
		groups, err := pq.OpenFile(bytes.NewReader(whole), int64(len(whole)))
		if err != nil {
			t.Fatal(err)
		}
		rowtest.CheckRead(t, parquet.Rows(spec, parquet.Options{Open: rowtest.Stream(whole), Keep: o.Keep}, "f"), rows)
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
	rowtest.Write(t, w, rows...)
	return b.Bytes()
}
