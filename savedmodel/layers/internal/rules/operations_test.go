package rules

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// TestOperations compares the shapes that follow from a call of one of Keras 3's operations, as the
// config of a model holds the call, with those that Keras gave for it (testdata/make_ops.py). A
// rule may be missing, but none may be wrong.
func TestOperations(t *testing.T) {
	t.Parallel()
	var f struct {
		Keras   string `json:"keras"`
		Entries []struct {
			Class  string          `json:"class"`
			Config Config          `json:"config"`
			Node   json.RawMessage `json:"node"`
			In     []tensor.Shape  `json:"in"`
			Out    []tensor.Shape  `json:"out"`
		} `json:"entries"`
	}
	readRecorded(t, "ops3.json", &f)
	missing := map[string]int{}
	lacking := 0
	for _, e := range f.Entries {
		e.Config[VersionKey] = f.Keras
		out, ok := Shapes(OperationPrefix+e.Class, e.Config.WithCall(e.Node), e.In)
		if !ok {
			lacking++
			if missing[e.Class]++; missing[e.Class] <= 2 {
				t.Logf("no rule for %s of %v, which gives %v: %s %v", e.Class, e.In, e.Out, e.Node, e.Config)
			}
		} else if !slices.EqualFunc(out, e.Out, tensor.Shape.Equal) {
			t.Errorf("%s of %v gives %v, want %v (%v, %s)", e.Class, e.In, out, e.Out, e.Config, e.Node)
		}
	}
	t.Logf("%d of %d calls have no rule: %v", lacking, len(f.Entries), missing)
	if len(f.Entries) < 5000 || lacking > 450 {
		t.Errorf("%d of %d calls have no rule, want at most 450 of over 5000", lacking, len(f.Entries))
	}
}
