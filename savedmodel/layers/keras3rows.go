package layers

import (
	"slices"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
	"github.com/tfrun/tfrun/tensor"
)

// row makes the row of a layer.
func (k *keras3) row(l *layerCalls) *Layer {
	last := l.calls[len(l.calls)-1]
	r := &Layer{Name: shownName(l.name), Class: l.class, Output: OutputShape{Shapes: last.Shapes}}
	r.setWeights(l.vars, func(v *savedmodel.Variable) bool { return k.trainable[v] })
	for _, e := range last.Ins {
		r.info.in = append(r.info.in, k.shapeOf(e.Ref))
	}
	if !l.op && !last.Phantom {
		r.info.config = scopes.Config(k.scope, l.class, last, l.vars)
	}
	if k.made != nil {
		k.made[l] = r
	}
	k.addNested(r, l)
	for _, g := range l.notes {
		r.guess(g.field, g.why)
	}
	if l.op {
		r.guess("name", "an operation that is no layer has no name in the files; its default name is counted from those that show")
	}
	if !l.op && len(l.vars) == 0 && scopes.LikeLayers[kerasnames.WithoutNumber(shownName(l.name))] {
		for _, field := range []string{"name", "params", "trainable_params"} {
			r.guess(field, whyFunction)
		}
	}
	if !l.sure {
		r.guess("class", k.noClasses()+"; the one shown is what the layer's name and operations suggest")
	}
	return r
}

// addNested makes the rows below nested models and custom layers.
func (k *keras3) addNested(r *Layer, l *layerCalls) {
	if l.op || l.class == scopes.OperationClass || !isModel(l.class) && slices.Contains(kerasnames.Classes, l.class) {
		return
	}
	inner := k.nested(l, l.calls[len(l.calls)-1])
	if inner == nil {
		return
	}
	for _, il := range inner.layers {
		if il.op {
			continue
		}
		if unread := (guess{"params", whyUnread}); slices.Contains(l.notes, unread) && il.mayHoldUnread() {
			il.notes = append(il.notes, unread)
		}
		row := inner.row(il)
		inner.doubtNested(il, row)
		r.Layers = append(r.Layers, row)
	}
	ordered := l.sure && (l.class == "Sequential" || inner.chained())
	for _, row := range r.Layers {
		if !ordered {
			row.guess("order", whyCallOrder)
		}
		switch {
		case !l.sure:
			row.guess("output_shape", whyWithinOwn)
		case len(row.Output.Shapes) > 0 && slices.ContainsFunc(row.Output.Shapes, hasExtent):
			row.guess("output_shape", whyNestedOpen)
		}
	}
	if isModel(l.class) && l.class != "Sequential" {
		r.Layers = append(k.innerInputs(l.calls[len(l.calls)-1]), r.Layers...)
	}
}

// innerInputs makes the rows of the input layers of a model that was made of inputs and outputs and
// is called by another: one for each tensor that it is called with.
func (k *keras3) innerInputs(c *scopes.Call) (rows []*Layer) {
	name, first := "input_layer", 0
	if k.mg.Framework == savedmodel.Keras2 {
		name, first = "input", 1
	}
	for i, e := range c.Ins {
		r := &Layer{Name: numbered(name, first+i), Class: "InputLayer", Output: oneShape(k.shapeOf(e.Ref))}
		for _, field := range []string{"name", "output_shape", "order"} {
			r.guess(field, whyInnerInput)
		}
		rows = append(rows, r)
	}
	return rows
}

// hasExtent reports whether a size between the batch and the channels is known.
func hasExtent(s tensor.Shape) bool {
	return s.Rank() > 2 && slices.ContainsFunc(s.Dims()[1:s.Rank()-1], func(d int64) bool { return d != tensor.Unknown })
}

// doubtNested marks what the graph does not show of a layer within another.
func (k *keras3) doubtNested(l *layerCalls, r *Layer) {
	switch outs := len(l.calls[0].Outs); {
	case len(l.calls) > 1:
		r.guess("output_shape", whyShared)
	case outs > 1 && k.opens == 1 && !isRecurrent(l.class):
		r.guess("output_shape", whyTwoResults)
	case outs > 1:
		r.guess("output_shape", whyPartial)
	}
	if why := k.hidesResults(l); why != "" {
		r.guess("output_shape", why)
	}
	if why := k.printsOther(r); why != "" {
		r.guess("output_shape", why)
	}
}

// chained reports whether each layer takes what the one before gives, and is called once.
func (k *keras3) chained() bool {
	for i, l := range k.layers {
		if len(l.calls) != 1 || i > 0 && (len(l.calls[0].Ins) != 1 || l.calls[0].Ins[0].From != k.layers[i-1].calls[0]) {
			return false
		}
	}
	return true
}

// noClasses describes the kind of file, which holds no classes of layers.
func (k *keras3) noClasses() string {
	switch {
	case k.mg.Framework == savedmodel.Keras2 && k.holdsLayers():
		return "without keras_metadata.pb, which tf.saved_model.save does not write, a Keras 2 model holds no classes"
	case k.mg.Framework == savedmodel.Keras2:
		return "an export of Keras 2 holds no classes"
	case k.savedWhole():
		return "tf.saved_model.save of a Keras 3 model keeps no classes"
	}
	return "an export of Keras 3 holds no classes"
}

// graphRows makes the rows of a functional model in the order of Functional._operations (map_graph
// of keras/src/models/functional.py).
func (k *keras3) graphRows() {
	g, depths, inputs := k.mapLayers()
	k.depths = depths
	k.table.Connected = !g.chain() || len(inputs) > 1
	back := map[string]int{}
	for i, v := range inputs {
		back[v.layer] = i
	}
	for _, name := range k.byPlace(g.order(depths)) {
		k.table.Layers = append(k.table.Layers, k.graphRow(name, back, inputs, g))
	}
	k.markAdrift(g, depths)
	var unused []*Layer
	for i, v := range inputs {
		if !g.finished[v] {
			unused = append(unused, k.inputRows[i])
		}
	}
	own := slices.ContainsFunc(k.layers, func(l *layerCalls) bool { return !l.op && (!l.sure || !slices.Contains(kerasnames.Classes, l.class)) })
	for _, r := range unused[:len(unused)*when(len(unused) > 1 || own)] {
		r.guess("order", whyUnused)
	}
}

// graphRow makes the row of a layer or an input.
func (k *keras3) graphRow(name string, back map[string]int, inputs map[int]*vertex, g *mapGraph) *Layer {
	l := k.byName[name]
	if l == nil {
		i := back[name]
		r := &Layer{Name: name, Class: "InputLayer"}
		k.inputRows[i] = r
		if s, ok := k.body.Shape(graph.Ref{Arg: i + 1}); ok {
			r.Output = oneShape(s)
		}
		if k.table.Connected {
			r.ConnectedTo = []string{}
		}
		if unnamedInput.MatchString(k.body.ArgName(i)) {
			r.guess("name", "an input without a name of its own is called so by default; the number is counted from the inputs that show")
		}
		return r
	}
	calls := g.calls[name]
	if len(calls) > 0 {
		l.calls = l.calls[:0]
		for _, v := range calls {
			l.calls = append(l.calls, v.call)
		}
	}
	r := k.row(l)
	k.markUnseen(r, l)
	if k.table.Connected {
		r.ConnectedTo = []string{}
		for _, v := range calls {
			for _, e := range v.from {
				r.ConnectedTo = append(r.ConnectedTo, connection(shownName(e.to.layer), e.to.number, e.tensor))
			}
		}
	}
	return r
}

// markUnseen marks arguments and results of a layer that a graph does not show.
func (k *keras3) markUnseen(r *Layer, l *layerCalls) {
	last := l.calls[len(l.calls)-1]
	if slices.Contains(attentionClasses, l.class) && len(last.Ins) < 3 {
		r.guess("connected_to", "whether a key was given, the same tensor as the value, or none does not show")
	}
}
