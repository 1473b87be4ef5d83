package savedmodel

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// exampleShapes is what expect.json says of a run: the shapes of what was fed and what came out.
type exampleShapes struct {
	Examples []struct {
		Signature string
		Inputs    map[string]struct{ Shape []int64 }
		Outputs   map[string]struct{ Shape []int64 }
		Tags      []string
	}
}

// examples reads what expect.json says of runs.
func (c Case) examples(t *testing.T) (out exampleShapes) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.Dir, "expect.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAtGivesTheShapesOfRuns puts the sizes of each recorded run into the layer table: what came
// out of the model must be among what the layers give.
func TestAtGivesTheShapesOfRuns(t *testing.T) {
	t.Parallel()
	runs, outputs, right := 0, 0, 0
	for _, c := range Cases(t) {
		if c.Want.Rows == nil {
			continue
		}
		m, err := Open(c.Model())
		if err != nil {
			t.Fatal(err)
		}
		mg := m.MetaGraphs[0]
		table, err := mg.Layers()
		if err != nil || table == nil || table.Signature == "" {
			continue
		}
		for _, e := range c.examples(t).Examples {
			if e.Signature != table.Signature {
				continue
			}
			sizes := Sizes{Inputs: map[string][]int64{}}
			for name, in := range e.Inputs {
				sizes.Inputs[name] = in.Shape
			}
			shapes, err := mg.Put(mg.Signatures[e.Signature], sizes)
			if err != nil {
				t.Errorf("%s: %v", c.Dir, err)
				continue
			}
			given := map[string]bool{}
			for _, at := range table.At(shapes) {
				for _, s := range at.Output.Shapes {
					given[s.String()] = true
				}
			}
			runs++
			for name, out := range e.Outputs {
				outputs++
				if given[tensor.MakeShape(out.Shape...).String()] {
					right++
				} else {
					t.Logf("%s: output %q has shape %v for %v; no layer gives that", filepath.Base(c.Dir), name, out.Shape, sizes.Inputs)
				}
			}
		}
	}
	t.Logf("at: %d of %d outputs of %d runs", right, outputs, runs)
	if right*100 < outputs*97 {
		t.Errorf("only %d of %d outputs have the shapes that the table gives", right, outputs)
	}
}

// TestConcurrentUse reads one model from several goroutines; the race detector looks on.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"k2_nested", "k3_nested"} {
		m := OpenNamed(t, name)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				mg := m.MetaGraphs[0]
				s := mg.Signatures[DefaultSignature]
				if _, err := mg.Why(s); err != nil {
					t.Error(err)
				}
				shapes, err := mg.Put(s, Sizes{Axes: map[string]int64{"batch": 5}})
				if err != nil {
					t.Error(err)
					return
				}
				table, err := mg.Layers()
				if err != nil {
					t.Error(err)
					return
				}
				for _, at := range table.At(shapes) {
					if at.Output.first().Rank() > 0 && at.Output.first().Dim(0) != 5 {
						t.Errorf("%s: %s has shape %v at batch 5", name, at.Layer.Name, at.Output)
					}
				}
			})
		}
		wg.Wait()
	}
}
