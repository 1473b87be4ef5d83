package dataset

import (
	"slices"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// Ragged rows of as many values and lists share a batch of Exact only where their row splits are
// equal, and rows that Alike tells apart share none.
func TestExactAlike(t *testing.T) {
	t.Parallel()
	spec := Leaf(Component{DType: tensor.Float32, Shape: tensor.MakeShape(tensor.Unknown, tensor.Unknown), Ragged: true, RaggedRank: 1, SplitsDType: tensor.Int64})
	row := func(splits ...int64) Element {
		return Element{Tensors: []tensor.Tensor{tensor.Vector[float32](1, 2, 3, 4)}, Splits: [][]tensor.Tensor{{tensor.Vector(splits...)}}}
	}
	rows := []Element{row(0, 2, 4), row(0, 1, 4), row(0, 2, 4), row(0, 4, 4), row(0, 1, 4), row(0, 2, 4)}
	for _, tt := range []struct {
		alike func(key []byte, e Element) []byte
		want  [][]int64
	}{
		{nil, [][]int64{{0, 2, 5}, {1, 4}, {3}}},
		{func(key []byte, e Element) []byte { return append(key, byte(e.Row/3)) }, [][]int64{{0, 2}, {1}, {3}, {4}, {5}}},
	} {
		var got [][]int64
		for b, err := range FromElements(spec, rows...).Batches(t.Context(), BatchOptions{Size: 9, Grouping: Exact, Alike: tt.alike}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b.RowNumbers(nil))
		}
		if !slices.EqualFunc(got, tt.want, slices.Equal[[]int64]) {
			t.Errorf("batches of rows %v, want %v", got, tt.want)
		}
	}
}
