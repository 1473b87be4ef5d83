package job

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	m, err := savedmodel.Open("../../testdata/models/full_seed/k3/model")
	if err != nil {
		t.Fatal(err)
	}
	p, err := runner.DryPredictor(m, runner.Options{}, runner.PredictOptions{BatchSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	src := jsonSource("[1,2,3]\n[4]\n[5,6]\n")
	src.Columns = map[string]string{"keras_tensor": "ids"}
	got, err := Job{Source: src}.Describe(t.Context(), p, 100)
	if err != nil {
		t.Fatal(err)
	}
	want := Plan{
		Model: m.Dir, Signature: "serving_default", Batching: runner.Arrival, BatchSize: 2, BatchSizeWhy: "as asked for",
		Files:   []PlanFile{{Name: "-", Bytes: -1}},
		Inputs:  []PlanInput{{Name: "keras_tensor", From: FromColumn, Column: "ids", DType: tensor.Float32, Shape: tensor.MakeShape(-1), Least: 1, Most: 3}},
		Outputs: []PlanOutput{{Name: "output_0", DType: tensor.Float32, Shape: tensor.MakeShape(1)}},
		Columns: []PlanColumn{{Name: "output_0", Type: "list<float>", From: "output"}},
		Sample:  PlanSample{Rows: 3, All: true, Batches: 2, BatchBytes: 24, Waste: 0.25},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
