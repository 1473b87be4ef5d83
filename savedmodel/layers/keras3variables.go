package layers

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
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
		plain := k.plainVariables()
		for _, id := range k.modelObjects() {
			if v := k.objs.Variables[id]; v != nil && !plain[id] {
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
	k.noteUnlisted(ids)
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

// noteUnlisted says where an export of Keras 2 reads variables that the model's list does not have,
// which was made before those of layers in a branch that no call had taken. Keras 3 has copies
// there.
func (k *keras3) noteUnlisted(listed []int) {
	if k.mg.Framework != savedmodel.Keras2 || len(listed) == 0 {
		return
	}
	has := map[string]bool{} // mixed precision wraps a variable in another object of its name
	for _, id := range listed {
		if v := k.objs.Variables[id]; v != nil {
			has[v.Name] = true
		}
	}
	var names []string
	for _, id := range k.objs.Items(k.objs.Child(0, "_all_variables")) {
		if v := k.objs.Variables[id]; v != nil && !has[v.Name] && !scopes.IsSeed(v) {
			names = append(names, v.Name)
		}
	}
	if len(names) > 0 {
		k.table.Totals.Guessed = true
		k.table.Notes = append(k.table.Notes, "the model reads "+names[0]+", which is not in the list of its variables: the totals lack layers that were first called when the model was exported")
	}
}

// plainVariables returns the objects of the variables that are TensorFlow's own, not Keras', which
// Keras 3 does not count: tf.Variable as an attribute of a layer. tf.saved_model.save copies each
// of Keras', and its restore op fills the copy; TensorFlow's own are restored themselves.
func (k *keras3) plainVariables() map[int]bool {
	plain := map[int]bool{}
	if k.mg.Framework == savedmodel.Keras2 {
		return plain // which counts TensorFlow's too
	}
	restored, err := k.mg.RestoredVariables()
	if err != nil {
		return plain
	}
	bound, err := k.mg.BoundVariables(k.objs)
	for id, v := range k.objs.Variables {
		name, known := bound[id]
		if err != nil || !known {
			name = graph.SharedResource(v.Name)
		}
		plain[id] = restored[name]
	}
	return plain
}

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
	k.counted = map[*savedmodel.Variable]bool{}
	named := map[string][]*savedmodel.Variable{}
	for _, v := range k.weights {
		k.counted[v] = true
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
			for _, v := range named[shownName(l.name)] {
				if l.read[v] || !l.paths[v.Name] && !k.hasNamesake(l) {
					add(v)
				}
			}
		}
		for _, c := range l.calls {
			if l.branches() {
				break
			}
			for _, v := range c.Vars {
				name := k.layerOf(v)
				if (k.counted[v] || v.ID < 0 && !scopes.IsSeed(v)) && (name == "" || name == shownName(l.name) || k.byName[name] == nil || l.madeWithin(v)) {
					add(v)
				}
			}
		}
	}
}

// madeWithin reports whether a variable's path has the layer behind another: it was made in that,
// and is called here once more.
func (l *layerCalls) madeWithin(v *savedmodel.Variable) bool {
	path := strings.Split(v.Name, "/")
	return len(path) > 2 && slices.Contains(path[1:len(path)-1], shownName(l.name))
}

// adoptVariables gives variables that no operation reads to the layers that they must belong to. A
// Normalization that was adapted computes with constants: its mean, variance and count are kept,
// but not read. Such a layer may also stand within another, or a layer that is not called may.
func (k *keras3) adoptVariables() {
	k.adoptByObjects()
	var order []string
	for i, gaps := 0, 0; i < len(k.weights); i++ {
		if k.owner[k.weights[i]] != nil {
			continue
		}
		if gaps++; gaps > maxGaps {
			for _, l := range k.layers {
				if l.mayHoldUnread() {
					l.doubtUnread()
				}
			}
			break
		}
		if order == nil && k.made != nil {
			order = k.provisionalOrder()
		}
		end := i
		for end < len(k.weights) && k.owner[k.weights[end]] == nil {
			end++
		}
		k.adopt(k.weights[i:end], k.mayOwn(order, i, end))
		i = end
	}
	if !slices.ContainsFunc(k.layers, func(l *layerCalls) bool { return l.uncalled }) {
		return
	}
	placed := k.ownersOfObjects()
	for _, l := range k.layers { // what looks like a layer that is not called may be within another
		if !l.uncalled && l.mayHoldUnread() && placed[l] == 0 {
			l.doubtUnread()
		}
	}
}

// maxGaps bounds for how many runs of weights that nothing reads a layer is looked for.
const maxGaps = 1_000

// doubtUnread marks the parameters of a layer that may have weights that nothing reads.
func (l *layerCalls) doubtUnread() {
	if !slices.Contains(l.notes, guess{"params", whyUnread}) {
		l.notes = append(l.notes, guess{"params", whyUnread}, guess{"trainable_params", whyUnread})
	}
}

// adoptByObjects gives each layer the variables below its object, where the files hold layers.
func (k *keras3) adoptByObjects() {
	if k.made == nil || !k.holdsLayers() {
		return
	}
	placed := k.ownersOfObjects()
	place, seen := k.placesOfWeights(), map[int]bool{}
	for _, o := range k.layerObjects() {
		if placed[o.owner] == 1 { // else one of the objects is within another
			k.own(o.owner, k.variablesBelow(o.id, place, seen))
		}
	}
}

// ownersOfObjects counts the objects of each layer: none where the files hold no layers.
func (k *keras3) ownersOfObjects() map[*layerCalls]int {
	placed := map[*layerCalls]int{}
	if k.made == nil || !k.holdsLayers() {
		return placed
	}
	for _, o := range k.layerObjects() {
		if o.owner != nil {
			placed[o.owner]++
		}
	}
	return placed
}

// mayOwn returns the layers to which the weights from start to end may belong, which nothing reads:
// those of the order between the layers of the weights around them that have no weights that show,
// or hold others.
func (k *keras3) mayOwn(order []string, start, end int) []*layerCalls {
	if order == nil { // what is nested has none
		return slices.DeleteFunc(slices.Clone(k.layers), func(l *layerCalls) bool { return !l.mayHoldUnread() })
	}
	first, last := 0, len(order)-1
	if k.isGraph() {
		if start > 0 {
			first = max(first, slices.Index(order, k.owner[k.weights[start-1]].name))
		}
		if end < len(k.weights) {
			if at := slices.Index(order, k.owner[k.weights[end]].name); at >= 0 {
				last = at
			}
		}
	}
	var found []*layerCalls
	for at := first; at <= last; at++ {
		if l := k.byName[order[at]]; l != nil && l.mayHoldUnread() {
			found = append(found, l)
		}
	}
	return found
}

// branches reports whether an operation runs functions of its own, in which layers may be called:
// the variables that it takes are theirs.
func (l *layerCalls) branches() bool {
	return l.op && slices.Contains([]string{"if", "while", "case"}, kerasnames.WithoutNumber(shownName(l.name)))
}

// mayHoldUnread reports whether a layer may have weights that nothing reads. What bears the name of
// a function of TensorFlow is none.
func (l *layerCalls) mayHoldUnread() bool {
	if len(l.vars) == 0 && scopes.LikeLayers[kerasnames.WithoutNumber(shownName(l.name))] {
		return false
	}
	return !l.op && (l.class == "Normalization" && len(l.vars) == 0 || isModel(l.class) || !slices.Contains(kerasnames.Classes, l.class))
}

// adopt gives weights that nothing reads to those of the given layers that are Normalizations or
// hold some, where there are as many as weights for them. Else it marks the parameters of all that
// may have them.
func (k *keras3) adopt(loose []*savedmodel.Variable, layers []*layerCalls) {
	if len(layers) == 0 && k.made != nil && k.mayHaveUncalled() && !k.holdsLayers() {
		for _, vars := range splitPaths(loose) {
			k.addUncalledLayer("layer", vars)
		}
		return
	}
	holds := make([]int, len(layers))
	all := 0
	if strings.HasSuffix(loose[0].Name, "mean") {
		for i, l := range layers {
			holds[i] = normalizationWeights * k.unreadNormalizations(l)
			all += holds[i]
		}
	}
	for i, l := range layers {
		switch {
		case all == len(loose):
			k.own(l, loose[:holds[i]])
			k.unread[l] = 0
			loose, all = loose[holds[i]:], all-holds[i]
			if all == 0 {
				return
			}
			continue
		case len(layers) == 1:
			k.own(l, loose)
		}
		l.doubtUnread()
	}
}

// normalizationWeights is how many variables a Normalization has: mean, variance and count.
const normalizationWeights = 3

// unreadNormalizations counts the Normalizations that a layer is or holds and that read no
// variables, without those whose variables the layer has.
func (k *keras3) unreadNormalizations(l *layerCalls) int {
	if l.class == "Normalization" {
		return when(len(l.vars) == 0)
	}
	n, known := k.unread[l]
	if known {
		return n
	}
	if inner := k.within(l, l.calls[len(l.calls)-1]); inner != nil {
		for _, il := range inner.layers {
			n += inner.unreadNormalizations(il)
		}
		loose := 0
		for _, v := range inner.weights {
			loose += when(inner.owner[v] == nil)
		}
		n = max(0, n-loose/normalizationWeights)
	}
	k.unread[l] = n
	return n
}

// own gives variables to a layer.
func (k *keras3) own(l *layerCalls, vars []*savedmodel.Variable) {
	l.vars = append(l.vars, vars...)
	for _, v := range vars {
		k.owner[v] = l
	}
}
