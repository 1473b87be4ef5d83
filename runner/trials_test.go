package runner

import (
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// TestBeginning: a row's beginning is cut along all open axes, wherever they stand, a text after
// its first words, and nothing below what the options pad every row to.
func TestBeginning(t *testing.T) {
	t.Parallel()
	matrix, err := tensor.FromSlice([]int32{1, 2, 3, 4, 5, 6, 7, 8, 9}, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	channels, err := tensor.FromSlice([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	spec := dataset.Dict(map[string]dataset.Spec{
		"a": dataset.TensorSpec(tensor.Int32, -1, -1), "c": dataset.TensorSpec(tensor.Float32, 2, -1),
		"n": dataset.TensorSpec(tensor.Int64, -1), "s": dataset.TensorSpec(tensor.String), "f": dataset.TensorSpec(tensor.Int64, 3),
	})
	inputs := map[string]savedmodel.TensorInfo{"a": {}, "c": {}, "n": {}, "s": {}, "f": {}}
	p := &Predictor{spec: spec, components: spec.Flatten(), paths: spec.Paths(), f: &Function{signature: &savedmodel.Signature{Inputs: inputs}}}
	p.o.PadTo = map[string]int64{"n": 3}
	row := dataset.Element{Tensors: []tensor.Tensor{matrix, channels, tensor.Vector[int64](1, 2, 3), tensor.Vector[int64](1, 2, 3, 4), tensor.Scalar("one two three")}}
	short, err := p.beginning(row, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"[[1,2],[4,5]]", "[[1,2],[4,5]]", "[1,2,3]", "[1,2,3]", `"one two"`}
	for i, x := range short.Tensors {
		if got := jsonText(t, x); got != want[i] {
			t.Errorf("%s: %s, want %s", spec.Paths()[i], got, want[i])
		}
	}
	if got := row.Tensors[4].Strings()[0]; got != "one two three" {
		t.Errorf("the row itself became %s", got)
	}
}

func jsonText(t *testing.T, x tensor.Tensor) string {
	t.Helper()
	text, err := dataset.AppendJSON(nil, x, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
