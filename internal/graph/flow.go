package graph

import (
	"maps"
	"slices"
)

// Flow follows tensors back to what they are made from, through the functions of a graph. Where
// a function is called from several places, its arguments come from all of them.
type Flow struct {
	Main      *Function
	functions map[string]*Function
	calls     map[*Node][]string    // the functions that a node uses
	callers   map[string][]callSite // the nodes that use a function
	Steps     int                   // that were made
}

// MaxSteps bounds how long tensors are followed. A model of 10,000 nodes takes some 50,000 steps.
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

// Flow decodes what is marked. feeds are the tensors of the main graph that a run feeds: they come
// from nowhere.
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

// stepsOfCallee is how many steps a function counts as that may run in the place of one that is
// called: noting it takes as long.
const stepsOfCallee = 8

// noteCalls notes the functions that a node uses, and those that may run in their place. These may
// be as many as the graph has functions, at each of as many calls, so they count as steps.
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

// All lists the main graph and the functions.
func (d *Flow) All() []*Function {
	return append([]*Function{d.Main}, slices.Collect(maps.Values(d.functions))...)
}

// Back adds to seen all that the given places are made from, these included. It does not recurse,
// and stops after MaxSteps.
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

// firstArgument returns which input of a node is the first argument of the functions that it calls;
// ok is false where it passes arguments in a way of its own.
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
	if IsLoop(c.n) { // or what the iteration before gave
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
		// a loop's condition gives one result
		from := append(d.results(n, p.Ref.Out), d.results(n, 0)...)
		return append(from, d.argument(callSite{p.F, n}, p.Ref.Out)...)
	}
	return append(d.results(n, p.Ref.Out), PlacesOf(p.F, n.Inputs[:min(first, len(n.Inputs))])...)
}

// results returns the places of result i of the functions that a node calls; of all results for -1.
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

// PlacesOf returns the tensors that refs are in a function.
func PlacesOf(f *Function, refs []Ref) []Place {
	list := make([]Place, len(refs))
	for i, r := range refs {
		list[i] = Place{f, r}
	}
	return list
}

// Origin follows a tensor back through what hands it on unchanged, or in another shape. It stops at
// an operation of another kind, or at an argument of the main graph: what is fed.
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

// handsOn are the ops whose result is their first input, element for element; those of tensor lists
// are how tf.map_fn takes a tensor apart.
var handsOn = map[string]bool{
	"Identity": true, "StopGradient": true, "PlaceholderWithDefault": true, "Reshape": true, "Squeeze": true, "ExpandDims": true,
	"TensorListFromTensor": true, "TensorListGetItem": true,
}
