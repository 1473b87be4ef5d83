//go:build cgo && !notf

package runner

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/tensor"
)

// Batches that share memory one after the other must not see each other's values: neither in what
// is fed nor in what is written.
func TestMemoryOfEarlierBatches(t *testing.T) {
	s := load(t, "k3_autoencoder/model")
	in := filepath.Join(t.TempDir(), "in.npy")
	writeRandomRows(t, in, 1000, 8)
	for _, o := range []PredictOptions{{BatchSize: 7, Workers: 1}, {BatchSize: 7, Workers: 3}, {BatchSize: 100}} {
		p, err := s.NewPredictor(o)
		if err != nil {
			t.Fatal(err)
		}
		src := Source{Files: []string{in}}
		want, _ := predict(t, s, o, src)
		out := filepath.Join(t.TempDir(), "out.npy")
		if _, err := p.Run(t.Context(), Job{Source: src, Output: out}); err != nil {
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

// What was fed and fetched is given back without a garbage collection.
func TestMemoryIsFreedAtOnce(t *testing.T) {
	for _, model := range []string{"k3_autoencoder/model", "full_seed/k3/model", "k3_textvec/model"} {
		s := load(t, model)
		f, err := s.Function("")
		if err != nil {
			t.Fatal(err)
		}
		feeds := make([]Feed, len(f.Inputs()))
		for i, in := range f.Inputs() {
			dims := in.Shape.Dims()
			for k, n := range dims {
				if n == tensor.Unknown {
					dims[k] = 3
				}
			}
			x, err := tensor.New(in.DType, dims...)
			if err != nil {
				t.Fatal(err)
			}
			feeds[i] = FeedTensor(x)
		}
		call := func() {
			if _, err := f.Call(t.Context(), feeds); err != nil {
				t.Fatalf("%s: %v", model, err)
			}
		}
		call() // helper graphs keep a tensor or two
		before := cAllocated.Load()
		for range 20 {
			call()
		}
		if more := cAllocated.Load() - before; more != 0 {
			t.Errorf("%s: %d bytes of C memory wait for a garbage collection", model, more)
		}
	}
}

// A recycler hands memory out once, and only where it fits.
func TestRecycler(t *testing.T) {
	r := &recycler{}
	room := make([]byte, 64)
	for range 2 * maxRecycled {
		x, err := tensor.Share(tensor.Float32, room, []int64{16})
		if err != nil {
			t.Fatal(err)
		}
		r.outOver([]Value{{Tensor: x}})
	}
	if len(r.out) != maxRecycled {
		t.Errorf("%d are kept, want %d", len(r.out), maxRecycled)
	}
	for _, dims := range [][]int64{{17}, {7}, {0}} {
		if x, err := r.tensor(tensor.Float32, dims); err != nil || len(r.out) != maxRecycled {
			t.Errorf("tensor(%v) = %v, %v out of 64 bytes", dims, x, err)
		}
	}
	if x, err := r.tensor(tensor.Float32, []int64{2, 5}); err != nil || &x.Bytes()[0] != &room[0] || len(r.out) != maxRecycled-1 {
		t.Errorf("tensor(2, 5) = %v, %v in other memory", x, err)
	}
	var none *recycler
	if none.fedOver(nil) {
		t.Error("no recycler takes values")
	}
	if x, err := none.tensor(tensor.Int64, []int64{2}); err != nil || x.Len() != 2 {
		t.Errorf("tensor = %v, %v", x, err)
	}
}
