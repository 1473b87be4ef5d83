package rules

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// TestOperations compares the shapes that follow from a call of an operation, as the config of a
// model holds the call, with those that Keras gave for it (testdata/make_ops.py): of functions of
// TensorFlow in Keras 2, and of keras.ops in Keras 3. A rule may be missing, but none may be wrong.
func TestOperations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, prefix   string
		calls, lacking int
	}{{"ops2.json", "", 2000, 180}, {"ops3.json", OperationPrefix, 5000, 450}} {
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
		readRecorded(t, c.file, &f)
		missing := map[string]int{}
		lacking := 0
		for _, e := range f.Entries {
			e.Config[VersionKey] = f.Keras
			out, ok := Shapes(c.prefix+e.Class, e.Config.WithCall(e.Node), e.In)
			if !ok {
				lacking++
				name := e.Class + e.Config.Str("function")
				if missing[name]++; missing[name] <= 2 {
					t.Logf("no rule for %s of %v, which gives %v: %s %v", name, e.In, e.Out, e.Node, e.Config)
				}
			} else if !slices.EqualFunc(out, e.Out, tensor.Shape.Equal) {
				t.Errorf("%s of %v gives %v, want %v (%v, %s)", e.Class, e.In, out, e.Out, e.Config, e.Node)
			}
		}
		t.Logf("%s: %d of %d calls have no rule: %v", c.file, lacking, len(f.Entries), missing)
		if len(f.Entries) < c.calls || lacking > c.lacking {
			t.Errorf("%s: %d of %d calls have no rule, want at most %d of over %d", c.file, lacking, len(f.Entries), c.lacking, c.calls)
		}
	}
}
