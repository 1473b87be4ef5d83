package dataset

import (
	"slices"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// A Padder makes the batch that Batches makes of the same rows; where Batches splits the rows or
// refuses one, it makes none.
func TestPadder(t *testing.T) {
	t.Parallel()
	spec := Dict(map[string]Spec{"x": TensorSpec(tensor.Int32, tensor.Unknown), "y": TensorSpec(tensor.String, 2, tensor.Unknown)})
	row := func(n int, text string) Element {
		x := make([]int32, n)
		for i := range x {
			x[i] = int32(i + 1)
		}
		y, err := tensor.FromSlice(slices.Repeat([]string{text}, 2*n), 2, int64(n))
		if err != nil {
			t.Fatal(err)
		}
		return Element{Tensors: []tensor.Tensor{tensor.Vector(x...), y}}
	}
	for name, tt := range map[string]struct {
		o    BatchOptions
		rows []Element
	}{
		"rows of like length":   {BatchOptions{Size: 9}, []Element{row(3, "a"), row(4, "bb"), row(1, "")}},
		"a single row":          {BatchOptions{Size: 1}, []Element{row(2, "a")}},
		"rounded up":            {BatchOptions{Size: 2, RoundUp: func(n int64) int64 { return n * 3 }}, []Element{row(3, "a"), row(0, "b")}},
		"within the budget":     {BatchOptions{Size: 2, Budget: 300}, []Element{row(3, "a"), row(4, "bb")}},
		"beyond the budget":     {BatchOptions{Size: 2, Budget: 200}, []Element{row(3, "a"), row(4, "bb")}},
		"one row beyond it":     {BatchOptions{Size: 2, Budget: 10}, []Element{row(3, "a")}},
		"larger than the limit": {BatchOptions{Size: 2, MaxBytes: 40}, []Element{row(30, "a")}},
		"another dtype":         {BatchOptions{Size: 2}, []Element{row(1, ""), {Tensors: []tensor.Tensor{tensor.Vector(1.5), row(1, "").Tensors[1]}}}},
		"no components":         {BatchOptions{Size: 2}, []Element{row(1, ""), {}}},
		"longer than the shape": {BatchOptions{Size: 2, PaddedShapes: Dict(map[string]Shapes{"x": Leaf(Dims{2}), "y": Leaf(Dims{2, None})})}, []Element{
			row(1, ""), row(3, ""),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := NewPadder(spec, tt.o)
			if err != nil {
				t.Fatal(err)
			}
			rows := make([]*Element, len(tt.rows))
			for i := range rows {
				rows[i] = &tt.rows[i]
			}
			got, ok := p.Batch(rows)
			n := 0
			for b, err := range FromElements(spec, tt.rows...).Batches(t.Context(), tt.o) {
				if n++; err != nil || b.Len() != len(rows) {
					if ok {
						t.Errorf("Batch makes a batch, Batches one of %v rows, %v", b, err)
					}
					return
				}
				if !ok {
					t.Fatal("Batch makes none of rows that Batches takes")
				}
				for c, path := range spec.Paths() {
					want, err1 := b.Tensor(c)
					have, err2 := got.Tensor(c)
					if err1 != nil || err2 != nil || !want.Equal(have) {
						t.Errorf("%s: %v %v, want %v %v", path, have, err2, want, err1)
					}
				}
			}
			if n == 0 && ok {
				t.Error("Batch makes a batch, Batches none")
			}
		})
	}
	if _, err := NewPadder(spec, BatchOptions{}); err == nil {
		t.Error("no Size is no error")
	}
}
