package layers

import (
	"slices"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

// nested makes the builder of a model within the model, or of a layer that is made of others: its
// calls are the scopes within the last call's scope. Nil when there are none.
func (k *keras3) nested(l *layerCalls, c *call) *keras3 {
	if l.op || c.phantom || k.scope.depth >= rules.MaxNesting || len(c.nodes) == 0 {
		return nil
	}
	inner := &keras3{
		mg: k.mg, objs: k.objs, body: k.body, scope: k.scope.within(c), table: &Table{}, opens: k.opens,
		trainable: k.trainable, byName: map[string]*layerCalls{}, owner: map[*savedmodel.Variable]*layerCalls{},
		listed: l.vars, weights: l.vars, phantoms: map[*graph.Node]tensor.Shape{}, numbers: map[string]int{},
	}
	inner.scope.calls = slices.DeleteFunc(inner.scope.calls, func(c *call) bool { return !c.op && helperScopes[kerasnames.WithoutNumber(c.raw)] })
	layers := 0
	for _, c := range inner.scope.calls {
		if !c.op {
			layers++
		}
	}
	if layers == 0 {
		return nil
	}
	inner.nameModel()
	inner.collect()
	inner.assignVariables()
	inner.classify()
	return inner
}

// addNested makes the rows below those of nested models and of layers of one's own.
func (k *keras3) addNested(r *Layer, l *layerCalls) {
	if !isModel(l.class) && !l.custom() {
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
		row := inner.row(il)
		r.Layers = append(r.Layers, row)
	}
}

// addSteps notes the calls for [LayerTable.At], in the order in which the graph made them. Those
// within a nested model come before the model's own.
func (k *keras3) addSteps(rows map[*layerCalls]*Layer) []*step {
	var steps []*step
	for i := range k.body.Args {
		if name, ok := k.body.Inputs[i]; ok && rows != nil {
			s, _ := k.body.Shape(graph.Ref{Arg: i + 1})
			dtype := tensor.Invalid
			if in, ok := k.body.Signature.Inputs[name]; ok {
				dtype = in.DType
			}
			steps = append(steps, &step{
				layer: k.inputRows[i], class: "InputLayer", input: name, out: []tensorKey{graph.Ref{Arg: i + 1}}, shapes: []tensor.Shape{s}, dtypes: []tensor.DType{dtype},
			})
		}
	}
	type visit struct {
		l *layerCalls
		c *call
	}
	var order []visit
	for _, l := range k.layers {
		for _, c := range l.calls {
			order = append(order, visit{l, c})
		}
	}
	slices.SortStableFunc(order, func(a, b visit) int { return a.c.place() - b.c.place() })
	for _, v := range order {
		steps = append(steps, k.callSteps(v.l, v.c, rows[v.l])...)
	}
	return steps
}

// callSteps returns the steps of one call.
func (k *keras3) callSteps(l *layerCalls, c *call, row *Layer) []*step {
	var steps []*step
	st := &step{layer: row, class: l.class, shapes: c.shapes}
	if c.phantom {
		st.class = "Identity"
		st.config = rules.Config{}
	} else if !l.op {
		st.config = graphConfig(k.scope, l.class, c, l.vars)
	}
	for _, e := range c.ins {
		st.in = append(st.in, e.ref)
	}
	for _, r := range c.outs {
		st.out, st.tensors = append(st.out, r), append(st.tensors, r.String())
		st.dtypes = append(st.dtypes, graph.OutputDType(r))
	}
	if isModel(l.class) {
		if inner := k.nested(l, c); inner != nil {
			steps = inner.addSteps(nil)
			st.inner = true
		}
	}
	return append(steps, st)
}
