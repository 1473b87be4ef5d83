package main

import (
	"io"

	"github.com/tfrun/tfrun/cmd/tfrun/internal/shapes"
	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/savedmodel/padding"
	"github.com/tfrun/tfrun/savedmodel/scan"
	"github.com/tfrun/tfrun/savedmodel/sizes"
)

// walks are what the commands do with a model before TensorFlow sees it. Errors are as good as
// answers.
var walks = []struct {
	name string
	walk func(m *savedmodel.Model)
}{
	{"scan", func(m *savedmodel.Model) {
		if r, err := shapes.Scan(m, nil); err == nil {
			_ = r.WriteText(io.Discard, shapes.Look{}, true)
			_ = r.WriteJSON(io.Discard)
			_ = verdict(r)
		}
	}},
	{"shapes", func(m *savedmodel.Model) {
		d, err := shapes.Describe(m, shapes.Selection{Expand: true})
		if err != nil {
			return
		}
		for _, name := range shapes.FormatNames() {
			format, _ := shapes.FormatNamed(name)
			_ = format.Write(io.Discard, d, shapes.Look{Explain: true})
		}
	}},
	{"what a run has to know", func(m *savedmodel.Model) {
		mg := m.MetaGraphs[0]
		s, err := mg.Signature("")
		if err != nil {
			return
		}
		_, _ = mg.State(s)
		_, _ = mg.ExampleFeatures(s)
		_, _ = mg.Operations(s)
		_ = mg.CheckSignature(s)
		_ = mg.Verify()
		_, _ = sizes.RowValues(mg, s)
		_, _ = padding.Of(mg, s, nil)
		if t, err := layers.Of(mg); err == nil {
			_ = sizes.Of(mg, s, t)
		}
	}},
	{"what is left of the graph", func(m *savedmodel.Model) {
		mg := m.MetaGraphs[0]
		found, err := scan.Scan(mg)
		if err != nil {
			return
		}
		r := rewrite.Reduction{CPUOnly: true, Lookups: true, Compiled: true, Lengths: true, NoOptimizer: true}
		for _, f := range found.Findings {
			if f.Function == "" {
				r.Without.Nodes = append(r.Without.Nodes, f.Node)
			}
		}
		for _, r := range []rewrite.Reduction{{}, {Whole: true}, r} {
			_, _, _ = rewrite.GraphDef(mg, r)
		}
	}},
}
