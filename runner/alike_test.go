package runner

import (
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/savedmodel/padding"
	"github.com/tfrun/tfrun/tensor"
)

// Sparse rows of as many values share a batch of exact answers, in a Batcher too, only where their
// dense shapes are equal: the batch has the largest, and a model that makes a dense tensor of it
// would pad the others.
func TestSparseRowsApart(t *testing.T) {
	t.Parallel()
	p := dry(t, "mod_sparse", PredictOptions{Batching: Exact})
	row := func(size int64) dataset.Element {
		var e dataset.Element
		for _, path := range p.RowSpec().Paths() {
			switch path {
			case "s/indices":
				x, err := tensor.FromSlice([]int64{0, 1}, 2, 1)
				if err != nil {
					t.Fatal(err)
				}
				e.Tensors = append(e.Tensors, x)
			case "s/values":
				e.Tensors = append(e.Tensors, tensor.Vector[float32](1, 2))
			case "s/dense_shape":
				e.Tensors = append(e.Tensors, tensor.Vector(size))
			}
		}
		return e
	}
	rows := []dataset.Element{row(5), row(3), row(5), row(3), row(4)}
	alone := Verdict{Fixed: true}
	alone.Company.Proof.Answer, alone.Padding.Proof.Answer = padding.Independent, padding.Independent
	if o, _, err := p.choose(Exact, alone); err != nil || o.Grouping != dataset.Exact {
		t.Errorf("grouping %v, %v, want exact", o.Grouping, err)
	}
	sizes := []int{}
	for b, err := range dataset.FromElements(p.RowSpec(), rows...).Batches(t.Context(), p.batchOptions(dataset.Exact)) {
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, b.Len())
	}
	if len(sizes) != 3 || sizes[0]+sizes[1]+sizes[2] != len(rows) {
		t.Errorf("batches of %v rows, want three", sizes)
	}
	b, err := p.NewBatcher(BatcherOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b.shares = true // were it proven that other rows change nothing
	key := func(i int) string { return string(b.appendKey(nil, rows[i])) }
	if key(0) != key(2) || key(1) != key(3) || key(0) == key(1) || key(0) == key(4) {
		t.Error("a Batcher puts rows of other dense shapes together, or equal ones apart")
	}
}
