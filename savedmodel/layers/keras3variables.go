package layers

import (
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
)

// listVariables reads the archive's lists of variables. A model saved by tf.saved_model.save has
// none; its variables are each once in the object graph.
func (k *keras3) listVariables() {
	var trainable []int
	list := k.objs.Child(0, "variables")
	ids := k.objs.Items(list)
	if list >= 0 {
		trainable = k.objs.Items(k.objs.Child(0, "trainable_variables"))
	} else {
		for _, id := range k.modelObjects() {
			if v := k.objs.Variables[id]; v != nil && v.Name != tensorFlowName {
				ids = append(ids, id)
				if v.Trainable {
					trainable = append(trainable, id)
				}
			}
		}
	}
	for _, id := range trainable {
		if v := k.objs.Variables[id]; v != nil {
			k.trainable[v] = true
		}
	}
	// The object of a layer does not say whether the layer was frozen.
	k.table.Totals.TrainableGuessed = k.savedWhole() && len(trainable) > 0
	seen := map[*savedmodel.Variable]bool{}
	for _, id := range ids {
		v := k.objs.Variables[id]
		if v == nil || seen[v] {
			continue
		}
		seen[v] = true
		k.listed = append(k.listed, v)
		if !scopes.IsSeed(v) {
			k.weights = append(k.weights, v)
			k.table.Totals.add(v, k.trainable[v])
		}
	}
}

// tensorFlowName is TensorFlow's name for a variable without a name. Keras 3 counts only its own.
const tensorFlowName = "Variable"

// notLayers are children of a model, saved by tf.saved_model.save, that are no layers of it.
var notLayers = map[string]bool{
	"optimizer": true, "_optimizer": true, "_metrics": true, "_loss_tracker": true, "_compile_metrics": true, "_compile_loss": true, "_loss": true,
	"signatures": true, "_default_save_signature": true,
}

// modelObjects lists the objects of a model that tf.saved_model.save wrote, without those of
// training, in the order in which they are found from the root, which is the order of the layers.
func (k *keras3) modelObjects() []int {
	var order []int
	seen := map[int]bool{0: true}
	var visit func(id, depth int)
	visit = func(id, depth int) {
		order = append(order, id)
		if depth > maxObjectDepth {
			return
		}
		recurrent := k.objs.Child(id, "cell") >= 0
		for _, c := range k.objs.Nodes[id].GetChildren() {
			if recurrent && c.GetLocalName() == "states" {
				continue // a stateful layer's states are no weights
			}
			if next := int(c.GetNodeId()); !seen[next] && !notLayers[c.GetLocalName()] {
				seen[next] = true
				visit(next, depth+1)
			}
		}
	}
	if len(k.objs.Nodes) > 0 {
		visit(0, 0)
	}
	return order
}

// maxObjectDepth bounds how deep layers are looked for inside others.
const maxObjectDepth = 200

// assignVariables gives each layer the variables that it reads, and those that only their paths
// connect with it.
func (k *keras3) assignVariables() {
	counts := map[*savedmodel.Variable]bool{}
	named := map[string][]*savedmodel.Variable{}
	for _, v := range k.weights {
		counts[v] = true
		named[k.layerOf(v)] = append(named[k.layerOf(v)], v)
	}
	for _, l := range k.layers {
		has := map[*savedmodel.Variable]bool{}
		add := func(v *savedmodel.Variable) {
			if !has[v] {
				has[v] = true
				l.vars = append(l.vars, v)
				if k.owner[v] == nil {
					k.owner[v] = l
				}
			}
		}
		if !l.op {
			for _, v := range named[l.name] {
				add(v)
			}
		}
		for _, c := range l.calls {
			for _, v := range c.Vars {
				name := k.layerOf(v)
				if (counts[v] || v.ID < 0 && !scopes.IsSeed(v)) && (name == "" || name == l.name || k.byName[name] == nil) {
					add(v)
				}
			}
		}
	}
}

// adoptVariables gives variables that no operation reads to the layers that they must belong to.
func (k *keras3) adoptVariables() {
	var loose []*savedmodel.Variable
	for _, v := range k.weights {
		if k.owner[v] == nil {
			loose = append(loose, v)
		}
	}
	// A Normalization that was adapted computes with constants. Its mean, variance and count are
	// kept, but not read.
	for _, l := range k.layers {
		if l.class != "Normalization" || len(l.vars) > 0 || len(loose) < 3 || !strings.HasSuffix(loose[0].Name, "mean") {
			continue
		}
		for _, v := range loose[:3] {
			l.vars = append(l.vars, v)
			k.owner[v] = l
		}
		loose = loose[3:]
	}
}
