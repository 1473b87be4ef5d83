package savedmodel

import (
	"maps"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
)

// State says which operations of a signature make one run differ from the next on the same inputs.
//
// TensorFlow marks an op as stateful (OpDef.is_stateful) when it "depends on some state beyond its
// input tensors" or has a side effect. Reading a variable is such an op, and so is calling a
// function, so that mark alone says nothing of a model. Told apart here is what a later run's
// answers depend on.
type State struct {
	// Changes are the types of the operations that change what the answers of a later run are
	// computed from, sorted: assignments of variables, insertions into tables, queues, iterators.
	// Runs have to come one after the other, in order, for their answers to be those of the model.
	Changes []string
	// Unseen are the types of the operations that change what no answer of this signature is
	// computed from, sorted: another signature may read it.
	Unseen []string
	// Random are the types of the operations that draw random numbers or read the clock, sorted.
	// Answers may differ from run to run, in any order.
	Random []string
}

// Stateful reports whether the order of runs matters.
func (s State) Stateful() bool { return len(s.Changes) > 0 }

// Keeps reports whether TensorFlow may hold on to the values that a run is fed, as a variable does
// that is set to them. Their memory is not to be written to again, then.
func (s State) Keeps() bool { return len(s.Changes)+len(s.Unseen) > 0 }

// OrderShows reports whether runs in another order, or side by side, may give other answers: the
// signature keeps state, or draws random numbers one after the other.
func (s State) OrderShows() bool { return s.Stateful() || len(s.Random) > 0 }

// State finds the operations that running the signature reaches, through functions, branches and
// loops, and that leave something behind. What a loader alone runs does not count: restoring
// variables, filling tables. Neither does what other functions of the model hold, such as the
// moving averages that training a batch normalization updates; nor what is made anew in each run,
// such as an anonymous table or a tf.TensorArray; nor what no answer of the signature is computed
// from, such as the seed that a Keras 3 LSTM draws for a dropout that is idle outside of training.
func (mg *MetaGraph) State(sig *Signature) (State, error) {
	p, err := mg.graph.Reach()
	if err != nil {
		return State{}, err
	}
	p.Ops = map[string]bool{}
	p.Feed(sig.Tensors(sig.Inputs))
	if err := p.Mark(sig.Tensors(sig.Outputs)); err != nil {
		return State{}, err
	}
	var s State
	var seen map[string]bool
	for _, op := range slices.Sorted(maps.Keys(p.Ops)) {
		at, changes := handleInput(op)
		if changes && at >= 0 && seen == nil {
			if seen, err = seenChanges(p, sig); err != nil {
				return State{}, err
			}
		}
		switch {
		case changes && (at < 0 || seen[op]):
			s.Changes = append(s.Changes, op)
		case changes:
			s.Unseen = append(s.Unseen, op)
		}
		if randomOps[op] {
			s.Random = append(s.Random, op)
		}
	}
	return s, nil
}

// handleInput reports whether an op changes what a later run reads, and which of its inputs is the
// handle of what it changes; -1 where the op itself, or the session, keeps that.
func handleInput(op string) (at int, changes bool) {
	if at, changes = stateOps[op]; changes {
		return at, true
	}
	for _, optimizer := range []string{"ResourceApply", "ResourceSparseApply", "Apply", "SparseApply"} {
		if strings.HasPrefix(op, optimizer) {
			return 0, true
		}
	}
	return 0, false
}

// Operations lists the types of the operations that a signature reaches, those in the functions
// that it calls included, in alphabetical order.
func (mg *MetaGraph) Operations(s *Signature) ([]string, error) {
	p, err := mg.graph.Reach()
	if err != nil {
		return nil, err
	}
	p.CPUOnly, p.Ops = true, map[string]bool{}
	if err := p.Mark(s.Tensors(s.Outputs)); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(p.Ops)), nil
}

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
	if flow.Steps >= graph.MaxSteps { // better one worker than a wrong answer
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
