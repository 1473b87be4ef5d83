//go:build cgo && !notf

package runner

import (
	"path/filepath"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/sizes"
)

// Of whatever model it is said that its rows are apart: in a batch with others each gets the
// answers that it gets alone.
func TestRowsApart(t *testing.T) {
	ran := 0
	for _, dir := range modeltest.Sample(modelDirs(t)) {
		dir = filepath.Join(dir, "model")
		m, err := savedmodel.Open(dir)
		if err != nil {
			continue
		}
		mg, err := m.MetaGraph()
		if err != nil || mg.Verify() != nil {
			continue
		}
		sig, err := mg.Signature("")
		if err != nil {
			continue
		}
		if work, err := sizes.RowValues(mg, sig); !work.Known() || err != nil {
			continue
		}
		s := loadDir(t, dir, Options{})
		collect := func(rows []dataset.Element, size int) []Result {
			p, err := s.NewPredictor(PredictOptions{BatchSize: size})
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.collect(t.Context(), dataset.FromElements(p.spec, rows...))
			if err != nil {
				t.Fatalf("%s: %v", dir, err)
			}
			return out
		}
		p, err := s.NewPredictor(PredictOptions{})
		if err != nil {
			t.Fatal(err)
		}
		made, err := MadeUpRows(t.Context(), p, 33, nil)
		if err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		effects := p.noEffects()
		alone, together := collect(made, 1), collect(made, len(made))
		for i := range alone {
			compareAll(effects, trial{row: int64(i)}, alone[i].Values, together[i].Values)
		}
		if depends(effects) {
			t.Errorf("%s: %+v", dir, effects)
		}
		ran++
	}
	if ran < 20 && !testing.Short() {
		t.Errorf("only %d models", ran)
	}
}
