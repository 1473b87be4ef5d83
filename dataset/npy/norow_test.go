package npy_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/tensor"
)

// TestRowsWithoutValues writes rows without values into arrays of every type: before the first row
// that has some, between others, at the end, and where there are no others.
func TestRowsWithoutValues(t *testing.T) {
	t.Parallel()
	for dtype := tensor.Float32; dtype <= tensor.Uint64; dtype++ {
		one, err := tensor.New(dtype, 2)
		if err != nil {
			continue
		}
		for _, shape := range []dataset.Spec{dataset.TensorSpec(dtype, 2), dataset.TensorSpec(dtype, -1), dataset.UnknownRankSpec(dtype)} {
			for _, pattern := range []string{"..x.x..", "x..", ".", "...", "xx"} {
				checkNoValues(t, shape, one, pattern)
			}
		}
	}
}

// checkNoValues writes a row of values for each x of the pattern, and one without for each point.
func checkNoValues(t *testing.T, spec dataset.Spec, values tensor.Tensor, pattern string) {
	t.Helper()
	var b bytes.Buffer
	w, err := npy.NewZipWriter(&b, dataset.Dict(map[string]dataset.Spec{"o": spec}), npy.WriterOptions{Keep: []string{"error"}})
	if err != nil {
		return // a type that NumPy has not
	}
	for i, c := range pattern {
		e := dataset.Element{Row: int64(i), Tensors: []tensor.Tensor{values}}
		if c == '.' {
			e.Tensors, e.Extra = nil, []dataset.Field{{Key: "error", Value: fmt.Appendf(nil, "%q", fmt.Sprint("bad ", i))}}
		}
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("%v, %q: %v", spec, pattern, err)
	}
	read := dataset.Dict(map[string]dataset.Spec{"o": dataset.UnknownRankSpec(values.DType()), "error": dataset.TensorSpec(tensor.String)})
	i := 0
	for e, err := range npy.ZipRows(read, npy.Options{Open: rowtest.Stream(b.Bytes())}, "f").All(t.Context()) {
		if err != nil {
			t.Fatalf("%v, %q: %v", spec, pattern, err)
		}
		got, bad := text(t, e.Tensors[1]), e.Tensors[0].Strings()[0]
		switch none := pattern[i] == '.'; {
		case none && bad != fmt.Sprint("bad ", i) || !none && bad != "":
			t.Errorf("%v, %q: row %d has the error %q", spec, pattern, i, bad)
		case none && !slices.Contains(noneTexts, got) || !none && got != text(t, values):
			t.Errorf("%v, %q: row %d is %s", spec, pattern, i, got)
		case none && strings.Contains(pattern, "x") && values.DType().IsFloat() && got != "[NaN,NaN]":
			t.Errorf("%v, %q: row %d is %s", spec, pattern, i, got)
		}
		i++
	}
	if i != len(pattern) {
		t.Errorf("%v, %q: %d rows", spec, pattern, i)
	}
}

// noneTexts are what rows without values are as JSON, but for rows of no values.
var noneTexts = []string{"[NaN,NaN]", "[0,0]", "[false,false]", `["",""]`, "[[NaN,NaN],[NaN,NaN]]", "[]", "NaN", "0", "false", `""`, "[NaN,NaN]"}

// text returns values as JSON.
func text(t *testing.T, values tensor.Tensor) string {
	t.Helper()
	b, err := dataset.AppendJSON(nil, values, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestManyArrays writes more arrays than a process may have files open.
func TestManyArrays(t *testing.T) {
	const n, rows = 20_000, 12
	keep := make([]string, n)
	for i := range keep {
		keep[i] = fmt.Sprint("column ", i)
	}
	f, err := os.Create(t.TempDir() + "/f.npz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // Sync tells
	w, err := npy.NewZipWriter(f, dataset.Tuple[dataset.Component](), npy.WriterOptions{Keep: keep})
	if err != nil {
		t.Fatal(err)
	}
	extra := make([]dataset.Field, n)
	for row := range int64(rows) {
		for i, key := range keep {
			extra[i] = dataset.Field{Key: key, Value: fmt.Appendf(nil, "%d", row*n+int64(i))}
		}
		if err := w.Write(dataset.Element{Row: row, Tensors: []tensor.Tensor{}, Extra: extra}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	last := n - 1
	spec := dataset.Dict(map[string]dataset.Spec{keep[0]: dataset.TensorSpec(tensor.Int64), keep[last]: dataset.TensorSpec(tensor.Int64)})
	row := int64(0)
	for e, err := range npy.ZipRows(spec, npy.Options{}, f.Name()).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprint(row*n, " ", row*n+int64(last))
		if got := text(t, e.Tensors[0]) + " " + text(t, e.Tensors[1]); got != want {
			t.Fatalf("row %d is %s, want %s", row, got, want)
		}
		row++
	}
	if row != rows {
		t.Errorf("%d rows, want %d", row, rows)
	}
}
