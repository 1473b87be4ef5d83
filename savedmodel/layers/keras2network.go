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
	config     *modelConfig
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
	configs map[string]*layerConfig  // by layer name
	outs    map[string][]OutputShape // of each call of a layer
	// how many nodes of a nested model stand before its first call
	skip    map[string]int
	called  map[string][]*call     // in the graph
	inbound map[string][][]inbound // what each call of a layer takes
}

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
	prev := oneShape(tensor.UnknownShape())
	if len(n.inputs) > 0 {
		prev = oneShape(n.inputs[0])
	}
	for i, name := range names {
		cfg := n.configs[name]
		class := n.class(name)
		if class == "InputLayer" && n.sequential {
			if cfg != nil && !n.inner { // damaged metadata has layers without a configuration
				if s, ok := parseConfig(cfg.Config).inputShape(); ok {
					prev = oneShape(s)
				}
			}
			continue
		}
		l := &Layer{Name: name, Class: class}
		n.rows = append(n.rows, l)
		n.byName[name] = l
		if cfg != nil {
			l.info.config = parseConfig(cfg.Config)
			n.inbound[name] = inboundNodes(cfg.InboundNodes)
			if m := cfg.model(); m != nil && len(m.Layers) > 0 && m.Layers[0].ClassName == "InputLayer" {
				n.skip[name] = 1
			}
		}
		if n.sequential && i == 0 && !prev.First().Ranked() {
			if s, ok := l.info.config.inputShape(); ok {
				prev = oneShape(s)
			}
		}
		l.Output = n.output(l, prev, names[i+1:], depth)
		n.addSteps(l, prev, depth)
		prev = n.shown(l)
		if id, ok := n.objects[name]; ok && class != "InputLayer" {
			l.setWeights(n.k.variables(id), func(v *savedmodel.Variable) bool { return n.k.trainable[v] })
		}
		n.addChildren(l, cfg, depth)
	}
	if n.functional {
		n.connections()
	}
}

// findLayers returns the names of the layers in the summary's order.
func (n *network) findLayers() []string {
	n.objects, n.configs = map[string]int{}, map[string]*layerConfig{}
	var fromObjects []string
	for _, id := range n.k.layerObjects(n.id) {
		name := "?" + strconv.Itoa(id)
		if o := n.k.meta[id]; o != nil {
			name = o.Name
			n.configs[name] = &layerConfig{Name: name, ClassName: o.ClassName, Config: o.Config}
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
		return cfg.class()
	}
	if id, ok := n.objects[name]; ok && n.k.objs.Nodes[id].GetUserObject().GetIdentifier() == "_tf_keras_input_layer" {
		return "InputLayer"
	}
	if calls := n.called[name]; len(calls) > 0 {
		class, _ := classify(n.scope, calls[0], name, calls[0].vars)
		return class
	}
	class, _ := classOfName(name)
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
	calls := n.inputsOf(l.Name, prev)
	outs := make([]OutputShape, len(calls))
	for i, in := range calls {
		outs[i] = n.callOutput(l, in, i, len(calls), depth)
		l.info.in = in
	}
	n.outs[l.Name] = outs
	if n.subclassed && !isModel(l.Class) {
		l.info.shape = outs[len(outs)-1]
		return OutputShape{Word: "multiple"}
	}
	for _, o := range outs[1:] {
		if !o.equal(outs[0]) {
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

// inputsOf returns the shapes that each call of a layer takes.
func (n *network) inputsOf(name string, prev OutputShape) [][]tensor.Shape {
	calls := n.inbound[name]
	if len(calls) == 0 {
		if n.functional || n.subclassed {
			return [][]tensor.Shape{nil}
		}
		return [][]tensor.Shape{prev.Shapes}
	}
	shapes := make([][]tensor.Shape, len(calls))
	for i, tensors := range calls {
		for _, t := range tensors {
			s := tensor.UnknownShape()
			if outs := n.outs[t.layer]; t.node-n.skip[t.layer] >= 0 && t.node-n.skip[t.layer] < len(outs) {
				if list := outs[t.node-n.skip[t.layer]].Shapes; t.tensor >= 0 && t.tensor < len(list) {
					s = list[t.tensor]
				}
			}
			shapes[i] = append(shapes[i], s)
		}
	}
	return shapes
}

// callOutput returns the shapes of one call's results: by the class's rule, else from the nested
// model, else as the graph has them.
func (n *network) callOutput(l *Layer, in []tensor.Shape, i, calls, depth int) OutputShape {
	if out, ok := inferShape(l.Class, l.info.config, in, 0); ok {
		return n.refine(l, OutputShape{Shapes: out}, i, calls)
	}
	if cfg := n.configs[l.Name]; cfg != nil && depth < maxNesting {
		if m := cfg.model(); m != nil && len(in) > 0 {
			if out, ok := n.modelOutput(l.Name, m, cfg.class(), in, depth); ok {
				return n.refine(l, OutputShape{Shapes: out}, i, calls)
			}
		}
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
func (n *network) modelOutput(name string, m *modelConfig, class string, in []tensor.Shape, depth int) ([]tensor.Shape, bool) {
	if n.k.built++; n.k.built > maxBuilt {
		return nil, false
	}
	inner := n.nested(name, m, class, in)
	inner.build(depth + 1)
	var out []tensor.Shape
	if class == "Sequential" {
		if len(inner.rows) == 0 {
			return in, len(in) > 0
		}
		return inner.rows[len(inner.rows)-1].Output.Shapes, len(inner.rows[len(inner.rows)-1].Output.Shapes) > 0
	}
	for _, t := range layerTensors(m.OutputLayers) {
		outs := inner.outs[t.layer]
		node := t.node - inner.skip[t.layer]
		if node < 0 || node >= len(outs) || t.tensor < 0 || t.tensor >= len(outs[node].Shapes) {
			return nil, false
		}
		out = append(out, outs[node].Shapes[t.tensor])
	}
	return out, len(out) > 0
}

// nested returns the network of a model within this one.
func (n *network) nested(name string, m *modelConfig, class string, in []tensor.Shape) *network {
	inner := &network{k: n.k, id: -1, config: m, sequential: class == "Sequential", functional: class != "Sequential", inputs: in, inner: true}
	if id, ok := n.objects[name]; ok {
		inner.id = id
	}
	if calls := n.called[name]; n.scope != nil && len(calls) > 0 {
		inner.scope = n.scope.within(calls[len(calls)-1])
	}
	return inner
}

// addChildren makes the rows of a nested model.
func (n *network) addChildren(l *Layer, cfg *layerConfig, depth int) {
	if cfg == nil || depth >= maxNesting {
		return
	}
	m := cfg.model()
	if m == nil || n.k.built > maxBuilt {
		return
	}
	n.k.built++
	inner := n.nested(l.Name, m, cfg.class(), l.info.in)
	inner.build(depth + 1)
	l.Layers = inner.rows
}

// connections fills in what each layer is connected to.
func (n *network) connections() {
	for _, l := range n.rows {
		l.ConnectedTo = []string{}
		for _, tensors := range n.inbound[l.Name] {
			for _, t := range tensors {
				l.ConnectedTo = append(l.ConnectedTo, connection(t.layer, t.node-n.skip[t.layer], t.tensor))
			}
		}
	}
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
