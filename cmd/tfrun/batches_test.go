package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/savedmodel"
)

// Batches are large where many rows of little work lie in files, and nothing says how large they
// are to be.
func TestSizeBatches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, size int) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	long, short := file("long.npy", shortJobBytes+1), file("short.npy", 1)
	for _, tt := range []struct {
		name   string
		model  string
		inputs []string
		o      runner.PredictOptions
		want   int
	}{
		{"files", "k3_autoencoder", []string{short, long}, runner.PredictOptions{}, 8192},
		{"few rows", "k3_autoencoder", []string{short}, runner.PredictOptions{}, 0},
		{"a pipe", "k3_autoencoder", []string{long, "-"}, runner.PredictOptions{}, 0},
		{"a size", "k3_autoencoder", []string{long}, runner.PredictOptions{BatchSize: 5}, 5},
		{"a budget", "k3_autoencoder", []string{long}, runner.PredictOptions{MaxTokens: 5}, 0},
		{"no batches", "k3_autoencoder", []string{long}, runner.PredictOptions{NoBatch: true}, 0},
		{"a batching by lengths", "k3_autoencoder", []string{long}, runner.PredictOptions{Batching: runner.Exact}, 0},
		{"a recurrent model", "k3_seed", []string{long}, runner.PredictOptions{}, 0},
	} {
		m, err := savedmodel.Open(filepath.Join("../../testdata/models", tt.model, "model"))
		if err != nil {
			t.Fatal(err)
		}
		mg, err := m.MetaGraph()
		if err != nil {
			t.Fatal(err)
		}
		sig, err := mg.Signature("")
		if err != nil {
			t.Fatal(err)
		}
		if tt.o.Batching == "" {
			tt.o.Batching = runner.Arrival
		}
		o := predictOptions{inputs: tt.inputs, predict: tt.o}
		if err := o.sizeBatches(m, sig); err != nil || o.predict.BatchSize != tt.want {
			t.Errorf("%s: a batch size of %d, %v, want %d", tt.name, o.predict.BatchSize, err, tt.want)
		}
	}
}
