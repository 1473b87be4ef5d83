package arrow_test

import (
	"bytes"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/tensor"
)

// Rows of 32 floats, in one column of lists and in 32 columns.
func BenchmarkRows(b *testing.B) {
	const rows = 1 << 16
	items := map[string]dataset.Spec{}
	for i := range 32 {
		items["f"+string(rune('a'+i))] = dataset.TensorSpec(tensor.Float32)
	}
	for name, spec := range map[string]dataset.Spec{"columns": dataset.Dict(items), "list": dataset.TensorSpec(tensor.Float32, 32)} {
		var buf bytes.Buffer
		w, err := arrow.NewWriter(&buf, spec, arrow.WriterOptions{})
		if err != nil {
			b.Fatal(err)
		}
		var e dataset.Element
		for _, c := range spec.Flatten() {
			v, err := tensor.New(c.DType, c.Shape.Dims()...)
			if err != nil {
				b.Fatal(err)
			}
			e.Tensors = append(e.Tensors, v)
		}
		for range rows {
			if err := w.Write(e); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		ds := arrow.Rows(dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32, 32)}), arrow.Options{Open: rowtest.Stream(buf.Bytes())}, "f")
		rowtest.Bench(b, name, ds, rows, rows*128)
	}
}
