package kerasfile

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers"
)

// The reasons of what a file of variables does not hold.
const (
	noShape     = "the output's shape is not in the file, which holds variables alone"
	codeShape   = "the output's shape is not in the file: what the model does between its layers is code of its own"
	noOrder     = "the place of the row is by name: the file does not hold in which order the layers were made"
	wordShape   = "Keras 2 prints the word for all layers of a model of one's own class but those that were made of inputs and outputs, which the file does not tell apart"
	noWiring    = "operations between layers, such as + and keras.ops, and what the layers are called with are not in the file: of a model that was made of inputs and outputs Keras prints both"
	rowWithin   = "the file does not say whether the layer around it is a model, of which Keras prints such rows"
	orderWithin = "the row stands where its first variable does, and what is in the layer without variables has no row: the file lists variables alone"
	noName      = "the name is the one that the file keeps the variables under: it does not hold Keras' name"
)

// parts returns the layers with variables of a model whose configuration does not name them.
func (a *attacher) parts(m *Model) (parts []layers.Part, extra []*savedmodel.Variable) {
	why := noShape
	if m.config != nil {
		why = codeShape
	}
	t := m.tree
	if t.legacy != nil {
		a.listedNames = map[string]bool{}
		for _, l := range t.legacy {
			a.listedNames[l.name] = true
		}
		for _, l := range t.legacy {
			parts = append(parts, a.listedPart(l, why))
		}
		for _, v := range t.top {
			extra = append(extra, a.variable(v, v.Name, true))
		}
		return parts, extra
	}
	for i, v := range t.root.vars {
		extra = append(extra, a.variable(v, nameOf(nil, i), true))
	}
	return a.objectParts(t.root, why, true), extra
}

// listedPart makes a part of a layer of the older layout, whose name and place are certain.
func (a *attacher) listedPart(l legacyLayer, why string) layers.Part {
	return a.scopePart(a.layerScopes(l.name, l.vars), why)
}

// scopePart makes a part of a layer with those in it. Layers of Keras' own have no rows within.
func (a *attacher) scopePart(s *scope, why string) layers.Part {
	p := layers.Part{Name: s.name, Why: []string{why}}
	byName, known := kerasnames.ClassOf(s.name)
	for _, v := range s.vars {
		short := shortName(v.Name)
		p.Variables = append(p.Variables, a.variable(v, v.Name, part{class: byName, sure: known}.trains(short, v.DType)))
	}
	if s.holds() {
		for _, c := range s.within {
			p.Parts = append(p.Parts, a.scopePart(c, why))
			q := &p.Parts[len(p.Parts)-1]
			q.Guessed, q.Why = append(q.Guessed, "order"), append(q.Why, orderWithin)
		}
		doubtRows(p.Parts)
	}
	a.guessClass(&p, s.name)
	a.word(&p)
	doubtTrainable(&p, why == noShape)
	return p
}

// doubtTrainable notes that it is not known whether a part was frozen, by code of one's own or in a
// configuration that is not there.
func doubtTrainable(p *layers.Part, noConfig bool) {
	if !slices.ContainsFunc(p.Variables, func(v *savedmodel.Variable) bool { return v.Trainable }) {
		return
	}
	why := whyOwnParts
	if noConfig {
		why = whyNoConfig
	}
	p.Guessed, p.Why = append(p.Guessed, "trainable_params"), append(p.Why, why)
}

// word gives the part of a model of one's own class the word that Keras 2 prints for its shape.
func (a *attacher) word(p *layers.Part) {
	if a.keras2 && a.ownClass && p.Class != "Sequential" && p.Class != "Functional" {
		p.Word = "multiple"
		p.Guessed, p.Why = append(p.Guessed, "output_shape"), append(p.Why, wordShape)
	}
}

// guessClass tells a layer's class by its name, or else by its variables.
func (a *attacher) guessClass(p *layers.Part, name string) {
	class, ok := classByName(name)
	reason := "the class is a guess by the name"
	if !ok && len(p.Parts) == 0 {
		class, ok = classOf(p.Variables)
		reason = "the class is a guess by the variables"
	}
	if !ok {
		// reasons of guesses stand last
		p.Why = append([]string{"the class is not in the file"}, p.Why...)
		return
	}
	p.Class = class
	p.Guessed = append(p.Guessed, "class")
	p.Why = append(p.Why, reason)
}

// classByName returns the class of Keras' own whose layers have such a name by default.
func classByName(name string) (class string, ok bool) {
	if kerasnames.WithoutNumber(name) == "input_layer" {
		return "InputLayer", true
	}
	return kerasnames.ClassOf(name)
}

// classOf returns the class of Keras' own whose layers have variables of such names and ranks, and
// no others.
func classOf(vars []*savedmodel.Variable) (string, bool) {
	rank := map[string]int{}
	for _, v := range vars {
		rank[shortName(v.Name)] = v.Shape.Rank()
	}
	if len(rank) < len(vars) { // several layers in one
		return "", false
	}
	// only reports whether the names are all of some and any of more
	only := func(some string, more ...string) bool {
		_, ok := rank[some]
		for name := range rank {
			ok = ok && (name == some || slices.Contains(more, name))
		}
		return ok
	}
	switch {
	case only("recurrent_kernel", "kernel", "bias") && len(rank) > 1:
		return recurrentClass(vars)
	case only("embeddings"):
		return "Embedding", true
	case only("moving_mean", "moving_variance", "gamma", "beta"):
		return "BatchNormalization", true
	case only("gamma", "beta") && len(rank) == 2:
		return "LayerNormalization", true
	case only("pointwise_kernel", "depthwise_kernel", "bias"):
		return "SeparableConv2D", rank["pointwise_kernel"] == 4
	case only("depthwise_kernel", "bias"):
		return "DepthwiseConv2D", rank["depthwise_kernel"] == 4
	case only("kernel", "bias"):
		class := map[int]string{2: "Dense", 3: "Conv1D", 4: "Conv2D", 5: "Conv3D"}[rank["kernel"]]
		return class, class != ""
	}
	return "", false
}

// recurrentClass tells recurrent layers apart by how many gates their kernels hold.
func recurrentClass(vars []*savedmodel.Variable) (string, bool) {
	for _, v := range vars {
		if shortName(v.Name) == "recurrent_kernel" && v.Shape.Rank() == 2 && v.Shape.Dim(0) > 0 {
			class := map[int64]string{1: "SimpleRNN", 3: "GRU", 4: "LSTM"}[v.Shape.Dim(1)/v.Shape.Dim(0)]
			return class, class != ""
		}
	}
	return "", false
}

// bookkeeping are the attributes of a model that lead to no layers.
var bookkeeping = map[string]bool{
	"optimizer": true, "vars": true, "metrics": true, "compiled_metrics": true, "_compile_metrics": true, "loss_tracker": true,
	"_loss_tracker": true, "train_function": true, "optimizer_weights": true,
}

// objectParts makes a part of each object below a model's.
func (a *attacher) objectParts(o *object, why string, top bool) []layers.Part {
	var parts []layers.Part
	for _, name := range o.names {
		child := o.children[name]
		switch {
		case top && bookkeeping[name], child.isSeed(), child.hasMetric():
		case !child.hasVars: // a list or a dictionary of objects
			parts = append(parts, a.objectParts(child, why, false)...)
		default:
			parts = append(parts, a.objectPart(child, name, why, !top))
		}
	}
	return parts
}

// rowsWithin notes what is in a layer of a class of one's own that has layers as Keras knows them:
// a model, or one that keeps a list under that name.
func (a *attacher) rowsWithin(l ownLayer) {
	list, _ := l.object.layers()
	switch {
	case l.config.CompileConfig != nil || a.keras2 && list != nil:
		l.config.Parts = a.objectParts(l.object, codeShape, true)
	case list != nil && !list.hasVars:
		l.config.Parts = a.objectParts(list, codeShape, false)
	case a.keras2 && a.mayBeModel(l.object, "", l.config.Name):
		l.config.Parts = a.objectParts(l.object, codeShape, true)
		doubtRows(l.config.Parts)
	}
}

// mayBeModel reports whether an object of no class of Keras' own that holds others may be a model.
// Of a model Keras comes upon the list of layers before it comes upon the attributes behind that:
// in the order of names, private ones last; in Keras 2 in the opposite order.
func (a *attacher) mayBeModel(o *object, class, name string) bool {
	if class == "" {
		class, _ = kerasnames.ClassOf(name)
	}
	if len(o.names) == 0 || class != "" && class != "?" && !holdsRows(class) || cells[strings.TrimRight(o.names[0], "_0123456789")] != "" {
		return false
	}
	return !slices.ContainsFunc(o.names, func(attribute string) bool {
		if a.keras2 {
			return attribute < "layers"
		}
		return attribute >= "layers" || strings.HasPrefix(attribute, "_")
	})
}

// doubtRows marks rows of what is in a layer that may be a model.
func doubtRows(parts []layers.Part) {
	for i := range parts {
		p := &parts[i]
		if !slices.Contains(p.Guessed, "name") {
			p.Guessed, p.Why = append(p.Guessed, "name"), append(p.Why, rowWithin)
		}
	}
}

// hasMetric reports whether an object keeps a metric: two numbers under a metric's name.
func (o *object) hasMetric() bool {
	return len(o.vars) == 2 && o.vars[0].Shape.Rank() == 0 && o.vars[1].Shape.Rank() == 0 && len(o.names) == 0
}

// objectPart makes a part of one object.
func (a *attacher) objectPart(o *object, attribute, why string, listed bool) layers.Part {
	p, others := layers.Part{Name: o.name, Guessed: []string{"order"}, Why: []string{why, noOrder}}, a.keras2 || len(a.vars) > 0
	if p.Name == "" {
		p.Name, p.Guessed, p.Why = attribute, append(p.Guessed, "name"), append(p.Why, noName)
	}
	// A list names its objects after their classes.
	class, ok := classByName(attribute)
	listed = listed && ok
	if listed {
		p.Class = class
	}
	list, _ := o.layers()
	isModel := list != nil && !list.hasVars
	if isModel || a.mayBeModel(o, p.Class, p.Name) {
		for i, v := range o.vars {
			p.Variables = append(p.Variables, a.variable(v, p.Name+"/"+nameOf(nil, i), v.DType.IsFloat()))
		}
		if p.Parts = a.objectParts(o, why, true); !isModel {
			doubtRows(p.Parts)
		}
		if len(p.Parts) > 0 {
			if !listed {
				a.guessClass(&p, p.Name)
			}
			a.doubtShared(&p, others)
			return p
		}
		p.Variables = nil
	}
	c := &layers.LayerConfig{}
	byName, _ := kerasnames.ClassOf(p.Name)
	if listed {
		byName = class
	}
	if byName == "?" || byName == "" {
		a.unite(p.Name, o.vars)
	}
	a.collect(c, o, p.Name, part{class: byName, sure: byName != "?"}, true)
	p.Variables = c.Variables
	if !listed {
		a.guessClass(&p, p.Name)
	}
	a.word(&p)
	doubtTrainable(&p, why == noShape)
	a.doubtShared(&p, others)
	return p
}

// doubtShared notes of a part that others stand before whether it may hold what was saved with
// them: all may but the layers of Keras' own that hold no layers.
func (a *attacher) doubtShared(p *layers.Part, others bool) {
	if others && p.Class != "InputLayer" && (len(p.Parts) > 0 || !slices.Contains(kerasnames.Classes, p.Class) || holdsLayers(p.Class)) {
		p.Guessed, p.Why = append(p.Guessed, "params"), append(p.Why, whyShares)
	}
}
