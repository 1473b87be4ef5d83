package layers

import (
	"archive/zip"
	"encoding/json"
	"testing"

	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

// TestSpatialRules compares the arithmetic that explains spatial axes with what Keras 2 and 3 gave
// for layers of every kind (internal/rules/testdata/make_rules.py).
func TestSpatialRules(t *testing.T) {
	t.Parallel()
	z, err := zip.OpenReader("internal/rules/testdata/rules.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	explained := 0
	for _, name := range []string{"keras2.json", "keras3.json"} {
		r, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			Entries []struct {
				Class   string
				Config  rules.Config
				In, Out []tensor.Shape
			}
		}
		if err := json.NewDecoder(r).Decode(&f); err != nil {
			t.Fatal(err)
		}
		for _, e := range f.Entries {
			l := &Layer{Class: e.Class, info: layerInfo{config: e.Config, in: e.In}}
			in, out := e.In[0], e.Out[0]
			for d := 1; d < out.Rank() && in.Rank() == out.Rank(); d++ {
				rule := spatialRule(l, d)
				if rule == nil || in.Dim(d) == tensor.Unknown || out.Dim(d) == tensor.Unknown {
					continue
				}
				explained++
				if got := rule.size(in.Dim(d)); got != out.Dim(d) {
					t.Errorf("%s: %s of %v gives %v: axis %d is explained as %s, which is %d (%v)", name, e.Class, in, out, d, rule.text("n"), got, e.Config)
				}
			}
		}
	}
	if explained < 1000 {
		t.Errorf("%d axes are explained, want over 1000", explained)
	}
}
