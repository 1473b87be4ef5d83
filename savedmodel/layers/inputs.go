package layers

import (
	"slices"

	"github.com/tfrun/tfrun/internal/graph"
)

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
