package layers

import (
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// TestSpatialRules compares the arithmetic that explains spatial axes with what Keras 2 and 3 gave
// for layers of every kind (internal/rules/testdata/make_rules.py).
func TestSpatialRules(t *testing.T) {
	t.Parallel()
	explained := 0
	for _, e := range recordedCalls(t) {
		l := &Layer{Class: e.Class, info: layerInfo{config: e.Config, in: e.In}}
		in, out := e.In[0], e.Out[0]
		for d := 1; d < out.Rank() && in.Rank() == out.Rank(); d++ {
			rule := spatialRule(l, d)
			if rule == nil || in.Dim(d) == tensor.Unknown || out.Dim(d) == tensor.Unknown {
				continue
			}
			explained++
			if got := rule.size(in.Dim(d)); got != out.Dim(d) {
				t.Errorf("%s of %v gives %v: axis %d is explained as %s, which is %d (%v)", e.Class, in, out, d, rule.text("n"), got, e.Config)
			}
		}
	}
	if explained < 1000 {
		t.Errorf("%d axes are explained, want over 1000", explained)
	}
}
