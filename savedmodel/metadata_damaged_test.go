package savedmodel_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
)

// Metadata that says little of a model's layers, or belongs to another model, leaves a description
// with less in it, and no more.
func TestDamagedMetadata(t *testing.T) {
	t.Parallel()
	read := func(model, file string) []byte {
		b, err := os.ReadFile(filepath.Join("..", "testdata", "models", model, "model", file))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, model := range []string{"k2_fixed_batch", "k2_nested"} {
		graph := read(model, savedmodel.FileBinary)
		for _, from := range []string{"k2_fixed_batch", "k2_nested", "k2_activations"} {
			for _, word := range []string{`"layers"`, `"class_name"`, `"config"`, `"name"`, `"inbound_nodes"`, `"InputLayer"`} {
				// as long
				text := bytes.ReplaceAll(read(from, savedmodel.FileMetadata), []byte(word), append([]byte(`"_`), word[2:]...))
				meta, err := savedmodel.ParseMetadata(savedmodel.FileMetadata, text)
				if err != nil {
					t.Fatalf("%s without %s: %v", from, word, err)
				}
				for _, id := range modeltest.Sample(slices.Sorted(maps.Keys(meta))) {
					fewer := maps.Clone(meta)
					delete(fewer, id)
					m, err := savedmodel.NewModel("none", savedmodel.FileBinary, "", graph)
					if err != nil {
						t.Fatal(err)
					}
					m.SetMetadata(fewer, nil)
					use(t, m)
				}
			}
		}
	}
}
