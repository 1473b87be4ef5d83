package layers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

// explainer writes the reasons for the sizes in a layer table.
type explainer struct {
	by        string                   // what leaves axes open: "the signature"
	otherwise string                   // where nothing explains a size: ": as the graph has it"
	axes      map[tensorKey][]openAxis // of each tensor
	steps     map[*Layer]*step         // the last call of each layer
	probe     *probe
}

// openAxis is what is known of an axis of a tensor whose size is open.
type openAxis struct {
	// name is that of the inputs' axis that it is, which layers may have made longer or shorter.
	name string
	// from are the names of the inputs' axes that its size comes from, where it is none of them.
	from []string
}

// What leaves sizes open: of a SavedModel, and of a model in one of Keras' own files.
const (
	theSignature = "the signature"
	theInput     = "the model's input"
)

// explain fills in why each size is what it is. by is what leaves sizes open.
func (t *Table) explain(by string) {
	e := &explainer{by: by, otherwise: ": as the graph has it", axes: map[tensorKey][]openAxis{}, steps: map[*Layer]*step{}}
	if by != theSignature {
		e.otherwise = ": what the layer's configuration makes of its input"
	}
	takers := t.Takers()
	e.probe = t.probe(takers)
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

// probe is what the shapes of all tensors become for inputs whose open axes have sizes of their
// own: what layers do to an axis shows in them.
type probe struct {
	t       *Table
	inputs  map[string]tensor.Shape
	names   map[string][]string // of the inputs' open axes, "" for a fixed one
	env     map[tensorKey]tensor.Shape
	changed map[string]map[tensorKey]tensor.Shape // the same with another size for one name
}

// probeSize is what strides and most factors divide; sizes are odd multiples of it.
const probeSize = 840

// probe computes the shapes of all tensors. It holds none where no axis but the batch is open.
func (t *Table) probe(takers map[string]Taker) *probe {
	p := &probe{t: t, inputs: map[string]tensor.Shape{}, names: map[string][]string{}, changed: map[string]map[tensorKey]tensor.Shape{}}
	sizes := map[string]int64{}
	open := false
	for _, st := range t.steps {
		if st.input == "" || len(st.shapes) == 0 || !st.shapes[0].Ranked() {
			continue
		}
		dims := slices.Clone(st.shapes[0].Dims())
		names := make([]string, len(dims))
		for d, n := range dims {
			if n != tensor.Unknown {
				continue
			}
			names[d] = takers[st.input].Axis(len(dims), d)
			if sizes[names[d]] == 0 {
				sizes[names[d]] = probeSize * int64(11+2*len(sizes))
			}
			dims[d], open = sizes[names[d]], open || d > 0
		}
		p.inputs[st.input], p.names[st.input] = tensor.MakeShape(dims...), names
	}
	if open {
		_, p.env = t.run(p.inputs)
	}
	return p
}

// follows returns those of the names of inputs' axes of which size d of a tensor depends.
func (p *probe) follows(names []string, key tensorKey, d int) []string {
	var found []string
	for _, name := range names {
		if p.changed[name] == nil {
			inputs := map[string]tensor.Shape{}
			for input, s := range p.inputs {
				dims := slices.Clone(s.Dims())
				for i, other := range p.names[input] {
					if other == name {
						dims[i] += 40 * probeSize
					}
				}
				inputs[input] = tensor.MakeShape(dims...)
			}
			_, p.changed[name] = p.t.run(inputs)
		}
		if s := p.changed[name][key]; s.Rank() > d && s.Dim(d) != p.env[key].Dim(d) {
			found = append(found, name)
		}
	}
	return found
}

// nameAxes finds what the open axes of a call's outputs are.
func (e *explainer) nameAxes(st *step, takers map[string]Taker) {
	for i, key := range st.out {
		if i >= len(st.shapes) {
			break
		}
		if st.inner && e.axes[key] != nil {
			continue // the steps before have named them
		}
		s := st.shapes[i]
		axes := make([]openAxis, max(s.Rank(), 0))
		for d := range axes {
			switch at := e.probe.env[key]; {
			case s.Dim(d) != tensor.Unknown:
			case st.input != "":
				axes[d].name = takers[st.input].Axis(s.Rank(), d)
			case d == 0:
				axes[d].name = "batch"
			case at.Rank() == s.Rank() && at.Dim(d) != tensor.Unknown:
				axes[d] = e.axisBefore(st, key, d)
			}
		}
		e.axes[key] = axes
	}
}

// axisBefore returns what open axis d of a call's output is, by the size that it has in the probe:
// the axis of an input in the same place, any other axis of this size, the axis in the same place
// of which a window makes another size, or one whose size follows from those of the inputs.
func (e *explainer) axisBefore(st *step, key tensorKey, d int) openAxis {
	out := e.probe.env[key]
	var names []string
	var same openAxis
	for _, in := range st.in {
		axes, sizes := e.axes[in], e.probe.env[in]
		for i, axis := range axes {
			if sizes.Rank() != len(axes) || axis.name == "" && axis.from == nil {
				continue
			}
			switch {
			case sizes.Dim(i) != out.Dim(d):
			case i == d && len(axes) == out.Rank():
				return axis
			case same.name == "" && same.from == nil:
				same = axis
			}
			for _, name := range append(slices.Clone(axis.from), axis.name) {
				if i > 0 && name != "" && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	if same.name != "" || same.from != nil {
		return same
	}
	if len(st.in) > 0 {
		rule := spatialRule(&Layer{Class: st.class, info: layerInfo{config: st.config}}, d)
		axes, sizes := e.axes[st.in[0]], e.probe.env[st.in[0]]
		if rule != nil && len(axes) == out.Rank() && sizes.Rank() == out.Rank() && rule.size(sizes.Dim(d)) == out.Dim(d) {
			return axes[d]
		}
	}
	return openAxis{from: e.probe.follows(names, key, d)}
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
	if i == 1 && givesScores[l.Class] && s.Rank() >= 3 && d > 0 {
		return size + scoreAxis(s.Rank(), d)
	}
	if i > 0 && l.Class == "Bidirectional" && d == s.Rank()-1 && l.info.config.Has("merge_mode") {
		return size + ": the units of one direction, whose state it is"
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
	var axis openAxis
	if st != nil && i < len(st.out) {
		if axes := e.axes[st.out[i]]; d < len(axes) {
			axis = axes[d]
		}
	}
	switch {
	case d == 0:
		return "None: the batch axis, left open by " + e.by
	case axis.name == "" && l.Class == "EinsumDense" && leavesOpen(l, d):
		return "None: the layer's output_shape leaves it open, and Keras prints that"
	case axis.from != nil:
		return "None: its size follows from the " + strings.Join(axis.from, " and ") + " " + axisWord(len(axis.from)) + ", left open by " + e.by
	case axis.name == "" && len(l.info.in) == 1 && l.info.in[0].Rank() > d && l.info.in[0].Dim(d) == tensor.Unknown &&
		(l.Class == "Dense" || slices.Contains(rules.Elementwise, l.Class)):
		return "None: as in the input"
	case axis.name == "":
		return "None: not known before the model runs"
	case l.Class == "InputLayer":
		return "None: the " + axis.name + " axis, left open by " + e.by
	}
	if how := e.openRule(l, st, i, d); how != "" {
		return "None: the " + axis.name + " axis, left open by " + e.by + "; of n places it makes " + how
	}
	return "None: the " + axis.name + " axis, left open by " + e.by
}

func axisWord(n int) string {
	if n == 1 {
		return "axis"
	}
	return "axes"
}

// openRule says what a layer does to an axis whose size is not known.
func (e *explainer) openRule(l *Layer, st *step, i, d int) string {
	rule := spatialRule(l, d)
	if rule == nil || rule.keeps() || len(st.in) == 0 {
		return ""
	}
	before, after := e.probe.env[st.in[0]], e.probe.env[st.out[i]]
	if before.Rank() != after.Rank() || rule.size(before.Dim(d)) != after.Dim(d) {
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
	case d > 0 && len(l.Layers) > 0:
		if text := e.fromInside(l, s, d); text != "" {
			return text
		}
	}
	if sameAxis := in.Rank() == s.Rank() || d == 0 || l.Class == "Embedding"; sameAxis && d < in.Rank() && in.Dim(d) == s.Dim(d) {
		return ": as in the input"
	}
	return ""
}

// fromInside explains a nested model's size by its last layer that gives it. Of several results it
// does not show which layers give them, unless one alone has a size.
func (e *explainer) fromInside(l *Layer, s tensor.Shape, d int) string {
	var giver *Layer
	for _, inner := range slices.Backward(l.Layers) {
		for _, t := range inner.shapes() {
			switch {
			case inner.Class == "InputLayer" || t.Rank() != s.Rank() || t.Dim(d) != s.Dim(d) || giver == inner:
			case giver == nil:
				giver = inner
			case len(l.shapes()) > 1:
				return ": what a layer within gives"
			}
		}
	}
	switch {
	case giver == nil:
		return ""
	case isModel(l.Class):
		return fmt.Sprintf(": what %q gives, a layer of this model", giver.Name)
	}
	return fmt.Sprintf(": as %q gives it, a layer within", giver.Name)
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

// ofEachStep says of one step what a reason says of a row, or of the input.
var ofEachStep = strings.NewReplacer("all axes but the batch,", "all axes but the batch and the steps,", "in each row", "in each step", "of the input", "of each step")

// timeDistributed explains a size by the rules of the layer that is applied to each step, where its
// class and what it does to the size are known.
func (e *explainer) timeDistributed(l *Layer, in, out tensor.Shape, d int, last bool) string {
	if d == 1 {
		return ": the layer is applied to each step; as in the input"
	}
	class, inner := l.info.config.Layer("layer")
	if class != "" && class != "TimeDistributed" && d > 1 && in.Rank() > 2 && out.Rank() > 2 {
		row := &Layer{Class: class, Weights: l.Weights, info: layerInfo{config: inner, in: []tensor.Shape{tensor.MakeShape(slices.Delete(in.Dims(), 1, 2)...)}}}
		if reason := e.known(row, tensor.MakeShape(slices.Delete(out.Dims(), 1, 2)...), d-1); reason != "" {
			return ofEachStep.Replace(reason)
		}
	}
	switch {
	case last && class == "" && find(l.Weights, "kernel") != nil:
		return ": the units or filters of the layer that is applied to each step"
	case d > 1:
		return ": what the layer gives that is applied to each step"
	}
	return ""
}
