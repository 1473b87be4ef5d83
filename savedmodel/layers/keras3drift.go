package layers

import "math"

const whyAdrift = "several places between the layers that are known would fit a layer that leaves nothing"

// markAdrift marks the connections of all layers that may be the ones to take what a hidden layer
// gives. The model's variables are listed in the order of the table, which is that of the distance
// from the outputs: a hidden layer stands there between its neighbours, and one that takes its
// output comes next.
func (k *keras3) markAdrift(g *mapGraph, depths map[string]int) {
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
		if d.direct && len(rows) > 0 { // another branch is as far from the outputs
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

// looseSeed is the state of a generator that belongs to no layer in the graph.
type looseSeed struct {
	number int // in the name that Keras gave it, -1 when it has none
	// the nearest layers with weights around it in the order of the variables
	after, before *layerCalls
	dropout       bool // false for one that is known not to be a Dropout's
	inner         bool // it is a part of a layer that shows
	object        bool // it is an object of the object graph, not a generator
	place         int  // of the object among the layers'
	sure          bool // that it is this object, and none of its neighbours
	// of an object, the nearest layers with weights
	from, to *layerCalls
}

// drift says between which layers the hidden one must stand.
func (s *looseSeed) drift(l *layerCalls, direct bool) *drift {
	if s.object && !s.sure {
		return &drift{l, s.from, s.to, direct}
	}
	return &drift{l, s.after, s.before, direct}
}
