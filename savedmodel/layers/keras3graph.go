package layers

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
)

// vertex is a node of Keras' own graph of a functional model: a call of a layer, or an input.
type vertex struct {
	layer  string
	call   *scopes.Call // nil for an input
	input  int          // index of the argument, for an input
	from   []vertexEdge
	depth  int
	number int // which of the layer's calls it is
}

type vertexEdge struct {
	to     *vertex
	tensor int
}

// inputVertices makes the vertices of the inputs, with their names.
func (k *keras3) inputVertices() map[int]*vertex {
	inputs := map[int]*vertex{}
	for i := range k.body.Args {
		if _, ok := k.body.Inputs[i]; ok {
			inputs[i] = &vertex{input: i, layer: k.body.ArgName(i)}
		}
	}
	k.nameInputs(inputs)
	return inputs
}

// unnamedInput matches the name that Keras gives the tensor of an input without a name.
var unnamedInput = regexp.MustCompile(`^(?:keras_tensor(?:_(\d+))?|args_(\d+)|inputs)$`)

// nameInputs gives unnamed inputs the default names of InputLayer, in the order of the numbers of
// their tensors.
func (k *keras3) nameInputs(inputs map[int]*vertex) {
	type unnamed struct {
		v *vertex
		n int
	}
	var list []unnamed
	for _, v := range inputs {
		if m := unnamedInput.FindStringSubmatch(v.layer); m != nil {
			n, _ := strconv.Atoi(m[1] + m[2])
			list = append(list, unnamed{v, n})
		}
	}
	slices.SortFunc(list, func(a, b unnamed) int { return cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.v.input, b.v.input)) })
	first := 0
	if len(list) > 0 && list[0].n > 0 {
		first = k.nestedInputs()
	}
	for i, u := range list {
		u.v.layer = numbered("input_layer", first+i)
	}
}

// nestedInputs returns the number of nested models. Each has an input of its own, which has taken a
// default name before the model's if its tensors were made before.
func (k *keras3) nestedInputs() int {
	n := 0
	for _, l := range k.layers {
		if isModel(l.class) {
			n++
		}
	}
	return n
}

// mapLayers makes Keras' own graph of the layers and inputs, and returns each one's distance from
// the outputs.
func (k *keras3) mapLayers() (*mapGraph, map[string]int, map[int]*vertex) {
	inputs := k.inputVertices()
	vertices := map[*scopes.Call]*vertex{}
	for _, l := range k.layers {
		for _, c := range l.calls {
			vertices[c] = &vertex{layer: l.name, call: c}
		}
	}
	for _, l := range k.layers {
		for _, c := range l.calls {
			vertices[c].from = k.parents(l, c, vertices, inputs)
		}
	}
	g := &mapGraph{finished: map[*vertex]bool{}, index: map[string]int{}}
	for _, r := range k.scope.Rets {
		if o := k.scope.Owner[r.Node]; o != nil && vertices[o] != nil {
			g.visit(k.lastPhantom(vertices[o], vertices))
		} else if i, ok := r.IsArg(); ok && inputs[i] != nil {
			g.visit(inputs[i])
		}
	}
	for _, l := range k.layers {
		for _, c := range l.calls {
			g.visit(vertices[c])
		}
	}
	depths := g.depths()
	for _, i := range sortedKeys(inputs) {
		if name := inputs[i].layer; !g.finished[inputs[i]] {
			depths[name], g.index[name] = 0, -1
		}
	}
	g.number()
	return g, depths, inputs
}

// parents returns the vertices that a call is connected to, in the order of the layer's arguments.
func (k *keras3) parents(l *layerCalls, c *scopes.Call, vertices map[*scopes.Call]*vertex, inputs map[int]*vertex) []vertexEdge {
	var from []vertexEdge
	for _, e := range k.argumentOrder(l, c) {
		switch i, isArg := e.Ref.IsArg(); {
		case e.From != nil:
			from = append(from, vertexEdge{vertices[e.From], max(0, e.From.Output(e.Ref))})
		case isArg && inputs[i] != nil:
			from = append(from, vertexEdge{inputs[i], 0})
		}
	}
	if l.class != "Attention" && l.class != "AdditiveAttention" {
		for _, e := range c.Masks {
			if v := vertices[e.From]; v != nil {
				from = append(from, vertexEdge{v, 0})
			}
		}
	}
	if len(from) == 1 && slices.Contains(attentionClasses, l.class) {
		from = append(from, from[0]) // self-attention: query and value are one tensor
	}
	return from
}

// argumentOrder returns a call's inputs in the order of the layer's arguments, where the graph uses
// them in another order.
func (k *keras3) argumentOrder(l *layerCalls, c *scopes.Call) []scopes.Edge {
	if len(c.Ins) == 1 && l.class == "Dot" { // of one tensor with itself
		return []scopes.Edge{c.Ins[0], c.Ins[0]}
	}
	if len(c.Ins) < 2 {
		return c.Ins
	}
	var first graph.Ref
	switch l.class {
	case "Attention", "AdditiveAttention":
		// The query is the left factor of the first product; for additive attention, the first
		// tensor to be expanded.
		for _, n := range c.Nodes {
			if n.Op == "BatchMatMulV2" || n.Op == "ExpandDims" {
				first = k.through(c, n.Inputs[0])
				break
			}
		}
	case "Dot":
		for _, n := range c.Nodes {
			if n.Op == "BatchMatMulV2" || n.Op == "MatMul" {
				first = k.through(c, n.Inputs[0])
			}
		}
	case "LSTM", "GRU", "SimpleRNN", "RNN":
		// The sequence is the tensor that the loop unstacks; the states come after it.
		for _, n := range c.Nodes {
			if n.Op == "Transpose" || n.Op == "TensorListFromTensor" || n.Op == "Unpack" {
				first = k.through(c, n.Inputs[0])
				break
			}
		}
	}
	ins := slices.Clone(c.Ins)
	slices.SortStableFunc(ins, func(a, b scopes.Edge) int {
		switch {
		case a.Ref == first && b.Ref != first:
			return -1
		case b.Ref == first && a.Ref != first:
			return 1
		}
		return 0
	})
	if len(ins) == 3 && (l.class == "Attention" || l.class == "AdditiveAttention") {
		ins[1], ins[2] = ins[2], ins[1] // the key is used before the value, which is given first
	}
	return ins
}

// through follows a tensor back within a call to the tensor from outside that it comes from.
func (k *keras3) through(c *scopes.Call, r graph.Ref) graph.Ref {
	for range len(c.Nodes) {
		r = k.scope.Source(r)
		if r.Node == nil || k.scope.Owner[r.Node] != c || len(r.Node.Inputs) == 0 {
			return r
		}
		r = r.Node.Inputs[0]
	}
	return r
}

// lastPhantom returns the vertex of a layer without operations between v and the model's output, or
// v if there is none.
func (k *keras3) lastPhantom(v *vertex, vertices map[*scopes.Call]*vertex) *vertex {
	for _, l := range k.layers {
		for _, c := range l.calls {
			if c.Phantom && len(vertices[c].from) > 0 && vertices[c].from[0].to == v && len(k.scope.Consumers(c)) == 0 {
				return vertices[c]
			}
		}
	}
	return v
}

// mapGraph orders the vertices as Keras does, by their distance from the outputs.
type mapGraph struct {
	finished map[*vertex]bool
	index    map[string]int // of a layer, by the order of the walk
	sequence []*vertex
	calls    map[string][]*vertex
}

// visit walks from v to the vertices that it is computed from. It keeps a stack of its own, since a
// hostile graph may be deep or circular.
func (g *mapGraph) visit(v *vertex) {
	type frame struct {
		v    *vertex
		next int
	}
	if v == nil || g.finished[v] {
		return
	}
	open := map[*vertex]bool{v: true}
	g.enter(v)
	for stack := []frame{{v, 0}}; len(stack) > 0; {
		top := &stack[len(stack)-1]
		if top.next < len(top.v.from) {
			to := top.v.from[top.next].to
			top.next++
			if to != nil && !g.finished[to] && !open[to] {
				open[to] = true
				g.enter(to)
				stack = append(stack, frame{to, 0})
			}
			continue
		}
		g.finished[top.v] = true
		g.sequence = append(g.sequence, top.v)
		stack = stack[:len(stack)-1]
	}
}

func (g *mapGraph) enter(v *vertex) {
	if _, ok := g.index[v.layer]; !ok {
		g.index[v.layer] = len(g.index)
	}
}

// depths returns each layer's distance from the outputs.
func (g *mapGraph) depths() map[string]int {
	byLayer := map[string]int{}
	for _, v := range slices.Backward(g.sequence) {
		v.depth = max(v.depth, byLayer[v.layer])
		byLayer[v.layer] = v.depth
		for _, e := range v.from {
			if e.to != nil {
				e.to.depth = max(e.to.depth, v.depth+1)
			}
		}
	}
	return byLayer
}

// number numbers the calls of each layer as the walk found them.
func (g *mapGraph) number() {
	g.calls = map[string][]*vertex{}
	for _, v := range g.sequence {
		if v.call != nil {
			v.number = len(g.calls[v.layer])
			g.calls[v.layer] = append(g.calls[v.layer], v)
		}
	}
}

// order returns the layers, the farthest from the outputs first.
func (g *mapGraph) order(depths map[string]int) []string {
	names := make([]string, 0, len(depths))
	for name := range depths {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(depths[b], depths[a]), cmp.Compare(g.index[a], g.index[b]), cmp.Compare(a, b))
	})
	return names
}

// behind returns a layer and all layers computed from its output.
func (g *mapGraph) behind(layer string) map[string]bool {
	all := map[string]bool{layer: true}
	g.forward(func(from, to string) {
		if all[from] {
			all[to] = true
		}
	})
	return all
}

// forward visits all connections between layers, each after those that lead to where it begins.
func (g *mapGraph) forward(visit func(from, to string)) {
	for _, v := range g.sequence { // each vertex comes after those that it is computed from
		for _, e := range v.from {
			if e.to != nil {
				visit(e.to.layer, v.layer)
			}
		}
	}
}

// backward visits the connections of forward the other way.
func (g *mapGraph) backward(visit func(from, to string)) {
	for _, v := range slices.Backward(g.sequence) {
		for _, e := range v.from {
			if e.to != nil {
				visit(e.to.layer, v.layer)
			}
		}
	}
}

// chain reports whether Keras prints no connections: each depth has one vertex with at most one
// input, and no layer is called twice.
func (g *mapGraph) chain() bool {
	perDepth := map[int]int{}
	calls := map[string]int{}
	for _, v := range g.sequence {
		perDepth[v.depth]++
		calls[v.layer]++
		if perDepth[v.depth] > 1 || calls[v.layer] > 1 || len(v.from) > 1 {
			return false
		}
	}
	return true
}

func sortedKeys[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
