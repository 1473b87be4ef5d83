package dataset

import (
	"math/rand/v2"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// TestApart: rows that are to stay apart share batches with rows of their own length alone, and
// never with others; every row comes out once, with its values.
func TestApart(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 0))
		rows := make([]Element, 50+rng.IntN(300))
		for i := range rows {
			values := make([]int64, 1+rng.IntN(12))
			for k := range values {
				values[k] = int64(rng.IntN(9)) // 0 is a padding value
			}
			rows[i] = Element{Row: int64(i), Tensors: []tensor.Tensor{tensor.Vector(values...)}}
		}
		apart := func(e Element) bool {
			values, _ := tensor.Values[int64](e.Tensors[0])
			for _, v := range values {
				if v == 0 {
					return true
				}
			}
			return false
		}
		seen := map[int64]bool{}
		batches := FromElements(TensorSpec(tensor.Int64, -1), rows...).Batches(t.Context(), BatchOptions{
			Size: int64(1 + rng.IntN(16)), Grouping: Similar, Apart: apart, Window: 1 + rng.IntN(100),
		})
		for b, err := range batches {
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Len() {
				row := b.Row(i)
				if apart(row) && int64(row.Tensors[0].Len()) != b.Dims(0)[1] {
					t.Fatalf("seed %d: row %d of %d values is padded to %d", seed, row.Row, row.Tensors[0].Len(), b.Dims(0)[1])
				}
				if apart(row) != apart(b.Row(0)) {
					t.Fatalf("seed %d: rows that stay apart share a batch with others", seed)
				}
				if seen[row.Row] || !row.Tensors[0].Equal(rows[row.Row].Tensors[0]) {
					t.Fatalf("seed %d: row %d came twice, or with other values", seed, row.Row)
				}
				seen[row.Row] = true
			}
		}
		if len(seen) != len(rows) {
			t.Fatalf("seed %d: %d of %d rows", seed, len(seen), len(rows))
		}
	}
}
