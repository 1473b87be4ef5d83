package scopes

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
)

// connect finds out what the calls take from each other, and which variables they read.
func (s *Scope) connect(rets []graph.Ref) {
	for _, r := range rets {
		s.Rets = append(s.Rets, s.Source(r))
	}
	for _, c := range s.Calls {
		for _, n := range c.Nodes {
			if n.Op == "Cast" && slices.ContainsFunc(s.Users[n], func(u *graph.Node) bool { return s.Owner[u] == c }) {
				// The input of a cast counts where the result is used: the order of uses is that of
				// the arguments.
				continue
			}
			for _, in := range n.Inputs {
				s.connectInput(c, s.throughCasts(c, in))
			}
		}
	}
	for _, r := range s.Rets {
		if o := s.Owner[r.Node]; o != nil && !s.gone[o] {
			o.addOutput(r)
		}
	}
	for _, c := range s.Calls {
		c.orderOutputs()
		for _, r := range c.Outs {
			shape, _ := s.b.Shape(r)
			c.Shapes = append(c.Shapes, shape)
		}
	}
	for _, c := range s.Calls {
		s.sortInputs(c)
	}
}

// sortInputs separates masks from data, and lists a tensor twice that a merge takes twice.
func (s *Scope) sortInputs(c *Call) {
	var data []Edge
	for _, e := range c.Ins {
		switch {
		// no call of a function in Keras 2
		case e.Ref.Node != nil && IsBool(e.Ref.Node) && (e.From == nil || !strings.HasPrefix(e.From.Raw, "tf.")):
			if e.From != nil && e.From.Op {
				c.Masks = append(c.Masks, e)
			}
		case e.From == nil || slices.Contains(e.From.Outs, e.Ref):
			data = append(data, e)
		}
	}
	if len(data) == 0 {
		c.Masks = nil
		return
	}
	c.Ins = data
	if all := s.mergeInputs(c); len(all) > len(data) {
		c.Ins = all
	}
}

// mergingOps combine tensors of equal standing.
var mergingOps = map[string]bool{"AddV2": true, "Add": true, "Sub": true, "Mul": true, "Maximum": true, "Minimum": true, "ConcatV2": true, "RealDiv": true}

// mergeInputs returns all tensors that a merge takes, as often as it takes each; nil when c is no
// merge.
func (s *Scope) mergeInputs(c *Call) []Edge {
	var all []Edge
	for _, n := range c.Nodes {
		if QuietOps[n.Op] || n.Op == "Cast" {
			continue
		}
		if !mergingOps[n.Op] && !strings.HasPrefix(c.Raw, "tf.") || len(c.Vars) > 0 {
			return nil
		}
		for _, in := range n.Inputs {
			r := s.Source(s.throughCasts(c, in))
			if i := slices.IndexFunc(c.Ins, func(e Edge) bool { return e.Ref == r }); i >= 0 {
				all = append(all, c.Ins[i])
			}
		}
	}
	return all
}

// throughCasts follows a tensor back through casts within a call.
func (s *Scope) throughCasts(c *Call, r graph.Ref) graph.Ref {
	for range s.b.Nodes { // which may go round in a circle
		if r.Node == nil || r.Node.Op != "Cast" || s.Owner[r.Node] != c || len(r.Node.Inputs) == 0 {
			break
		}
		r = r.Node.Inputs[0]
	}
	return r
}

// connectInput notes that a node of c takes in.
func (s *Scope) connectInput(c *Call, in graph.Ref) {
	r := s.Source(in)
	if i, ok := r.IsArg(); ok {
		switch v := s.b.Variables[i]; {
		case v != nil:
			if !slices.Contains(c.Vars, v) {
				c.Vars = append(c.Vars, v)
			}
		case !s.b.Captured[i]:
			c.addInput(Edge{nil, r})
		}
		return
	}
	o := s.Owner[r.Node]
	switch {
	case r.Node == nil || o == c:
	case !s.inside[r.Node]:
		c.addInput(Edge{nil, r})
	case o == nil || s.gone[o]:
	default:
		o.addOutput(r)
		c.addInput(Edge{o, r})
	}
}

func (c *Call) addInput(e Edge) {
	if !slices.Contains(c.Ins, e) {
		c.Ins = append(c.Ins, e)
	}
}

func (c *Call) addOutput(r graph.Ref) {
	if !slices.Contains(c.Outs, r) {
		c.Outs = append(c.Outs, r)
	}
}

// orderOutputs sorts the outputs of a call in the order of the layer's results: as the graph makes
// them, but the states of a loop behind what is made of its sequence. Masks are left out where the
// call has other outputs.
func (c *Call) orderOutputs() {
	data := slices.DeleteFunc(slices.Clone(c.Outs), func(r graph.Ref) bool { return IsBool(r.Node) })
	if len(data) > 0 {
		c.Outs = data
	}
	loop := func(r graph.Ref) int {
		if r.Node.Op == "While" || r.Node.Op == "StatelessWhile" {
			return 1
		}
		return 0
	}
	slices.SortFunc(c.Outs, func(a, b graph.Ref) int {
		if d := loop(a) - loop(b); d != 0 {
			return d
		}
		if d := a.Node.Index - b.Node.Index; d != 0 {
			return d
		}
		return a.Out - b.Out
	})
}

// Source follows a tensor back through the operations between layers that only pass it on.
func (s *Scope) Source(r graph.Ref) graph.Ref {
	for range len(s.b.Nodes) {
		r = s.b.Source(r)
		c := s.Owner[r.Node]
		if r.Node == nil || c == nil || !s.gone[c] || IsBool(r.Node) || !PassesOn(r.Node) || len(r.Node.Inputs) == 0 {
			return r
		}
		r = r.Node.Inputs[0]
	}
	return r
}
