package layers

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/tensor"
)

// A call is one visit of one layer: the nodes under its name scope; or, in op, an operation of a
// functional graph that is no layer.
type call struct {
	raw   string // the scope's name
	name  string // the layer's name
	op    bool
	nodes []*graph.Node

	// the tensors it takes from outside in order of first use, each once, but as often as a merge
	// takes it; without masks
	ins   []edge
	masks []edge      // the truth values it takes, where it takes anything else
	outs  []graph.Ref // the tensors it gives to others, in the order of the layer's results
	vars  []*savedmodel.Variable
	// shapes of outs
	shapes []tensor.Shape
	// phantom marks a layer that leaves nothing in the graph.
	phantom bool
}

// edge is a tensor that a call takes: from another call, or from outside the scope.
type edge struct {
	from *call // nil: an input of the scope
	ref  graph.Ref
}

// scope is a model's function, or the part of it that is one nested model, cut into calls by the
// names of its nodes.
type scope struct {
	b      *body.Body
	depth  int    // the number of name components above the layers'
	prefix string // these components, joined: "" at depth 0
	calls  []*call
	owner  map[*graph.Node]*call
	inside map[*graph.Node]bool
	users  map[*graph.Node][]*graph.Node // within the function
	rets   []graph.Ref                   // what the scope gives to the outside, in order
	gone   map[*call]bool
}

// operationScopes are name scopes that functions of TensorFlow open, by the class of keras.ops that
// calls them: where a layer's scope would be, they are an operation of the model.
var operationScopes = map[string]string{
	"Gelu": "Gelu", "clip_by_value": "Clip", "reduce_variance": "Var", "reduce_std": "Std", "l2_normalize": "Normalize", "zeros_like": "ZerosLike",
	"ones_like": "OnesLike", "einsum": "Einsum",
}

// functionScopes are those that no layer is called by, in any release of Keras.
var functionScopes = map[string]bool{
	"Tensordot": true, "moments": true, "Repeat": true, "boolean_mask": true, "meshgrid": true, "eye": true, "random_normal": true, "random_uniform": true,
	"truncated_normal": true, "rgb_to_grayscale": true, "per_image_standardization": true, "SequenceMask": true,
}

// quietOps take part in any layer's scope without being work of their own.
var quietOps = map[string]bool{"Const": true, "ReadVariableOp": true, "NoOp": true}

// maskOps compare or combine truth values: between layers they compute masks.
var maskOps = map[string]bool{
	"NotEqual": true, "Equal": true, "LogicalAnd": true, "LogicalNot": true, "LogicalOr": true, "Any": true, "All": true,
	"Less": true, "LessEqual": true, "Greater": true, "GreaterEqual": true,
}

// newScope cuts nodes, which share the first depth components of their names, into calls.
func newScope(b *body.Body, depth int, nodes []*graph.Node, rets []graph.Ref) *scope {
	s := &scope{b: b, depth: depth, owner: map[*graph.Node]*call{}, inside: map[*graph.Node]bool{}, users: b.UsersOf(), gone: map[*call]bool{}}
	if depth > 0 && len(nodes) > 0 {
		s.prefix = strings.Join(nodes[0].Parts[:depth], "/")
	}
	byKey := map[string]*call{}
	for _, n := range nodes {
		s.inside[n] = true
		op := len(n.Parts) == depth+1
		if op && quietOps[n.Op] {
			continue
		}
		key := n.Parts[depth] + "/"
		if op {
			key = n.Name
		} else if base := defaultBase(n.Parts[depth]); b.Framework() == savedmodel.Keras3 {
			op = operationScopes[base] != "" || functionScopes[base]
		} else {
			op = functionScopes[base]
		}
		c := byKey[key]
		if c == nil {
			c = &call{raw: n.Parts[depth], op: op}
			byKey[key] = c
			s.calls = append(s.calls, c)
		}
		c.nodes = append(c.nodes, n)
		s.owner[n] = c
	}
	s.mergeConstants()
	s.dropMasks()
	s.connect(rets)
	return s
}

// mergeConstants gives scopes that hold nothing but constants, such as "mul/y", to the operation
// that takes them.
func (s *scope) mergeConstants() {
	ops := map[string]*call{}
	for _, c := range s.calls {
		if c.op {
			ops[strings.ToLower(c.raw)] = c
		}
	}
	s.calls = slices.DeleteFunc(s.calls, func(c *call) bool {
		if c.op || strings.HasPrefix(c.raw, "tf.") || slices.ContainsFunc(c.nodes, func(n *graph.Node) bool { return !quietOps[n.Op] && n.Op != "Pack" }) {
			return false
		}
		to := ops[strings.ToLower(c.raw)]
		for _, n := range c.nodes {
			for _, u := range s.users[n] {
				if o := s.owner[u]; to == nil && o != nil && o != c {
					to = o
				}
			}
		}
		if to == nil {
			return false
		}
		for _, n := range c.nodes {
			s.owner[n] = to
		}
		to.nodes = append(to.nodes, c.nodes...)
		slices.SortFunc(to.nodes, func(a, b *graph.Node) int { return a.Index - b.Index })
		return true
	})
}

// dropMasks marks the operations between layers that only cast, or compute masks.
func (s *scope) dropMasks() {
	for i := len(s.calls) - 1; i >= 0; i-- {
		c := s.calls[i]
		if !c.op {
			continue
		}
		n := c.nodes[len(c.nodes)-1]
		s.gone[c] = passesOn(n) || s.unused(n) && isBool(n) || s.onlyForMasks(n)
	}
	s.calls = slices.DeleteFunc(s.calls, func(c *call) bool { return s.gone[c] })
}

// passesOn reports whether a node gives on its input's values.
func passesOn(n *graph.Node) bool {
	return n.Op == "Cast" || n.Op == "Identity" || n.Op == "StopGradient"
}

// isBool reports whether a node makes truth values.
func isBool(n *graph.Node) bool {
	const dtBool = 10
	attr := n.Def.GetAttr()
	switch {
	case maskOps[n.Op]:
		return true
	case n.Op == "Cast":
		return attr["DstT"].GetType() == dtBool
	}
	return attr["T"].GetType() == dtBool || attr["dtype"].GetType() == dtBool && n.Op != "Placeholder"
}

// unused reports whether nobody takes what a node gives. Keras computes masks that the layers after
// do not ask for.
func (s *scope) unused(n *graph.Node) bool { return len(s.users[n]) == 0 }

// onlyForMasks reports whether all that a node gives goes to operations that were dropped.
func (s *scope) onlyForMasks(n *graph.Node) bool {
	users := s.users[n]
	for _, u := range users {
		if c := s.owner[u]; c == nil || !s.gone[c] || passesOn(u) && !isBool(u) {
			return false
		}
	}
	return len(users) > 0
}

// source follows a tensor back through what only passes it on between the layers.
func (s *scope) source(r graph.Ref) graph.Ref {
	for range len(s.b.Nodes) {
		r = s.b.Source(r)
		c := s.owner[r.Node]
		if r.Node == nil || c == nil || !s.gone[c] || isBool(r.Node) || !passesOn(r.Node) || len(r.Node.Inputs) == 0 {
			return r
		}
		r = r.Node.Inputs[0]
	}
	return r
}

// connect works out what the calls take from each other, and what they read.
func (s *scope) connect(rets []graph.Ref) {
	for _, r := range rets {
		s.rets = append(s.rets, s.source(r))
	}
	for _, c := range s.calls {
		for _, n := range c.nodes {
			if n.Op == "Cast" && len(s.users[n]) > 0 {
				// its input counts where the result is used, which is what the order of the
				// arguments goes by
				continue
			}
			for _, in := range n.Inputs {
				s.connectInput(c, s.throughCasts(c, in))
			}
		}
	}
	for _, r := range s.rets {
		if o := s.owner[r.Node]; o != nil && !s.gone[o] {
			o.give(r)
		}
	}
	for _, c := range s.calls {
		c.orderOutputs()
		for _, r := range c.outs {
			shape, _ := s.b.Shape(r)
			c.shapes = append(c.shapes, shape)
		}
	}
	for _, c := range s.calls {
		s.sortInputs(c)
	}
}

// sortInputs parts masks from data, and counts what a merge takes twice.
func (s *scope) sortInputs(c *call) {
	var data []edge
	for _, e := range c.ins {
		switch {
		case e.ref.Node != nil && isBool(e.ref.Node):
			if e.from != nil && e.from.op {
				c.masks = append(c.masks, e)
			}
		case e.from == nil || slices.Contains(e.from.outs, e.ref):
			data = append(data, e)
		}
	}
	if len(data) == 0 {
		c.masks = nil
		return
	}
	c.ins = data
	if all := s.mergeInputs(c); len(all) > len(data) {
		c.ins = all
	}
}

// mergingOps combine tensors of equal standing.
var mergingOps = map[string]bool{"AddV2": true, "Add": true, "Sub": true, "Mul": true, "Maximum": true, "Minimum": true, "ConcatV2": true, "RealDiv": true}

// mergeInputs returns all tensors that a merge takes, as often as it takes each; nil when c is no
// merge.
func (s *scope) mergeInputs(c *call) []edge {
	var all []edge
	for _, n := range c.nodes {
		if quietOps[n.Op] || n.Op == "Cast" {
			continue
		}
		if !mergingOps[n.Op] || len(c.vars) > 0 {
			return nil
		}
		for _, in := range n.Inputs {
			r := s.source(s.throughCasts(c, in))
			if i := slices.IndexFunc(c.ins, func(e edge) bool { return e.ref == r }); i >= 0 {
				all = append(all, c.ins[i])
			}
		}
	}
	return all
}

// throughCasts follows a tensor back through casts within a call.
func (s *scope) throughCasts(c *call, r graph.Ref) graph.Ref {
	for range s.b.Nodes { // which may go round in a circle
		if r.Node == nil || r.Node.Op != "Cast" || s.owner[r.Node] != c || len(r.Node.Inputs) == 0 {
			break
		}
		r = r.Node.Inputs[0]
	}
	return r
}

// connectInput notes that a node of c takes in.
func (s *scope) connectInput(c *call, in graph.Ref) {
	r := s.source(in)
	if i, ok := r.IsArg(); ok {
		switch v := s.b.Variables[i]; {
		case v != nil:
			if !slices.Contains(c.vars, v) {
				c.vars = append(c.vars, v)
			}
		case !s.b.Captured[i]:
			c.take(edge{nil, r})
		}
		return
	}
	o := s.owner[r.Node]
	switch {
	case r.Node == nil || o == c:
	case !s.inside[r.Node]:
		c.take(edge{nil, r})
	case o == nil || s.gone[o]:
	default:
		o.give(r)
		c.take(edge{o, r})
	}
}

func (c *call) take(e edge) {
	if !slices.Contains(c.ins, e) {
		c.ins = append(c.ins, e)
	}
}

func (c *call) give(r graph.Ref) {
	if !slices.Contains(c.outs, r) {
		c.outs = append(c.outs, r)
	}
}

// orderOutputs leaves out masks where there is anything else, and sorts the rest in the order of
// the layer's results: as the graph made them, but the states of a loop after what comes of its
// sequence.
func (c *call) orderOutputs() {
	data := slices.DeleteFunc(slices.Clone(c.outs), func(r graph.Ref) bool { return isBool(r.Node) })
	if len(data) > 0 {
		c.outs = data
	}
	loop := func(r graph.Ref) int {
		if r.Node.Op == "While" || r.Node.Op == "StatelessWhile" {
			return 1
		}
		return 0
	}
	slices.SortFunc(c.outs, func(a, b graph.Ref) int {
		if d := loop(a) - loop(b); d != 0 {
			return d
		}
		if d := a.Node.Index - b.Node.Index; d != 0 {
			return d
		}
		return a.Out - b.Out
	})
}

// output returns the place of r among the call's results, or -1.
func (c *call) output(r graph.Ref) int { return slices.Index(c.outs, r) }

// shape returns the call's output shapes.
func (c *call) shape() OutputShape { return OutputShape{Shapes: c.shapes} }

// consumers returns the calls that take something from c, in their order.
func (s *scope) consumers(c *call) []*call {
	var all []*call
	for _, u := range s.calls {
		if slices.ContainsFunc(u.ins, func(e edge) bool { return e.from == c }) {
			all = append(all, u)
		}
	}
	return all
}

// modelScope cuts the function's body into the model's layers. The names of all nodes begin with
// the model's own scope, unless the function is one layer's, or does more than call the model.
func modelScope(b *body.Body) *scope {
	var nodes []*graph.Node
	for _, n := range b.Nodes {
		if len(n.Parts) > 1 || n.Op != "Identity" && n.Op != "NoOp" {
			nodes = append(nodes, n)
		}
	}
	return newScope(b, modelDepth(b, nodes), nodes, b.Rets)
}

// within cuts the nodes of a call into the calls of the model that it is.
func (s *scope) within(c *call) *scope {
	return newScope(s.b, s.depth+1, c.nodes, c.outs)
}

// partOfLayer matches scopes that layers open within their own.
var partOfLayer = regexp.MustCompile(`^(?:[A-Z].*|.*_cell|forward_.*|backward_.*|query|key|value|attention_output|batchnorm|moments|while|convolution|conv_transpose|separable_conv2d|depthwise)(?:_\d+)?$`)

// modelDepth tells whether the first component of the nodes' names is the model's scope (1) or a
// layer's (0): by where in the names of the variables that the nodes read the layer stands.
func modelDepth(b *body.Body, nodes []*graph.Node) int {
	votes, deep := 0, false
	// the scopes within the first that read variables, and look like layers
	readers := map[string]bool{}
	first := ""
	for _, n := range nodes {
		if first == "" {
			first = n.Parts[0]
		}
		if n.Parts[0] != first {
			return 0
		}
		deep = deep || len(n.Parts) > 2
		for _, in := range n.Inputs {
			i, ok := in.IsArg()
			if v := b.Variables[i]; ok && v != nil {
				if len(n.Parts) > 2 && !partOfLayer.MatchString(n.Parts[1]) {
					readers[n.Parts[1]] = true
				}
				votes += depthVote(n.Parts[:len(n.Parts)-1], strings.Split(v.Name, "/"))
			}
		}
	}
	if votes > 0 || votes == 0 && deep || len(readers) > 1 || holdsLayer(nodes) {
		return 1
	}
	return 0
}

// holdsLayer reports whether all nodes that do work stand in a scope with the default name of a
// layer, within one that has none: a model of one's own with a single layer, whose variables bear
// the model's name.
func holdsLayer(nodes []*graph.Node) bool {
	found := false
	for _, n := range nodes {
		if quietOps[n.Op] || n.Op == "Identity" {
			continue
		}
		if len(n.Parts) < 3 {
			return false
		}
		_, outer := ClassOfName(n.Parts[0])
		_, inner := ClassOfName(n.Parts[1])
		if outer || !inner || helperScopes[defaultBase(n.Parts[1])] {
			return false
		}
		found = true
	}
	return found
}

// depthVote compares a node's scopes with the path of a variable that it reads: 1 when the layer
// that holds the variable is not the outermost scope, -1 when it is, 0 when they have nothing in
// common.
func depthVote(scopes, path []string) int {
	path = path[max(0, len(path)-3) : len(path)-1]
	for j := len(scopes) - 1; j >= 0; j-- {
		for _, base := range bases(scopes[j]) {
			if slices.Contains(path, base) {
				if j > 0 {
					return 1
				}
				return -1
			}
		}
	}
	return 0
}

// ClassOfName returns the class whose unnamed layers are called so: "dense_2" is a Dense's default
// name.
func ClassOfName(name string) (class string, ok bool) {
	for _, b := range bases(name) {
		if class, ok = classByDefault[b]; ok {
			return class, true
		}
	}
	return "?", false
}

// helperScopes are name scopes that operations open within a layer.
var helperScopes = map[string]bool{
	"Tensordot": true, "batchnorm": true, "moments": true, "convolution": true, "conv_transpose": true, "separable_conv2d": true, "depthwise": true, "Repeat": true,
	"MaxPool1d": true, "AvgPool1D": true, "einsum": true, "Einsum": true, "Gelu": true, "BiasAdd": true, "Cast": true, "Reshape": true, "zeros": true, "ones_like": true,
	"Softmax": true, "strided_slice": true, "hash_table_Lookup": true, "StringSplit": true, "concat": true, "one_hot": true, "Add": true, "MatMul": true, "resize": true,
}

// classByDefault finds a class by its default name.
var classByDefault = func() map[string]string {
	classes := map[string]string{}
	for _, class := range kerasClasses {
		classes[SnakeCase(class)] = class
	}
	return classes
}()
