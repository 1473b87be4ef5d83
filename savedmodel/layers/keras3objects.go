package layers

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
)

// A model that tf.saved_model.save wrote keeps the objects of its layers, without names and
// classes, but in the order of the table: _operations of a Functional, _layers of a Sequential, the
// attributes of a custom model. So it shows how many layers there are, also those that compute
// nothing, and their order.

// layerObject is an object of the object graph that is a layer. An operation of keras.ops has no
// object; a layerObject without id takes its place.
type layerObject struct {
	id    int         // -1 for an operation
	owner *layerCalls // layer whose variables belong to it; nil: it has none
	// built: the object keeps the shapes that it was built for, see [keepsShapes].
	built bool
	// name is the layer's, where Keras 2 traced it: see [keras3.keras2Objects].
	name string
}

// layerObjects lists the layers' objects in the order of the table. functional reports that the
// objects of inputs are among them.
func (k *keras3) layerObjects() (list []layerObject, functional bool) {
	if k.mg.Framework == savedmodel.Keras2 {
		return k.keras2Objects()
	}
	ids := k.objs.Slots(k.objs.Child(0, "_operations"), maxCalls)
	functional = len(ids) > 0
	if !functional {
		ids = k.objs.Items(k.objs.Child(0, "_layers"))
	}
	stack := len(ids) > 0 && !functional
	if len(ids) == 0 {
		ids = k.attributeLayers(0, 0, map[int]bool{0: true})
	}
	for i, id := range ids {
		if id < 0 {
			list = append(list, layerObject{id: id})
			continue
		}
		o := layerObject{id: id, owner: k.ownerOf(id), built: k.objs.Child(id, "_build_shapes_dict") >= 0}
		if stack && i == 0 && o.owner == nil && !o.built {
			continue // a Sequential's input has no row
		}
		list = append(list, o)
	}
	return list, functional
}

// attributeLayers lists the layers that are attributes of an object, or in its attributes that are
// lists or dictionaries.
func (k *keras3) attributeLayers(id, depth int, seen map[int]bool) []int {
	var list []int
	for _, c := range k.objs.Nodes[id].GetChildren() {
		next := int(c.GetNodeId())
		switch {
		case seen[next] || notLayers[c.GetLocalName()] || depth > maxObjectDepth:
		case k.objs.Child(next, "_inbound_nodes") >= 0:
			seen[next] = true
			list = append(list, next)
		case k.objs.Nodes[next].GetUserObject() != nil:
			seen[next] = true
			list = append(list, k.attributeLayers(next, depth+1, seen)...)
		}
	}
	return list
}

// byPlace sorts names of rows by the places of their objects. A row without an object stays after
// the row before it.
func (k *keras3) byPlace(names []string) []string {
	if k.places == nil {
		return names
	}
	place := make(map[string]int, len(names))
	last := -1
	for _, name := range names {
		if p, ok := k.places[name]; ok {
			last = p
		}
		place[name] = last
	}
	slices.SortStableFunc(names, func(a, b string) int { return place[a] - place[b] })
	return names
}

// ownerOf returns the layer of an object: the one to which the first variable below the object
// belongs.
func (k *keras3) ownerOf(id int) *layerCalls {
	seen := map[int]bool{id: true}
	for todo := []int{id}; len(todo) > 0; todo = todo[1:] {
		if o := k.owner[k.objs.Variables[todo[0]]]; o != nil {
			return o
		}
		for _, c := range k.objs.Nodes[todo[0]].GetChildren() {
			if next := int(c.GetNodeId()); !seen[next] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
	return nil
}

// ownClass reports whether files of Keras 3 show that the model's class is the user's own.
func (k *keras3) ownClass() bool {
	switch {
	case k.mg.Framework == savedmodel.Keras2:
		return false
	case k.savedWhole():
		return k.objs.Child(0, "_operations") < 0 && k.objs.Child(0, "_layers") < 0
	}
	return k.positional()
}

// isGraph reports whether the model is a Functional, whose graph decides on the order of rows.
func (k *keras3) isGraph() bool {
	if k.holdsLayers() {
		_, functional := k.layerObjects()
		return functional
	}
	return !k.ownClass() && k.prefix == "" && !strings.HasPrefix(k.table.ModelName, "sequential") && k.scope.Prefix != "" && !k.stackInput()
}

// stackInput reports whether the model's only input is called as Keras 2 calls that of a Sequential
// that was given none: after the first layer, "embedding_input".
func (k *keras3) stackInput() bool {
	name := ""
	for i := range k.body.Args {
		if _, ok := k.body.Inputs[i]; ok {
			if name != "" {
				return false
			}
			name = k.body.ArgName(i)
		}
	}
	first, ok := strings.CutSuffix(name, "_input")
	return ok && k.opens == 1 && k.byName[first] != nil
}
