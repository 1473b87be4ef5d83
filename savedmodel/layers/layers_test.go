package layers

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
)

// rowScore counts what of a table is as Keras printed it.
type rowScore struct {
	rows, wantRows int
	wrong          []string
	totals         bool // the totals are wrong
}

// compareRows compares a table with Keras' own, field by field.
func compareRows(want modeltest.Expectation, got *Table) rowScore {
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
			wrong = append(wrong, fmt.Sprintf("%d parameters, want %d", g.Params, w.Params))
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
		s.wrong = append(s.wrong, fmt.Sprintf("totals %+v, want %+v", got.Totals, *w))
		s.totals = true
	}
	if !slices.Equal(names, gotNames) {
		s.wrong = append(s.wrong, "order: got "+strings.Join(gotNames, " "))
	}
	return s
}

// shortfalls counts, by model, the rows that are not as Keras printed them, because an export of
// Keras 3 does not hold what they say: names and classes of layers that leave no operation (Dropout
// and its like) and with them who is connected to them, classes of one's own under another name, a
// fixed batch size, results that nobody takes.
var shortfalls = map[string]int{
	"k3_activations":             1,
	"k3_custom_layer":            1,
	"k3_custom_names":            1,
	"k3_fixed_batch":             2,
	"k3_subclassed":              5,
	"k3_unet":                    2,
	"own_k3_conv1d_stack":        1,
	"own_k3_conv2d_zoo":          2,
	"own_k3_conv2d_zoo_keras305": 2,
	"own_k3_conv2d_zoo_keras333": 2,
	"own_k3_conv2d_zoo_keras360": 2,
	"own_k3_conv2d_zoo_keras392": 2,
	"own_k3_conv3d_zoo":          1,
	"own_k3_cross_attention":     1,
	"own_k3_custom_layers":       1,
	"own_k3_fixed_batch_conv":    5,
	"own_k3_noise_layers":        5,
	"own_k3_random_42":           6,
	"own_k3_random_7":            4,
	"own_k3_seq2seq_lstm":        1,
	"own_k3_subclassed_ranker":   4,
}

func TestLayersOfEveryModel(t *testing.T) {
	t.Parallel()
	only := os.Getenv("ONLY")
	models, allModels, rows, allRows := 0, 0, 0, 0
	for _, c := range modeltest.Sample(modeltest.Cases(t)) {
		if c.Want.Rows == nil || only != "" && !strings.Contains(c.Dir, only) {
			continue
		}
		m, err := savedmodel.Open(c.Model())
		if err != nil {
			t.Errorf("%s: %v", c.Dir, err)
			continue
		}
		table, err := Of(m.MetaGraphs[0])
		if err != nil {
			t.Errorf("%s: %v", c.Dir, err)
			continue
		}
		s := compareRows(c.Want, table)
		allModels++
		rows, allRows = rows+s.rows, allRows+s.wantRows
		if len(s.wrong) == 0 {
			models++
		}
		name := filepath.Base(c.Dir)
		missing := s.wantRows - s.rows
		switch shipped := strings.HasPrefix(c.Dir, modeltest.Models()); {
		case shipped && (missing > shortfalls[name] || missing == 0 && len(s.wrong) > 0 || s.totals):
			t.Errorf("%s: %d of %d rows, want all but %d\n    %s", name, s.rows, s.wantRows, shortfalls[name], strings.Join(s.wrong, "\n    "))
		case len(s.wrong) > 0:
			t.Logf("%s: %d of %d rows\n    %s", name, s.rows, s.wantRows, strings.Join(s.wrong, "\n    "))
		}
	}
	t.Logf("shapes: %d of %d models, %d of %d rows", models, allModels, rows, allRows)
}

// TestDamagedMetadataIsNoted checks that a Keras 2 model whose metadata is damaged has a table all
// the same, and a note that says so; one that has lost the metadata has nothing to be told of.
func TestDamagedMetadataIsNoted(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{
		"bad_metadata_garbage":  "keras_metadata.pb: is damaged: byte 0",
		"bad_metadata_bad_json": "keras_metadata.pb: the metadata of root.layer-0 is damaged",
		"bad_metadata_missing":  "",
	} {
		table, err := Of(modeltest.Open(t, model).MetaGraphs[0])
		if err != nil || table == nil || len(table.Layers) != 2 {
			t.Errorf("%s: Of() = %+v, %v, want a table of two layers", model, table, err)
			continue
		}
		if got := strings.Join(table.Notes, "\n"); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: notes %q, want one with %q", model, got, want)
		}
	}
}

// TestMetadataOfObjectsThatAreNot: metadata of objects with numbers that the graph has none of, or
// that no object can have, is another model's.
func TestMetadataOfObjectsThatAreNot(t *testing.T) {
	t.Parallel()
	mg := modeltest.Open(t, "k2_cnn2d").MetaGraphs[0]
	meta, err := mg.KerasMetadata()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []int{math.MinInt, -1, 1 << 20, math.MaxInt} {
		more := maps.Clone(meta)
		more[id] = &savedmodel.KerasObject{Identifier: "_tf_keras_layer", ClassName: "Dense"}
		if err := otherModel(mg, more); err == nil || !strings.Contains(err.Error(), "of another model") {
			t.Errorf("object %d: %v", id, err)
		}
	}
	if err := otherModel(mg, meta); err != nil {
		t.Error(err)
	}
}

// TestGuessesAreMarked checks that a row which is not as Keras printed it says so: its field is
// marked as a guess, or it is a fixed batch size, or it follows from another guess.
func TestGuessesAreMarked(t *testing.T) {
	t.Parallel()
	for _, c := range modeltest.Sample(modeltest.Cases(t)) {
		m, err := savedmodel.Open(c.Model())
		if c.Want.Rows == nil || err != nil {
			continue
		}
		table, err := Of(m.MetaGraphs[0])
		if err != nil || table == nil {
			continue
		}
		want := map[string]modeltest.ExpectedRow{}
		for _, w := range c.Want.Rows {
			want[w.Name] = w
		}
		for _, l := range table.Layers {
			w, ok := want[l.Name]
			if !ok && !slices.Contains(l.Guessed, "name") {
				t.Errorf("%s: Keras has no layer %q, and the name is not marked as a guess", filepath.Base(c.Dir), l.Name)
			}
			if ok && w.Class != l.Class && !slices.Contains(l.Guessed, "class") {
				t.Errorf("%s: layer %q is a %s, not a %s, and the class is not marked as a guess", filepath.Base(c.Dir), l.Name, w.Class, l.Class)
			}
		}
	}
}

// TestTableOfTheTutorial holds the table that the tutorial's model must give, to the number.
func TestTableOfTheTutorial(t *testing.T) {
	t.Parallel()
	const want = `[["embedding","Embedding",[null,null,64],523840],["bidirectional","Bidirectional",[null,128],66048],` +
		`["dense","Dense",[null,64],8256],["dense_1","Dense",[null,1],65]]`
	for _, form := range []string{"k2", "k3"} {
		table, err := Of(modeltest.Open(t, filepath.Join("full_seed", form)).MetaGraphs[0])
		if err != nil || table == nil {
			t.Fatalf("%s: Layers() = %v, %v", form, table, err)
		}
		var rows [][]any
		for _, l := range table.Layers {
			rows = append(rows, []any{l.Name, l.Class, l.Output, l.Params})
		}
		got, err := json.Marshal(rows)
		if err != nil || string(got) != want {
			t.Errorf("%s: layers %s, %v, want %s", form, got, err, want)
		}
		if table.Totals != (Totals{Total: 598209, Trainable: 598209, TotalBytes: 2392836, TrainableBytes: 2392836}) {
			t.Errorf("%s: totals %+v, want 598209", form, table.Totals)
		}
	}
}
