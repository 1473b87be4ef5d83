package kerasfile

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/savedmodel/sizes"
	"github.com/tfrun/tfrun/tensor"
)

// wantRow is a row of Keras' summary.
type wantRow struct {
	Name        string          `json:"name"`
	Class       string          `json:"class"`
	OutputShape json.RawMessage `json:"output_shape"`
	Params      int64           `json:"params"`
	ConnectedTo []string        `json:"connected_to"`
}

// wantTable is what testdata/make_files.py recorded of a model.
type wantTable struct {
	Rows      []wantRow          `json:"rows"`
	Connected bool               `json:"connected"`
	Name      string             `json:"model_name"`
	Class     string             `json:"model_class"`
	Totals    map[string]int64   `json:"totals"`
	Nested    map[string][][]any `json:"nested"`
}

// wantFile is the record of a model's files.
type wantFile struct {
	Saved wantTable       `json:"saved"`
	Keras json.RawMessage `json:"keras"`
	H5    json.RawMessage `json:"h5"`
	At    *struct {
		Inputs  map[string][]int64 `json:"inputs"`
		Outputs []tensor.Shape     `json:"outputs"`
	} `json:"at"`
}

// of returns what Keras printed of the model that it saved, and of the one that it loaded from the
// file, where it could.
func (w wantFile) of(ext string) (tables []wantTable) {
	raw := w.Keras
	if ext == "h5" {
		raw = w.H5
	}
	var loaded wantTable
	if json.Unmarshal(raw, &loaded) == nil && loaded.Rows != nil {
		return []wantTable{w.Saved, loaded}
	}
	return []wantTable{w.Saved}
}

// testFiles unpacks the files of testdata/files.zip up to a size whose names match a pattern, and
// returns the folder and the names.
func testFiles(t testing.TB, pattern string, limit uint64) (dir string, names []string) {
	t.Helper()
	z, err := zip.OpenReader("testdata/files.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir = t.TempDir()
	for _, f := range z.File {
		if ok, err := filepath.Match(pattern, f.Name); err != nil || !ok || f.UncompressedSize64 > limit {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(filepath.Join(dir, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, r); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		names = append(names, f.Name)
	}
	return dir, names
}

// notHeld counts, by file, the rows of which the file does not hold a name, a class, a shape or the
// place: classes of one's own whose output nobody takes, and models of such classes.
var notHeld = map[string]int{
	"k2_cross_attention.keras": 1, "k2_cross_attention.h5": 1, // arguments by name or by position
	"k2_blocks.keras": 2, "k305_blocks.keras": 2, "k3_blocks.h5": 2, "k3_blocks.keras": 2,
	"k2_custom_layers.keras": 6, "k3_custom_layers.h5": 6, "k3_custom_layers.keras": 6,
	"k2_functional_subclass.h5": 3, "k2_functional_subclass.keras": 3, "k3_functional_subclass.h5": 3, "k3_functional_subclass.keras": 3,
	"k2_registered.h5": 2, "k2_registered.keras": 1, "k3_registered.h5": 1, "k3_registered.keras": 1,
	"k2_registered_within.h5": 2, "k2_registered_within.keras": 1, "k3_registered_within.h5": 1, "k3_registered_within.keras": 1,
	"k2_nested_reused.h5": 1, "k305_frozen_outer.keras": 1, "k3_adapted_first.h5": 1,
	"k2_registered_last.h5": 1, "k2_registered_last.keras": 1, "k3_registered_last.h5": 1, "k3_registered_last.keras": 1,
	"k2_subclassed_inside.h5": 2, "k2_subclassed_inside.keras": 1, "k3_subclassed_inside.h5": 1, "k3_subclassed_inside.keras": 1,
	"k2_subclassed_ranker.keras": 5, "k3_subclassed_ranker.h5": 5, "k3_subclassed_ranker.keras": 5,
	"k2_subclassed_registered.keras": 5, "k305_subclassed_registered.keras": 5, "k3_subclassed_registered.h5": 5, "k3_subclassed_registered.keras": 5,
	"k2_two_outputs_layer.h5": 2, "k2_two_outputs_layer.keras": 1, "k3_two_outputs_layer.h5": 1, "k3_two_outputs_layer.keras": 1,
}

// TestTables compares the tables of real files, of Keras 2 and of two releases of Keras 3, with
// Keras' own, cell by cell. What differs must be marked as a guess, or be unknown with a reason.
func TestTables(t *testing.T) {
	dir, names := testFiles(t, "*", 1<<30)
	files, rows := 0, 0
	for _, name := range names {
		base, ext, _ := strings.Cut(name, ".")
		if ext != "keras" && ext != "h5" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, base+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var want wantFile
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m, err := Open(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		table, err := m.Layers()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			files++
			rows += len(table.Layers)
			checkTable(t, name, table, want, ext)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if files < 200 {
		t.Errorf("only %d files", files)
	}
	t.Logf("%d files, %d rows", files, rows)
}

// checkTable compares a table with the one that Keras printed of the model when it was saved, or of
// the model that it loaded: names that a class of one's own forgets, and layers that two models
// share, differ between the two in some files.
func checkTable(t *testing.T, name string, table *layers.Table, want wantFile, ext string) {
	t.Helper()
	var best *comparison
	for _, w := range want.of(ext) {
		c := &comparison{file: name, table: table}
		c.compare(w)
		if want.At != nil {
			c.at(want.At.Inputs, want.At.Outputs)
		}
		if best == nil || len(c.wrong) < len(best.wrong) {
			best = c
		}
	}
	for _, line := range best.wrong {
		t.Errorf("%s: %s", name, line)
	}
	if best.missing != notHeld[name] {
		t.Errorf("%s: %d rows with guesses or unknowns, want %d", name, best.missing, notHeld[name])
	}
}

// comparison compares one table with Keras' own.
type comparison struct {
	file    string
	table   *layers.Table
	wrong   []string
	missing int // rows of which something is not known for certain
}

func (c *comparison) errorf(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

func (c *comparison) compare(want wantTable) {
	got := c.table
	if got.Connected != want.Connected || got.ModelClass != want.Class || got.ModelName != want.Name && got.ModelName != "" {
		c.errorf("%s (%s), connected %v, want %s (%s), %v", got.ModelName, got.ModelClass, got.Connected, want.Name, want.Class, want.Connected)
	}
	if len(got.Layers) != len(want.Rows) {
		c.errorf("%d rows, want %d", len(got.Layers), len(want.Rows))
		return
	}
	ordered := len(got.Layers) == 0 || !slices.Contains(got.Layers[0].Guessed, "order")
	for i, w := range want.Rows {
		g := got.Layers[i]
		if !ordered {
			j := slices.IndexFunc(got.Layers, func(l *layers.Layer) bool { return l.Name == w.Name })
			if j < 0 || slices.Contains(got.Layers[j].Guessed, "name") {
				c.missing++
				continue
			}
			g = got.Layers[j]
		}
		c.row(g, w, want.Connected)
		c.nested(g, want.Nested[w.Name])
	}
	t := got.Totals
	if t.Total != want.Totals["total"] || !t.TrainableGuessed && t.Trainable != want.Totals["trainable"] {
		c.errorf("totals %+v, want %v", t, want.Totals)
	}
	if bytes := want.Totals["bytes"]; bytes > 0 && t.TotalBytes != bytes {
		c.errorf("%d bytes, want %d", t.TotalBytes, bytes)
	}
	if strings.HasSuffix(c.file, ".keras") && t.Optimizer != want.Totals["optimizer"] && strings.HasPrefix(c.file, "k3") {
		c.errorf("%d numbers of the optimizer, want %d", t.Optimizer, want.Totals["optimizer"])
	}
}

// row compares a row, and counts it as missing where a cell is a guess or unknown.
func (c *comparison) row(g *layers.Layer, w wantRow, connected bool) {
	sure := len(g.Guessed) == 0
	check := func(field, got, want string, unknown bool) {
		if unknown {
			sure = false
			if len(g.Why) == 0 {
				c.errorf("%s: %s is not known, without a reason", w.Name, field)
			}
		} else if got != want && !slices.Contains(g.Guessed, field) {
			c.errorf("%s: %s %s, want %s", w.Name, field, got, want)
		}
	}
	var shape layers.OutputShape
	if err := json.Unmarshal(w.OutputShape, &shape); err != nil {
		c.errorf("%v", err)
	}
	open := slices.ContainsFunc(g.Output.Shapes, func(s tensor.Shape) bool { return !s.Ranked() })
	check("name", g.Name, w.Name, false)
	check("class", g.Class, w.Class, g.Class == "")
	check("output_shape", g.Output.String(), shape.String(), g.Output.Word == "" && len(g.Output.Shapes) == 0 || open)
	if g.Params != w.Params {
		c.errorf("%s: %d parameters, want %d", w.Name, g.Params, w.Params)
	}
	if connected {
		check("connected_to", strings.Join(g.ConnectedTo, " "), strings.Join(w.ConnectedTo, " "), false)
	}
	if !sure {
		c.missing++
	}
}

// nested compares the rows of a nested model, which Keras prints with expand_nested.
func (c *comparison) nested(g *layers.Layer, want [][]any) {
	if want == nil || g.Layers == nil {
		return
	}
	// Cells that are guesses are not compared, nor is a place that is one.
	left := slices.Clone(want)
	for i, l := range g.Layers {
		guessed := func(field string) bool { return slices.Contains(l.Guessed, field) }
		k := slices.IndexFunc(left, func(w []any) bool {
			return (guessed("params") || float64(l.Params) == w[3]) && (guessed("name") || l.Name == w[0]) && (guessed("class") || l.Class == "" || l.Class == w[1])
		})
		if k < 0 || !guessed("order") && len(left) != len(want)-i {
			c.errorf("%s: within it %s (%s), %d parameters, want %v", g.Name, l.Name, l.Class, l.Params, left)
			return
		}
		if !guessed("order") && k > 0 {
			c.errorf("%s: within it %s stands before %v", g.Name, l.Name, left[0])
		}
		left = slices.Delete(left, k, k+1)
	}
	if len(left) > 0 {
		c.errorf("%s: %v are not within it", g.Name, left)
	}
}

// at puts sizes into the model's inputs and compares what it then gives with what Keras gave.
func (c *comparison) at(inputs map[string][]int64, want []tensor.Shape) {
	if len(c.table.Takes) != len(inputs) {
		return // of a class of one's own
	}
	put := sizes.Sizes{Inputs: map[string][]int64{}}
	for _, p := range c.table.Takes {
		dims, ok := inputs[p.Name]
		if !ok {
			c.errorf("no input %s, want %v", p.Name, inputs)
			return
		}
		put.Inputs[p.Name] = dims
	}
	shapes, err := sizes.PutTable(c.table, put)
	if err != nil {
		c.errorf("%v", err)
		return
	}
	got := c.table.GivesAt(shapes)
	if len(got) != len(want) {
		c.errorf("%d outputs, want %d", len(got), len(want))
		return
	}
	for i := range got {
		if got[i].FullyKnown() && !got[i].Equal(want[i]) {
			c.errorf("output %s is %v at %v, want %v", c.table.Gives[i].Name, got[i], inputs, want[i])
		}
	}
}
