package layers

import (
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
)

// A Keras 2 model without its metadata: tf.saved_model.save writes no keras_metadata.pb, and people
// leave the file behind when they copy a model. The objects of the layers are there all the same,
// in the order of the table, and the functions that Keras traced of a layer bear its name. Of the
// class only its kind is left, such as "an input".

// What Keras 2 calls the objects of its models and layers.
const (
	modelObject = "_tf_keras_model" // of a class of one's own
	graphObject = "_tf_keras_network"
	stackObject = "_tf_keras_sequential"
	inputObject = "_tf_keras_input_layer"
)

// rootKind returns what Keras 2 says that the model is.
func (k *keras3) rootKind() string {
	if len(k.objs.Nodes) == 0 {
		return ""
	}
	return k.objs.Nodes[0].GetUserObject().GetIdentifier()
}

// keras2Objects lists the layers' objects of a model that Keras 2 saved, in the order of the table.
func (k *keras3) keras2Objects(owners []*layerCalls) []layerObject {
	names := &keras2{mg: k.mg, objs: k.objs}
	seen := map[string]bool{}
	var list []layerObject
	for _, id := range k.saved.ids {
		o := layerObject{id: id, owner: owners[id]}
		if name, _ := names.trace(id); name != "" && !seen[name] {
			seen[name] = true
			o.name = name
			if l := k.byName[name]; l != nil && (o.owner == nil || !k.hasNamesake(l)) {
				o.owner = l
			}
		}
		list = append(list, o)
	}
	return list
}

// slashedNames returns the names with slashes that Keras 2's objects of layers bear.
func slashedNames(mg *savedmodel.MetaGraph, objs *savedmodel.ObjectGraph) map[string]bool {
	names := map[string]bool{}
	if mg.Framework == savedmodel.Keras2 {
		k := &keras2{mg: mg, objs: objs}
		for _, id := range k.layerObjects(0) {
			if name, _ := k.trace(id); strings.Contains(name, "/") {
				names[name] = true
			}
		}
	}
	return names
}

// unlike2 says how little an object of Keras 2 can be the layer of a name.
func (k *keras3) unlike2(o layerObject, name, class string) int {
	input := k.objs.Nodes[o.id].GetUserObject().GetIdentifier() == inputObject
	if input != (class == "InputLayer") || o.name != "" && o.name != name {
		return costNever
	}
	return 0
}

// opensBatch reports whether the signature may leave a batch axis open that the model fixes.
func (k *keras3) opensBatch() bool {
	if k.mg.Framework == savedmodel.Keras2 {
		return k.holdsLayers()
	}
	return !k.savedWhole()
}

const objectWithoutName = "the layer leaves no operation; only its object's place among the layers " +
	"shows it, not its name"

// objectNotes says what of a hidden layer is a guess that an object alone shows.
func (s *looseSeed) objectNotes() []guess {
	const noOperation = "what leaves no operation is a Dropout or one of its kind, as a rule"
	switch class, ok := kerasnames.ClassOf(s.name); {
	case s.name == "":
		return []guess{
			{"name", objectWithoutName},
			{"class", noOperation},
		}
	case ok:
		return []guess{{"class", "the layer leaves no operation; its name is the default of " + class}}
	}
	return []guess{{"class", noOperation}}
}
