//go:build cgo && !notf

package runner

import (
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/tfrun/tfrun/tensor"
)

// Nobody is told of an error of the warming up.
func TestMultiply(t *testing.T) {
	if _, err := OpenLibrary(""); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{}, {IntraOp: 1}} {
		if err := multiply(o); err != nil {
			t.Errorf("multiply(%+v) = %v", o, err)
		}
	}
}

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

// A model is the same whether it was warmed up or not, and neither Close nor a load that fails
// leaves anything behind: goleak looks.
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
	if _, err := loadEngine(t.Context(), t.TempDir(), []string{"serve"}, Options{WarmUp: true}); err == nil {
		t.Error("loadEngine of an empty folder gave no error")
	}
}

// One core has enough to do with the loading.
func TestNoWarmUpOnOneCore(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	start := time.Now()
	beginWarmUp(Options{WarmUp: true})()
	if took := time.Since(start); took > time.Millisecond {
		t.Errorf("beginWarmUp on one core took %v", took)
	}
}
