package layers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/kerasfile"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// tableCase is a model beside which Keras' own table was recorded.
type tableCase struct {
	dir, kind string
	// want is what Keras prints of the model that it loads from a file of its own; saved what it
	// printed of the one that it saved, where that is something else.
	want, saved modeltest.Expectation
	table       func() (*layers.Table, error)
}

// tableCases lists the Keras models of testdata, and those in the folders that TFRUN_MODELS names:
// each has its files in model/, in one of Keras' own files, or beside expect.json.
func tableCases(t *testing.T) []tableCase {
	t.Helper()
	folders := []string{modeltest.Models(), filepath.Join(modeltest.Models(), "..", "tables")}
	folders = append(folders, strings.FieldsFunc(os.Getenv("TFRUN_MODELS"), func(r rune) bool { return r == ',' || r == filepath.ListSeparator })...)
	var cases []tableCase
	for _, folder := range folders {
		for _, pattern := range []string{"*/expect.json", "*/*/expect.json"} {
			files, err := filepath.Glob(filepath.Join(folder, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				c, ok := readTableCase(t, file)
				if !ok {
					continue
				}
				cases = append(cases, c)
				if c, ok := withoutMetadata(t, c); ok {
					cases = append(cases, c)
				}
			}
		}
	}
	return modeltest.Sample(cases)
}

// readTableCase reads what is beside a model; ok is false where it has no table.
func readTableCase(t *testing.T, file string) (c tableCase, ok bool) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Summary   []modeltest.ExpectedRow   `json:"summary_rows"`
		Rows      []modeltest.ExpectedRow   `json:"rows"` // another name for it
		Totals    *modeltest.ExpectedTotals `json:"totals"`
		Connected bool                      `json:"connected"`
		Saved     modeltest.Expectation     `json:"saved"`
		Form      string                    `json:"form"`
	}
	c.dir = filepath.Dir(file)
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if recorded.Summary == nil {
		recorded.Summary = recorded.Rows
	}
	if recorded.Summary == nil {
		return c, false
	}
	c.want = modeltest.Expectation{Rows: recorded.Summary, Totals: recorded.Totals, Connected: recorded.Connected}
	c.saved = recorded.Saved
	c.saved.Connected = recorded.Connected
	c.kind = recorded.Form
	for _, name := range []string{"model.keras", "model.h5"} {
		file := filepath.Join(c.dir, name)
		if _, err := os.Stat(file); err == nil {
			c.table = func() (*layers.Table, error) { return tableOfFile(file) }
			return c, true
		}
	}
	dir := filepath.Join(c.dir, "model")
	if _, err := os.Stat(dir); err != nil {
		dir = c.dir
	}
	m, err := savedmodel.Open(dir)
	if err != nil {
		t.Errorf("%s: %v", dir, err)
		return c, false
	}
	mg := m.MetaGraphs[0]
	c.table = func() (*layers.Table, error) { return layers.Of(mg) }
	if c.kind == "" {
		c.kind = formOf(mg)
	}
	return c, true
}

// metadata is the file in which Keras 2 keeps its layers' configurations.
const metadata = "keras_metadata.pb"

// withoutMetadata makes a case of a Keras 2 model as tf.saved_model.save writes it, and as people
// copy it: keras_metadata.pb is not there. ok is false where the model has no such file.
func withoutMetadata(t *testing.T, c tableCase) (bare tableCase, ok bool) {
	t.Helper()
	dir := filepath.Join(c.dir, "model")
	if _, err := os.Stat(filepath.Join(dir, metadata)); err != nil {
		return c, false
	}
	m, err := savedmodel.Open(withMetadata(t, dir, ""))
	if err != nil {
		t.Errorf("%s without %s: %v", c.dir, metadata, err)
		return c, false
	}
	c.dir, c.kind = c.dir+" without "+metadata, "Keras 2, no metadata"
	c.table = func() (*layers.Table, error) { return layers.Of(m.MetaGraphs[0]) }
	return c, true
}

// withMetadata returns a folder with the files of a model's, and the metadata of another's; none
// where that is "".
func withMetadata(t *testing.T, dir, other string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	mixed := t.TempDir()
	if dir, err = filepath.Abs(dir); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == metadata {
			continue
		}
		if err := os.Symlink(filepath.Join(dir, f.Name()), filepath.Join(mixed, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if other == "" {
		return mixed
	}
	data, err := os.ReadFile(filepath.Join(other, metadata))
	if err == nil {
		err = os.WriteFile(filepath.Join(mixed, metadata), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return mixed
}

// tableOfFile reads the table of one of Keras' own files.
func tableOfFile(file string) (*layers.Table, error) {
	m, err := kerasfile.Open(file)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return m.Layers()
}

// formOf names the way in which a model was saved.
func formOf(mg *savedmodel.MetaGraph) string {
	objs, err := mg.Objects()
	switch exported := err == nil && objs.Child(0, "_misc_assets") >= 0; {
	case mg.Framework == savedmodel.Keras2 && exported:
		return "Keras 2 export"
	case mg.Framework == savedmodel.Keras2:
		return "Keras 2 save"
	case mg.Framework == savedmodel.Keras3 && exported:
		return "Keras 3 export"
	case mg.Framework == savedmodel.Keras3:
		return "tf.saved_model.save"
	}
	return string(mg.Framework)
}

// tableScore counts the rows of a table: as Keras printed them; marked where they are not; stated
// as certain, and wrong; not there.
type tableScore struct {
	models, rows, right, marked, wrong, missing, totals int
	faults                                              []string
}

func (s *tableScore) add(o tableScore) {
	s.models, s.rows, s.right, s.marked = s.models+o.models, s.rows+o.rows, s.right+o.right, s.marked+o.marked
	s.wrong, s.missing, s.totals = s.wrong+o.wrong, s.missing+o.missing, s.totals+o.totals
}

// scoreTable compares a table with Keras' own, and the rows of its nested models with those that
// these print.
func scoreTable(want modeltest.Expectation, got *layers.Table) (top, nested tableScore) {
	top.models = 1
	if got == nil {
		top.rows, top.missing = len(want.Rows), len(want.Rows)
		return top, nested
	}
	lost := strings.Join(got.Lost, "\n")
	scoreRows(want.Rows, got.Layers, want.Connected && got.Connected, lost, &top, &nested)
	if w := want.Totals; w != nil && (got.Totals.Total != w.Total || !got.Totals.TrainableGuessed && (got.Totals.Trainable != w.Trainable || got.Totals.NonTrainable != w.NonTrainable)) {
		word := "marked"
		if !got.Totals.Guessed {
			top.totals++
			word = "WRONG"
		}
		top.faults = append(top.faults, fmt.Sprintf("%s totals %+v, want %+v", word, got.Totals, *w))
	}
	return top, nested
}

// scoreRows adds the rows of one model to s, and those of the models nested in it to nested.
func scoreRows(want []modeltest.ExpectedRow, got []*layers.Layer, connected bool, lost string, s, nested *tableScore) {
	s.rows += len(want)
	pairs, extra := pairRows(want, got)
	skipped := map[string][]string{} // what the rows that are not there are connected to
	for i, w := range want {
		g := pairs[i]
		if g == nil {
			s.missing++
			s.faults = append(s.faults, "missing "+w.Name+" ("+w.Class+")")
			skipped[w.Name] = w.ConnectedTo
			continue
		}
		if lost != "" {
			w.ConnectedTo = passBy(w.ConnectedTo, skipped)
		}
		stated, marked := rowFaults(w, g, connected, lost)
		switch {
		case len(stated) > 0:
			s.wrong++
			s.faults = append(s.faults, "WRONG "+w.Name+": "+strings.Join(stated, "; "))
		case len(marked) > 0:
			s.marked++
			s.faults = append(s.faults, "marked "+w.Name+": "+strings.Join(marked, "; "))
		default:
			s.right++
		}
		if len(w.Layers) > 0 {
			before := len(nested.faults)
			scoreRows(w.Layers, g.Layers, true, lost, nested, nested)
			for k := before; k < len(nested.faults); k++ {
				nested.faults[k] = w.Name + ": " + nested.faults[k]
			}
		}
	}
	for _, g := range extra {
		if !slices.Contains(g.Guessed, "name") {
			s.wrong++
			s.faults = append(s.faults, "WRONG "+g.Name+" ("+g.Class+"): Keras has no such row")
		} else {
			s.faults = append(s.faults, "marked "+g.Name+": no such row")
		}
	}
	for _, name := range outOfOrder(pairs, got) {
		s.wrong++
		s.faults = append(s.faults, "WRONG order of "+name)
	}
}

// pairRows finds the row of a table for each of Keras': that of its name, else, among those whose
// name is a guess, one of its name, class and size, of its class and size, or any.
func pairRows(want []modeltest.ExpectedRow, got []*layers.Layer) (pairs, extra []*layers.Layer) {
	pairs = make([]*layers.Layer, len(want))
	taken := map[*layers.Layer]bool{}
	for i, w := range want {
		for _, g := range got {
			if g.Name == w.Name && !taken[g] && !slices.Contains(g.Guessed, "name") {
				pairs[i], taken[g] = g, true
				break
			}
		}
	}
	for _, alike := range []func(w modeltest.ExpectedRow, g *layers.Layer) bool{
		func(w modeltest.ExpectedRow, g *layers.Layer) bool {
			return g.Name == w.Name && g.Class == w.Class && g.Params == w.Params
		},
		func(w modeltest.ExpectedRow, g *layers.Layer) bool { return g.Class == w.Class && g.Params == w.Params },
		func(w modeltest.ExpectedRow, g *layers.Layer) bool { return g.Params == w.Params && w.Params > 0 },
		func(w modeltest.ExpectedRow, g *layers.Layer) bool { return g.Class == w.Class },
		func(modeltest.ExpectedRow, *layers.Layer) bool { return true },
	} {
		for i, w := range want {
			for _, g := range got {
				if pairs[i] == nil && !taken[g] && slices.Contains(g.Guessed, "name") && alike(w, g) {
					pairs[i], taken[g] = g, true
				}
			}
		}
	}
	for _, g := range got {
		if !taken[g] {
			extra = append(extra, g)
		}
	}
	return pairs, extra
}

// rowFaults lists the fields of a row that are not as Keras printed them: those that are stated,
// and those that are marked as guesses or not given.
func rowFaults(w modeltest.ExpectedRow, g *layers.Layer, connected bool, lost string) (stated, marked []string) {
	fault := func(field, text string, given bool) {
		if given && !slices.Contains(g.Guessed, field) {
			stated = append(stated, text)
		} else {
			marked = append(marked, text)
		}
	}
	if g.Name != w.Name {
		fault("name", "name "+g.Name, true)
	}
	if g.Class != w.Class {
		fault("class", "class "+g.Class+", want "+w.Class, g.Class != "?" && g.Class != "")
	}
	var shape layers.OutputShape
	if err := json.Unmarshal(w.OutputShape, &shape); err != nil || shape.String() != g.Output.String() && !excused(shape, g.Output, lost) {
		fault("output_shape", "shape "+g.Output.String()+", want "+string(w.OutputShape), g.Output.Word != "" || len(g.Output.Shapes) > 0 && ranked(g.Output))
	}
	if g.Params != w.Params {
		fault("params", fmt.Sprintf("%d parameters, want %d", g.Params, w.Params), true)
	}
	if w.TrainableParams != nil && g.TrainableParams != *w.TrainableParams {
		guessed := slices.Contains(g.Guessed, "trainable_params") || slices.Contains(g.Guessed, "params")
		fault("trainable_params", fmt.Sprintf("%d trainable parameters, want %d", g.TrainableParams, *w.TrainableParams), !guessed)
	}
	if connected && w.ConnectedTo != nil && !slices.Equal(g.ConnectedTo, w.ConnectedTo) {
		fault("connected_to", "connected to "+strings.Join(g.ConnectedTo, " ")+", want "+strings.Join(w.ConnectedTo, " "), g.ConnectedTo != nil)
	}
	return stated, marked
}

// excused reports whether a shape differs from Keras' own by what the table says that such files
// lose.
func excused(want, got layers.OutputShape, lost string) bool {
	return strings.Contains(lost, "leaves the batch axis open") && openBatch(want, got)
}

// passBy replaces the connections to rows that are not there by what these are connected to, as
// Table.Lost says.
func passBy(connections []string, skipped map[string][]string) []string {
	var all []string
	for _, c := range connections {
		name, _, _ := strings.Cut(c, "[")
		if through := skipped[name]; len(through) == 1 {
			all = append(all, passBy(through, skipped)...)
		} else {
			all = append(all, c)
		}
	}
	return all
}

// ranked reports whether the ranks of all shapes are known.
func ranked(o layers.OutputShape) bool {
	return !slices.ContainsFunc(o.Shapes, func(s tensor.Shape) bool { return !s.Ranked() })
}

// openBatch reports whether shapes differ in nothing but the batch axis, which an export leaves
// open where the model fixes it: Table.Lost says so.
func openBatch(want, got layers.OutputShape) bool {
	if len(want.Shapes) != len(got.Shapes) || len(got.Shapes) == 0 {
		return false
	}
	for i, s := range want.Shapes {
		g := got.Shapes[i]
		if s.Rank() < 1 || s.Rank() != g.Rank() || g.Dim(0) != tensor.Unknown || !slices.Equal(s.Dims()[1:], g.Dims()[1:]) {
			return false
		}
	}
	return true
}

// outOfOrder names the rows that stand elsewhere than in Keras' table and do not say so: all but
// the longest sequence that agrees.
func outOfOrder(pairs, got []*layers.Layer) []string {
	var place []int
	var rows []*layers.Layer
	for _, g := range pairs {
		if g != nil && !slices.Contains(g.Guessed, "order") {
			place, rows = append(place, slices.Index(got, g)), append(rows, g)
		}
	}
	best := make([]int, len(place)) // the length of the longest sequence that ends here
	last := make([]int, len(place))
	end := -1
	for i := range place {
		best[i], last[i] = 1, -1
		for j := range i {
			if place[j] < place[i] && best[j]+1 > best[i] {
				best[i], last[i] = best[j]+1, j
			}
		}
		if end < 0 || best[i] > best[end] {
			end = i
		}
	}
	keep := map[int]bool{}
	for ; end >= 0; end = last[end] {
		keep[end] = true
	}
	var out []string
	for i, g := range rows {
		if !keep[i] {
			out = append(out, g.Name)
		}
	}
	return out
}

// TestTables compares every recorded table with Keras' own and prints a line for each form of
// export: `make tables`. Of what is shipped nothing may be stated as certain and wrong.
func TestTables(t *testing.T) {
	t.Parallel()
	forms := map[string]*tableScore{}
	only := os.Getenv("ONLY")
	for _, c := range tableCases(t) {
		if only != "" && !strings.Contains(c.dir, only) {
			continue
		}
		table, err := c.table()
		if err != nil {
			t.Errorf("%s: %v", c.dir, err)
			continue
		}
		top, nested := scoreTable(c.want, table)
		if c.saved.Rows != nil && top.wrong+top.totals+nested.wrong > 0 {
			top, nested = scoreTable(c.saved, table)
		}
		for kind, s := range map[string]tableScore{c.kind: top, c.kind + ", nested": nested} {
			if s.models+s.rows == 0 {
				continue
			}
			if forms[kind] == nil {
				forms[kind] = &tableScore{}
			}
			forms[kind].add(s)
			if len(s.faults) > 0 {
				t.Logf("%s (%s): %d rows, %d right, %d marked, %d wrong, %d missing\n    %s", c.dir, kind, s.rows, s.right, s.marked, s.wrong, s.missing, strings.Join(s.faults, "\n    "))
			}
			if s.wrong+s.totals > 0 {
				t.Errorf("%s (%s): %d rows are stated as certain and wrong, and %d totals", c.dir, kind, s.wrong, s.totals)
			}
		}
	}
	lines := []string{fmt.Sprintf("%-28s %7s %6s %6s %7s %13s %8s %13s", "form", "models", "rows", "right", "marked", "stated wrong", "missing", "wrong totals")}
	for _, form := range slices.Sorted(maps.Keys(forms)) {
		s := forms[form]
		lines = append(lines, fmt.Sprintf("%-28s %7d %6d %6d %7d %13d %8d %13d", form, s.models, s.rows, s.right, s.marked, s.wrong, s.missing, s.totals))
	}
	t.Logf("tables\n%s", strings.Join(lines, "\n"))
}

// TestNestedModelsHaveInputs: of every form, the rows of a model that was made of inputs and
// outputs and stands in another hold its input layers, as Keras prints them.
func TestNestedModelsHaveInputs(t *testing.T) {
	t.Parallel()
	found := map[string]int{}
	for _, c := range tableCases(t) {
		table, err := c.table()
		if err != nil || table == nil {
			continue
		}
		eachLayer(table.Layers, func(l *layers.Layer) {
			if l.Class != "Functional" && l.Class != "Model" || len(l.Layers) == 0 {
				return
			}
			found[c.kind]++
			if !slices.ContainsFunc(l.Layers, func(inner *layers.Layer) bool { return inner.Class == "InputLayer" }) {
				t.Errorf("%s (%s): %s (%s) has no input layer", c.dir, c.kind, l.Name, l.Class)
			}
		})
	}
	if len(found) < 8 && !testing.Short() {
		t.Errorf("models in models of these forms alone: %v", found)
	}
}

// TestMetadataOfAnotherModel gives models of Keras 2 the metadata of others: the table is then of
// the graph, and a note says so, unless each layer has the parameters that it has with its own.
func TestMetadataOfAnotherModel(t *testing.T) {
	t.Parallel()
	var dirs []string
	var own [][]int64 // the parameters of their rows
	params := func(dir string) ([]int64, string) {
		m, err := savedmodel.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		table, err := layers.Of(m.MetaGraphs[0])
		if err != nil || table == nil {
			return nil, "no table"
		}
		var all []int64
		for _, l := range table.Layers {
			if l.Params > 0 {
				all = append(all, l.Params)
			}
		}
		return all, strings.Join(table.Notes, "; ")
	}
	for _, c := range tableCases(t) {
		dir := filepath.Join(c.dir, "model")
		if _, err := os.Stat(filepath.Join(dir, metadata)); err != nil {
			continue
		}
		all, notes := params(dir)
		if strings.Contains(notes, "of another model") {
			t.Errorf("%s: %s", dir, notes)
		}
		dirs, own = append(dirs, dir), append(own, all)
	}
	noted := 0
	for i, dir := range dirs {
		for step := 1; step <= 4; step++ {
			other := dirs[(i+step*step)%len(dirs)]
			got, notes := params(withMetadata(t, dir, other))
			switch {
			case strings.Contains(notes, "keras_metadata.pb is of another model"):
				noted++
			case notes == "no table": // of a graph that shows no layers
			case !slices.Equal(got, own[i]):
				t.Errorf("%s with the metadata of %s: parameters %v, and %v with its own", dir, other, got, own[i])
			}
		}
	}
	t.Logf("%d of %d have a note", noted, 4*len(dirs))
	if noted < 3*len(dirs) {
		t.Errorf("%d of %d have a note", noted, 4*len(dirs))
	}
}

// TestInputsOfAnotherModel: a note says where the metadata gives the inputs other sizes than the
// graph does, but where a model of one's own class, or a signature, has none of these inputs.
func TestInputsOfAnotherModel(t *testing.T) {
	t.Parallel()
	size := regexp.MustCompile(`"batch_input_shape": (?:\{"class_name": "(?:__tuple__|TypeSpec)", "items": )?\[null, \d*([1-8])[],]`)
	changed := 0
	for _, c := range tableCases(t) {
		data, err := os.ReadFile(filepath.Join(c.dir, "model", metadata))
		if err != nil {
			continue
		}
		places := size.FindAllSubmatchIndex(data, -1)
		for _, at := range places {
			data[at[2]]++ // a digit for a digit: the lengths in the file stay true
		}
		dir := withMetadata(t, filepath.Join(c.dir, "model"), "")
		if err := os.WriteFile(filepath.Join(dir, metadata), data, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := savedmodel.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		table, err := layers.Of(m.MetaGraphs[0])
		if err != nil || table == nil || len(places) == 0 || strings.Contains(c.dir, "signature") || !slices.Contains([]string{"Functional", "Sequential"}, table.ModelClass) {
			continue
		}
		changed++
		if !strings.Contains(strings.Join(table.Notes, "; "), "of another model") {
			t.Errorf("%s (%s): no note", c.dir, table.ModelClass)
		}
	}
	if changed < 50 && !testing.Short() {
		t.Errorf("%d models with other inputs, want 50", changed)
	}
}
