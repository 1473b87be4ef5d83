package layers

import (
	"math"
	"slices"

	"github.com/tfrun/tfrun/savedmodel"
)

// keepsShapes says of classes without variables whether their objects keep the shapes they were
// built for, which they do if Keras wraps their build method. Objects of other classes may keep
// shapes or not.
var keepsShapes = func() map[string]bool {
	keeps := map[string]bool{}
	for _, class := range []string{
		"Add", "Attention", "AdditiveAttention", "Average", "CategoryEncoding", "CenterCrop", "Concatenate", "Dot", "Flatten", "Lambda", "Maximum", "Minimum", "Multiply", "RandomFlip",
		"Subtract",
	} {
		keeps[class] = true
	}
	for _, class := range []string{
		"Activation", "Dropout", "InputLayer", "LeakyReLU", "ReLU", "ELU", "Softmax", "Identity", "Permute", "ZeroPadding2D", "Masking", "Rescaling",
	} {
		keeps[class] = false
	}
	return keeps
}()

// The costs of matching objects and layers other than one to one in order. An object may be a layer
// that does not show, above all if it keeps no shapes. An operation of keras.ops may leave several
// rows.
const (
	costHidden    = 1 // a hidden object that keeps shapes, or an operation
	costUnlike    = 2 // an object that its class rules out
	costOperation = 4 // an operation's row without an object
	costNever     = 1000
)

// alignObjects finds which object belongs to which layer that shows. It returns the objects that
// belong to none: hidden layers.
func (k *keras3) alignObjects() []*looseSeed {
	objects := firstOfOwner(k.layerObjects())
	if len(objects) == 0 || len(objects) > maxCalls {
		return nil
	}
	order := k.provisionalOrder()
	taken := map[string]bool{}
	at := map[string]int{}
	for i, name := range order {
		at[name] = i
		if l := k.byName[name]; l != nil && len(l.vars) > 0 {
			taken[name] = true
		}
	}
	for _, o := range objects {
		if o.owner != nil {
			taken[o.owner.name] = true
		}
	}
	k.places, k.unnamed = map[string]int{}, map[string]bool{}
	inputs := k.inputPlaces(objects, order, taken)
	var hidden []*looseSeed
	layerAt := make([]*layerCalls, len(objects))
	var waiting []string // layers before next that no object belongs to so far
	next := 0
	for i := 0; i < len(objects); {
		end := i
		for end < len(objects) && objects[end].owner == nil {
			end++
		}
		until := math.MaxInt
		if end < len(objects) {
			layerAt[end] = objects[end].owner
			k.places[objects[end].owner.name] = end
			until = at[objects[end].owner.name]
		}
		for ; next < min(until, len(order)); next++ {
			waiting = append(waiting, order[next])
		}
		waiting = slices.DeleteFunc(waiting, func(name string) bool { return taken[name] })
		var open []string // layers without variables in between
		for _, name := range waiting {
			if at[name] < until {
				open = append(open, name)
			}
		}
		var places []int // of the objects in between that are open
		var between []layerObject
		for j := i; j < end; j++ {
			if !inputs[j] {
				places, between = append(places, j), append(between, objects[j])
			}
		}
		picked, sure := k.pair(between, open)
		for n, j := range places {
			name := picked[n]
			switch {
			case name == "" && objects[j].id < 0:
				continue
			case name == "":
				hidden = append(hidden, &looseSeed{number: -1, dropout: true, object: true, place: j, sure: sure, name: objects[j].name})
				continue
			}
			taken[name] = true
			k.places[name], k.unnamed[name] = j, k.mg.Framework == savedmodel.Keras2
			layerAt[j] = k.byName[name]
		}
		i = end + 1
	}
	for _, s := range hidden {
		for i, l := range layerAt[:s.place] {
			if l != nil {
				s.after = l
			}
			if objects[i].owner != nil {
				s.from = l
			}
		}
		for i, l := range slices.Backward(layerAt[s.place:]) {
			if l != nil {
				s.before = l
			}
			if objects[s.place+i].owner != nil {
				s.to = l
			}
		}
	}
	return hidden
}

// firstOfOwner leaves out objects that seem to belong to the layer of an object before them: one of
// the two holds the other, and both have its variables.
func firstOfOwner(objects []layerObject) []layerObject {
	seen := map[*layerCalls]bool{}
	return slices.DeleteFunc(objects, func(o layerObject) bool {
		again := o.owner != nil && seen[o.owner]
		seen[o.owner] = true
		return again
	})
}

// inputPlaces matches the objects of inputs of a Keras 2 model, which say that they are, to the
// model's inputs in their order, wherever the connections would have them. It notes their names in
// taken, and returns their places; nil where there are more or fewer objects than inputs.
func (k *keras3) inputPlaces(objects []layerObject, order []string, taken map[string]bool) map[int]bool {
	if k.mg.Framework != savedmodel.Keras2 {
		return nil
	}
	var names []string
	for _, name := range order {
		if l := k.byName[name]; l == nil || l.class == "InputLayer" {
			names = append(names, name)
		}
	}
	var found []int
	for i, o := range objects {
		if o.id >= 0 && k.objs.Nodes[o.id].GetUserObject().GetIdentifier() == inputObject {
			found = append(found, i)
		}
	}
	if len(found) != len(names) {
		return nil
	}
	places := map[int]bool{}
	for i, place := range found {
		name := names[i]
		places[place], taken[name] = true, true
		k.places[name], k.unnamed[name] = place, true
	}
	return places
}

// pair matches objects without variables to layers, both in order. It returns a name for each
// object, "" for a hidden one. sure is false if other matches would cost no more, or if there are
// too many to look at.
func (k *keras3) pair(objects []layerObject, open []string) (names []string, sure bool) {
	n, m := len(objects), len(open)
	names = make([]string, n)
	if n*m > maxPairs {
		return names, false
	}
	cost := make([][]int, n+1) // for the objects from i on and the layers from j on
	ways := make([][]int, n+1)
	for i := n; i >= 0; i-- {
		cost[i], ways[i] = make([]int, m+1), make([]int, m+1)
		for j := m; j >= 0; j-- {
			if i == n && j == m {
				ways[i][j] = 1
				continue
			}
			cost[i][j] = math.MaxInt32
			for _, s := range k.pairSteps(objects, open, i, j) {
				switch c := cost[s.i][s.j] + s.cost; {
				case c < cost[i][j]:
					cost[i][j], ways[i][j] = c, ways[s.i][s.j]
				case c == cost[i][j]:
					ways[i][j] = min(ways[i][j]+ways[s.i][s.j], 2)
				}
			}
		}
	}
	for i, j := 0, 0; i < n; {
		for _, s := range k.pairSteps(objects, open, i, j) {
			if cost[s.i][s.j]+s.cost == cost[i][j] {
				if s.i > i && s.j > j {
					names[i] = open[j]
				}
				i, j = s.i, s.j
				break
			}
		}
	}
	return names, ways[0][0] == 1
}

// maxPairs bounds the pairs of objects and layers that [keras3.pair] looks at.
const maxPairs = 1_000_000

// pairStep is a way on from object i and layer j, with its cost.
type pairStep struct{ i, j, cost int }

// pairSteps lists the ways on from object i and layer j: they match, the object is hidden, or the
// layer has no object here.
func (k *keras3) pairSteps(objects []layerObject, open []string, i, j int) []pairStep {
	var steps []pairStep
	if i < len(objects) && j < len(open) {
		steps = append(steps, pairStep{i + 1, j + 1, k.unlike(objects[i], open[j])})
	}
	if i < len(objects) {
		shows := objects[i].built || objects[i].id < 0 || k.mg.Framework == savedmodel.Keras2
		steps = append(steps, pairStep{i + 1, j, costHidden * when(shows)})
	}
	if j < len(open) {
		cost := costNever
		if l := k.byName[open[j]]; l != nil && l.op {
			cost = costOperation
		}
		steps = append(steps, pairStep{i, j + 1, cost})
	}
	return steps
}

// unlike returns the cost of taking an object for the layer of a name.
func (k *keras3) unlike(o layerObject, name string) int {
	l := k.byName[name]
	class := "InputLayer"
	if l != nil {
		class = l.class
	}
	if op := l != nil && l.op; op || o.id < 0 {
		if op && o.id < 0 {
			return 0
		}
		return costNever
	}
	if k.mg.Framework == savedmodel.Keras2 {
		return k.unlike2(o, name, class)
	}
	if keeps, known := keepsShapes[class]; known && keeps != o.built {
		return costUnlike
	}
	return 0
}

func when(b bool) int {
	if b {
		return 1
	}
	return 0
}

// provisionalOrder lists the names of the rows in the order that they would have without hidden
// layers.
func (k *keras3) provisionalOrder() []string {
	if k.isGraph() {
		g, depths, _ := k.mapLayers()
		return g.order(depths)
	}
	var names []string
	for _, l := range k.layers {
		names = append(names, l.name)
	}
	return names
}
