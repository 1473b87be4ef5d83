package layers

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// maxBuilt bounds [keras2.built].
const maxBuilt = 2_000

// network is one model of known layers: the whole, or one nested in it.
type network struct {
	k          *keras2
	id         int // in the object graph, -1 when not found
	config     *ModelConfig
	sequential bool
	functional bool
	subclassed bool
	scope      *scope         // of the serving function, or nil
	inputs     []tensor.Shape // what the model is called with, as far as known
	// the model is nested in another, and inputs are in the order of its input layers
	inner   bool
	rows    []*Layer
	steps   []*step
	byName  map[string]*Layer
	objects map[string]int           // by layer name
	configs map[string]*LayerConfig  // by layer name
	outs    map[string][]OutputShape // of each call of a layer
	// how many nodes of a nested model stand before its first call
	skip    map[string]int
	called  map[string][]*call     // in the graph
	inbound map[string][][]inbound // what each call of a layer takes
	// file is set where the config stands in one of Keras' own files: there is no graph, but the
	// layers have their variables, and known has the shapes of tensors that the calls name.
	file  *configFile
	known map[inbound]tensor.Shape
	made  map[madeBy][]inbound         // the keys of known
	nodes map[string][]json.RawMessage // the calls of each layer, as the config has them
	// what a stack's input layer says
	inputName  string
	inputDType tensor.DType
}

// v3 reports whether Keras 3 wrote the config.
func (n *network) v3() bool { return n.file != nil && n.file.v3 }

// shown returns the layer's output shape, also where Keras prints a word in its place.
func (n *network) shown(l *Layer) OutputShape {
	if outs := n.outs[l.Name]; l.Output.Word != "" && len(outs) > 0 {
		return outs[len(outs)-1]
	}
	return l.Output
}

// build makes the rows.
func (n *network) build(depth int) {
	n.byName, n.outs, n.skip = map[string]*Layer{}, map[string][]OutputShape{}, map[string]int{}
	n.inbound = map[string][][]inbound{}
	names := n.findLayers()
	n.findCalls(names)
	n.findInbound(names)
	prev := n.stackInput()
	for i, name := range names {
		cfg := n.configs[name]
		class := n.class(name)
		if class == "InputLayer" && n.sequential {
			if cfg != nil && !n.inner { // damaged metadata has layers without a configuration
				c := parseConfig(cfg.Config)
				if s, ok := c.inputShape(); ok {
					prev = oneShape(s)
				}
				n.inputName, n.inputDType = cfg.Name, computeDType(c)
			}
			continue
		}
		l := &Layer{Name: name, Class: class}
		n.rows = append(n.rows, l)
		n.byName[name] = l
		if cfg != nil {
			l.info.config = parseConfig(cfg.Config)
			if n.file != nil && l.info.config != nil {
				l.info.config[versionKey] = n.file.version
			}
		}
		if n.sequential && i == 0 && !prev.First().Ranked() {
			if s, ok := l.info.config.inputShape(); ok {
				prev = oneShape(s)
			}
		}
		l.Output = n.output(l, prev, names[i+1:], depth)
		n.noteShape(l)
		n.addSteps(l, prev, depth)
		prev = n.shown(l)
		n.setWeights(l)
		n.addChildren(l, cfg, depth)
	}
	if n.functional {
		n.connections()
	}
}

// stackInput returns what the first layer of a stack takes, as far as the model's own config and
// its caller tell.
func (n *network) stackInput() OutputShape {
	if len(n.inputs) > 0 {
		return oneShape(n.inputs[0])
	}
	if shapes := shapesOf(jsonValue(n.config.BuildShape)); n.file != nil && len(shapes) == 1 {
		return oneShape(shapes[0])
	}
	return oneShape(tensor.UnknownShape())
}

// findInbound notes what each layer is called with.
func (n *network) findInbound(names []string) {
	n.nodes = map[string][]json.RawMessage{}
	for _, name := range names {
		cfg := n.configs[name]
		if cfg == nil {
			continue
		}
		if !n.sequential { // a shared layer has its calls in another model there
			n.nodes[name], n.inbound[name] = callsIn(cfg.InboundNodes)
		}
		if m := cfg.Model(); m != nil && !n.v3() && m.Layers[0].ClassName == "InputLayer" {
			n.skip[name] = 1
		}
	}
	if n.file != nil {
		n.findTensors()
	}
}

// findTensors notes the shapes of the tensors that calls name, and which tensors the model gives
// away, whose shapes the config does not say.
func (n *network) findTensors() {
	n.known, n.made = n.config.takes(), map[madeBy][]inbound{}
	for _, t := range layerTensors(n.config.OutputLayers) {
		t.node -= n.own(t.layer)
		if _, ok := n.known[t]; !ok {
			n.known[t] = tensor.UnknownShape()
		}
	}
	for t := range n.known {
		by := madeBy{t.layer, n.callOf(t)}
		n.made[by] = append(n.made[by], t)
	}
}

// madeBy is one call of a layer.
type madeBy struct {
	layer string
	call  int
}

// setWeights fills in what follows from the layer's variables.
func (n *network) setWeights(l *Layer) {
	if n.file != nil {
		l.setWeights(n.file.of(n.configs[l.Name]), func(v *savedmodel.Variable) bool { return v.Trainable })
	} else if id, ok := n.objects[l.Name]; ok && l.Class != "InputLayer" {
		l.setWeights(n.k.variables(id), func(v *savedmodel.Variable) bool { return n.k.trainable[v] })
	}
}

// findLayers returns the names of the layers in the summary's order.
func (n *network) findLayers() []string {
	n.objects, n.configs = map[string]int{}, map[string]*LayerConfig{}
	var fromObjects []string
	for _, id := range n.k.layerObjects(n.id) {
		name := "?" + strconv.Itoa(id)
		if o := n.k.meta[id]; o != nil {
			name = o.Name
			n.configs[name] = &LayerConfig{Name: name, ClassName: o.ClassName, Config: o.Config}
		} else if traced, _ := n.k.trace(id); traced != "" {
			name = traced
		}
		if _, ok := n.objects[name]; !ok {
			fromObjects = append(fromObjects, name)
		}
		n.objects[name] = id
	}
	if len(n.config.Layers) == 0 || !n.sequential && !n.functional {
		return fromObjects
	}
	var names []string
	seen := map[string]bool{}
	for i := range n.config.Layers {
		l := &n.config.Layers[i]
		if !seen[l.Name] {
			seen[l.Name] = true
			names = append(names, l.Name)
		}
		n.configs[l.Name] = l
	}
	return names
}

// findCalls matches the calls in the graph to the layers' names. Keras 2 opens one name scope for
// each call.
func (n *network) findCalls(names []string) {
	n.called = map[string][]*call{}
	if n.scope == nil {
		return
	}
	left := map[string]int{} // the calls of each layer that are still to be found
	for _, name := range names {
		left[name] = 1
		if cfg := n.configs[name]; cfg != nil {
			left[name] = max(1, len(inboundNodes(cfg.InboundNodes)))
		}
	}
	used := scopeNames{}
	for _, c := range n.scope.calls {
		c.name = callName(c, left, used)
		left[c.name]--
		n.called[c.name] = append(n.called[c.name], c)
	}
}

// callName returns the name of the layer that c is a call of: the one that a variable's path names,
// else one that is still to be called and whose scope may be called so.
func callName(c *call, left map[string]int, used scopeNames) string {
	owners := map[string]bool{}
	names := bases(c.raw)
	for _, v := range c.vars {
		for _, part := range strings.Split(v.Name, "/") {
			if _, known := left[part]; known && slices.Contains(names, part) {
				owners[part] = true
			}
		}
	}
	if len(owners) == 1 {
		for name := range owners {
			used.take(name)
			return name
		}
	}
	if left[c.raw] > 0 && used[strings.ToLower(c.raw)] == 0 {
		used.take(c.raw)
		return c.raw
	}
	if name, ok := used.undo(c.raw, 1); ok && left[name] > 0 {
		return name
	}
	for _, name := range names {
		if _, known := left[name]; known {
			return name
		}
	}
	return c.raw
}

// class returns a layer's class: from the metadata, or as its name and its operations suggest.
func (n *network) class(name string) string {
	if cfg := n.configs[name]; cfg != nil && cfg.ClassName != "" {
		return cfg.Class()
	}
	if id, ok := n.objects[name]; ok && n.k.objs.Nodes[id].GetUserObject().GetIdentifier() == "_tf_keras_input_layer" {
		return "InputLayer"
	}
	if calls := n.called[name]; len(calls) > 0 {
		class, _ := classify(n.scope, calls[0], name, calls[0].vars)
		return class
	}
	class, _ := ClassOfName(name)
	return class
}

// output works out a layer's output shape.
func (n *network) output(l *Layer, prev OutputShape, next []string, depth int) OutputShape {
	if l.Class == "InputLayer" {
		if s, ok := n.innerInput(l.Name); ok {
			n.outs[l.Name] = []OutputShape{oneShape(s)}
			return oneShape(s)
		}
		if s, ok := l.info.config.inputShape(); ok {
			n.outs[l.Name] = []OutputShape{oneShape(s)}
			return oneShape(s)
		}
		return n.graphInput(l.Name)
	}
	if n.unbuilt(prev) {
		return OutputShape{Word: "?"}
	}
	calls := n.callsOf(l.Name)
	n.outs[l.Name] = nil
	for i := range calls {
		in := n.inputsOf(l.Name, i, prev)
		// the next call may take it
		n.outs[l.Name] = append(n.outs[l.Name], n.callOutput(l, in, i, calls, depth))
		l.info.in = in
	}
	outs := n.outs[l.Name]
	if n.subclassed && !isModel(l.Class) {
		l.info.shape = outs[len(outs)-1]
		return OutputShape{Word: "multiple"}
	}
	for _, o := range outs[1:] {
		if !o.equal(outs[0]) && !n.v3() { // Keras 3 shows the last call's
			return OutputShape{Word: "multiple"}
		}
	}
	if !outs[0].known() || !outs[0].First().Ranked() {
		if s, ok := n.nextInput(next); ok && n.sequential {
			return oneShape(s)
		}
	}
	return outs[len(outs)-1]
}

// unbuilt reports whether the model is a stack of Keras 3 that was never built: it prints ? for all
// shapes then.
func (n *network) unbuilt(prev OutputShape) bool {
	return n.v3() && n.sequential && !n.inner && !prev.First().Ranked() && len(n.steps) == 0 && n.config.BuildShape == nil
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

// callsOf returns how often a layer is called: once where the config does not say.
func (n *network) callsOf(name string) int { return max(1, len(n.inbound[name])) }

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

// ruleClass returns the class whose rule a layer follows: one of Keras 3's operations is no layer
// of that name.
func (n *network) ruleClass(l *Layer) string {
	if cfg := n.configs[l.Name]; n.v3() && cfg != nil && cfg.IsOperation() {
		return operationPrefix + l.Class
	}
	return l.Class
}

// callConfig returns a layer's config with what call i says beside its tensors.
func (n *network) callConfig(l *Layer, i int) config {
	nodes := n.nodes[l.Name]
	if l.info.config == nil || i >= len(nodes) || !n.callMatters(l) {
		return l.info.config
	}
	return l.info.config.withCall(nodes[i])
}

// callMatters reports whether the shapes that a layer gives depend on more of a call than its
// tensors.
func (n *network) callMatters(l *Layer) bool {
	return givesScores[l.Class] || strings.HasSuffix(l.Class, "OpLambda") || strings.HasPrefix(n.ruleClass(l), operationPrefix)
}

// callOutput returns the shapes of one call's results: by the class's rule, else from the nested
// model, else as the graph has them.
func (n *network) callOutput(l *Layer, in []tensor.Shape, i, calls, depth int) OutputShape {
	if out, ok := inferShape(n.ruleClass(l), n.callConfig(l, i), in, 0); ok {
		return n.refine(l, OutputShape{Shapes: n.told(l, out, i)}, i, calls)
	}
	if cfg := n.configs[l.Name]; cfg != nil && depth < maxNesting {
		if m := cfg.Model(); m != nil && len(in) > 0 {
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

// told returns the outputs of call i with what the calls of other layers say of them. Of a class
// without a rule it returns as many outputs as other layers and the model take, and nil where none
// takes any.
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
		if s := n.known[t]; t.tensor < len(out) && s.Ranked() {
			out[t.tensor] = s
		}
	}
	return out
}

// maxOutputs bounds the outputs of one call.
const maxOutputs = 1_000

// noteShape says why an output shape is not known, or only in part.
func (n *network) noteShape(l *Layer) {
	cfg := n.configs[l.Name]
	if n.file == nil || cfg == nil || l.Output.Word != "" {
		return
	}
	open := func(s tensor.Shape) bool { return !s.Ranked() }
	switch {
	case l.Output.known() && !slices.ContainsFunc(l.Output.Shapes, open):
		if l.info.partial {
			l.guess("output_shape", "the shapes are those that other layers take; whether the layer gives more, only its code says")
		}
	case cfg.Builtin() && l.Class != "Lambda" && slices.ContainsFunc(l.info.in, open):
		l.note("the output's shape is not known, as that of the input is not")
	case cfg.Builtin() && l.Class != "Lambda":
		l.note("the output's shape is not in the file, and no rule for it is known")
	default:
		l.note("the output's shape is not in the file: only the layer's own code makes it")
	}
}

// refine fills in sizes that one source does not know and another does.
func (n *network) refine(l *Layer, out OutputShape, i, calls int) OutputShape {
	if more, ok := n.graphOutput(l.Name, i, calls); ok {
		out = mergeKnown(out, more)
	}
	if id, ok := n.objects[l.Name]; ok && !fullyKnown(out) && calls == 1 {
		if _, shapes := n.k.trace(id); len(shapes) > 0 {
			out = mergeKnown(out, OutputShape{Shapes: shapes})
		}
	}
	return out
}

// fullyKnown reports whether nothing but first axes is unknown.
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
	if len(visits) == 1 && calls > 1 && len(c.shapes)%calls == 0 {
		// The calls share one scope: the results stand there one call after the other.
		each := len(c.shapes) / calls
		return OutputShape{Shapes: c.shapes[i*each : (i+1)*each]}, each > 0
	}
	return c.shape(), len(c.shapes) > 0
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
				if dims := numbers(v); dims != nil {
					return tensor.MakeShape(dims...), true
				}
			}
		}
		if !slices.Contains(elementwise, n.class(name)) {
			break
		}
	}
	return tensor.Shape{}, false
}

// modelOutput computes the results of a nested model from its config.
func (n *network) modelOutput(name string, m *ModelConfig, in []tensor.Shape, depth int) ([]tensor.Shape, bool) {
	if n.k.built++; n.k.built > maxBuilt {
		return nil, false
	}
	inner := n.nested(name, m, in)
	inner.build(depth + 1)
	var out []tensor.Shape
	if inner.sequential {
		if len(inner.rows) == 0 {
			return in, len(in) > 0
		}
		return inner.rows[len(inner.rows)-1].Output.Shapes, len(inner.rows[len(inner.rows)-1].Output.Shapes) > 0
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
	if id, ok := n.objects[name]; ok {
		inner.id = id
	}
	if calls := n.called[name]; n.scope != nil && len(calls) > 0 {
		inner.scope = n.scope.within(calls[len(calls)-1])
	}
	return inner
}

// addChildren makes the rows of a nested model.
func (n *network) addChildren(l *Layer, cfg *LayerConfig, depth int) {
	if cfg == nil || depth >= maxNesting {
		return
	}
	m := cfg.Model()
	if m == nil || n.k.built > maxBuilt {
		return
	}
	n.k.built++
	in := l.info.in
	if n.v3() { // its layers stand as they were when the model was made, whatever it is called with
		in = nil
	}
	inner := n.nested(l.Name, m, in)
	inner.inner = in != nil
	inner.build(depth + 1)
	l.Layers = inner.rows
}

// connections fills in what each layer is connected to.
func (n *network) connections() {
	for _, l := range n.rows {
		l.ConnectedTo = []string{}
		for _, tensors := range n.inbound[l.Name] {
			for _, t := range tensors {
				l.ConnectedTo = append(l.ConnectedTo, connection(t.layer, n.shownNode(t), t.tensor))
			}
		}
	}
}

// shownNode returns the number that Keras prints for the call that gave a tensor.
func (n *network) shownNode(t inbound) int {
	node := n.callOf(t)
	if cfg := n.configs[t.layer]; n.file != nil && cfg != nil {
		node += n.file.first[cfg]
	}
	return node
}

// callOf returns the number of the call, within this model, that gave a tensor. Keras 3.0 numbers
// the calls of a layer through all models that have it.
func (n *network) callOf(t inbound) int {
	node := t.node - n.skip[t.layer]
	if cfg := n.configs[t.layer]; n.file != nil && cfg != nil && node >= n.callsOf(t.layer) {
		if within := node - n.file.first[cfg]; within >= 0 {
			return within
		}
	}
	return node
}

// own returns 1 for a Functional model of Keras 3: among the outputs of the model around it, its
// calls are counted from 1.
func (n *network) own(layer string) int {
	if cfg := n.configs[layer]; n.v3() && cfg != nil {
		if m := cfg.Model(); m != nil && !m.Sequential() {
			return 1
		}
	}
	return 0
}

// connection writes a connection as Keras does.
func connection(layer string, node, tensor int) string {
	return layer + "[" + strconv.Itoa(node) + "][" + strconv.Itoa(tensor) + "]"
}

// chain reports whether the layers form a chain: one input, each layer called once with the one
// before. Then Keras prints no connections.
func (n *network) chain() bool {
	previous := ""
	for i, l := range n.rows {
		calls := n.inbound[l.Name]
		switch {
		case l.Class == "InputLayer":
			if i > 0 {
				return false
			}
		case len(calls) != 1 || len(calls[0]) != 1 || calls[0][0].layer != previous:
			return false
		}
		previous = l.Name
	}
	return true
}
