package scopes

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
)

// Layers of Keras 2 may have slashes in their names: MobileNetV3 of keras.applications has
// "expanded_conv/expand" and "expanded_conv/project", with a ReLU between them. By the names of the
// nodes both look like parts of one layer "expanded_conv". But a layer is called at one go: where
// others take something from it and give something back to it, it is not one layer.

// findSlashed returns the names of layers with slashes that show so, nil where none does. If one
// does, the scopes that look like these are taken for such names too.
func (s *Scope) findSlashed() map[string]bool {
	round := s.circles()
	if stem := s.denseNetStem(); stem != nil {
		round[stem] = true
	}
	if !slices.ContainsFunc(s.Calls, func(c *Call) bool { return !c.Op && round[c] }) {
		return nil
	}
	names := map[string]bool{}
	for _, c := range s.Calls {
		if !c.Op && (round[c] || s.holdsNamed(c)) {
			s.addNames(names, c)
		}
	}
	return names
}

// denseNetStem returns the call of "conv1" in DenseNet of keras.applications, whose layers
// "conv1/conv", "conv1/bn" and "conv1/relu" follow each other and so make no circle.
func (s *Scope) denseNetStem() *Call {
	var stem *Call
	blocks := false
	for _, c := range s.Calls {
		switch c.Raw {
		case "conv1":
			stem = c
		case "conv2_block1_0_bn":
			blocks = true
		}
	}
	if stem == nil || !blocks || !s.OnlyNamed(stem) {
		return nil
	}
	parts := map[string]bool{}
	for _, n := range stem.Nodes {
		if below := s.Below(stem); !QuietOps[n.Op] && len(n.Parts) > below {
			parts[n.Parts[below]] = true
		}
	}
	if len(parts) != 3 || !parts["conv"] || !parts["bn"] || !parts["relu"] {
		return nil
	}
	return stem
}

// insideLayer matches scopes that a layer of Keras opens within its own, beside [Helpers].
var insideLayer = regexp.MustCompile(`^(?:[a-z_]*cell|forward_.*|backward_.*|query|key|value|attention_output|while)(?:_\d+)?$`)

// holdsNamed reports whether a call reads variables of a layer within, which the user named, or has
// no operation of its own, but such layers alone.
func (s *Scope) holdsNamed(c *Call) bool {
	for _, v := range c.Vars {
		path := strings.Split(v.Name, "/")
		if len(path) > 2 && slices.Contains(kerasnames.Bases(c.Raw), path[0]) && named(path[1]) {
			return true
		}
	}
	return s.OnlyNamed(c)
}

// OnlyNamed reports whether all that a call does stands in scopes within its own, with names that a
// user gave.
func (s *Scope) OnlyNamed(c *Call) bool {
	below := s.Below(c)
	work := slices.DeleteFunc(slices.Clone(c.Nodes), func(n *graph.Node) bool { return QuietOps[n.Op] })
	return len(work) > 0 && !slices.ContainsFunc(work, func(n *graph.Node) bool { return len(n.Parts) < below+2 || !named(n.Parts[below]) })
}

// named reports whether a scope has a name that no part of a layer has, and no layer by default.
func named(scope string) bool {
	return !kerasnames.IsDefault(scope) && !insideLayer.MatchString(scope) && !tensorFlowScopes[kerasnames.WithoutNumber(scope)]
}

// addNames adds the names of the layers that a call's nodes and variables are of.
func (s *Scope) addNames(names map[string]bool, c *Call) {
	for _, v := range c.Vars {
		path := strings.Split(v.Name, "/")
		if slices.Contains(kerasnames.Bases(c.Raw), path[0]) {
			addName(names, path[:len(path)-1])
		}
	}
	nodes := map[string]bool{}
	for _, n := range c.Nodes {
		nodes[n.Name] = true
	}
	for _, n := range c.Nodes {
		// What an operation is given, such as the sizes of a Reshape, stands in a scope of the
		// operation's name.
		scope := n.Parts[:len(n.Parts)-1]
		for len(scope) > s.Depth && nodes[strings.Join(scope, "/")] {
			scope = scope[:len(scope)-1]
		}
		if !QuietOps[n.Op] {
			addName(names, scope[s.Depth:])
		}
	}
}

// addName adds the name of the layer that scopes lead to.
func addName(names map[string]bool, scopes []string) {
	for i, part := range scopes {
		if i > 0 && !named(part) && !kerasnames.IsDefault(part) {
			scopes = scopes[:i]
			break
		}
	}
	if len(scopes) > 1 {
		names[strings.Join(scopes, "/")] = true
	}
}

// tensorFlowScopes are those of [Helpers] by whose names no layer is called.
var tensorFlowScopes = map[string]bool{
	"Tensordot": true, "batchnorm": true, "moments": true, "convolution": true, "conv_transpose": true, "separable_conv2d": true, "MaxPool1d": true, "AvgPool1D": true,
	"einsum": true, "zeros": true, "ones_like": true, "strided_slice": true, "concat": true, "one_hot": true, "resize": true, "Conv1D": true,
}

// circles returns the calls that take something that was made of what they give.
func (s *Scope) circles() map[*Call]bool {
	from, to := map[*Call][]*Call{}, map[*Call][]*Call{}
	for _, c := range s.Calls {
		for _, e := range c.Ins {
			if e.From != nil && e.From != c {
				from[c], to[e.From] = append(from[c], e.From), append(to[e.From], c)
			}
		}
	}
	// Those that a walk against the arrows reaches, begun at the calls in the reverse of the order
	// in which a walk along the arrows leaves them, stand on one circle (Kosaraju's algorithm).
	left := map[*Call]bool{}
	var order []*Call
	for _, c := range s.Calls {
		order = walk(c, to, left, order)
	}
	round, seen := map[*Call]bool{}, map[*Call]bool{}
	for _, c := range slices.Backward(order) {
		if group := walk(c, from, seen, nil); len(group) > 1 {
			for _, member := range group {
				round[member] = true
			}
		}
	}
	return round
}

// walk appends the calls that are reached from c and not seen, each behind all that it reaches.
func walk(c *Call, next map[*Call][]*Call, seen map[*Call]bool, order []*Call) []*Call {
	if seen[c] {
		return order
	}
	seen[c] = true
	for stack, at := []*Call{c}, []int{0}; len(stack) > 0; {
		top := len(stack) - 1
		if at[top] == len(next[stack[top]]) {
			order = append(order, stack[top])
			stack, at = stack[:top], at[:top]
			continue
		}
		to := next[stack[top]][at[top]]
		at[top]++
		if !seen[to] {
			seen[to] = true
			stack, at = append(stack, to), append(at, 0)
		}
	}
	return order
}
