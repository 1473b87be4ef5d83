package shapes

import (
	"testing"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/kerasfile"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// TestCompareWhatIsOpen compares forms of one model that hold more or less of it. What one of them
// leaves open, or the place of rows that it does not hold, is no difference; what both say is one.
func TestCompareWhatIsOpen(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	row := func(name, class string, params int64, guessed ...string) *Layer {
		l := &Layer{Name: text(name), Params: params, Guessed: guessed}
		if class != "" {
			l.Class = text(class)
		}
		return l
	}
	shaped := func(l *Layer, dims ...int64) *Layer {
		l.OutputShape = layers.OutputShape{Shapes: []tensor.Shape{tensor.MakeShape(dims...)}}
		return l
	}
	archive := func() *Graph {
		return &Graph{
			File: kerasfile.Archive, Framework: savedmodel.Keras3, ModelClass: text("Encoder"),
			Layers: []*Layer{row("add", "", 0, "order"), row("gate", "Dense", 20, "class", "order"), row("words", "Embedding", 30, "order")},
			Totals: &Totals{Total: 50, Trainable: 50, Guessed: []string{"trainable", "non_trainable"}},
		}
	}
	h5 := func() *Graph {
		return &Graph{
			File: kerasfile.HDF5, Framework: savedmodel.Keras3, ModelClass: text("Encoder"),
			Layers: []*Layer{row("words", "Embedding", 30, "class"), row("gate", "", 20), row("add", "", 0)},
			Totals: &Totals{Total: 50, Trainable: 40, NonTrainable: 10, Guessed: []string{"trainable", "non_trainable"}},
		}
	}
	export := func() *Graph {
		connected := true
		g := &Graph{
			Framework: savedmodel.Keras3, ModelClass: text("Functional"), Connected: &connected,
			Layers: []*Layer{shaped(row("words", "Embedding", 30), 2, 3), shaped(row("gate", "Dense", 20), 2, 4), shaped(row("add", "Add", 0), 2, 4)},
			Totals: &Totals{Total: 50, Trainable: 50},
		}
		g.Layers[1].ConnectedTo = []string{"words[0][0]"}
		return g
	}
	forms := map[string]func() *Graph{"archive": archive, "h5": h5, "export": export}
	compare := func(a, b *Graph) *Difference {
		return Compare(&Document{MetaGraphs: []*Graph{a}}, &Document{MetaGraphs: []*Graph{b}})
	}
	for nameA, a := range forms {
		for nameB, b := range forms {
			if d := compare(a(), b()); !d.Same {
				t.Errorf("%s and %s: %+v", nameA, nameB, d.Changes)
			}
			other := b()
			for _, l := range other.Layers {
				if *l.Name == "gate" {
					l.Params = 24
				}
			}
			if d := compare(a(), other); len(d.Changes) != 1 || d.Changes[0].Name != "gate" {
				t.Errorf("%s and %s with another gate: %+v", nameA, nameB, d.Changes)
			}
			other.Layers = other.Layers[:2]
			if d := compare(a(), other); d.Same {
				t.Errorf("%s and %s with a row less are alike", nameA, nameB)
			}
		}
	}
}
