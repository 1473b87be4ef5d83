package scopes

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
)

// connect finds out what the calls take from each other, and which variables they read.
func (s *Scope) connect(rets []graph.Ref) {
	l := &links{ins: map[link[Edge]]bool{}, outs: map[link[graph.Ref]]bool{}, vars: map[link[*savedmodel.Variable]]bool{}}
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
				s.connectInput(l, c, s.throughCasts(c, in))
			}
		}
	}
	for _, r := range s.Rets {
		if o := s.Owner[r.Node]; o != nil && !s.gone[o] {
			l.addOutput(o, r)
		}
	}
	clear(l.outs)
	for _, c := range s.Calls {
		c.orderOutputs()
		for _, r := range c.Outs {
			shape, _ := s.b.Shape(r)
			c.Shapes = append(c.Shapes, shape)
			l.outs[link[graph.Ref]{c, r}] = true
		}
	}
	for _, c := range s.Calls {
		s.sortInputs(l, c)
	}
}

// links are what calls take, give and read, as far as it is known: each once.
type links struct {
	ins  map[link[Edge]]bool
	outs map[link[graph.Ref]]bool
	vars map[link[*savedmodel.Variable]]bool
}

// link is something of a call.
type link[T any] struct {
	call *Call
	to   T
}

func (l *links) addInput(c *Call, e Edge) {
	if at := (link[Edge]{c, e}); !l.ins[at] {
		l.ins[at] = true
		c.Ins = append(c.Ins, e)
	}
}

func (l *links) addOutput(c *Call, r graph.Ref) {
	if at := (link[graph.Ref]{c, r}); !l.outs[at] {
		l.outs[at] = true
		c.Outs = append(c.Outs, r)
	}
}

func (l *links) addVariable(c *Call, v *savedmodel.Variable) {
	if at := (link[*savedmodel.Variable]{c, v}); !l.vars[at] {
		l.vars[at] = true
		c.Vars = append(c.Vars, v)
	}
}

// sortInputs separates masks from data, and lists a tensor twice that a merge takes twice.
func (s *Scope) sortInputs(l *links, c *Call) {
	var data []Edge
	for _, e := range c.Ins {
		switch {
		// no call of a function in Keras 2
		case e.Ref.Node != nil && IsBool(e.Ref.Node) && (e.From == nil || !strings.HasPrefix(e.From.Raw, "tf.")):
			if e.From != nil && e.From.Op {
				c.Masks = append(c.Masks, e)
			}
		case e.From == nil || l.outs[link[graph.Ref]{e.From, e.Ref}]:
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
	taken := make(map[graph.Ref]Edge, len(c.Ins))
	for _, e := range slices.Backward(c.Ins) { // the first of a tensor is left
		taken[e.Ref] = e
	}
	for _, n := range c.Nodes {
		if QuietOps[n.Op] || n.Op == "Cast" {
			continue
		}
		if !mergingOps[n.Op] && !strings.HasPrefix(c.Raw, "tf.") || len(c.Vars) > 0 {
			return nil
		}
		for _, in := range n.Inputs {
			r := s.Source(s.throughCasts(c, in))
			if e, ok := taken[r]; ok {
				all = append(all, e)
			}
		}
	}
	return all
}

// throughCasts follows a tensor back through casts within a call.
func (s *Scope) throughCasts(c *Call, r graph.Ref) graph.Ref {
	if r.Node == nil || s.Owner[r.Node] != c {
		return r
	}
	return s.back(s.uncast, r, func(r graph.Ref) graph.Ref {
		if r.Node == nil || r.Node.Op != "Cast" || s.Owner[r.Node] != c || len(r.Node.Inputs) == 0 {
			return graph.Ref{}
		}
		return r.Node.Inputs[0]
	})
}

// back follows a tensor back by steps, until there is none. What it finds is kept in known, since
// many tensors may lead back through one.
func (s *Scope) back(known map[graph.Ref]graph.Ref, r graph.Ref, step func(graph.Ref) graph.Ref) graph.Ref {
	var passed []graph.Ref
	for range s.b.Nodes { // which may go round in a circle
		from, ok := known[r]
		if ok {
			r = from
			break
		}
		if from = step(r); !from.OK() {
			break
		}
		passed = append(passed, r)
		r = from
	}
	for _, p := range passed {
		known[p] = r
	}
	return r
}

// connectInput notes that a node of c takes in.
func (s *Scope) connectInput(l *links, c *Call, in graph.Ref) {
	r := s.Source(in)
	if i, ok := r.IsArg(); ok {
		switch v := s.b.Variables[i]; {
		case v != nil:
			l.addVariable(c, v)
		case !s.b.Captured[i]:
			l.addInput(c, Edge{nil, r})
		}
		return
	}
	o := s.Owner[r.Node]
	switch {
	case r.Node == nil || o == c:
	case !s.inside[r.Node]:
		l.addInput(c, Edge{nil, r})
	case o == nil || s.gone[o]:
	default:
		l.addOutput(o, r)
		l.addInput(c, Edge{o, r})
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
func (s *Scope) Source(r graph.Ref) graph.Ref { return s.back(s.sources, r, s.passes) }

// passes returns the tensor that an operation between layers only passes on as r, or none.
func (s *Scope) passes(r graph.Ref) graph.Ref {
	if r.Node == nil || len(r.Node.Inputs) == 0 {
		return graph.Ref{}
	}
	c := s.Owner[r.Node]
	identity := r.Node.Op == "Identity" && len(r.Node.Parts) == 1
	if identity || c != nil && s.gone[c] && !IsBool(r.Node) && PassesOn(r.Node) {
		return r.Node.Inputs[0]
	}
	return graph.Ref{}
}
