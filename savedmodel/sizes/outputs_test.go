package sizes

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// TestOutputsAreTheShapesOfRuns puts the sizes of each recorded run into its signature: a size
// that Outputs gives must be the one that came out. Sizes that depend on the values, such as how
// many words a text has, stay open.
func TestOutputsAreTheShapesOfRuns(t *testing.T) {
	t.Parallel()
	outputs, whole, other, otherWhole := 0, 0, 0, 0
	for _, c := range modeltest.Cases(t) {
		m, err := savedmodel.Open(c.Model())
		if err != nil {
			continue // one that is broken on purpose
		}
		for _, e := range examples(c, t).Examples {
			mg := m.MetaGraphs[0]
			if len(e.Tags) > 0 {
				if mg, err = m.MetaGraph(e.Tags...); err != nil {
					t.Fatal(err)
				}
			}
			s := mg.Signatures[e.Signature]
			if s == nil || len(e.Outputs) == 0 {
				continue // a run that must fail, or damaged
			}
			inputs := map[string]tensor.Shape{}
			for name, in := range e.Inputs {
				inputs[name] = tensor.MakeShape(in.Shape...)
			}
			got, err := of(t, mg, s).Outputs(inputs)
			if err != nil {
				t.Errorf("%s: Outputs: %v", c.Dir, err)
				continue
			}
			features, err := mg.ExampleFeatures(s)
			if err != nil {
				t.Fatal(err)
			}
			for name, out := range e.Outputs {
				if s.Outputs[name].Encoding != "" || !s.Outputs[name].Shape.Ranked() {
					continue
				}
				if !got[name].Admits(out.Shape) {
					t.Errorf("%s: output %q has shape %v for %v, not %v", filepath.Base(c.Dir), name, out.Shape, inputs, got[name])
				}
				if len(features) > 0 {
					continue // sizes behind a parse op are in the Examples' values
				}
				outputs++
				known := got[name].FullyKnown()
				if known {
					whole++
				}
				if c.Want.Rows == nil {
					other++
					if known {
						otherWhole++
					}
				}
				if !known {
					t.Logf("%s: output %q: %v for %v", filepath.Base(c.Dir), name, got[name], inputs)
				}
			}
		}
	}
	t.Logf("outputs at: %d of %d known, of models without layers %d of %d", whole, outputs, otherWhole, other)
	if whole*100 < outputs*95 {
		t.Errorf("only %d of %d outputs are known", whole, outputs)
	}
}

// TestWhyOfLayersOutputs checks that the reasons for the shape of an output are those of the layer
// that gives it.
func TestWhyOfLayersOutputs(t *testing.T) {
	t.Parallel()
	outputs, batch := 0, 0
	for _, c := range modeltest.Cases(t) {
		m, err := savedmodel.Open(c.Model())
		if c.Want.Rows == nil || err != nil {
			continue
		}
		for _, mg := range m.MetaGraphs {
			for _, s := range mg.Signatures {
				why, err := of(t, mg, s).Why()
				if err != nil {
					t.Errorf("%s: %v", c.Dir, err)
					continue
				}
				for name, info := range s.Outputs {
					texts := why.Outputs[name]
					if len(texts) != max(info.Shape.Rank(), 0) {
						t.Errorf("%s: output %q of shape %v has %d reasons", c.Dir, name, info.Shape, len(texts))
					}
					if len(texts) == 0 || info.Shape.Dim(0) != tensor.Unknown {
						continue
					}
					outputs++
					if strings.HasPrefix(texts[0], "None: the batch axis") {
						batch++
					} else {
						t.Logf("%s: %s", filepath.Base(c.Dir), texts[0])
					}
				}
			}
		}
	}
	t.Logf("why: the batch axis of %d of %d outputs", batch, outputs)
	if batch*100 < outputs*98 {
		t.Errorf("the first axis of only %d of %d outputs is explained as the batch", batch, outputs)
	}
}
