package layers

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
	"github.com/tfrun/tfrun/tensor"
)

// shown returns the shape of what the layer gives, also where Keras prints a word in its place, or
// more open sizes, or the batch size of a first call.
func (n *network) shown(l *Layer) OutputShape {
	outs := n.outs[l.Name]
	if len(outs) == 0 {
		return l.Output
	}
	last := outs[len(outs)-1]
	if l.Output.Word != "" || n.sequential && !n.v3() && n.file == nil || isModel(l.Class) && openSizes(l.Output.Shapes) > openSizes(last.Shapes) {
		return last
	}
	return l.Output
}

// build makes the rows.
func (n *network) build(depth int) {
	n.byName, n.outs, n.skip = map[string]*Layer{}, map[string][]OutputShape{}, map[string]int{}
	n.inbound = map[string][][]inbound{}
	names := n.findLayers()
	n.findStacks()
	n.findCalls(names)
	n.findInbound(names)
	prev := n.stackInput()
	n.inputShapes(names)
	n.sharedShapes(names, depth)
	for i, name := range names {
		cfg := n.configs[name]
		class := n.class(name)
		if class == "InputLayer" && n.sequential {
			// damaged metadata has layers without a configuration
			if cfg != nil && (!n.inner || len(n.inputs) == 0) {
				c := cfg.values()
				if s, ok := c.InputShape(); ok {
					prev = oneShape(s)
				}
				n.inputName, n.inputDType = cfg.Name, computeDType(c)
			}
			continue
		}
		l := n.newRow(name, class)
		n.rows = append(n.rows, l)
		n.byName[name] = l
		if n.sequential && i == 0 && !prev.First().Ranked() {
			if s, ok := l.info.config.InputShape(); ok {
				prev = oneShape(s)
			}
		}
		l.Output = n.output(l, prev, names[i+1:], depth)
		n.noteShape(l)
		n.addSteps(l, prev, depth)
		prev = n.shown(l)
		l.Output = n.builtFor(l, l.Output)
		n.setWeights(l)
		n.addChildren(l, cfg, depth)
		l.doubtTrainable(cfg)
	}
	if n.functional {
		n.connections()
		n.steps = inOrder(n.steps)
	}
	for _, l := range n.rows {
		l.Name = shownName(l.Name)
	}
}

// newRow makes the row of a layer, with its configuration.
func (n *network) newRow(name, class string) *Layer {
	l := &Layer{Name: name, Class: class}
	if cfg := n.configs[name]; cfg != nil {
		if cfg.Unnamed {
			l.guess("name", whyUnnamed)
		}
		l.info.config = cfg.values()
		if n.file != nil && l.info.config != nil {
			l.info.config[rules.VersionKey] = n.file.version
		}
	}
	return l
}

// doubtTrainable marks the count of what training changes where the file does not hold it of the
// layer, or of one within.
func (l *Layer) doubtTrainable(cfg *LayerConfig) {
	switch {
	case l.Params == 0:
	case cfg != nil && cfg.Unsure != "":
		l.guess("trainable_params", cfg.Unsure)
	case slices.ContainsFunc(l.Layers, (*Layer).trainableGuessed):
		l.guess("trainable_params", whyWithin)
	}
}

const whyWithin = "which variables training changes is not in the file of all layers within"

// trainableGuessed reports whether the count of what training changes is marked.
func (l *Layer) trainableGuessed() bool { return slices.Contains(l.Guessed, "trainable_params") }

// inputShapes notes the shapes of a functional model's inputs before its layers are looked at: a
// layer that is called more than once may be listed before an input.
func (n *network) inputShapes(names []string) {
	for _, name := range names {
		if cfg := n.configs[name]; n.functional && cfg != nil && n.class(name) == "InputLayer" {
			l := &Layer{Name: name, Class: "InputLayer"}
			l.info.config = cfg.values()
			n.output(l, OutputShape{}, nil, 0)
		}
	}
}

// builtFor puts the batch size of a stack's first call into the shapes of its layers, where the
// stack was given no input. Keras 2 prints them so until the model is called with another batch
// size, as happens when it is saved. The metadata of each layer has the shape that it was built
// for. That is what is printed, not what the layers take: a call may have any batch size.
func (n *network) builtFor(l *Layer, out OutputShape) OutputShape {
	stack := n.id
	if l.Class == "Sequential" {
		stack = -1
		if id, ok := n.objects[l.Name]; ok {
			stack = id
		}
	}
	if n.file != nil || stack < 0 || l.Class != "Sequential" && !n.sequential {
		return out
	}
	batch := int64(tensor.Unknown)
	for _, id := range n.k.layerObjects(stack) {
		if o := n.k.meta[id]; o != nil {
			if shapes := shapesOf(rules.Value(o.BuildArg)); len(shapes) == 1 && shapes[0].Rank() > 0 && shapes[0].Dim(0) != tensor.Unknown {
				batch = shapes[0].Dim(0)
			}
		}
	}
	out.Shapes = slices.Clone(out.Shapes)
	for i, s := range out.Shapes {
		if batch != tensor.Unknown && s.Rank() > 0 && (s.Dim(0) == tensor.Unknown || n.sequential && s.Dim(0) == batch) {
			l.guess("output_shape", whyFirstCall)
			if n.sequential {
				dims := s.Dims()
				dims[0] = batch
				out.Shapes[i] = tensor.MakeShape(dims...)
			}
		}
	}
	return out
}

const whyFirstCall = "the model was given no input: Keras prints the batch size of the first call, or None where there were others"

// stackInput returns what the first layer of a stack takes, as far as the model's own config and
// its caller tell.
func (n *network) stackInput() OutputShape {
	if len(n.inputs) > 0 {
		return oneShape(n.inputs[0])
	}
	if shapes := shapesOf(rules.Value(n.config.BuildShape)); n.file != nil && len(shapes) == 1 {
		return oneShape(shapes[0])
	}
	return oneShape(tensor.UnknownShape())
}

// setWeights fills in what follows from the layer's variables.
func (n *network) setWeights(l *Layer) {
	if n.file != nil {
		trained := n.file.trained(n.configs[l.Name])
		l.setWeights(n.file.of(n.configs[l.Name]), func(v *savedmodel.Variable) bool { return trained[v] })
	} else if id, ok := n.objects[l.Name]; ok && l.Class != "InputLayer" {
		l.setWeights(n.k.variables(id), n.k.trainedBy(id))
	}
}

// output works out a layer's output shape.
func (n *network) output(l *Layer, prev OutputShape, next []string, depth int) OutputShape {
	if l.Class == "InputLayer" {
		if s, ok := n.innerInput(l.Name); ok {
			n.outs[l.Name] = []OutputShape{oneShape(s)}
			return oneShape(s)
		}
		if s, ok := l.info.config.InputShape(); ok {
			n.outs[l.Name] = []OutputShape{oneShape(s)}
			return oneShape(s)
		}
		return n.graphInput(l.Name)
	}
	if n.unbuilt(prev) {
		return n.builtAlone(l)
	}
	calls := n.callsOf(l.Name)
	n.outs[l.Name] = nil
	for i := range calls {
		in := n.inputsOf(l.Name, i, prev)
		// The next call may take this output.
		n.outs[l.Name] = append(n.outs[l.Name], n.callOutput(l, in, i, calls, depth))
		l.info.in = in
	}
	outs := n.outs[l.Name]
	if cfg := n.configs[l.Name]; n.subclassed && !isModel(l.Class) && (cfg == nil || cfg.Model() == nil) {
		l.info.shape = outs[len(outs)-1]
		return OutputShape{Word: "multiple"}
	}
	if own, ok := n.ownOutput(l, outs[len(outs)-1], depth); ok {
		return own
	}
	if !n.v3() { // Keras 3 shows the last call's
		first := -1
		for i, o := range outs {
			switch {
			case !whole(o):
			case first < 0:
				first = i
			case !o.equal(outs[first]):
				return OutputShape{Word: "multiple"}
			}
		}
		if first >= 0 && slices.ContainsFunc(outs, func(o OutputShape) bool { return !whole(o) }) {
			l.guess("output_shape", whySomeCall)
			return outs[first]
		}
	}
	if !outs[0].known() || !outs[0].First().Ranked() {
		if s, ok := n.nextInput(next); ok && n.sequential {
			return oneShape(s)
		}
	}
	return outs[len(outs)-1]
}

// whole reports whether it is known of all results how many axes they have.
func whole(o OutputShape) bool {
	return o.known() && !slices.ContainsFunc(o.Shapes, func(s tensor.Shape) bool { return !s.Ranked() })
}

const (
	whySomeCall    = "what another call of the layer gives is not known: Keras prints multiple where it has another shape"
	whyUnnamed     = "the layer's own get_config leaves its name out: Keras makes one by the class when it loads the model"
	whyBothResults = "Keras prints both results with their names, TopKV2(values=…, indices=…)"
	whyKeys        = "Keras prints the results of a dictionary in the order in which its keys were given; here they stand by key"
)

// ownOutput returns the output shape that Keras 2 prints of a nested model with inputs of its own:
// what it gives for these, which leave sizes open that the calls of it fix. ok is false where the
// model leaves nothing open that its last call, out, does not.
func (n *network) ownOutput(l *Layer, out OutputShape, depth int) (own OutputShape, ok bool) {
	cfg := n.configs[l.Name]
	if n.v3() || !isModel(l.Class) || cfg == nil || depth >= rules.MaxNesting {
		return own, false
	}
	m := cfg.Model()
	if m == nil || !m.beginsWithInput() {
		return own, false
	}
	if own.Shapes, ok = n.modelOutput(l.Name, m, nil, depth); !ok {
		id, found := n.objects[l.Name]
		if !found || n.file != nil {
			return own, false
		}
		_, own.Shapes = n.k.trace(id)
	}
	if len(own.Shapes) != len(out.Shapes) {
		return own, false
	}
	for i, s := range own.Shapes {
		if !s.Ranked() || !alike(s, out.Shapes[i]) {
			return own, false
		}
	}
	return own, openSizes(own.Shapes) > openSizes(out.Shapes)
}

// unbuilt reports whether the model is a stack of Keras 3 that was never built. Keras prints ? for
// all its shapes.
func (n *network) unbuilt(prev OutputShape) bool {
	n.never = n.never || n.v3() && n.sequential && !n.inner && !prev.First().Ranked() && len(n.steps) == 0 && n.config.BuildShape == nil
	return n.never
}

// builtAlone returns what Keras prints of a layer in a stack that was never built: ? unless the
// layer was, as by adapt, with a shape that .h5 files do not hold.
func (n *network) builtAlone(l *Layer) OutputShape {
	cfg := n.configs[l.Name]
	if cfg == nil || len(cfg.Variables) == 0 {
		return OutputShape{Word: "?"}
	}
	l.info.in = cfg.builtWith()
	if len(l.info.in) == 0 {
		l.info.in = []tensor.Shape{tensor.UnknownShape()}
	}
	out, _ := rules.Shapes(n.ruleClass(l), l.info.config, l.info.in)
	return OutputShape{Shapes: out}
}

// innerInput returns what a nested model's input layer is called with.
func (n *network) innerInput(name string) (tensor.Shape, bool) {
	if !n.inner {
		return tensor.Shape{}, false
	}
	for i, t := range layerTensors(n.config.InputLayers) {
		if t.layer == name && i < len(n.inputs) && n.inputs[i].Ranked() {
			return n.inputs[i], true
		}
	}
	return tensor.Shape{}, false
}

// inputsOf returns the shapes that call i of a layer takes.
func (n *network) inputsOf(name string, i int, prev OutputShape) []tensor.Shape {
	if len(n.inbound[name]) == 0 {
		if n.functional || n.subclassed {
			return nil
		}
		return prev.Shapes
	}
	var shapes []tensor.Shape
	for _, t := range n.inbound[name][i] {
		s := tensor.UnknownShape()
		if outs, node := n.outs[t.layer], n.callOf(t); node >= 0 && node < len(outs) {
			if list := outs[node].Shapes; t.tensor >= 0 && t.tensor < len(list) {
				s = list[t.tensor]
			}
		}
		shapes = append(shapes, s)
	}
	return shapes
}

// cellResults is how many tensors a recurrent cell gives that is called as a layer: its output,
// then its states.
var cellResults = map[string]int{"GRUCell": 2, "SimpleRNNCell": 2, "LSTMCell": 3}

// callOutput returns the shapes of one call's results: by the class's rule, else from the nested
// model, else as the graph has them.
func (n *network) callOutput(l *Layer, in []tensor.Shape, i, calls, depth int) OutputShape {
	if results := cellResults[l.Class]; results > 0 && len(in) > 0 {
		batch := int64(tensor.Unknown)
		if in[0].Rank() > 0 {
			batch = in[0].Dim(0)
		}
		if units := l.info.config.Num("units", 0); units > 0 {
			return OutputShape{Shapes: slices.Repeat([]tensor.Shape{tensor.MakeShape(batch, units)}, results)}
		}
	}
	if out, ok := rules.Shapes(n.ruleClass(l), n.callConfig(l, i), in); ok {
		out = n.normalized(l, out)
		return n.refine(l, OutputShape{Shapes: n.told(l, out, i)}, i, calls)
	}
	n.k.refuse(l.Name, n.ruleClass(l), n.callConfig(l, i), in)
	if out, ok := n.timeDistributed(l, in, depth); ok {
		return OutputShape{Shapes: n.told(l, out, i)}
	}
	if cfg := n.configs[l.Name]; cfg != nil && depth < rules.MaxNesting {
		// a model that is called by code of one's own has no connections: its input layers tell
		if m := cfg.Model(); m != nil && (len(in) > 0 || n.subclassed && !m.Sequential()) {
			if out, ok := n.modelOutput(l.Name, m, in, depth); ok {
				return n.refine(l, OutputShape{Shapes: n.told(l, out, i)}, i, calls)
			}
		}
	}
	if out := n.told(l, nil, i); out != nil {
		cfg := n.configs[l.Name]
		l.info.partial = !cfg.Builtin() || l.Class == "Lambda" || severalOutputs[l.Class]
		return OutputShape{Shapes: out}
	}
	if out, ok := n.graphOutput(l.Name, i, calls); ok {
		return n.refine(l, out, i, calls)
	}
	if id, ok := n.objects[l.Name]; ok {
		if _, shapes := n.k.trace(id); len(shapes) > 0 {
			return OutputShape{Shapes: shapes}
		}
	}
	return OutputShape{}
}

// normalized returns the output of a Normalization of Keras 2 with the sizes of the axes whose
// means it keeps: subtracting these fixes them where the input leaves them open, as in a stack that
// was given no input.
func (n *network) normalized(l *Layer, out []tensor.Shape) []tensor.Shape {
	if n.file == nil || n.v3() || l.Class != "Normalization" || len(out) != 1 || len(n.configs[l.Name].Variables) == 0 {
		return out
	}
	dims := out[0].Dims()
	sizes := n.configs[l.Name].Variables[0].Shape.Dims()
	axes := l.info.config.Nums("axis")
	if len(axes) != len(sizes) {
		return out
	}
	for i, axis := range axes {
		if axis < 0 {
			axis += int64(len(dims))
		}
		if axis >= 0 && axis < int64(len(dims)) && dims[axis] == tensor.Unknown {
			dims[axis] = sizes[i]
		}
	}
	return []tensor.Shape{tensor.MakeShape(dims...)}
}

// timeDistributed returns what a TimeDistributed gives that wraps a model, in one of Keras' own
// files: what the model gives for one step, with the axis of the steps.
func (n *network) timeDistributed(l *Layer, in []tensor.Shape, depth int) ([]tensor.Shape, bool) {
	if n.file == nil || l.Class != "TimeDistributed" || depth >= rules.MaxNesting || len(in) != 1 || in[0].Rank() < 2 {
		return nil, false
	}
	m := n.configs[l.Name].wrapped()
	if m == nil {
		return nil, false
	}
	step := tensor.MakeShape(slices.Delete(in[0].Dims(), 1, 2)...)
	out, ok := n.modelOutput(l.Name, m, []tensor.Shape{step}, depth)
	if !ok || len(out) != 1 || out[0].Rank() < 1 {
		return nil, false
	}
	return []tensor.Shape{tensor.MakeShape(slices.Insert(out[0].Dims(), 1, in[0].Dim(1))...)}, true
}

// told returns the outputs of call i, with the sizes that the calls of other layers name. For a
// class without a rule it returns as many outputs as other layers and the model take, or nil where
// none of them takes any.
func (n *network) told(l *Layer, out []tensor.Shape, i int) []tensor.Shape {
	if n.file == nil {
		return out
	}
	ruled := out != nil
	out = slices.Clone(out)
	for _, t := range n.made[madeBy{l.Name, i}] {
		if t.tensor < 0 || t.tensor >= maxOutputs {
			continue
		}
		for !ruled && t.tensor >= len(out) {
			out = append(out, tensor.UnknownShape())
		}
		s := n.known[t]
		switch {
		case t.tensor >= len(out) || !s.Ranked():
		case ruled && (!n.v3() || n.inner) && out[t.tensor].Ranked():
			// Keras 2 notes what a layer was built with, and that may have been in another model;
			// Keras 3 what a model's layers were made with, whatever that is called with
			out[t.tensor] = mergeKnown(oneShape(out[t.tensor]), oneShape(s)).First()
		default:
			out[t.tensor] = s
		}
	}
	return out
}

// tracedByKey reports whether a layer of one's own, or of another library, gives a dictionary.
func (n *network) tracedByKey(l *Layer, cfg *LayerConfig) bool {
	id, ok := n.objects[l.Name]
	return ok && (cfg == nil || !cfg.Builtin()) && n.k.byKey(id)
}

// maxOutputs bounds the outputs of one call.
const maxOutputs = 1_000

// noteShape says why an output shape is not known, or only in part.
func (n *network) noteShape(l *Layer) {
	cfg := n.configs[l.Name]
	if n.unordered[l.Name] && (cfg == nil || !cfg.Builtin()) {
		l.guess("output_shape", whyResults)
	}
	if l.Class == scopes.OperationClass && strings.HasPrefix(l.Name, "tf.math.top_k") {
		l.guess("output_shape", whyBothResults)
	}
	if !n.v3() && len(l.Output.Shapes) > 1 && (cfg.givesKeys() || n.tracedByKey(l, cfg)) {
		l.guess("output_shape", whyKeys)
	}
	if n.file == nil || cfg == nil || l.Output.Word != "" {
		return
	}
	open := func(s tensor.Shape) bool { return !s.Ranked() }
	switch {
	case l.Output.known() && !slices.ContainsFunc(l.Output.Shapes, open):
		if l.info.partial {
			l.guess("output_shape", "the shapes are those that other layers take; whether the layer gives more, only its code says")
		}
	case cfg.Builtin() && l.Class != "Lambda" && (len(l.info.in) == 0 || slices.ContainsFunc(l.info.in, open)):
		l.note("the output's shape is not known, as that of the input is not")
	case cfg.Builtin() && l.Class != "Lambda":
		l.note("the output's shape is not in the file, and no rule for it is known")
	default:
		l.note("the output's shape is not in the file: only the layer's own code makes it")
	}
}

// refine fills in sizes that one source does not know and another does.
func (n *network) refine(l *Layer, out OutputShape, i, calls int) OutputShape {
	if n.relaxed {
		return out
	}
	if more, ok := n.graphOutput(l.Name, i, calls); ok {
		if n.k.own {
			more = openBatch(out, more)
		}
		out = mergeKnown(out, more)
	}
	id, ok := n.objects[l.Name]
	if !ok || calls != 1 {
		return out
	}
	_, shapes := n.k.trace(id)
	switch own := n.configs[l.Name]; {
	case own != nil && !own.Builtin() && len(shapes) > len(out.Shapes) && len(out.Shapes) > 0:
		out.Shapes = shapes // some results nobody takes
	case !fullyKnown(out) && len(shapes) > 0:
		out = mergeKnown(out, openBatch(out, OutputShape{Shapes: shapes}))
	}
	return out
}

// openBatch returns shapes of a function without the sizes of first axes that are open by the
// rules: it may be of one batch size, as signatures for TensorFlow Lite and first calls are.
func openBatch(ruled, seen OutputShape) OutputShape {
	open := OutputShape{Shapes: slices.Clone(seen.Shapes)}
	for i, s := range open.Shapes {
		if i < len(ruled.Shapes) && ruled.Shapes[i].Rank() > 0 && s.Rank() > 0 {
			dims := s.Dims()
			dims[0] = ruled.Shapes[i].Dim(0)
			open.Shapes[i] = tensor.MakeShape(dims...)
		}
	}
	return open
}

// fullyKnown reports whether all sizes but those of first axes are known.
func fullyKnown(o OutputShape) bool {
	for _, s := range o.Shapes {
		if !s.Ranked() || !s.Drop(1).FullyKnown() {
			return false
		}
	}
	return len(o.Shapes) > 0
}

// mergeKnown returns a with the sizes that only b knows. Where they contradict each other, a
// stands.
func mergeKnown(a, b OutputShape) OutputShape {
	if len(a.Shapes) != len(b.Shapes) || a.Word != "" {
		return a
	}
	merged := OutputShape{Shapes: slices.Clone(a.Shapes)}
	for i, s := range merged.Shapes {
		t := b.Shapes[i]
		switch {
		case !s.Ranked():
			merged.Shapes[i] = t
		case t.Rank() == s.Rank():
			dims := s.Dims()
			for j := range dims {
				if dims[j] == tensor.Unknown {
					dims[j] = t.Dim(j)
				}
			}
			merged.Shapes[i] = tensor.MakeShape(dims...)
		}
	}
	return merged
}

// graphOutput returns what the serving function shows of call i of a layer.
func (n *network) graphOutput(name string, i, calls int) (OutputShape, bool) {
	visits := n.called[name]
	if len(visits) == 0 {
		return OutputShape{}, false
	}
	c := visits[min(i, len(visits)-1)]
	if len(visits) == 1 && calls > 1 && len(c.Shapes)%calls == 0 {
		// The calls share one scope: the results stand there one call after the other.
		each := len(c.Shapes) / calls
		return OutputShape{Shapes: c.Shapes[i*each : (i+1)*each]}, each > 0
	}
	return OutputShape{Shapes: c.Shapes}, len(c.Shapes) > 0
}

// graphInput returns the shape of an input that the signature names.
func (n *network) graphInput(name string) OutputShape {
	if n.k.body == nil {
		return OutputShape{}
	}
	for i := range n.k.body.Args {
		if _, fed := n.k.body.Inputs[i]; fed && (n.k.body.ArgName(i) == name || n.k.body.Inputs[i] == name) {
			if s, ok := n.k.body.Shape(graph.Ref{Arg: i + 1}); ok {
				n.outs[name] = []OutputShape{oneShape(s)}
				return oneShape(s)
			}
		}
	}
	return OutputShape{}
}

// nextInput returns the input shape that a later layer of a stack was built with, if nothing
// between changes shapes.
func (n *network) nextInput(next []string) (tensor.Shape, bool) {
	for _, name := range next {
		if cfg := n.configs[name]; n.file != nil && cfg != nil {
			if built := cfg.builtWith(); len(built) == 1 {
				return built[0], true
			}
		}
		if o := n.k.meta[n.objects[name]]; o != nil && len(o.BuildArg) > 0 {
			var v any
			if json.Unmarshal(o.BuildArg, &v) == nil {
				if dims := rules.Numbers(v); dims != nil {
					return tensor.MakeShape(dims...), true
				}
			}
		}
		if !slices.Contains(rules.Elementwise, n.class(name)) {
			break
		}
	}
	return tensor.Shape{}, false
}

// modelOutput computes the results of a nested model from its config.
func (n *network) modelOutput(name string, m *ModelConfig, in []tensor.Shape, depth int) ([]tensor.Shape, bool) {
	if n.k.built += m.size(); n.k.built > maxBuilt {
		return nil, false
	}
	if len(in) > 0 && !in[0].Ranked() && m.Sequential() {
		in = nil // its own input tells
	}
	inner := n.nested(name, m, in)
	inner.build(depth + 1)
	var out []tensor.Shape
	if inner.sequential {
		if len(inner.rows) == 0 {
			return in, len(in) > 0
		}
		last := inner.shown(inner.rows[len(inner.rows)-1])
		return last.Shapes, len(last.Shapes) > 0
	}
	for _, t := range layerTensors(m.OutputLayers) {
		outs := inner.outs[t.layer]
		node := t.node - inner.skip[t.layer] - inner.own(t.layer)
		if node < 0 || node >= len(outs) || t.tensor < 0 || t.tensor >= len(outs[node].Shapes) {
			return nil, false
		}
		out = append(out, outs[node].Shapes[t.tensor])
	}
	return out, len(out) > 0
}

// nested returns the network of a model within this one.
func (n *network) nested(name string, m *ModelConfig, in []tensor.Shape) *network {
	inner := &network{k: n.k, id: -1, config: m, sequential: m.Sequential(), functional: !m.Sequential(), inputs: in, inner: true, file: n.file}
	inner.relaxed = in == nil && n.file == nil && !n.v3() && m.Sequential() && m.beginsWithInput()
	if id, ok := n.objects[name]; ok {
		inner.id = id
	}
	if calls := n.called[name]; n.scope != nil && len(calls) > 0 {
		inner.scope = n.scope.Within(calls[len(calls)-1])
	}
	return inner
}

// addChildren makes the rows of a nested model.
func (n *network) addChildren(l *Layer, cfg *LayerConfig, depth int) {
	if cfg == nil || depth >= rules.MaxNesting {
		return
	}
	if n.file != nil && len(cfg.Parts) > 0 {
		l.Layers = n.file.rows(cfg.Parts, &ModelConfig{}, depth+1)
	}
	m := cfg.Model()
	id, ok := n.objects[l.Name]
	ownModel := m == nil && ok && n.k.objs.Nodes[id].GetUserObject().GetIdentifier() == modelObject
	if m == nil && !ownModel || n.k.built > maxBuilt {
		return
	}
	if ownModel {
		n.k.built++
		inner := n.nested(l.Name, &ModelConfig{}, nil)
		inner.sequential, inner.functional, inner.subclassed = false, false, true
		inner.build(depth + 1)
		l.Layers = inner.rows
		return
	}
	n.k.built += m.size()
	in := l.info.in
	if n.v3() || n.file != nil || m.Sequential() && m.beginsWithInput() {
		// its layers stand as they were when the model was made, whatever it is called with
		in = nil
	}
	inner := n.nested(l.Name, m, in)
	inner.inner = in != nil
	inner.build(depth + 1)
	l.Layers = inner.rows
}

// addSteps notes the layer's calls for [LayerTable.At].
func (n *network) addSteps(l *Layer, prev OutputShape, depth int) {
	if depth > 0 {
		return
	}
	dtype := computeDType(l.info.config)
	for i, out := range n.outs[l.Name] {
		st := &step{layer: l, class: n.ruleClass(l), config: n.callConfig(l, i), shapes: out.Shapes}
		for j := range out.Shapes {
			st.out = append(st.out, inbound{l.Name, i, j})
			st.dtypes = append(st.dtypes, dtype)
		}
		if calls := n.called[l.Name]; i < len(calls) && len(calls[i].Outs) == len(out.Shapes) {
			for j, r := range calls[i].Outs {
				st.dtypes[j] = graph.OutputDType(r)
				st.tensors = append(st.tensors, r.String())
			}
		}
		switch calls := n.inbound[l.Name]; {
		case l.Class == "InputLayer":
			st.input = n.signatureInput(l.Name)
		case i < len(calls):
			for _, t := range calls[i] {
				st.in = append(st.in, inbound{t.layer, n.callOf(t), t.tensor})
			}
		default:
			st.in = n.previousKeys(prev)
		}
		if cfg := n.configs[l.Name]; cfg != nil {
			if m, name := cfg.Model(), l.Name; m != nil {
				st.eval = func(in []tensor.Shape, asked *keras2) ([]tensor.Shape, bool) {
					return n.outputAt(name, m, in, asked)
				}
			}
		}
		n.steps = append(n.steps, st)
	}
}

// outputAt computes the results of a nested model once the table is built, by any number of
// goroutines: it changes nothing, since building the table has decoded what it looks at. asked has
// the counts of the one who asks, as n.k those of the table.
func (n *network) outputAt(name string, m *ModelConfig, in []tensor.Shape, asked *keras2) ([]tensor.Shape, bool) {
	if n.k.built > maxBuilt {
		return nil, false
	}
	k, c := *n.k, *n
	k.built, k.refused, c.k = asked.built, asked.refused, &k
	out, ok := c.modelOutput(name, m, in, 0)
	asked.built, asked.refused = k.built, k.refused
	return out, ok
}
