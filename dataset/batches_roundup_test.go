package dataset_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// TestRoundUp pads to the sizes that RoundUp gives, and never cuts.
func TestRoundUp(t *testing.T) {
	rows := func() *dataset.Dataset {
		return dataset.JSONL(strings.NewReader("[1]\n[1,2,3]\n[1,2,3,4,5]\n[1,2]\n[1,2,3,4,5,6,7]\n[]\n"), dataset.TensorSpec(tensor.Int64, tensor.Unknown))
	}
	for _, tt := range []struct {
		name     string
		grouping dataset.Grouping
		round    func(int64) int64
		want     [][]int64
	}{
		{"to fours", dataset.Arrival, func(n int64) int64 { return (n + 3) / 4 * 4 }, [][]int64{{2, 4}, {2, 8}, {2, 8}}},
		{"down is not up", dataset.Arrival, func(int64) int64 { return 0 }, [][]int64{{2, 3}, {2, 5}, {2, 7}}},
		{"exact is exact", dataset.Exact, func(n int64) int64 { return n + 1 }, [][]int64{{1, 1}, {1, 3}, {1, 5}, {1, 2}, {1, 7}, {1, 0}}},
	} {
		var got [][]int64
		for b, err := range rows().Batches(t.Context(), dataset.BatchOptions{Size: 2, Grouping: tt.grouping, RoundUp: tt.round}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, append([]int64{}, b.Dims(0)...))
			if err := b.PadInto(0, make([]byte, b.Size(0))); err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}
