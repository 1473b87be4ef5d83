package savedmodel

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// TestReportOfTheTutorial holds the table that the tutorial's model must give, to the number.
func TestReportOfTheTutorial(t *testing.T) {
	t.Parallel()
	const want = `[["embedding","Embedding",[null,null,64],523840],["bidirectional","Bidirectional",[null,128],66048],` +
		`["dense","Dense",[null,64],8256],["dense_1","Dense",[null,1],65]]`
	for _, form := range []string{"k2", "k3"} {
		m, err := Open(filepath.Join("..", "testdata", "models", "full_seed", form, "model"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Report()
		if err != nil {
			t.Fatal(err)
		}
		g := r.MetaGraphs[0]
		var rows [][]any
		for _, l := range g.Layers {
			rows = append(rows, []any{l.Name, l.Class, l.OutputShape, l.Params})
		}
		got, err := json.Marshal(rows)
		if err != nil || string(got) != want {
			t.Errorf("%s: layers %s, %v, want %s", form, got, err, want)
		}
		if g.Totals == nil || *g.Totals != (TotalsReport{598209, 598209, 0, 2392836, 2392836, 0}) {
			t.Errorf("%s: totals %+v, want 598209", form, g.Totals)
		}
	}
}
