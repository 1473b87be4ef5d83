package scopes

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
)

// Of cuts the body of a function into calls of layers. The names of all nodes begin with the scope
// of the model, unless the function is one layer's, or does more than call the model: a signature
// that decodes an image first, and names the best class at the end. Then the scope is the model's.
//
// Names holds the layers whose names have slashes, as Keras 2 allows: their scopes look like those
// of layers within a model. If the model's class is known to be the user's own, the first scope is
// the model's.
func Of(b *body.Body, names map[string]bool, own bool) *Scope {
	var nodes []*graph.Node
	for _, n := range b.Nodes {
		if len(n.Parts) > 1 || n.Op != "Identity" && n.Op != "NoOp" {
			nodes = append(nodes, n)
		}
	}
	depth := modelDepth(b, nodes)
	if own && depth == 0 && len(nodes) > 0 && !slices.ContainsFunc(nodes, func(n *graph.Node) bool { return n.Parts[0] != nodes[0].Parts[0] || len(n.Parts) < 2 }) {
		depth = 1
	}
	s := splitIntoCalls(b, depth, nodes, b.Rets, names)
	if model := s.onlyModel(); model != nil {
		s = s.Within(model)
		s.Inner = true
	}
	return s
}

// onlyModel returns the call of the model in a function that else has operations alone, or layers
// without variables, such as the scope of tf.map_fn; nil where the function is no such one.
func (s *Scope) onlyModel() *Call {
	var model *Call
	for _, c := range s.Calls {
		switch {
		case c.Op || len(c.Vars) == 0:
		case s.Depth > 0 || model != nil || modelDepth(s.b, c.Nodes) == 0:
			return nil
		default:
			model = c
		}
	}
	return model
}

// Within cuts a call of a nested model into calls of that model's layers.
func (s *Scope) Within(c *Call) *Scope {
	return splitIntoCalls(s.b, s.Below(c), c.Nodes, c.Outs, nil)
}

// splitIntoCalls cuts nodes, which share the first depth components of their names, into calls. If
// no names with slashes are known, those that show by a circle are found: see [Scope.findSlashed].
func splitIntoCalls(b *body.Body, depth int, nodes []*graph.Node, rets []graph.Ref, names map[string]bool) *Scope {
	s := splitByNames(b, depth, nodes, rets, names)
	if len(names) == 0 && b.Framework() == savedmodel.Keras2 {
		if names = s.findSlashed(); len(names) > 0 {
			return splitByNames(b, depth, nodes, rets, names)
		}
	}
	return s
}

func splitByNames(b *body.Body, depth int, nodes []*graph.Node, rets []graph.Ref, names map[string]bool) *Scope {
	s := &Scope{b: b, Depth: depth, slashed: names, Owner: map[*graph.Node]*Call{}, inside: map[*graph.Node]bool{}, Users: b.UsersOf(), gone: map[*Call]bool{}, sources: map[graph.Ref]graph.Ref{}, uncast: map[graph.Ref]graph.Ref{}}
	if depth > 0 && len(nodes) > 0 {
		s.Prefix = strings.Join(nodes[0].Parts[:depth], "/")
	}
	byKey := map[string]*Call{}
	for _, n := range nodes {
		s.inside[n] = true
		op := len(n.Parts) == depth+1
		if op && QuietOps[n.Op] {
			continue
		}
		layer := layerScope(n.Parts[depth:], names)
		key := layer + "/"
		if op {
			key = n.Name
		} else if base := kerasnames.WithoutNumber(n.Parts[depth]); b.Framework() == savedmodel.Keras3 {
			op = Operations[base] != "" || Functions[base]
		} else {
			op = Functions[base]
		}
		c := byKey[key]
		if c == nil {
			c = &Call{Raw: layer, Op: op}
			byKey[key] = c
			s.Calls = append(s.Calls, c)
		}
		c.Nodes = append(c.Nodes, n)
		s.Owner[n] = c
	}
	s.mergeConstants()
	s.dropMasks()
	s.connect(rets)
	return s
}

// layerScope returns the scope of the layer that a node is part of: the first part of its name, or
// more of them where they are a layer's name, with the number of a further call at most.
func layerScope(parts []string, names map[string]bool) string {
	if len(names) > 0 {
		for n := len(parts) - 1; n > 1; n-- {
			scope := strings.Join(parts[:n], "/")
			if names[scope] || names[kerasnames.WithoutNumber(scope)] {
				return scope
			}
		}
	}
	return parts[0]
}

// mergeConstants gives scopes that hold nothing but constants, such as "mul/y", to the operation
// that takes them.
func (s *Scope) mergeConstants() {
	ops := map[string]*Call{}
	for _, c := range s.Calls {
		if c.Op {
			ops[strings.ToLower(c.Raw)] = c
		}
	}
	s.Calls = slices.DeleteFunc(s.Calls, func(c *Call) bool {
		if c.Op || strings.HasPrefix(c.Raw, "tf.") || slices.ContainsFunc(c.Nodes, func(n *graph.Node) bool { return !QuietOps[n.Op] && n.Op != "Pack" }) {
			return false
		}
		to := ops[strings.ToLower(c.Raw)]
		for _, n := range c.Nodes {
			for _, u := range s.Users[n] {
				if o := s.Owner[u]; to == nil && o != nil && o != c {
					to = o
				}
			}
		}
		if to == nil {
			return false
		}
		for _, n := range c.Nodes {
			s.Owner[n] = to
		}
		to.Nodes = append(to.Nodes, c.Nodes...)
		slices.SortFunc(to.Nodes, func(a, b *graph.Node) int { return a.Index - b.Index })
		return true
	})
}

// dropMasks takes operations out of the calls that only cast, or only compute masks between layers.
func (s *Scope) dropMasks() {
	for i := len(s.Calls) - 1; i >= 0; i-- {
		c := s.Calls[i]
		if !c.Op {
			continue
		}
		n := c.Nodes[len(c.Nodes)-1]
		s.gone[c] = PassesOn(n) || s.unused(n) && IsBool(n) || s.onlyForMasks(n)
	}
	s.Calls = slices.DeleteFunc(s.Calls, func(c *Call) bool { return s.gone[c] })
}

// unused reports whether no node takes what a node gives. Keras computes masks that the layers
// behind do not ask for.
func (s *Scope) unused(n *graph.Node) bool { return len(s.Users[n]) == 0 }

// onlyForMasks reports whether a node gives its results to dropped operations alone.
func (s *Scope) onlyForMasks(n *graph.Node) bool {
	users := s.Users[n]
	for _, u := range users {
		if c := s.Owner[u]; c == nil || !s.gone[c] || PassesOn(u) && !IsBool(u) {
			return false
		}
	}
	return len(users) > 0
}
