package layers

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
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
		} else if base := kerasnames.WithoutNumber(n.Parts[depth]); b.Framework() == savedmodel.Keras3 {
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

// output returns the place of r among the call's results, or -1.
func (c *call) output(r graph.Ref) int { return slices.Index(c.outs, r) }

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

// redirect replaces an input: the first, where a merge takes it twice.
func (c *call) redirect(from, to edge) {
	if i := slices.Index(c.ins, from); i >= 0 {
		c.ins[i] = to
	}
}

// place returns where in the graph the call's first node is; a call that leaves nothing stands
// right behind what it takes.
func (c *call) place() int {
	for range graph.MaxUnwrap {
		if len(c.nodes) > 0 && !c.phantom {
			return c.nodes[0].Index
		}
		if len(c.ins) == 0 {
			return 0
		}
		if c.ins[0].from == nil {
			return -1
		}
		c = c.ins[0].from
	}
	return 0
}
