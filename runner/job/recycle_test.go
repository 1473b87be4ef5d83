//go:build cgo && !notf

package job

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// Batches that share memory one after the other must not see each other's values: neither in what
// is fed nor in what is written.
func TestMemoryOfEarlierBatches(t *testing.T) {
	s := load(t, "k3_autoencoder/model")
	in := filepath.Join(t.TempDir(), "in.npy")
	writeRandomRows(t, in, 1000, 8)
	for _, o := range []runner.PredictOptions{{BatchSize: 7, Workers: 1}, {BatchSize: 7, Workers: 3}, {BatchSize: 100}} {
		p, err := s.NewPredictor(o)
		if err != nil {
			t.Fatal(err)
		}
		src := Source{Files: []string{in}}
		want := predict(t, s, o, src)
		out := filepath.Join(t.TempDir(), "out.npy")
		if _, err := (Job{Source: src, Output: out}).Run(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		values := got[npy.HeaderSize:]
		for i, r := range want {
			row := r.Values[0].Tensor.Bytes()
			if !bytes.Equal(values[:len(row)], row) {
				t.Fatalf("%+v: row %d is % x, want % x", o, i, values[:len(row)], row)
			}
			values = values[len(row):]
		}
		if len(values) > 0 {
			t.Errorf("%d bytes too many", len(values))
		}
	}
}

// writeRandomRows writes an npy file of rows of n numbers.
func writeRandomRows(t *testing.T, path string, rows, n int) {
	t.Helper()
	var b bytes.Buffer
	w, err := npy.NewWriter(&b, dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32, int64(n))}), npy.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range rows {
		row := make([]float32, n)
		for k := range row {
			row[k] = rng.Float32()
		}
		if err := w.Write(dataset.Element{Row: int64(i), Tensors: []tensor.Tensor{tensor.Vector(row...)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
