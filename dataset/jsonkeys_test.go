package dataset_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// TestManyKeys has rows with keys of their own: as many as are kept in every row are listed, and
// one more is an error that says where.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	const most = dataset.MostKeys
	name := filepath.Join(t.TempDir(), "rows.jsonl")
	write := func(n int) {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "{\"k%d\": 1, \"k%d\": 2}\n", i, (i+1)%n)
		}
		if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(most)
	keys, err := dataset.JSONLKeys(t.Context(), dataset.TensorSpec(tensor.Float32), dataset.JSONLOptions{}, name)
	if err != nil || len(keys) != most || keys[0] != "k0" || keys[most-1] != fmt.Sprintf("k%d", most-1) {
		t.Errorf("%d keys, %v, want %d", len(keys), err, most)
	}
	write(most + 1)
	want := fmt.Sprintf("%s:%d: the rows up to here have more than 16384 different keys", name, most)
	if _, err := dataset.JSONLKeys(t.Context(), dataset.TensorSpec(tensor.Float32), dataset.JSONLOptions{}, name); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
