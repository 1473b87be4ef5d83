package savedmodel

import (
	"encoding/json"
	"os"
	"path/filepath"
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

// TestAtGivesTheShapesOfRuns puts the sizes of each recorded run into the layer table: what came out of the model must be among what the layers give.
func TestAtGivesTheShapesOfRuns(t *testing.T) {
	t.Parallel()
	runs, outputs, right := 0, 0, 0
	for _, c := range modelCases(t) {
		if c.want.Rows == nil {
			continue
		}
		m, err := Open(c.model())
		if err != nil {
			t.Fatal(err)
		}
		mg := m.MetaGraphs[0]
		table, err := mg.Layers()
		if err != nil || table == nil || table.Signature == "" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(c.dir, "expect.json"))
		if err != nil {
			t.Fatal(err)
		}
		var ex exampleShapes
		if err := json.Unmarshal(data, &ex); err != nil {
			t.Fatal(err)
		}
		for _, e := range ex.Examples {
			if e.Signature != table.Signature {
				continue
			}
			sizes := Sizes{Inputs: map[string][]int64{}}
			for name, in := range e.Inputs {
				sizes.Inputs[name] = in.Shape
			}
			shapes, err := mg.Put(mg.Signatures[e.Signature], sizes)
			if err != nil {
				t.Errorf("%s: %v", c.dir, err)
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
					t.Logf("%s: output %q has shape %v for %v; no layer gives that", filepath.Base(c.dir), name, out.Shape, sizes.Inputs)
				}
			}
		}
	}
	t.Logf("at: %d of %d outputs of %d runs", right, outputs, runs)
	if right*100 < outputs*97 {
		t.Errorf("only %d of %d outputs have the shapes that the table gives", right, outputs)
	}
}
