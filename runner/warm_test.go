//go:build cgo && !notf

package runner

import (
	"path/filepath"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

func TestMultiplies(t *testing.T) {
	for model, want := range map[string]bool{"k3_autoencoder": true, "k2_gru": true, "mod_lookup_table": false, "mod_fixed_batch": true, "mod_strings": false} {
		s := load(t, filepath.Join(model, "model"))
		if got := s.multiplies(nil); got != want {
			t.Errorf("%s: multiplies(nil) = %v, want %v", model, got, want)
		}
		if s.multiplies([]string{"another"}) {
			t.Errorf("%s: a signature that there is not multiplies", model)
		}
	}
}

// A model is the same whether it was warmed up or not, and Close leaves nothing behind: goleak
// looks.
func TestWarmUp(t *testing.T) {
	const dir = "../testdata/models/k3_autoencoder/model"
	x, err := tensor.New(tensor.Float32, 3, 8)
	if err != nil {
		t.Fatal(err)
	}
	var outputs []tensor.Tensor
	for _, warm := range []bool{false, true} {
		s, err := Load(t.Context(), dir, Options{WarmUp: warm})
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Run(t.Context(), "", map[string]tensor.Tensor{s.graph.Signatures["serving_default"].InputNames()[0]: x})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range out {
			outputs = append(outputs, v)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if !outputs[0].Equal(outputs[1]) {
		t.Errorf("warmed up it gives %v, else %v", outputs[1], outputs[0])
	}
}
