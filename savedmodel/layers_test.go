package savedmodel

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rowScore counts what of a table is as Keras printed it.
type rowScore struct {
	rows, wantRows int
	wrong          []string
}

// compareRows compares a table with Keras' own, field by field.
func compareRows(want expectation, got *LayerTable) rowScore {
	s := rowScore{wantRows: len(want.Rows)}
	if got == nil {
		s.wrong = append(s.wrong, "no table")
		return s
	}
	byName := map[string]*Layer{}
	var names, gotNames []string
	for _, l := range got.Layers {
		byName[l.Name] = l
		gotNames = append(gotNames, l.Name)
	}
	for _, w := range want.Rows {
		names = append(names, w.Name)
		g := byName[w.Name]
		if g == nil {
			s.wrong = append(s.wrong, w.Name+" ("+w.Class+"): no such row")
			continue
		}
		var wrong []string
		if g.Class != w.Class {
			wrong = append(wrong, "class "+g.Class+", want "+w.Class)
		}
		var shape OutputShape
		if err := json.Unmarshal(w.OutputShape, &shape); err != nil || !shape.equal(g.Output) {
			wrong = append(wrong, "shape "+g.Output.String()+", want "+string(w.OutputShape))
		}
		if g.Params != w.Params {
			wrong = append(wrong, cmp.Diff(w.Params, g.Params))
		}
		if want.Connected && !slices.Equal(g.ConnectedTo, w.ConnectedTo) {
			wrong = append(wrong, "connected to "+strings.Join(g.ConnectedTo, " ")+", want "+strings.Join(w.ConnectedTo, " "))
		}
		if len(wrong) == 0 {
			s.rows++
		} else {
			s.wrong = append(s.wrong, w.Name+": "+strings.Join(wrong, "; ")+" (guessed: "+strings.Join(g.Guessed, ",")+")")
		}
	}
	if got.Connected != want.Connected {
		s.wrong = append(s.wrong, "connected column: want otherwise")
	}
	if w := want.Totals; w != nil && (got.Totals.Total != w.Total || got.Totals.Trainable != w.Trainable || got.Totals.NonTrainable != w.NonTrainable) {
		s.wrong = append(s.wrong, cmp.Diff(*w, got.Totals))
	}
	if !slices.Equal(names, gotNames) {
		s.wrong = append(s.wrong, "order: got "+strings.Join(gotNames, " "))
		if s.rows == s.wantRows {
			s.rows = min(s.rows, s.wantRows)
		}
	}
	return s
}

func TestLayersOfEveryModel(t *testing.T) {
	t.Parallel()
	only := os.Getenv("ONLY")
	models, allModels, rows, allRows := 0, 0, 0, 0
	for _, c := range modelCases(t) {
		if c.want.Rows == nil || only != "" && !strings.Contains(c.dir, only) {
			continue
		}
		m, err := Open(c.model())
		if err != nil {
			t.Errorf("%s: %v", c.dir, err)
			continue
		}
		table, err := m.MetaGraphs[0].Layers()
		if err != nil {
			t.Errorf("%s: %v", c.dir, err)
			continue
		}
		s := compareRows(c.want, table)
		allModels++
		rows, allRows = rows+s.rows, allRows+s.wantRows
		if len(s.wrong) == 0 {
			models++
			continue
		}
		t.Logf("%s: %d of %d rows\n    %s", filepath.Base(c.dir), s.rows, s.wantRows, strings.Join(s.wrong, "\n    "))
	}
	t.Logf("shapes: %d of %d models, %d of %d rows", models, allModels, rows, allRows)
}
