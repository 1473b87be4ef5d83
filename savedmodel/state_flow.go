package savedmodel

import (
	"maps"
	"slices"
	"strings"
)

// dataFlow follows tensors back to what they are made from, through the functions of a graph. Where
// a function is called from several places, its arguments come from all of them.
type dataFlow struct {
	main      *function
	functions map[string]*function
	calls     map[*node][]string    // the functions that a node uses
	callers   map[string][]callSite // the nodes that use a function
	steps     int                   // that were made
}

// maxSteps bounds how long tensors are followed. A model of 10,000 nodes takes some 50,000 steps.
const maxSteps = 20_000_000

// place is a tensor: an argument of a function, or an output of a node.
type place struct {
	f *function
	r ref
}

// callSite is a node that uses a function.
type callSite struct {
	f *function
	n *node
}

// change is an operation that changes what a handle stands for.
type change struct {
	op     string
	inputs []place
	// what the handle may be; true for what runs share. Empty where that cannot be followed.
	holders map[*node]bool
}

// seenChanges returns the types of the operations that change what an answer of the signature is
// computed from, in this run or a later one. p has marked what the signature runs.
func (mg *MetaGraph) seenChanges(p *pruner, sig *Signature) (map[string]bool, error) {
	flow, err := mg.dataFlow(p, sig)
	if err != nil {
		return nil, err
	}
	changes := flow.changes()
	var answers []place
	for _, name := range sig.tensorNames(sig.Outputs) {
		answers = append(answers, place{flow.main, flow.main.mainRef(name)})
	}
	seen := map[string]bool{}
	made := flow.back(map[place]bool{}, answers...)
	// what is put into a variable that answers are made from may come from another one
	for size := -1; size != len(made) && flow.steps < maxSteps; {
		size = len(made)
		flow.steps += size
		holders := holdersIn(made)
		for _, c := range changes {
			for holder, shared := range c.holders {
				if _, ok := holders[holder]; ok {
					flow.back(made, c.inputs...)
					seen[c.op] = seen[c.op] || shared
				}
			}
			if len(c.holders) == 0 {
				flow.back(made, c.inputs...)
				seen[c.op] = true
			}
		}
	}
	if flow.steps > maxSteps { // better one worker than a wrong answer
		for _, c := range changes {
			seen[c.op] = true
		}
	}
	return seen, nil
}

// changes lists the operations that change what a handle stands for.
func (d *dataFlow) changes() []change {
	var list []change
	for _, f := range d.all() {
		for _, n := range f.nodes {
			if at, ok := handleInput(n.op); ok && at >= 0 {
				inputs := placesOf(f, n.inputs)
				handle := inputs[min(at, len(inputs)):min(at+1, len(inputs))]
				list = append(list, change{n.op, inputs, holdersIn(d.back(map[place]bool{}, handle...))})
			}
		}
	}
	return list
}

// holdersIn picks the nodes that make a variable, a table or an iterator. It says which of these
// are found again by later runs.
func holdersIn(places map[place]bool) map[*node]bool {
	holders := map[*node]bool{}
	for p := range places {
		if n := p.r.node; n != nil {
			if shared, ok := holderOps[n.op]; ok {
				holders[n] = shared && n.attrString("shared_name") != anonymousName
			}
		}
	}
	return holders
}

// dataFlow decodes what p has marked.
func (mg *MetaGraph) dataFlow(p *pruner, sig *Signature) (*dataFlow, error) {
	d := &dataFlow{functions: map[string]*function{}, calls: map[*node][]string{}, callers: map[string][]callSite{}}
	for name := range p.functions {
		f, err := mg.resolveFunction(name)
		if err != nil {
			return nil, err
		}
		d.functions[name] = f
	}
	if err := d.readMain(mg, p, sig); err != nil {
		return nil, err
	}
	implementations, err := p.implementations()
	if err != nil {
		return nil, mg.damaged("its function library", err)
	}
	for _, f := range d.all() {
		for _, n := range f.nodes {
			add := func(name string) {
				// one may run in the place of another
				for _, callee := range append([]string{name}, implementations.of[implementations.by[name]]...) {
					if d.functions[callee] != nil && !slices.Contains(d.calls[n], callee) {
						d.calls[n] = append(d.calls[n], callee)
						d.callers[callee] = append(d.callers[callee], callSite{f, n})
					}
				}
			}
			add(n.op) // TensorFlow 1 calls a function by an op of its name
			eachFunction(n.def.GetAttr(), add)
		}
	}
	return d, nil
}

// readMain decodes the main graph's part. What the signature feeds are its arguments, which come
// from nowhere.
func (d *dataFlow) readMain(mg *MetaGraph, p *pruner, sig *Signature) error {
	d.main = &function{byName: map[string]*node{}, argAt: map[string]int{}}
	for _, name := range sig.tensorNames(sig.Inputs) {
		d.main.argAt[strings.TrimSuffix(name, ":0")] = len(d.main.argAt)
	}
	for name := range p.nodes {
		def, err := mg.Node(name)
		if err != nil {
			return err
		}
		n := &node{name: name, op: def.GetOp(), def: def}
		d.main.nodes = append(d.main.nodes, n)
		d.main.byName[name] = n
	}
	for _, n := range d.main.nodes {
		for _, in := range n.def.GetInput() {
			if !strings.HasPrefix(in, "^") {
				n.inputs = append(n.inputs, d.main.mainRef(in))
			}
		}
	}
	return nil
}

// all lists the main graph and the functions.
func (d *dataFlow) all() []*function {
	return append([]*function{d.main}, slices.Collect(maps.Values(d.functions))...)
}

// back adds to seen all that the given places are made from, these included. It does not recurse,
// and stops after maxSteps.
func (d *dataFlow) back(seen map[place]bool, from ...place) map[place]bool {
	for todo := slices.Clone(from); len(todo) > 0 && d.steps < maxSteps; d.steps++ {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !p.r.ok() || seen[p] {
			continue
		}
		seen[p] = true
		if i, isArg := p.r.isArg(); isArg {
			d.steps += len(d.callers[p.f.name])
			for _, c := range d.callers[p.f.name] {
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
func (d *dataFlow) firstArgument(n *node) (at int, ok bool) {
	switch n.op {
	case "If", "StatelessIf", "Case", "StatelessCase": // the first input chooses the branch
		return 1, true
	}
	return 0, isCall(n.op) || isLoop(n) || d.functions[n.op] != nil
}

// argument returns what argument i of a function is made from at one of its calls.
func (d *dataFlow) argument(c callSite, i int) []place {
	first, ok := d.firstArgument(c.n)
	if !ok {
		return placesOf(c.f, c.n.inputs)
	}
	var from []place
	if i += first; i < len(c.n.inputs) {
		from = append(from, place{c.f, c.n.inputs[i]})
	}
	if isLoop(c.n) { // or what the iteration before gave
		from = append(from, d.results(c.n, i)...)
	}
	return from
}

// sources returns what an output of a node is made from.
func (d *dataFlow) sources(p place) []place {
	n := p.r.node
	if len(d.calls[n]) == 0 {
		return placesOf(p.f, n.inputs)
	}
	first, ok := d.firstArgument(n)
	switch {
	case !ok:
		return append(d.results(n, -1), placesOf(p.f, n.inputs)...)
	case isLoop(n):
		// a loop's condition gives one result
		from := append(d.results(n, p.r.out), d.results(n, 0)...)
		return append(from, d.argument(callSite{p.f, n}, p.r.out)...)
	}
	return append(d.results(n, p.r.out), placesOf(p.f, n.inputs[:min(first, len(n.inputs))])...)
}

// results returns the places of result i of the functions that a node calls; of all results for -1.
func (d *dataFlow) results(n *node, i int) []place {
	var list []place
	for _, name := range d.calls[n] {
		f := d.functions[name]
		for k, r := range f.rets {
			if i < 0 || i == k {
				list = append(list, place{f, r})
			}
		}
	}
	return list
}

func placesOf(f *function, refs []ref) []place {
	list := make([]place, len(refs))
	for i, r := range refs {
		list[i] = place{f, r}
	}
	return list
}
