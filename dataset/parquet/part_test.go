package parquet_test

import (
	"bytes"
	"io"
	"testing"

	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/tensor"
)

// The parts of a file are its rows, each once and with its place in the file, however many parts
// and row groups there are.
func TestParts(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"n": dataset.TensorSpec(tensor.Int64)})
	rapid.Check(t, func(rt *rapid.T) {
		rows, group := rapid.IntRange(0, 40).Draw(rt, "rows"), rapid.IntRange(1, 9).Draw(rt, "group")
		parts := rapid.IntRange(1, 12).Draw(rt, "parts")
		var file bytes.Buffer
		w, err := parquet.NewWriter(&file, spec, parquet.WriterOptions{GroupRows: group})
		if err != nil {
			rt.Fatal(err)
		}
		for i := range rows {
			if err := w.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar(int64(i))}}); err != nil {
				rt.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			rt.Fatal(err)
		}
		o := parquet.Options{Parts: parts, Open: func(string) (io.ReadCloser, error) {
			return struct {
				*bytes.Reader
				io.Closer
			}{bytes.NewReader(file.Bytes()), io.NopCloser(nil)}, nil
		}}
		next := int64(0)
		for o.Part = range parts {
			ds := parquet.Rows(spec, o, "n.parquet")
			before := next
			for e, err := range ds.All(t.Context()) {
				if err != nil {
					rt.Fatal(err)
				}
				n, _ := tensor.Values[int64](e.Tensors[0])
				if n[0] != next || e.Place.Row != next+1 {
					rt.Fatalf("part %d: row %d at %s; want row %d at its place", o.Part, n[0], e.Place, next)
				}
				next++
			}
			if ds.Cardinality() >= 0 && ds.Cardinality() != next-before {
				rt.Fatalf("part %d: cardinality %d, %d rows", o.Part, ds.Cardinality(), next-before)
			}
		}
		if next != int64(rows) {
			rt.Fatalf("%d rows of %d", next, rows)
		}
		if groups, err := parquet.Groups(o, "n.parquet"); err != nil || groups != (rows+group-1)/group {
			rt.Fatalf("%d groups, %v", groups, err)
		}
	})
}
