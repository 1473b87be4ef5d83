//go:build cgo && !notf

package tf

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/tfrun/tfrun/internal/escape"
)

// notRun are the parts of models that TensorFlow's own loader does not run, or does not take, as
// they stand: what is fed, a branch that is not taken, nodes of one name. They are tried as what
// another TensorFlow, or another input, may run.
var notRun = []string{
	"place nowhere", "place beside an output", "place table initializer", "place save op", "place an asset's path",
	"place before an asset's path", "place a function's dead end", "place the other branch", "place another case",
	"place a function that nothing calls", "place a function's attributes",
	"form two graph_defs", "form two nodes of one name", "form a field that nobody knows",
}

// TestEscapeUnguarded has TensorFlow load and run the models that try to get out, with its own
// loader: those that do not get at the canary prove nothing where they are refused.
func TestEscapeUnguarded(t *testing.T) {
	if _, err := OpenLibrary(""); err != nil {
		t.Fatal(err)
	}
	c := escape.Canary{Dir: t.TempDir()}
	if err := c.Make(); err != nil {
		t.Fatal(err)
	}
	escaped, tried := map[string]int{}, map[string]int{}
	for e := range escape.Cases(c) {
		reads := e.Op == "ReadFile"
		switch {
		case e.Place != "an output" && (e.Disguise != "plain" || e.Form != "as it is" || e.Op != "WriteFile"),
			(e.Disguise != "plain" || e.Form != "as it is") && !reads:
			continue
		}
		form, _, _ := strings.Cut(e.Form, ", the harmless")
		dir := t.TempDir()
		if err := e.Write(dir, false); err != nil {
			t.Fatal(err)
		}
		out := c.Escaped(runUnguarded(dir, e.Path, e.Tags))
		for _, part := range []string{"operation " + e.Op, "place " + e.Place, "disguise " + e.Disguise, "form " + form} {
			tried[part]++
			if out != "" {
				escaped[part]++
			}
		}
	}
	// Of the fields that are spoiled one at a time, most say nothing to a loader.
	for e := range escape.Spoiled(c) {
		if e.Place != "an output" {
			continue
		}
		dir := t.TempDir()
		if err := e.Write(dir, false); err != nil {
			t.Fatal(err)
		}
		_, how, _ := strings.Cut(e.Form, " ")
		how, _, _ = strings.Cut("spoiled "+how, ",")
		if tried[how]++; c.Escaped(runUnguarded(dir, e.Path, e.Tags)) != "" {
			escaped[how]++
		}
	}
	for part := range tried {
		if escaped[part] == 0 && !slices.Contains(notRun, part) {
			t.Errorf("%s: none of %d models got at the canary", part, tried[part])
		}
	}
}

// runUnguarded loads a model as TensorFlow does and runs its signatures; path is fed to an input of
// that name. It returns all answers, and what TensorFlow says where it fails.
func runUnguarded(dir, path string, tags []string) (answers string) {
	m, err := tf.LoadSavedModel(dir, tags, nil)
	if err != nil {
		return err.Error()
	}
	defer m.Session.Close() //nolint:errcheck // nothing is running
	x, err := tf.NewTensor([]float32{1, 2})
	if err != nil {
		return err.Error()
	}
	output := func(name string) (tf.Output, bool) {
		node, _, _ := strings.Cut(name, ":")
		op := m.Graph.Operation(node)
		if op == nil {
			return tf.Output{}, false
		}
		return op.Output(0), true
	}
	for _, sig := range m.Signatures {
		in, hasIn := output(sig.Inputs["x"].Name)
		y, hasY := output(sig.Outputs["y"].Name)
		if !hasIn || !hasY {
			continue
		}
		feeds := map[tf.Output]*tf.Tensor{in: x}
		if p, ok := output(sig.Inputs["path"].Name); ok {
			if feeds[p], err = tf.NewTensor(path); err != nil {
				return err.Error()
			}
		}
		out, err := m.Session.Run(feeds, []tf.Output{y}, nil)
		if err != nil {
			answers += err.Error()
			continue
		}
		answers += fmt.Sprint(out[0].Value())
	}
	return answers
}
