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

// savedLayers says which of a model's objects are its layers.
type savedLayers struct {
	// whole: the model was written by tf.saved_model.save instead of Keras' export, which keeps no
	// objects of layers.
	whole      bool
	ids        []int // in the order of the table; -1 for an operation of keras.ops
	functional bool  // the objects of inputs are among them
	stack      bool  // it is a Sequential of Keras 3
}

// findObjects finds the objects of the model's layers.
func (k *keras3) findObjects() {
	s := savedLayers{whole: k.objs.Child(0, "variables") < 0}
	switch {
	case k.mg.Framework == savedmodel.Keras2:
		s.ids = (&keras2{mg: k.mg, objs: k.objs}).layerObjects(0)
		s.functional = k.rootKind() == graphObject
	case s.whole && len(k.objs.Nodes) > 0:
		s.ids = k.objs.Slots(k.objs.Child(0, "_operations"), maxCalls)
		s.functional = len(s.ids) > 0
		if !s.functional {
			s.ids = k.objs.Items(k.objs.Child(0, "_layers"))
			s.stack = len(s.ids) > 0
		}
		if len(s.ids) == 0 {
			s.ids = k.attributeLayers(0, 0, map[int]bool{0: true})
		}
	}
	k.saved = s
}

// savedWhole reports whether the model was written by tf.saved_model.save instead of Keras' export.
func (k *keras3) savedWhole() bool { return k.saved.whole }

// holdsLayers reports whether the object graph holds the model's layers.
func (k *keras3) holdsLayers() bool {
	if k.mg.Framework == savedmodel.Keras2 {
		return len(k.saved.ids) > 0
	}
	return k.saved.whole
}

// layerObjects lists the layers' objects in the order of the table, with the layers that they
// belong to as far as these are known by now.
func (k *keras3) layerObjects() []layerObject {
	owners := k.nearestOwners()
	if k.mg.Framework == savedmodel.Keras2 {
		return k.keras2Objects(owners)
	}
	var list []layerObject
	for i, id := range k.saved.ids {
		if id < 0 {
			list = append(list, layerObject{id: id})
			continue
		}
		o := layerObject{id: id, owner: owners[id], built: k.objs.Child(id, "_build_shapes_dict") >= 0}
		if k.saved.stack && i == 0 && o.owner == nil && !o.built {
			continue // a Sequential's input has no row
		}
		list = append(list, o)
	}
	return list
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
		default:
			seen[next] = true
			if k.objs.Nodes[next].GetUserObject() != nil {
				list = append(list, k.attributeLayers(next, depth+1, seen)...)
			}
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

// nearestOwners returns the layer of each object: the one to which the nearest variable below it
// belongs, the first of several. It goes up from the variables, all at once, since objects may
// share, and share again, what is below them.
func (k *keras3) nearestOwners() []*layerCalls {
	nodes := k.objs.Nodes
	owners := make([]*layerCalls, len(nodes))
	below := make([]int, len(nodes)) // the least distance to a variable, and 1; 0: there is none
	above := make([][]int, len(nodes))
	var todo []int
	for id, n := range nodes {
		if o := k.owner[k.objs.Variables[id]]; o != nil {
			owners[id], below[id] = o, 1
			todo = append(todo, id)
		}
		for _, c := range n.GetChildren() {
			above[c.GetNodeId()] = append(above[c.GetNodeId()], id)
		}
	}
	for ; len(todo) > 0; todo = todo[1:] {
		id := todo[0]
		for _, c := range nodes[id].GetChildren() {
			if next := c.GetNodeId(); owners[id] == nil && below[next] == below[id]-1 {
				owners[id] = owners[next]
			}
		}
		for _, next := range above[id] {
			if below[next] == 0 {
				below[next] = below[id] + 1
				todo = append(todo, next)
			}
		}
	}
	return owners
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
		return k.saved.functional
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
