package layers

import (
	"slices"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
	"github.com/tfrun/tfrun/tensor"
)

// nested returns the builder for a nested model, or for a layer that consists of others: its calls
// are the scopes inside the scope of the last call. It returns nil if there are none.
func (k *keras3) nested(l *layerCalls, c *scopes.Call) *keras3 {
	inner := k.within(l, c)
	if inner != nil {
		inner.adoptVariables()
	}
	return inner
}

// within is [keras3.nested] before variables that nothing reads are given to layers.
func (k *keras3) within(l *layerCalls, c *scopes.Call) *keras3 {
	if l.op || c.Phantom || k.scope.Depth >= rules.MaxNesting || len(c.Nodes) == 0 || *k.cut > maxCut+cutsEach*len(k.body.Nodes) {
		return nil
	}
	*k.cut += len(c.Nodes) + len(l.vars)
	inner := &keras3{
		mg: k.mg, objs: k.objs, saved: k.saved, body: k.body, scope: k.scope.Within(c), table: &Table{}, opens: k.opens,
		trainable: k.trainable, byName: map[string]*layerCalls{}, owner: map[*savedmodel.Variable]*layerCalls{},
		listed: l.vars, weights: l.vars, phantoms: map[*graph.Node]tensor.Shape{}, numbers: map[string]int{}, unread: map[*layerCalls]int{}, cut: k.cut,
	}
	inner.scope.Calls = slices.DeleteFunc(inner.scope.Calls, func(c *scopes.Call) bool { return !c.Op && scopes.Helpers[kerasnames.WithoutNumber(c.Raw)] })
	layers := 0
	for _, c := range inner.scope.Calls {
		if !c.Op {
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

// Bounds on how many operations and variables are looked at to see what stands within layers,
// beyond which it is taken that nothing does: a fixed number, and one for each operation of the
// function. Models in models are looked at again for each model around them.
const (
	maxCut   = 100_000
	cutsEach = 16
)

// addSteps lists the calls for [LayerTable.At], in the order in which the graph made them. Calls
// inside a nested model come before the model's own.
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
		c *scopes.Call
	}
	var order []visit
	for _, l := range k.layers {
		for _, c := range l.calls {
			order = append(order, visit{l, c})
		}
	}
	slices.SortStableFunc(order, func(a, b visit) int { return a.c.Place() - b.c.Place() })
	for _, v := range order {
		steps = append(steps, k.callSteps(v.l, v.c, rows[v.l])...)
	}
	return steps
}

// callSteps returns the steps of one call.
func (k *keras3) callSteps(l *layerCalls, c *scopes.Call, row *Layer) []*step {
	var steps []*step
	st := &step{layer: row, class: l.class, shapes: c.Shapes}
	if c.Phantom {
		st.class = "Identity"
		st.config = rules.Config{}
	} else if !l.op {
		st.config = scopes.Config(k.scope, l.class, c, l.vars)
	}
	for _, e := range c.Ins {
		st.in = append(st.in, e.Ref)
	}
	for _, r := range c.Outs {
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
