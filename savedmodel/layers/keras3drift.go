package layers

import "math"

const whyAdrift = "several places between the layers that are known would fit a layer that leaves nothing"

// markAdrift marks the connections of all layers that may take the output of a hidden layer. The
// model lists its variables in the order of the table, by distance from the outputs. So a hidden
// layer is between its neighbours in that order, and the layer that takes its output comes after
// it.
func (k *keras3) markAdrift(g *mapGraph, depths map[string]int) {
	if len(k.adrift)*(len(g.sequence)+len(k.table.Layers)) > maxMoves {
		for _, r := range k.table.Layers {
			r.guess("output_shape", whyAdrift)
			if len(r.ConnectedTo) > 0 {
				r.guess("connected_to", whyAdrift)
			}
		}
		return
	}
	for _, d := range k.adrift {
		nearest, farthest := 0, math.MaxInt
		if d.before != nil {
			nearest = depths[d.before.name] - 1
		}
		if d.after != nil {
			farthest = depths[d.after.name]
		}
		behind := map[string]bool{}
		if d.direct {
			behind = g.behind(d.layer.name)
		}
		var rows []*Layer
		for _, r := range k.table.Layers {
			if depth := depths[r.Name]; depth >= nearest && depth <= farthest && (d.after == nil || r.Name != d.after.name) && !behind[r.Name] {
				rows = append(rows, r)
			}
		}
		// Another branch has layers at the same distance from the outputs.
		if d.direct && len(rows) > 0 {
			for _, l := range []*layerCalls{d.layer, d.before} {
				if r := k.made[l]; r != nil {
					rows = append(rows, r)
				}
			}
			if r := k.made[d.layer]; r != nil {
				r.guess("output_shape", whyAdrift)
			}
		}
		for _, r := range rows {
			if len(r.ConnectedTo) > 0 {
				r.guess("connected_to", whyAdrift)
			}
		}
	}
}

// looseSeed is a trace of a hidden layer: the state of a random number generator that belongs to no
// layer in the graph, or an object of the object graph without a layer that shows.
type looseSeed struct {
	number int // in the name that Keras gave it; -1: it has none
	// after and before are the nearest layers with weights around it, in the order of the
	// variables.
	after, before *layerCalls
	dropout       bool   // false if it is known not to be a Dropout's
	inner         bool   // it is a part of a layer that shows
	object        bool   // it is an object of the object graph, no generator
	place         int    // of the object among the layers' objects
	name          string // of the object, where Keras 2 traced the layer
	sure          bool   // it is certain that it is this object and not a neighbour
	// from and to are, for an object, the nearest layers with weights.
	from, to *layerCalls
}

// drift returns the hidden layer with the layers that it must be between.
func (s *looseSeed) drift(l *layerCalls, direct bool) *drift {
	if s.object && !s.sure {
		return &drift{l, s.from, s.to, direct}
	}
	return &drift{l, s.after, s.before, direct}
}
