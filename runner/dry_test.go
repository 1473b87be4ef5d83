package runner

import (
	"errors"
	"testing"

	"github.com/tfrun/tfrun/savedmodel"
)

// A dry predictor says what rows look like, and does not run them.
func TestDryPredictor(t *testing.T) {
	t.Parallel()
	m, err := savedmodel.Open("../testdata/models/full_seed/k3/model")
	if err != nil {
		t.Fatal(err)
	}
	p, err := DryPredictor(m, Options{}, PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.RowSpec().String(), "{'keras_tensor': float32(None,)}"; got != want {
		t.Errorf("rows are %s, want %s", got, want)
	}
	for _, err := range p.Predict(t.Context(), jsonRows(p, "[1]\n")) {
		if !errors.Is(err, errDry) {
			t.Errorf("running a dry predictor = %v, want %v", err, errDry)
		}
	}
}
