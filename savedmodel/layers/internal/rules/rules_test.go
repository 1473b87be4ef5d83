package rules

import (
	"archive/zip"
	"encoding/json"
	"slices"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// TestRules compares the shapes that follow from a layer's config with those that Keras 2 and 3
// gave for it (testdata/make_rules.py). A rule may be missing, but none may be wrong.
func TestRules(t *testing.T) {
	t.Parallel()
	type entry struct {
		Class  string         `json:"class"`
		Config Config         `json:"config"`
		In     []tensor.Shape `json:"in"`
		Call   map[string]any `json:"call"`
		Out    []tensor.Shape `json:"out"`
	}
	z, err := zip.OpenReader("testdata/rules.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	missing, all := 0, 0
	for _, file := range z.File {
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			Keras   string  `json:"keras"`
			Entries []entry `json:"entries"`
		}
		if err := json.NewDecoder(r).Decode(&f); err != nil {
			t.Fatal(err)
		}
		for _, e := range f.Entries {
			all++
			e.Config[VersionKey] = f.Keras
			e.Config[callKey] = &callArgs{named: e.Call}
			out, ok := Shapes(e.Class, e.Config, e.In)
			if !ok {
				missing++
				t.Logf("Keras %s: no rule for %s of %v, which gives %v", f.Keras, e.Class, e.In, e.Out)
			} else if !slices.EqualFunc(out, e.Out, tensor.Shape.Equal) {
				t.Errorf("Keras %s: %s of %v gives %v, want %v (config %v)", f.Keras, e.Class, e.In, out, e.Out, e.Config)
			}
		}
	}
	if all < 2000 || missing > 8 {
		t.Errorf("%d of %d layers have no rule, want at most 8 of over 2000", missing, all)
	}
}
