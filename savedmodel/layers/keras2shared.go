package layers

import (
	"slices"

	"github.com/tfrun/tfrun/tensor"
)

// A layer that is called more than once has one row, which stands where its last call does or its
// first. So some of its calls take what layers in later rows give, as in a loop:
//
//	for _ in range(3):
//	    x = add([x, dense(x)])

// sharedShapes works out the shapes of all calls in the order in which they follow from each other,
// where some call takes what a layer in a later row gives.
func (n *network) sharedShapes(names []string, depth int) {
	if !n.functional || !n.takesLater(names) {
		return
	}
	var rows []*Layer
	for _, name := range names {
		if class := n.class(name); class != "InputLayer" {
			rows = append(rows, n.newRow(name, class))
		}
	}
	for budget, more := maxShared, true; more && budget > 0; {
		more = false
		for _, l := range rows {
			calls := n.callsOf(l.Name)
			for i := len(n.outs[l.Name]); i < calls; i++ {
				budget--
				in := n.inputsOf(l.Name, i, OutputShape{})
				if slices.ContainsFunc(in, func(s tensor.Shape) bool { return !s.Ranked() }) {
					break
				}
				n.outs[l.Name] = append(n.outs[l.Name], n.callOutput(l, in, i, calls, depth))
				more = true
			}
		}
	}
}

// maxShared bounds how many calls sharedShapes looks at, since it may look at each many times.
const maxShared = 100_000

// takesLater reports whether a call takes what a layer in a later row gives.
func (n *network) takesLater(names []string) bool {
	at := map[string]int{}
	for i, name := range names {
		at[name] = i
	}
	for i, name := range names {
		for _, call := range n.inbound[name] {
			for _, t := range call {
				if later, ok := at[t.layer]; ok && later > i && n.class(t.layer) != "InputLayer" {
					return true
				}
			}
		}
	}
	return false
}

// inOrder sorts steps so that each stands behind those whose results it takes, and behind the calls
// of its layer before it; else they stay in their order.
func inOrder(steps []*step) []*step {
	waits := map[tensorKey]bool{} // for steps that are still to come
	last := map[*Layer]*step{}
	before := map[*step]*step{}
	for _, st := range steps {
		for _, key := range st.out {
			waits[key] = true
		}
		before[st], last[st.layer] = last[st.layer], st
	}
	sorted := make([]*step, 0, len(steps))
	placed := map[*step]bool{nil: true}
	for rounds := 0; len(steps) > 0 && rounds < maxRounds; rounds++ {
		var later []*step
		for _, st := range steps {
			if !placed[before[st]] || slices.ContainsFunc(st.in, func(key tensorKey) bool { return waits[key] }) {
				later = append(later, st)
				continue
			}
			placed[st] = true
			sorted = append(sorted, st)
			for _, key := range st.out {
				delete(waits, key)
			}
		}
		if len(later) == len(steps) {
			break // of a damaged model, in a circle
		}
		steps = later
	}
	return append(sorted, steps...)
}

// maxRounds bounds how often inOrder goes through the steps: once for each time that a layer is
// called again.
const maxRounds = 1_000
