package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wantModel is what expect.json says of a model, as far as `tfrun shapes` has something to say of
// it.
type wantModel struct {
	Kind       string                   `json:"kind"`
	Framework  string                   `json:"framework"`
	TFVersion  string                   `json:"tf_version"`
	TagSets    [][]string               `json:"tag_sets"`
	Signatures map[string]jsonSignature `json:"signatures"`
	Rows       []jsonRow                `json:"summary_rows"`
	Totals     *jsonTotals              `json:"totals"`
	Connected  bool                     `json:"connected"`
}

// gotModel is the same in the command's JSON.
type gotModel struct {
	MetaGraphs []struct {
		Tags       []string                 `json:"tags"`
		TFVersion  string                   `json:"tensorflow_version"`
		Signatures map[string]jsonSignature `json:"signatures"`
		Framework  string                   `json:"framework"`
		Rows       []jsonRow                `json:"layers"`
		Totals     *jsonTotals              `json:"totals"`
	} `json:"meta_graphs"`
}

type jsonSignature struct {
	MethodName string                `json:"method_name"`
	Inputs     map[string]jsonTensor `json:"inputs"`
	Outputs    map[string]jsonTensor `json:"outputs"`
}

type jsonTensor struct {
	DType      string       `json:"dtype"`
	Shape      any          `json:"shape"`
	Tensor     string       `json:"tensor"`
	Encoding   string       `json:"encoding"`
	Class      string       `json:"class"`
	Tensors    []string     `json:"tensors"`
	Components []jsonTensor `json:"components"`
}

type jsonRow struct {
	Name        *string   `json:"name"`
	Class       *string   `json:"class"`
	OutputShape any       `json:"output_shape"`
	Params      int64     `json:"params"`
	ConnectedTo *[]string `json:"connected_to"`
	Guessed     []string  `json:"guessed"`
}

type jsonTotals struct {
	Total        int64 `json:"total"`
	Trainable    int64 `json:"trainable"`
	NonTrainable int64 `json:"non_trainable"`
}

// TestShapesOfEveryModel runs `tfrun shapes --format json` on each model in testdata/models and in
// the folders that TFRUN_MODELS names, and compares the answer with expect.json, field by field.
// Rows that the files of a Keras 3 export do not fully hold may differ, so long as they say that
// they are guesses, or that they do not know (a size that the export made None). Of what is given
// as certain, 999 of 1000 rows must be right, and every signature and every total.
func TestShapesOfEveryModel(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine and many models")
	}
	t.Parallel()
	models, good, rows, goodRows, wrongRows := 0, 0, 0, 0, 0
	for _, dir := range modelDirs(t) {
		data, err := os.ReadFile(filepath.Join(dir, "expect.json"))
		if err != nil {
			t.Fatal(err)
		}
		var want wantModel
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		var out, errs bytes.Buffer
		code := run(context.Background(), []string{"shapes", filepath.Join(dir, "model"), "--format", "json"}, stdio{strings.NewReader(""), &out, &errs})
		if want.Kind == "corrupt" {
			if code != exitDone && strings.Count(errs.String(), "tfrun: error: ") != 1 {
				t.Errorf("%s: exit code %d and not one line of error:\n%s", dir, code, &errs)
			}
			continue
		}
		models++
		var got gotModel
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || code != exitDone {
			t.Errorf("%s: exit code %d, %v\n%s", dir, code, err, &errs)
			continue
		}
		c := comparison{want: want, got: got}
		c.compare()
		for _, e := range c.errors {
			t.Errorf("%s: %s", dir, e)
		}
		for _, e := range slices.Concat(c.wrong, c.missed) {
			t.Logf("%s: %s", dir, e)
		}
		rows, goodRows, wrongRows = rows+len(want.Rows), goodRows+c.rows, wrongRows+len(c.wrong)
		if c.errors == nil && c.wrong == nil && c.missed == nil {
			good++
		}
	}
	if goodRows*100 < rows*95 {
		t.Errorf("fewer than 95 of 100 rows are as Keras prints them")
	}
	if wrongRows*1000 > rows {
		t.Errorf("%d rows of %d hold something wrong that is given as certain", wrongRows, rows)
	}
	t.Logf("shapes: %d of %d models, %d of %d rows", good, models, goodRows, rows)
}

// modelDirs returns the folders with a model and its expect.json.
func modelDirs(tb testing.TB) []string {
	tb.Helper()
	folders := []string{filepath.Join("..", "..", "testdata", "models")}
	folders = append(folders, strings.FieldsFunc(os.Getenv("TFRUN_MODELS"), func(r rune) bool { return r == ',' || r == filepath.ListSeparator })...)
	var dirs []string
	for _, folder := range folders {
		for _, pattern := range []string{"*", "*/*"} {
			files, err := filepath.Glob(filepath.Join(folder, pattern, "expect.json"))
			if err != nil {
				tb.Fatal(err)
			}
			for _, f := range files {
				dirs = append(dirs, filepath.Dir(f))
			}
		}
	}
	if len(dirs) < 100 {
		tb.Fatalf("%d models found, want those of testdata/models", len(dirs))
	}
	return dirs
}

// comparison holds one answer against what it should be.
type comparison struct {
	want   wantModel
	got    gotModel
	rows   int
	errors []string // of the model as a whole
	wrong  []string // rows that are wrong, though given as certain
	missed []string // wrong, and marked as a guess

	guessed []string // names of rows
}

func (c *comparison) fail(format string, args ...any) {
	c.errors = append(c.errors, fmt.Sprintf(format, args...))
}

func (c *comparison) compare() {
	var tags [][]string
	for _, g := range c.got.MetaGraphs {
		tags = append(tags, g.Tags)
	}
	if diff := cmp.Diff(c.want.TagSets, tags); diff != "" {
		c.fail("tag sets (-want +got):\n%s", diff)
	}
	g := c.got.MetaGraphs[0]
	if g.Framework != c.want.Framework {
		c.fail("framework %q, want %q", g.Framework, c.want.Framework)
	}
	if c.want.TFVersion != "" && g.TFVersion != c.want.TFVersion {
		c.fail("TensorFlow version %q, want %q", g.TFVersion, c.want.TFVersion)
	}
	if diff := cmp.Diff(c.want.Signatures, g.Signatures); diff != "" {
		c.fail("signatures (-want +got):\n%s", diff)
	}
	if c.want.Totals != nil && (g.Totals == nil || *g.Totals != *c.want.Totals) {
		c.fail("totals %+v, want %+v", g.Totals, *c.want.Totals)
	}
	if (g.Rows == nil) != (c.want.Rows == nil) {
		c.fail("a layer table: %v, want %v", g.Rows != nil, c.want.Rows != nil)
	}
	byName := map[string]jsonRow{}
	guesses := false
	for _, r := range g.Rows {
		if slices.Contains(r.Guessed, "name") {
			guesses = true
			c.guessed = append(c.guessed, *r.Name)
		}
		if r.Name != nil {
			byName[*r.Name] = r
		}
	}
	for _, w := range c.want.Rows {
		r, ok := byName[*w.Name]
		switch {
		case ok:
			c.compareRow(w, r)
		case guesses:
			c.missed = append(c.missed, fmt.Sprintf("no row %q", *w.Name))
		default:
			c.wrong = append(c.wrong, fmt.Sprintf("no row %q", *w.Name))
		}
	}
	if !slices.Equal(rowNames(g.Rows), rowNames(c.want.Rows)) && !guesses {
		c.wrong = append(c.wrong, fmt.Sprintf("rows %q, want %q", rowNames(g.Rows), rowNames(c.want.Rows)))
	}
}

func rowNames(rows []jsonRow) []string {
	names := make([]string, len(rows))
	for i, r := range rows {
		if r.Name != nil {
			names[i] = *r.Name
		}
	}
	return names
}

// compareRow compares the fields of one row.
func (c *comparison) compareRow(want, got jsonRow) {
	wrong := false
	check := func(field, diff string) {
		switch {
		case diff == "":
			return
		case slices.Contains(got.Guessed, field), slices.Contains(got.Guessed, "name"), field == "class" && got.Class == nil, field == "output_shape" && admits(got.OutputShape, want.OutputShape),
			field == "connected_to" && c.namesGuess(got.ConnectedTo):
			c.missed = append(c.missed, fmt.Sprintf("row %q, %s, not given as certain (-want +got):\n%s", *want.Name, field, diff))
		default:
			c.wrong = append(c.wrong, fmt.Sprintf("row %q, %s, given as certain (-want +got):\n%s", *want.Name, field, diff))
		}
		wrong = true
	}
	check("class", cmp.Diff(want.Class, got.Class))
	check("output_shape", cmp.Diff(want.OutputShape, got.OutputShape))
	check("params", cmp.Diff(want.Params, got.Params))
	if c.want.Connected {
		check("connected_to", cmp.Diff(want.ConnectedTo, got.ConnectedTo))
	}
	if !wrong {
		c.rows++
	}
}

// admits reports whether a shape differs from another only in what it leaves open.
func admits(open, shape any) bool {
	a, isList := open.([]any)
	b, alike := shape.([]any)
	if !isList || !alike {
		return open == nil || open == shape
	}
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !admits(a[i], b[i]) {
			return false
		}
	}
	return true
}

// namesGuess reports whether a column of connections has a layer whose name is a guess.
func (c *comparison) namesGuess(connections *[]string) bool {
	return connections != nil && slices.ContainsFunc(*connections, func(s string) bool {
		layer, _, _ := strings.Cut(s, "[")
		return slices.Contains(c.guessed, layer)
	})
}
