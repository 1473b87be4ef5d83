//go:build cgo && !notf

package runner

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/dataset/parquet"
)

// The columns of a table stand in the order of Outputs, then the kept ones.
func TestColumnOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := filepath.Join(dir, "rows.jsonl")
	if err := os.WriteFile(in, []byte(`{"title":[1,2],"body":[3,4,5],"tags":[0,1,0,1,0],"id":7}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := load(t, "k3_multi_io/model").NewPredictor(PredictOptions{Outputs: []string{"output_1", "output_0"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"output_1", "output_0", "id"}
	columns := map[string]func(string) ([]dataset.Column, error){
		"csv":     func(name string) ([]dataset.Column, error) { return csv.Columns(csv.Options{}, name) },
		"npz":     func(name string) ([]dataset.Column, error) { return npy.ZipColumns(npy.Options{}, name) },
		"parquet": func(name string) ([]dataset.Column, error) { return parquet.Columns(parquet.Options{}, name) },
		"arrow":   func(name string) ([]dataset.Column, error) { return arrow.Columns(arrow.Options{}, name) },
	}
	for form, list := range columns {
		out := filepath.Join(dir, "out."+form)
		if _, err := p.Run(t.Context(), Job{Source: Source{Files: []string{in}, Keep: []string{"id"}}, Output: out}); err != nil {
			t.Fatal(err)
		}
		have, err := list(out)
		var names []string
		for _, c := range have {
			names = append(names, c.Name)
		}
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("%s: columns %v, %v, want %v", form, names, err, want)
		}
	}
}
