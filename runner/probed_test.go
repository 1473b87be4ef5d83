package runner

import (
	"slices"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// What is measured before a run are rows of the shorter half, of many lengths and in their order.
func TestProbedRows(t *testing.T) {
	p := &Predictor{spec: dataset.TensorSpec(tensor.Int64, -1)}
	rows := make([]dataset.Element, probeOf)
	for i := range rows {
		rows[i] = dataset.Element{Row: int64(i), Tensors: []tensor.Tensor{tensor.Vector(make([]int64, 1+i*37%probeOf)...)}}
	}
	got := p.probed(rows)
	if len(got) != probeRows {
		t.Fatalf("%d rows, want %d", len(got), probeRows)
	}
	var numbers []int64
	lengths := map[int]bool{}
	for _, row := range got {
		numbers = append(numbers, row.Row)
		n := row.Tensors[0].Len()
		if n > probeOf/2 {
			t.Errorf("row %d of %d values is none of the shorter half", row.Row, n)
		}
		lengths[n] = true
	}
	if !slices.IsSorted(numbers) || len(lengths) != probeRows {
		t.Errorf("rows %v of %d lengths", numbers, len(lengths))
	}
	if few := p.probed(rows[:5]); len(few) != 5 {
		t.Errorf("%d of 5 rows", len(few))
	}
}
