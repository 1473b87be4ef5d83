package kerasfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers"
)

// TestOlderNames compares the tables of a model whose layers lie in the file as Keras 2.12 to 2.15
// left them with that of the same model as newer versions save it (testdata/make_older.py).
func TestOlderNames(t *testing.T) {
	t.Parallel()
	newer := tableOf(t, "testdata/newer.keras")
	if newer.Totals.Total != 89 {
		t.Errorf("the newer file has %+v, want 89 parameters", newer.Totals)
	}
	for _, file := range []string{"older", "between", "windows"} {
		older := tableOf(t, "testdata/"+file+".keras")
		if newer.Totals != older.Totals {
			t.Errorf("%s has %+v, the newer file %+v", file, older.Totals, newer.Totals)
		}
		for i, l := range newer.Layers {
			if o := older.Layers[i]; o.Name != l.Name || o.Params != l.Params || o.TrainableParams != l.TrainableParams || len(o.Guessed) != len(l.Guessed) {
				t.Errorf("row %d of %s is %s with %d parameters (%v), of the newer file %s with %d", i, file, o.Name, o.Params, o.Guessed, l.Name, l.Params)
			}
		}
	}
}

func tableOf(t *testing.T, file string) *layers.Table {
	t.Helper()
	m, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	table, err := m.Layers()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestVariablesThatDoNotFit: where the configuration of a layer has another width than its
// variables, as in an archive with the weights of another model, the layer's count is marked, and
// what is marked without that stays so.
func TestVariablesThatDoNotFit(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/tables/*/model.keras")
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string]int{}
	for _, file := range append(files, "testdata/newer.keras") {
		m, err := Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		marked := func() (names []string) {
			table, err := m.Layers()
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range table.Layers {
				if slices.Contains(l.Guessed, "params") {
					names = append(names, l.Name)
				}
			}
			return names
		}
		before, config := marked(), m.config
		var root struct {
			Config struct {
				Layers []struct {
					Module    string         `json:"module"`
					ClassName string         `json:"class_name"`
					Config    map[string]any `json:"config"`
				} `json:"layers"`
			} `json:"config"`
		}
		if err := json.Unmarshal(config, &root); err != nil {
			t.Fatal(err)
		}
		for _, l := range root.Config.Layers {
			name, _ := l.Config["name"].(string)
			class, c := l.ClassName, l.Config
			if inner, ok := serialized(c["layer"]); ok {
				class, c = inner.class, inner.config
			}
			w := kerasnames.Widths[class]
			n, ok := c[w.Key].(float64)
			if !ok || !strings.HasPrefix(l.Module, "keras.layers") || (part{config: c}).quantization() != "" {
				continue
			}
			text, _ := json.Marshal(name)
			at := bytes.Index(config, append([]byte(`"name": `), text...))
			if at < 0 {
				continue
			}
			width := fmt.Sprintf("%q: ", w.Key)
			m.config = slices.Concat(config[:at], bytes.Replace(config[at:], []byte(width+fmt.Sprint(n)), []byte(width+fmt.Sprint(n+1)), 1))
			changed[class]++
			if after := marked(); !slices.Contains(after, name) || len(after) < len(before) {
				t.Errorf("%s: %s (%s) with %s %v: marked are %v, and %v before", file, name, l.ClassName, w.Key, n+1, after, before)
			}
		}
	}
	t.Log(changed)
	if len(changed) < 4 {
		t.Errorf("classes that were changed: %v", changed)
	}
}

// TestUnnamedLayers holds that the layers of a stack that have no name in the configuration get
// those of the list that no other layer has, and so their variables; where the list has another
// number of them, those of a class do of which it has as many.
func TestUnnamedLayers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ list, want, madeUp []string }{
		{list: []string{"a", "d", "b", "c"}, want: []string{"a", "d", "b", "c"}},
		{list: []string{"a", "d", "b"}, want: []string{"own", "d", "own_1", "gate"}, madeUp: []string{"own", "own_1", "gate"}},
		{list: []string{"own_7", "d", "own_9"}, want: []string{"own_7", "d", "own_9", "gate"}, madeUp: []string{"gate"}},
		{list: []string{"own_1", "d", "named"}, want: []string{"own", "d", "own_1", "gate"}, madeUp: []string{"own", "own_1", "gate"}},
		{list: []string{"own", "own_1", "own_2", "gate_4", "e"}, want: []string{"own", "d", "own_1", "gate_4"}, madeUp: []string{"own", "own_1"}},
	} {
		m := &layers.ModelConfig{Layers: []layers.LayerConfig{
			{Name: "own", ClassName: "Own", Unnamed: true}, {Name: "d"}, {Name: "own_1", ClassName: "Own", Unnamed: true}, {Name: "gate", ClassName: "Gate", Unnamed: true},
		}}
		madeUp := nameUnnamed(m, c.list)
		for i, want := range c.want {
			if l := m.Layers[i]; l.Name != want || madeUp[l.Name] != slices.Contains(c.madeUp, want) {
				t.Errorf("of the list %v layer %d is called %s, made up: %v; want %s of %v", c.list, i, l.Name, madeUp[l.Name], want, c.madeUp)
			}
		}
	}
}

// TestTied counts a variable once that the layers of a model share, and apart those of two layers
// of one name.
func TestTied(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/tied.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Total int64
		Rows  map[string]int64
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	m, err := Open("testdata/tied.h5")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for range 2 { // the table is built anew by each call
		table, err := m.Layers()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for _, l := range table.Layers {
			got[l.Name] = l.Params
		}
		if table.Totals.Total != want.Total || !maps.Equal(got, want.Rows) {
			t.Errorf("%d parameters, %v, want %+v", table.Totals.Total, got, want)
		}
	}
}

// TestShards describes one file of weights of several, of which what it lacks of a layer is no
// count, and all of them by their index.
func TestShards(t *testing.T) {
	t.Parallel()
	table := tableOf(t, "testdata/shards_00000.weights.h5")
	for _, l := range table.Layers {
		if guessed := slices.Contains(l.Guessed, "params"); guessed != (l.Params == 0) || l.Class != "Dense" {
			t.Errorf("%s (%s): %d parameters, guessed %v", l.Name, l.Class, l.Params, l.Guessed)
		}
	}
	if len(table.Layers) != 2 {
		t.Errorf("%d rows, want 2", len(table.Layers))
	}
	table = tableOf(t, "testdata/shards.weights.json")
	for _, l := range table.Layers {
		if l.Params != 64 || slices.Contains(l.Guessed, "params") {
			t.Errorf("of all files, %s: %d parameters, guessed %v", l.Name, l.Params, l.Guessed)
		}
	}
	if len(table.Layers) != 2 || table.Totals.Total != 128 {
		t.Errorf("of all files, %d rows and %+v, want 2 and 128 parameters", len(table.Layers), table.Totals)
	}
	for index, want := range map[string]string{
		`{"metadata": {}, "weight_map": {}}`:                 "no index",
		`{"weight_map": {"/a/vars": []}}`:                    "names no file",
		`{"weight_map": {"/a/vars": ["gone.h5"]}}`:           "gone.h5",
		`{"weight_map": {"/a/vars": "../shards.h5"}}`:        "no name of a file",
		`{"weight_map": {"/a/vars": ["b\\..\\c.h5"]}}`:       "no name of a file",
		`{"weight_map": {"/a/vars": {"b.h5": 1}}}`:           "in no list",
		`{"weight_map": {"/a/vars": ["index.weights.json"]}`: "no JSON",
	} {
		file := filepath.Join(t.TempDir(), "index.weights.json")
		if err := os.WriteFile(file, []byte(index), 0o600); err != nil {
			t.Fatal(err)
		}
		if m, err := Open(file); !Is(file) || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want an error with %q", index, m, err, want)
		}
	}
}

// TestOwnNotes holds that a table says what its file does not hold of classes of one's own.
func TestOwnNotes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, note string }{
		{"made_by_init__k3h5/model.h5", "of a model that was made of inputs and outputs Keras prints both"},
		{"made_by_init__k3keras/model.keras", "of a model that was made of inputs and outputs Keras prints both"},
		{"ties_of_own__k3keras/model.keras", "a variable of back has the values of layers/dense/vars/0: they are taken for one variable"},
		{"nests_of_own__k3keras/model.keras", ""}, // no input is among its layers
	} {
		table := tableOf(t, "../../testdata/tables/"+c.file)
		if notes := strings.Join(table.Notes, "\n"); c.note == "" && notes != "" || !strings.Contains(notes, c.note) {
			t.Errorf("%s: notes %q, want %q", c.file, notes, c.note)
		}
	}
}

// An array that two files of one model have would be counted twice.
func TestShardsTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shard, err := os.ReadFile("testdata/shards_00000.weights.h5")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"a.h5": shard, "b.h5": shard, "m.weights.json": []byte(`{"weight_map": {"/a": ["a.h5", "b.h5"]}}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(filepath.Join(dir, "m.weights.json")); err == nil || !strings.Contains(err.Error(), "in more than one of its files") {
		t.Error(err)
	}
}
