package graph

import (
	"maps"
	"slices"
)

// Flow follows tensors back to what they are made from, into and out of functions. The arguments of
// a function that is called from several places come from all of these.
type Flow struct {
	Main      *Function
	functions map[string]*Function
	calls     map[*Node][]string    // functions that a node uses
	callers   map[string][]callSite // nodes that use a function
	Steps     int                   // number of steps made so far
}

// MaxSteps bounds how many steps tensors are followed. A model of 10,000 nodes takes some 50,000
// steps.
const MaxSteps = 4_000_000

// Place is a tensor: an argument of a function, or an output of a node.
type Place struct {
	F   *Function
	Ref Ref
}

// callSite is a node that uses a function.
type callSite struct {
	f *Function
	n *Node
}

// Flow decodes what is marked. feeds are the tensors of the main graph that a run feeds; nothing is
// followed beyond them.
func (p *Reach) Flow(feeds []string) (*Flow, error) {
	d := &Flow{functions: map[string]*Function{}, calls: map[*Node][]string{}, callers: map[string][]callSite{}}
	for name := range p.Functions {
		f, err := p.g.Resolve(name)
		if err != nil {
			return nil, err
		}
		d.functions[name] = f
	}
	var err error
	if d.Main, err = p.Main(feeds); err != nil {
		return nil, err
	}
	implementations, err := p.implementations()
	if err != nil {
		return nil, p.g.Damaged("its function library", err)
	}
	for _, f := range d.All() {
		for _, n := range f.Nodes {
			d.noteCalls(f, n, implementations)
		}
	}
	return d, nil
}

// stepsOfCallee is the number of steps that noting one more implementation of a called function
// counts as.
const stepsOfCallee = 8

// noteCalls notes the functions that a node uses, and the functions that may run in their place. A
// graph may have that many functions, at each of as many calls, so noting them counts as steps.
func (d *Flow) noteCalls(f *Function, n *Node, implementations implementations) {
	var seen map[string]bool
	note := func(callee string) {
		if d.functions[callee] == nil || seen[callee] {
			return
		}
		if seen == nil {
			seen = map[string]bool{}
		}
		seen[callee] = true
		d.calls[n] = append(d.calls[n], callee)
		d.callers[callee] = append(d.callers[callee], callSite{f, n})
	}
	add := func(name string) {
		note(name)
		group := implementations.of[implementations.by[name]]
		if d.Steps += stepsOfCallee * len(group); d.Steps > MaxSteps {
			return
		}
		for _, callee := range group {
			note(callee)
		}
	}
	add(n.Op) // TensorFlow 1 calls a function by an op of its name
	EachFunction(n.Def.GetAttr(), add)
}

// All lists the main graph and its functions.
func (d *Flow) All() []*Function {
	return append([]*Function{d.Main}, slices.Collect(maps.Values(d.functions))...)
}

// Back adds to seen all places that the given ones are made from, and the given ones. It does not
// recurse, and stops after MaxSteps.
func (d *Flow) Back(seen map[Place]bool, from ...Place) map[Place]bool {
	for todo := slices.Clone(from); len(todo) > 0 && d.Steps < MaxSteps; d.Steps++ {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !p.Ref.OK() || seen[p] {
			continue
		}
		seen[p] = true
		if i, isArg := p.Ref.IsArg(); isArg {
			d.Steps += len(d.callers[p.F.Name])
			for _, c := range d.callers[p.F.Name] {
				todo = append(todo, d.argument(c, i)...)
			}
			continue
		}
		todo = append(todo, d.sources(p)...)
	}
	return seen
}

// firstArgument returns which input of a node is the first argument of the functions that it calls.
// ok is false for nodes whose arguments are not a run of their inputs.
func (d *Flow) firstArgument(n *Node) (at int, ok bool) {
	switch n.Op {
	case "If", "StatelessIf", "Case", "StatelessCase": // the first input chooses the branch
		return 1, true
	}
	return 0, IsCall(n.Op) || IsLoop(n) || d.functions[n.Op] != nil
}

// argument returns what argument i of a function is made from at one of its calls.
func (d *Flow) argument(c callSite, i int) []Place {
	first, ok := d.firstArgument(c.n)
	if !ok {
		return PlacesOf(c.f, c.n.Inputs)
	}
	var from []Place
	if i += first; i < len(c.n.Inputs) {
		from = append(from, Place{c.f, c.n.Inputs[i]})
	}
	if IsLoop(c.n) { // or the result of the iteration before
		from = append(from, d.results(c.n, i)...)
	}
	return from
}

// sources returns what an output of a node is made from.
func (d *Flow) sources(p Place) []Place {
	n := p.Ref.Node
	if len(d.calls[n]) == 0 {
		return PlacesOf(p.F, n.Inputs)
	}
	first, ok := d.firstArgument(n)
	switch {
	case !ok:
		return append(d.results(n, -1), PlacesOf(p.F, n.Inputs)...)
	case IsLoop(n):
		// A loop's condition has one result, which decides on all.
		from := append(d.results(n, p.Ref.Out), d.results(n, 0)...)
		return append(from, d.argument(callSite{p.F, n}, p.Ref.Out)...)
	}
	return append(d.results(n, p.Ref.Out), PlacesOf(p.F, n.Inputs[:min(first, len(n.Inputs))])...)
}

// results returns the places of result i of the functions that a node calls; with i -1, of all
// results.
func (d *Flow) results(n *Node, i int) []Place {
	var list []Place
	for _, name := range d.calls[n] {
		f := d.functions[name]
		for k, r := range f.Rets {
			if i < 0 || i == k {
				list = append(list, Place{f, r})
			}
		}
	}
	return list
}

// PlacesOf returns the places of a function's references.
func PlacesOf(f *Function, refs []Ref) []Place {
	list := make([]Place, len(refs))
	for i, r := range refs {
		list[i] = Place{f, r}
	}
	return list
}

// Origin follows a tensor back through operations that only pass it on, possibly in another shape.
// It stops at any other operation, or at an argument of the main graph, which a run feeds.
func (d *Flow) Origin(p Place) Place {
	for range 10_000 {
		if i, isArg := p.Ref.IsArg(); isArg {
			sites := d.callers[p.F.Name]
			if p.F == d.Main || len(sites) == 0 {
				return p
			}
			first, ok := d.firstArgument(sites[0].n)
			if i += first; !ok || i >= len(sites[0].n.Inputs) {
				return Place{}
			}
			p = Place{sites[0].f, sites[0].n.Inputs[i]}
			continue
		}
		n := p.Ref.Node
		if n == nil || !handsOn[n.Op] || len(n.Inputs) == 0 {
			return p
		}
		p = Place{p.F, n.Inputs[0]}
	}
	return Place{}
}

// handsOn are the ops whose result has the elements of their first input. Those of tensor lists are
// how tf.map_fn splits a tensor into steps.
var handsOn = map[string]bool{
	"Identity": true, "StopGradient": true, "PlaceholderWithDefault": true, "Reshape": true, "Squeeze": true, "ExpandDims": true,
	"TensorListFromTensor": true, "TensorListGetItem": true,
}
