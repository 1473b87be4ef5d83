package sizes

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
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
func examples(c modeltest.Case, t *testing.T) (out exampleShapes) {
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
	for _, c := range modeltest.Cases(t) {
		if c.Want.Rows == nil {
			continue
		}
		m, err := savedmodel.Open(c.Model())
		if err != nil {
			t.Fatal(err)
		}
		mg := m.MetaGraphs[0]
		table, err := layers.Of(mg)
		if err != nil || table == nil || table.Signature == "" {
			continue
		}
		for _, e := range examples(c, t).Examples {
			if e.Signature != table.Signature {
				continue
			}
			sizes := Sizes{Inputs: map[string][]int64{}}
			for name, in := range e.Inputs {
				sizes.Inputs[name] = in.Shape
			}
			shapes, err := Of(mg, mg.Signatures[e.Signature], table).Put(sizes)
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
		m := modeltest.Open(t, name)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				mg := m.MetaGraphs[0]
				s := mg.Signatures[savedmodel.DefaultSignature]
				if _, err := of(t, mg, s).Why(); err != nil {
					t.Error(err)
				}
				shapes, err := of(t, mg, s).Put(Sizes{Axes: map[string]int64{"batch": 5}})
				if err != nil {
					t.Error(err)
					return
				}
				table, err := layers.Of(mg)
				if err != nil {
					t.Error(err)
					return
				}
				for _, at := range table.At(shapes) {
					if at.Output.First().Rank() > 0 && at.Output.First().Dim(0) != 5 {
						t.Errorf("%s: %s has shape %v at batch 5", name, at.Layer.Name, at.Output)
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestPut: sizes that are put in reach the shapes of the outputs, and wrong ones are refused.
func TestPut(t *testing.T) {
	t.Parallel()
	mg := modeltest.Open(t, "full_seed/k2").MetaGraphs[0]
	s, err := mg.Signature("")
	if err != nil {
		t.Fatal(err)
	}
	want := []Axis{{s.InputNames()[0], 0, "batch"}, {s.InputNames()[0], 1, "time"}}
	if diff := cmp.Diff(want, of(t, mg, s).Axes()); diff != "" {
		t.Fatalf("axes (-want +got):\n%s", diff)
	}
	shapes, err := of(t, mg, s).Put(Sizes{Axes: map[string]int64{"batch": 64, "time": 120}})
	if err != nil {
		t.Fatal(err)
	}
	table, err := layers.Of(mg)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, at := range table.At(shapes) {
		got = append(got, fmt.Sprintf("%s %v %d %v", at.Layer.Name, at.Output, at.Bytes, at.Exact))
	}
	rows := []string{"embedding (64, 120, 64) 1966080 true", "bidirectional (64, 128) 32768 true", "dense (64, 64) 16384 true", "dense_1 (64, 1) 256 true"}
	if diff := cmp.Diff(rows, got); diff != "" {
		t.Errorf("rows at batch 64, time 120 (-want +got):\n%s", diff)
	}
	for _, bad := range []Sizes{
		{Axes: map[string]int64{"height": 3}}, {Axes: map[string]int64{"batch": -2}}, {Inputs: map[string][]int64{"nothing": {1}}}, {Inputs: map[string][]int64{s.InputNames()[0]: {1, 2, 3}}},
	} {
		var se *SizeError
		if _, err := of(t, mg, s).Put(bad); !errors.As(err, &se) || len(se.Have) != 2 {
			t.Errorf("Put(%+v) = %v, want a *SizeError", bad, err)
		}
	}
}

// of looks at a signature with the graph's table of layers.
func of(t *testing.T, mg *savedmodel.MetaGraph, s *savedmodel.Signature) *Signature {
	t.Helper()
	table, err := layers.Of(mg)
	if err != nil {
		t.Error(err)
	}
	return Of(mg, s, table)
}

// TestAxesWithoutLayers names axes of inputs that no known layer takes: where the last is open and
// the first behind the batch is not, that one has the channels.
func TestAxesWithoutLayers(t *testing.T) {
	t.Parallel()
	const u = tensor.Unknown
	for _, c := range []struct {
		dims []int64
		want []string
	}{
		{[]int64{u, u, u, 3}, []string{"batch", "height", "width"}},
		{[]int64{u, 3, u, u}, []string{"batch", "height", "width"}},
		{[]int64{u, 3, 224, u}, []string{"batch", "width"}},
		{[]int64{u, 1, u}, []string{"batch", "time"}},
		{[]int64{u, u, 64}, []string{"batch", "time"}},
		{[]int64{u, u}, []string{"batch", "time"}},
		{[]int64{u, 3, u, u, u}, []string{"batch", "depth", "height", "width"}},
		{[]int64{u, u, u, u, 3}, []string{"batch", "depth", "height", "width"}},
	} {
		var names []string
		for _, a := range openAxes("x", tensor.MakeShape(c.dims...), nil) {
			names = append(names, a.Name)
		}
		if diff := cmp.Diff(c.want, names); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.dims, diff)
		}
	}
}
