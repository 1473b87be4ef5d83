package sizes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// TestLayersAtAreThoseOfRuns puts sizes into models whose layers make other sizes of them, and
// compares what the table and the signature then say with what came out when Keras ran the models
// (testdata/make_at.py). A size may stay open, but none may be wrong.
func TestLayersAtAreThoseOfRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	modeltest.Unzip(t, "testdata/at.zip", dir)
	data, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	if err != nil {
		t.Fatal(err)
	}
	var runs []struct {
		Model  string
		Inputs map[string][]int64
		Layers map[string]tensor.Shape
	}
	if err := json.Unmarshal(data, &runs); err != nil {
		t.Fatal(err)
	}
	rows, exact := 0, 0
	for _, run := range runs {
		m, err := savedmodel.Open(filepath.Join(dir, run.Model))
		if err != nil {
			t.Fatal(err)
		}
		mg := m.MetaGraphs[0]
		table, err := layers.Of(mg)
		if err != nil || table == nil {
			t.Fatalf("%s: no table: %v", run.Model, err)
		}
		s := Of(mg, mg.Signatures["serving_default"], table)
		inputs, err := s.Put(Sizes{Inputs: run.Inputs})
		if err != nil {
			t.Fatalf("%s: %v", run.Model, err)
		}
		last := tensor.UnknownShape()
		for _, row := range table.At(inputs) {
			want, ok := run.Layers[row.Layer.Name]
			if !ok {
				continue
			}
			rows++
			if row.Exact {
				exact++
			} else {
				t.Logf("%s at %v: layer %s gives %v, of which %v is known", run.Model, run.Inputs, row.Layer.Name, want, row.Output)
			}
			last = want
			if got := row.Output.First(); !got.Admits(want.Dims()) || row.Exact && !got.Equal(want) {
				t.Errorf("%s at %v: layer %s gives %v, not %v", run.Model, run.Inputs, row.Layer.Name, want, got)
			}
		}
		outputs, err := s.Outputs(inputs)
		if err != nil {
			t.Fatal(err)
		}
		for name, got := range outputs {
			if !got.Admits(last.Dims()) {
				t.Errorf("%s at %v: output %s has shape %v, not %v", run.Model, run.Inputs, name, last, got)
			}
		}
	}
	t.Logf("%d of %d rows are exact", exact, rows)
	if rows < 90 || exact < rows-2 {
		t.Errorf("%d of %d rows are exact", exact, rows)
	}
}
