package savedmodel

import "github.com/tfrun/tfrun/internal/graph"

// change is an operation that changes what a handle stands for.
type change struct {
	op     string
	inputs []graph.Place
	// what the handle may be; true for what runs share. Empty where that cannot be followed.
	holders map[*graph.Node]bool
}

// seenChanges returns the types of the operations that change what an answer of the signature is
// computed from, in this run or a later one. p has marked what the signature runs.
func seenChanges(p *graph.Reach, sig *Signature) (map[string]bool, error) {
	flow, err := p.Flow(sig.Tensors(sig.Inputs))
	if err != nil {
		return nil, err
	}
	changes := changesOf(flow)
	var answers []graph.Place
	for _, name := range sig.Tensors(sig.Outputs) {
		answers = append(answers, graph.Place{F: flow.Main, Ref: flow.Main.MainRef(name)})
	}
	seen := map[string]bool{}
	made := flow.Back(map[graph.Place]bool{}, answers...)
	// what is put into a variable that answers are made from may come from another one
	for size := -1; size != len(made) && flow.Steps < graph.MaxSteps; {
		size = len(made)
		flow.Steps += size
		holders := holdersIn(made)
		for _, c := range changes {
			for holder, shared := range c.holders {
				if _, ok := holders[holder]; ok {
					flow.Back(made, c.inputs...)
					seen[c.op] = seen[c.op] || shared
				}
			}
			if len(c.holders) == 0 {
				flow.Back(made, c.inputs...)
				seen[c.op] = true
			}
		}
	}
	if flow.Steps > graph.MaxSteps { // better one worker than a wrong answer
		for _, c := range changes {
			seen[c.op] = true
		}
	}
	return seen, nil
}

// changesOf lists the operations that change what a handle stands for.
func changesOf(d *graph.Flow) []change {
	var list []change
	for _, f := range d.All() {
		for _, n := range f.Nodes {
			if at, ok := handleInput(n.Op); ok && at >= 0 {
				inputs := graph.PlacesOf(f, n.Inputs)
				handle := inputs[min(at, len(inputs)):min(at+1, len(inputs))]
				list = append(list, change{n.Op, inputs, holdersIn(d.Back(map[graph.Place]bool{}, handle...))})
			}
		}
	}
	return list
}

// holdersIn picks the nodes that make a variable, a table or an iterator. It says which of these
// are found again by later runs.
func holdersIn(places map[graph.Place]bool) map[*graph.Node]bool {
	holders := map[*graph.Node]bool{}
	for p := range places {
		if n := p.Ref.Node; n != nil {
			if shared, ok := holderOps[n.Op]; ok {
				holders[n] = shared && n.AttrString("shared_name") != anonymousName
			}
		}
	}
	return holders
}
