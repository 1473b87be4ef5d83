package savedmodel

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

func FuzzFingerprint(f *testing.F) {
	addFiles(f, fileFingerprint)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parseFingerprint(fileFingerprint, data)
		if (p == nil) == (err == nil) {
			t.Fatalf("parseFingerprint = %v, %v", p, err)
		}
	})
}

// FuzzCheckpoint reads an index beside a data file of another, and then all the values that it
// speaks of.
func FuzzCheckpoint(f *testing.F) {
	addFiles(f, filepath.Join("variables", "variables.index"))
	for _, name := range []string{"dtypes", "partitioned"} {
		data, err := os.ReadFile(filepath.Join("testdata", name, "variables", "variables.index"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCheckpoint("variables.index", data)
		if err != nil {
			return
		}
		c.Prefix = filepath.Join("testdata", "dtypes", "variables", "variables")
		c.open = func(name string) (*os.File, int64, error) {
			return openRegular(filepath.Join(filepath.Dir(c.Prefix), name))
		}
		c.nameVariables()
		_ = c.CheckShards()
		for _, e := range c.Tensors {
			_, _ = c.Read(e)
			_, _ = c.Stats(context.Background(), e)
		}
	})
}

// FuzzBlock walks the entries of a table's block, which no checksum protects from a fuzzer.
func FuzzBlock(f *testing.F) {
	f.Add([]byte("\x00\x01\x01ab\x01\x01\x01cd\x00\x00\x00\x00\x01\x00\x00\x00"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_ = eachInBlock(data, func(key, _ []byte) error {
			sliceKey(key)
			return nil
		})
	})
}

// addFiles adds a file of each of some small models.
func addFiles(f *testing.F, name string) {
	f.Helper()
	for _, model := range fuzzModels {
		if data, err := os.ReadFile(filepath.Join("..", "testdata", "models", model, "model", name)); err == nil {
			f.Add(data)
		}
	}
}

// fuzzModels are small models whose files begin the search.
var fuzzModels = []string{"k2_fixed_batch", "k3_fixed_batch", "k2_nested", "tf1_sparse", "mod_ragged_out", "mod_ragged", "mod_vocab_asset", "k2_lambda_layer"}
