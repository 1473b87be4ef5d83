package layers

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/tensor"
)

// keras2 rebuilds the table of a model that tf_keras saved. The metadata has the layers' classes,
// configs and connections; output shapes follow from these, or are read off the serving function or
// the layers' own traces.
type keras2 struct {
	mg   *savedmodel.MetaGraph
	objs *savedmodel.ObjectGraph
	meta savedmodel.KerasMetadata
	body *body.Body
	// own says that the signature is a function of one's own, which may fix the batch size.
	own   bool
	table *Table
	// trainable says which variables Keras counts as trainable.
	trainable map[*savedmodel.Variable]bool
	// listed says that trainable has all variables of the model, from the model's own lists. The
	// variables of metrics are not in these lists.
	listed bool
	// first are the numbers of the first calls of layers in their models, and several says of
	// layers that more models than one call them.
	first   map[*LayerConfig]int
	several map[*LayerConfig]bool
	// built counts the layers of nested models, for a model's own rows and for each of its calls,
	// recursively. The count bounds the blow-up in hostile files.
	built int
	// refused is the first layer, of a model that sizes were put in, that does not take these.
	refused string
}

// tableSignature returns the signature whose function shows the layers: serving_default, else the
// first by name.
func tableSignature(mg *savedmodel.MetaGraph) (*savedmodel.Signature, error) {
	sig, err := mg.Signature("")
	if names := mg.SignatureNames(); err != nil && len(names) > 0 {
		return mg.Signatures[names[0]], nil
	}
	return sig, err
}

// findTrainable finds out which variables training changes, from the lists that Keras keeps of the
// model's variables. A model saved without traces has no lists, but flags of variables and layers.
func (k *keras2) findTrainable() {
	k.trainable = map[*savedmodel.Variable]bool{}
	lists := k.objs.Child(0, "trainable_variables")
	if lists < 0 {
		for _, id := range k.layerObjects(0) {
			frozen := k.meta[id] != nil && k.meta[id].Trainable != nil && !*k.meta[id].Trainable
			for _, v := range k.variables(id) {
				k.trainable[v] = v.Trainable && !frozen
			}
		}
		for v, t := range k.trainable {
			k.table.Totals.add(v, t)
		}
		return
	}
	k.listed = true
	counted := map[*savedmodel.Variable]bool{}
	for _, list := range []struct {
		id        int
		trainable bool
	}{{lists, true}, {k.objs.Child(0, "keras_api", "non_trainable_variables"), false}} {
		for _, id := range k.objs.Items(list.id) {
			if v := k.objs.Variables[id]; v != nil && !counted[v] {
				counted[v] = true
				k.trainable[v] = list.trainable
				k.table.Totals.add(v, list.trainable)
			}
		}
	}
}

// trainedBy returns which variables training changes if the layer of an object alone is asked, by
// the list that Keras keeps for it: a layer may be trained by itself in a model that is frozen.
func (k *keras2) trainedBy(id int) func(*savedmodel.Variable) bool {
	list := k.objs.Child(id, "trainable_variables")
	if list < 0 {
		return func(v *savedmodel.Variable) bool { return k.trainable[v] }
	}
	trained := map[*savedmodel.Variable]bool{}
	for _, item := range k.objs.Items(list) {
		trained[k.objs.Variables[item]] = true
	}
	return func(v *savedmodel.Variable) bool { return trained[v] }
}

// bookkeeping names the children of a layer that lead away from it.
var bookkeeping = map[string]bool{
	"keras_api": true, "signatures": true, "variables": true, "trainable_variables": true, "regularization_losses": true, "__call__": true, "optimizer": true,
	"call_and_return_all_conditional_losses": true, "_default_save_signature": true, "_adapt_function": true, "keras_metric": true,
	"_random_generator": true,
}

// variables returns the variables below an object, each once.
func (k *keras2) variables(id int) []*savedmodel.Variable {
	var found []*savedmodel.Variable
	seen := map[int]bool{id: true}
	for todo := []int{id}; len(todo) > 0; todo = todo[1:] {
		if v := k.objs.Variables[todo[0]]; v != nil {
			if _, counts := k.trainable[v]; counts || !k.listed {
				found = append(found, v)
			}
			continue
		}
		for _, c := range k.objs.Nodes[todo[0]].GetChildren() {
			if next := int(c.GetNodeId()); !seen[next] && !bookkeeping[c.GetLocalName()] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
	return found
}

// layerObjects returns the objects that are the layers of the model that object id is, in the
// model's order.
func (k *keras2) layerObjects(id int) []int {
	if list := k.objs.Items(k.objs.Child(id, "keras_api", "layers")); len(list) > 0 {
		return list
	}
	return k.objs.Numbered(id, "layer-")
}

// traceName finds the layer's name in the names of the functions that were traced from it.
var traceName = regexp.MustCompile(`^__inference_(.+?)_layer_call_(?:fn|and_return_conditional_losses)_\d+$`)

// trace returns the name and the output shapes that a layer's own traced function shows, which
// knows fewer sizes than the function of the whole model.
func (k *keras2) trace(id int) (name string, shapes []tensor.Shape) {
	name, outputs := k.traced(id)
	for _, t := range outputs {
		shapes = append(shapes, t.Shape)
	}
	return name, shapes
}

// byKey reports whether an object's call gives a dictionary.
func (k *keras2) byKey(id int) bool {
	_, outputs := k.traced(id)
	return slices.ContainsFunc(outputs, func(t savedmodel.StructuredTensor) bool { return strings.HasPrefix(t.Path, `["`) })
}

// traced returns the name and the results of an object's call, as it was traced when the model was
// saved.
func (k *keras2) traced(id int) (name string, outputs []savedmodel.StructuredTensor) {
	for _, child := range []string{"__call__", "call_and_return_all_conditional_losses"} {
		f := k.objs.Child(id, child)
		if f < 0 {
			continue
		}
		names := k.objs.Nodes[f].GetFunction().GetConcreteFunctions()
		if len(names) == 0 {
			continue
		}
		if m := traceName.FindStringSubmatch(names[0]); m != nil {
			name = m[1]
		}
		if c, err := k.objs.Function(names[0]); err == nil && c != nil {
			outputs = c.Outputs
		}
		return name, outputs
	}
	return "", nil
}

// maxBuilt bounds [keras2.built].
const maxBuilt = 30_000
