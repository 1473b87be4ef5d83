package layers

import (
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

// explainer writes the reasons for the sizes in a layer table.
type explainer struct {
	by        string                 // what leaves axes open: "the signature"
	otherwise string                 // where nothing explains a size: ": as the graph has it"
	axes      map[tensorKey][]string // the names of the open axes of each tensor
	steps     map[*Layer]*step       // the last call of each layer
}

// What leaves sizes open: of a SavedModel, and of a model in one of Keras' own files.
const (
	theSignature = "the signature"
	theInput     = "the model's input"
)

// explain fills in why each size is what it is. by is what leaves sizes open.
func (t *Table) explain(by string) {
	e := &explainer{by: by, otherwise: ": as the graph has it", axes: map[tensorKey][]string{}, steps: map[*Layer]*step{}}
	if by != theSignature {
		e.otherwise = ": as the file has it"
	}
	takers := map[string]string{}
	inputs := map[tensorKey]string{}
	for _, st := range t.steps {
		if st.input != "" && len(st.out) > 0 {
			inputs[st.out[0]] = st.input
		}
		for _, key := range st.in {
			if name := inputs[key]; name != "" && takers[name] == "" {
				takers[name] = st.class
			}
		}
	}
	for _, st := range t.steps {
		e.nameAxes(st, takers)
		if st.layer != nil {
			e.steps[st.layer] = st
		}
	}
	for _, l := range t.Layers {
		e.layer(l)
	}
}

// nameAxes gives the open axes of a call's outputs the names of the inputs' axes that they come
// from.
func (e *explainer) nameAxes(st *step, takers map[string]string) {
	for i, key := range st.out {
		if i >= len(st.shapes) {
			break
		}
		s := st.shapes[i]
		names := make([]string, max(s.Rank(), 0))
		for d := range names {
			switch {
			case s.Dim(d) != tensor.Unknown:
			case st.input != "":
				names[d] = kerasnames.Axis(s.Rank(), d, takers[st.input])
			case d == 0:
				names[d] = "batch"
			default:
				names[d] = e.axisBefore(st, s.Rank(), d)
			}
		}
		e.axes[key] = names
	}
}

// axisBefore returns the name of the inputs' axis that an open axis comes from, or "".
func (e *explainer) axisBefore(st *step, rank, d int) string {
	var others []string
	for _, key := range st.in {
		names := e.axes[key]
		if len(names) == rank && names[d] != "" {
			return names[d]
		}
		for i, name := range names {
			if i > 0 && name != "" && !slices.Contains(others, name) {
				others = append(others, name)
			}
		}
	}
	if len(others) == 1 {
		return others[0]
	}
	return ""
}

// layer writes the reasons of one row, and of the rows below it.
func (e *explainer) layer(l *Layer) {
	shapes := l.Output.Shapes
	if l.Output.Word != "" {
		shapes = l.info.shape.Shapes
	}
	st := e.steps[l]
	for i, s := range shapes {
		for d := range max(s.Rank(), 0) {
			text := e.dim(l, st, s, i, d)
			if len(shapes) > 1 {
				text = fmt.Sprintf("output %d: %s", i, text)
			}
			l.Why = append(l.Why, text)
		}
	}
	if l.Output.Word != "" {
		l.Why = append(l.Why, e.word(l))
	}
	if gone := timeGone(l); gone != "" {
		l.Why = append(l.Why, gone)
	}
	if text := formula(l); text != "" {
		l.Why = append(l.Why, text)
	}
	l.Why = append(l.Why, l.info.notes...)
	for _, inner := range l.Layers {
		e.layer(inner)
	}
}

// word explains one of Keras' own words in the place of a shape.
func (e *explainer) word(l *Layer) string {
	shape := l.info.shape.String()
	switch {
	case l.Output.Word == "?" && !l.info.shape.known():
		return "Keras prints ? for the layers of a model that was never built: the file does not hold what it takes"
	case l.Output.Word == "?":
		return "Keras prints ? for a layer of a model of one's own class that has nothing to build; it is " + shape + " here"
	case e.by == theInput && len(l.info.in) == 0, len(l.info.in) == 0 && len(l.ConnectedTo) == 0 && !l.info.shape.known():
		return "Keras prints the word for all layers of a model of one's own class"
	case l.info.shape.known():
		return "Keras prints the word for all layers of a model of one's own class; it is " + shape + " here"
	}
	return "the layer is called several times, with results of different shapes"
}

// dim explains size d of output i.
func (e *explainer) dim(l *Layer, st *step, s tensor.Shape, i, d int) string {
	if s.Dim(d) == tensor.Unknown {
		return e.open(l, st, i, d)
	}
	size := words.Thousands(s.Dim(d))
	if i == 1 && givesScores[l.Class] && s.Rank() >= 3 {
		return size + scoreAxis(s.Rank(), d)
	}
	if reason := e.known(l, s, d); reason != "" {
		return size + reason
	}
	return size + e.otherwise
}

// givesScores are the classes whose second output is how much each place takes of each other.
var givesScores = map[string]bool{"MultiHeadAttention": true, "GroupedQueryAttention": true, "Attention": true, "AdditiveAttention": true}

// scoreAxis explains an axis of the scores that attention gives beside its result.
func scoreAxis(rank, d int) string {
	switch rank - d {
	case 1:
		return ": a score for each place of the keys"
	case 2:
		return ": the places of the query"
	}
	return ": the heads, each with scores of its own"
}

// open explains a size that is not known.
func (e *explainer) open(l *Layer, st *step, i, d int) string {
	name := ""
	if st != nil && i < len(st.out) {
		if names := e.axes[st.out[i]]; d < len(names) {
			name = names[d]
		}
	}
	switch {
	case d == 0:
		return "None: the batch axis, left open by " + e.by
	case name == "" && l.Class == "EinsumDense" && leavesOpen(l, d):
		return "None: the layer's output_shape leaves it open, and Keras prints that"
	case name == "" && len(l.info.in) == 1 && l.info.in[0].Rank() > d && l.info.in[0].Dim(d) == tensor.Unknown &&
		(l.Class == "Dense" || slices.Contains(rules.Elementwise, l.Class)):
		return "None: as in the input"
	case name == "":
		return "None: not known before the model runs"
	case l.Class == "InputLayer":
		return "None: the " + name + " axis, left open by " + e.by
	}
	if how := e.openRule(l, d); how != "" {
		return "None: the " + name + " axis, left open by " + e.by + "; of n places it makes " + how
	}
	return "None: the " + name + " axis, left open by " + e.by
}

// openRule says what a layer does to an axis whose size is not known.
func (e *explainer) openRule(l *Layer, d int) string {
	rule := spatialRule(l, d)
	if rule == nil || len(l.info.in) == 0 || rule.keeps() {
		return ""
	}
	return rule.text("n")
}

// known explains a size that is known: ": …" or " = …".
func (e *explainer) known(l *Layer, s tensor.Shape, d int) string {
	in := tensor.UnknownShape()
	if len(l.info.in) > 0 {
		in = l.info.in[0]
	}
	last := d == s.Rank()-1
	if l.info.partial {
		return ": as the layers that take it have it"
	}
	if l.Class == "TimeDistributed" {
		return e.timeDistributed(l, in, s, d, last)
	}
	if f := explainers[l.Class]; f != nil {
		if text := f(l, in, s, d, last); text != "" {
			return text
		}
	}
	if rule := spatialRule(l, d); rule != nil && in.Rank() == s.Rank() && in.Dim(d) != tensor.Unknown && rule.size(in.Dim(d)) == s.Dim(d) {
		if in.Dim(d) == s.Dim(d) && rule.keeps() {
			return ": as in the input; " + rule.text("")
		}
		return " = " + rule.text(words.Thousands(in.Dim(d)))
	}
	switch {
	case l.Class == "InputLayer":
		return ": fixed by the model's input"
	case in.Rank() == s.Rank() && in.Dim(d) == s.Dim(d):
		return ": as in the input"
	case len(l.Layers) > 0:
		return e.fromInside(l, s, d)
	}
	return ""
}

// fromInside explains a nested model's size by its last layer.
func (e *explainer) fromInside(l *Layer, s tensor.Shape, d int) string {
	for _, inner := range slices.Backward(l.Layers) {
		if t := inner.Output.First(); t.Rank() == s.Rank() && t.Dim(d) == s.Dim(d) {
			if isModel(l.Class) {
				return fmt.Sprintf(": what %q gives, a layer of this model", inner.Name)
			}
			return fmt.Sprintf(": as %q gives it, a layer within", inner.Name)
		}
	}
	return ""
}

// timeGone says why a recurrent layer's output has no time axis.
func timeGone(l *Layer) string {
	if len(l.info.in) == 0 || l.info.in[0].Rank() != 3 || l.Output.First().Rank() != 2 {
		return ""
	}
	switch l.Class {
	case "LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional":
		return "the time axis is gone because return_sequences is off: only the last step's output is given"
	case "GlobalAveragePooling1D":
		return "the time axis is gone: its mean is taken"
	case "GlobalMaxPooling1D":
		return "the time axis is gone: its maximum is taken"
	}
	return ""
}

// timeDistributed explains a size by the rules of the layer that is applied to each step, where its
// class is known.
func (e *explainer) timeDistributed(l *Layer, in, out tensor.Shape, d int, last bool) string {
	if d == 1 {
		return ": the layer is applied to each step; as in the input"
	}
	class, inner := l.info.config.Layer("layer")
	if class != "" && class != "TimeDistributed" && d > 1 && in.Rank() > 2 && out.Rank() > 2 {
		row := &Layer{Class: class, Weights: l.Weights, info: layerInfo{config: inner, in: []tensor.Shape{tensor.MakeShape(slices.Delete(in.Dims(), 1, 2)...)}}}
		return e.known(row, tensor.MakeShape(slices.Delete(out.Dims(), 1, 2)...), d-1)
	}
	if last && find(l.Weights, "kernel") != nil {
		return ": the units or filters of the layer that is applied to each step"
	}
	return ""
}
