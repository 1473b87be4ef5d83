package rowtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/tensor"
)

// Columnar is a format whose columns have types, with its writer and its reader.
type Columnar struct {
	NewWriter func(w io.Writer, spec dataset.Spec, keep []string) (RowWriter, error)
	Rows      func(spec dataset.Spec, open dataset.Opener, keep []string, name string) *dataset.Dataset
	Columns   func(name string) ([]dataset.Column, error)
}

// RowWriter writes rows to a file.
type RowWriter interface {
	Write(e dataset.Element) error
	Close() error
}

// Types are the types of kept columns that tests write from JSON.
var Types = map[string]dataset.FieldType{"id": kept.Int64, "score": kept.Float64}

// Write writes rows, and closes the writer.
func Write(t interface{ Fatal(...any) }, w RowWriter, rows ...dataset.Element) {
	for _, e := range rows {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
}

// CheckRead fails the test unless the dataset's rows are the ones that were written.
func CheckRead(t interface{ Fatalf(string, ...any) }, ds *dataset.Dataset, written []dataset.Element) {
	got, err := ds.Collect(context.Background())
	if err != nil || len(got) != len(written) {
		t.Fatalf("%d rows, want %d: %v", len(got), len(written), err)
	}
	for i := range written {
		if diff := cmp.Diff(RowOf(written[i]), RowOf(got[i])); diff != "" {
			t.Fatalf("row %d (-want +got):\n%s", i, diff)
		}
	}
}

// allTypes is the spec of rows with components of all kinds.
var allTypes = dataset.Dict(map[string]dataset.Spec{
	"b": dataset.TensorSpec(tensor.Bool), "c": dataset.TensorSpec(tensor.Complex64), "d": dataset.TensorSpec(tensor.Float64), "f": dataset.TensorSpec(tensor.Float32, -1, 2),
	"h": dataset.TensorSpec(tensor.Float16), "i": dataset.TensorSpec(tensor.Int64), "r": dataset.RaggedSpec(tensor.Int32, 1, -1, -1), "raw": dataset.TensorSpec(tensor.String),
	"s": dataset.TensorSpec(tensor.String, -1), "u": dataset.TensorSpec(tensor.Uint64), "u8": dataset.TensorSpec(tensor.Uint8, 2), "z": dataset.UnknownRankSpec(tensor.Int32),
})

// allTypesRows are rows of allTypes, as JSON. The check.py of each format has the same rows.
const allTypesRows = `{"b": true, "c": [1, -2], "d": 0.5, "f": [[1, 2], [3, "NaN"]], "h": 0.25, "i": -9223372036854775808, "r": [[1], [], [2, 3]], "raw": {"b64": "/wA="}, "s": ["é", ""], "u": 18446744073709551615, "u8": [1, 255], "z": [1, 2], "id": 7, "name": "n", "more": [1], "score": 1}
{"b": false, "c": [0, 0], "d": -2, "f": [], "h": -1, "i": 1, "r": [], "raw": "plain", "s": [], "u": 0, "u8": [0, 0], "z": [], "id": 8, "name": null, "more": {"a": 1}, "score": 0.5}
`

// CheckWritten writes rows of all types and one row without values, and reads them back. It reads
// the file golden too, which holds the same rows. With UPDATE in the environment it writes golden
// anew.
func (f Columnar) CheckWritten(t *testing.T, golden string) {
	t.Helper()
	keep := []string{"name", "id", "more", "score"}
	data := f.writeAllTypes(t, keep)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, data, 0o644); err != nil { //nolint:gosec // a test file
			t.Fatal(err)
		}
	}
	cols, err := f.Columns(golden)
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
	// A complex number is read back as its two parts, and the rank of z is known then.
	items := map[string]dataset.Spec{}
	for i, k := range allTypes.Keys() {
		items[k] = allTypes.Items()[i]
	}
	items["c"], items["z"] = dataset.TensorSpec(tensor.Float32, 2), dataset.TensorSpec(tensor.Int32, -1)
	spec := dataset.Dict(items)
	var want []Row
	for e, err := range dataset.JSONL(strings.NewReader(allTypesRows), spec, dataset.JSONLOptions{Keep: keep}).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		// The values of this key differ in kind, so they became text.
		e.Extra[2].Value, _ = json.Marshal(string(e.Extra[2].Value))
		want = append(want, RowOf(e))
	}
	want = append(want, Row{Err: "null"})
	for name, open := range map[string]dataset.Opener{"now": Stream(data), "kept": nil} {
		got := Rows(t, f.Rows(spec, open, keep, golden))
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

// writeAllTypes returns a file of the rows of all types and one row without values.
func (f Columnar) writeAllTypes(t *testing.T, keep []string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := f.NewWriter(&b, allTypes, keep)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := dataset.JSONL(strings.NewReader(allTypesRows), allTypes, dataset.JSONLOptions{Keep: keep}).Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	Write(t, w, append(rows, dataset.Element{Row: 2, Extra: []dataset.Field{{Key: "name", Value: []byte(`"no values"`)}}})...)
	return b.Bytes()
}

// CheckWriterErrors checks that writers refuse what they cannot write.
func (f Columnar) CheckWriterErrors(t *testing.T) {
	t.Helper()
	x := dataset.Dict(map[string]dataset.Spec{"x": dataset.UnknownRankSpec(tensor.Int32), "t": dataset.TensorSpec(tensor.String)})
	w, err := f.NewWriter(io.Discard, x, []string{"id"})
	if err != nil {
		t.Fatal(err)
	}
	row := func(i int64, x tensor.Tensor, s, kept string) dataset.Element {
		return dataset.Element{Row: i, Tensors: []tensor.Tensor{tensor.Scalar(s), x}, Extra: []dataset.Field{{Key: "id", Value: []byte(kept)}}}
	}
	for i := range int64(1024) {
		if err := w.Write(row(i, tensor.Scalar[int32](1), "text", "1")); err != nil {
			t.Fatal(err)
		}
	}
	for want, e := range map[string]dataset.Element{
		`row 5: column "x": want a value of 0 dimensions, as in the rows before, got one of 1`: row(5, tensor.Vector[int32](1), "", "1"),
		`row 5: column "t": a string that is not UTF-8`:                                        row(5, tensor.Scalar[int32](1), "\xff", "1"),
		`row 5: column "id": "a" is not of the type of the rows before, int64; wri`:            row(5, tensor.Scalar[int32](1), "", `"a"`),
	} {
		if err := w.Write(e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Write = %v, want %q", err, want)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.NewWriter(io.Discard, dataset.TensorSpec(tensor.Variant), nil); err == nil {
		t.Error("a column of variants: no error")
	}
	full, err := f.NewWriter(FullDisk{}, dataset.TensorSpec(tensor.Int32), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = full.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar[int32](1)}})
	if err := full.Close(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Close = %v, want the writer's error", err)
	}
}

// Lists is the spec of the rows that [DrawLists] draws.
var Lists = dataset.Dict(map[string]dataset.Spec{
	"f": dataset.TensorSpec(tensor.Float32, -1), "i": dataset.TensorSpec(tensor.Int64), "r": dataset.RaggedSpec(tensor.Uint16, 2, -1, -1, -1), "s": dataset.TensorSpec(tensor.String, -1), "v": dataset.TensorSpec(tensor.Bool, -1, 2),
})

// DrawLists draws rows of [Lists].
func DrawLists(t *rapid.T) []dataset.Element {
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
	rows, err := dataset.JSONL(bytes.NewReader(text), Lists).Collect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
