package savedmodel

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"testing"
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
		graph := read(model, fileBinary)
		for _, from := range []string{"k2_fixed_batch", "k2_nested", "k2_activations"} {
			for _, word := range []string{`"layers"`, `"class_name"`, `"config"`, `"name"`, `"inbound_nodes"`, `"InputLayer"`} {
				// as long
				text := bytes.ReplaceAll(read(from, fileMetadata), []byte(word), append([]byte(`"_`), word[2:]...))
				meta, err := parseMetadata(fileMetadata, text)
				if err != nil {
					t.Fatalf("%s without %s: %v", from, word, err)
				}
				for id := range meta {
					fewer := maps.Clone(meta)
					delete(fewer, id)
					m, err := newModel("none", fileBinary, "", graph)
					if err != nil {
						t.Fatal(err)
					}
					m.metadata = func() (kerasMetadata, error) { return fewer, nil }
					use(t, m)
				}
			}
		}
	}
}
