package layers

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
)

// addUncalled adds the layers that a model of one's own class has and never calls, such as the
// teacher of a distilled student. Of such a layer only its variables show, and its object where the
// files hold layers. Models of Keras' own classes call all their layers.
func (k *keras3) addUncalled() {
	if !k.mayHaveUncalled() {
		return
	}
	if !k.holdsLayers() {
		for _, v := range k.weights {
			if name := k.layerOf(v); k.owner[v] == nil && name != "" && name != k.prefix && (k.byName[name] == nil || k.byName[name].uncalled) {
				k.addVariable(name, v)
			}
		}
		return
	}
	place, seen := k.placesOfWeights(), map[int]bool{}
	attributes := k.attributes()
	for _, o := range k.layerObjects() {
		if o.id < 0 || o.owner != nil {
			continue
		}
		vars := k.variablesBelow(o.id, place, seen)
		name := o.name
		if name == "" && len(vars) > 0 {
			name = k.nameAbove(attributes[o.id], vars)
		}
		if name == "" || k.byName[name] != nil && o.name != "" {
			continue
		}
		k.addUncalledLayer(name, vars)
	}
}

// mayHaveUncalled reports whether the model may be of one's own class.
func (k *keras3) mayHaveUncalled() bool {
	if k.mg.Framework == savedmodel.Keras2 {
		return !keras2Model.MatchString(k.table.ModelName) && (!k.holdsLayers() || k.rootKind() == modelObject)
	}
	return k.ownClass()
}

// placesOfWeights returns the place of each weight in the model's order.
func (k *keras3) placesOfWeights() map[*savedmodel.Variable]int {
	place := make(map[*savedmodel.Variable]int, len(k.weights))
	for i, v := range k.weights {
		place[v] = i
	}
	return place
}

// addUncalledLayer makes a layer of a likely name that is never called.
func (k *keras3) addUncalledLayer(name string, vars []*savedmodel.Variable) {
	base := name
	for i := k.numbers[namesakeMark+base]; k.byName[name] != nil; i++ {
		name = namesake(base, i)
		k.numbers[namesakeMark+base] = i
	}
	for _, v := range vars {
		k.addVariable(name, v)
	}
}

// attributes returns the attributes of the model by the objects that they are, or that are in
// them, as in a list.
func (k *keras3) attributes() map[int]string {
	of := map[int]string{}
	add := func(id int, attribute string) {
		if _, ok := of[id]; !ok {
			of[id] = attribute
		}
	}
	// "layer-1" is Keras 2's, beside the attribute
	passed := func(attribute string) bool { return strings.Contains(attribute, "-") || bookkeeping[attribute] }
	for _, c := range k.objs.Nodes[0].GetChildren() {
		if !passed(c.GetLocalName()) {
			add(int(c.GetNodeId()), c.GetLocalName())
		}
	}
	seen := map[int32]bool{} // many attributes may be one object
	for _, c := range k.objs.Nodes[0].GetChildren() {
		if passed(c.GetLocalName()) || seen[c.GetNodeId()] {
			continue
		}
		seen[c.GetNodeId()] = true
		for _, inner := range k.objs.Nodes[c.GetNodeId()].GetChildren() {
			add(int(inner.GetNodeId()), c.GetLocalName())
		}
	}
	return of
}

// nameAbove returns the name of a layer by its variables' paths: the first part that they share, or
// else, as of a Functional, whose name is in none of them, and of a layer that was built under the
// model's name alone, the attribute of the model that it is.
func (k *keras3) nameAbove(attribute string, vars []*savedmodel.Variable) string {
	name := k.layerOf(vars[0])
	shared := name != "" && !slices.ContainsFunc(vars, func(v *savedmodel.Variable) bool { return k.layerOf(v) != name })
	if (!shared || name == k.prefix) && attribute != "" {
		return attribute
	}
	return name
}

// addVariable gives a variable to the layer of a name that is never called, and makes the layer
// with its first one.
func (k *keras3) addVariable(name string, v *savedmodel.Variable) {
	l := k.byName[name]
	if l == nil {
		l = &layerCalls{name: name, class: "?", uncalled: true, calls: []*scopes.Call{{Raw: name, Name: name, Phantom: true}}}
		for _, field := range []string{"name", "class", "output_shape", "connected_to", "order"} {
			l.notes = append(l.notes, guess{field, whyUncalled})
		}
		if !k.holdsLayers() {
			l.notes = append(l.notes, guess{"params", whyUncalled}, guess{"trainable_params", whyUncalled})
		}
		k.byName[name] = l
		k.layers = append(k.layers, l)
	}
	l.vars = append(l.vars, v)
	k.owner[v] = l
}

// variablesBelow lists the model's weights below an object that no layer owns, in the order of
// place. What lies below an object that was asked for before, as seen says, is not looked at again:
// it takes time that is linear in the objects, however many share what is below them.
func (k *keras3) variablesBelow(id int, place map[*savedmodel.Variable]int, seen map[int]bool) []*savedmodel.Variable {
	var vars []*savedmodel.Variable
	seen[id] = true
	for todo := []int{id}; len(todo) > 0; todo = todo[1:] {
		if v := k.objs.Variables[todo[0]]; v != nil && k.owner[v] == nil {
			if _, ok := place[v]; ok {
				vars = append(vars, v)
			}
		}
		for _, c := range k.objs.Nodes[todo[0]].GetChildren() {
			if next := int(c.GetNodeId()); !seen[next] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
	slices.SortFunc(vars, func(a, b *savedmodel.Variable) int { return place[a] - place[b] })
	return vars
}
