package graph

import (
	"strings"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

// Cut is what is left out of a graph: nodes of the main graph, and functions. Whatever depends on
// them is left out too, so the rest is whole.
type Cut struct{ Nodes, Functions map[string]bool }

// Has reports whether a tensor of the main graph is left out.
func (c *Cut) Has(tensor string) bool { return c != nil && c.Nodes[NodeOf(tensor)] }

// Cut returns what has to be left out together with the given nodes of the main graph and
// functions: nodes that take their results, or run after them, or call them; functions that contain
// such a node; and functions of which a left-out function is the gradient. The whole graph is
// decoded. It is nil where nothing is to be left out.
func (g *Graph) Cut(nodes, functions []string) (*Cut, error) {
	if len(nodes)+len(functions) == 0 {
		return nil, nil
	}
	c := &Cut{Nodes: map[string]bool{}, Functions: map[string]bool{}}
	// For each node, and for each function, these list what has to go with it.
	nodeUsers, functionUsers, callers := map[string][]string{}, map[string][]string{}, map[string][]string{}
	for def, err := range g.Nodes() {
		if err != nil {
			return nil, err
		}
		for _, in := range def.GetInput() {
			nodeUsers[NodeOf(in)] = append(nodeUsers[NodeOf(in)], def.GetName())
		}
		for _, name := range Beside(def) {
			nodeUsers[name] = append(nodeUsers[name], def.GetName())
		}
		use := func(function string) { functionUsers[function] = append(functionUsers[function], def.GetName()) }
		use(def.GetOp())
		EachFunction(def.GetAttr(), use)
	}
	for def, err := range g.Functions() {
		if err != nil {
			return nil, err
		}
		eachCallee(def, func(callee string) { callers[callee] = append(callers[callee], def.GetSignature().GetName()) })
	}
	gradients, err := g.Gradients()
	if err != nil {
		return nil, err
	}
	for of, gradient := range gradients {
		callers[gradient] = append(callers[gradient], of)
	}
	spread(c.Functions, functions, callers)
	for name := range c.Functions {
		nodes = append(nodes, functionUsers[name]...)
	}
	spread(c.Nodes, nodes, nodeUsers)
	return c, nil
}

// Beside returns the nodes on whose device a node has to run: the attribute _class names them
// ("loc:@node"). TensorFlow refuses a graph in which they are missing.
func Beside(def *nodepb.NodeDef) []string {
	var names []string
	for _, class := range def.GetAttr()["_class"].GetList().GetS() {
		if name, ok := strings.CutPrefix(string(class), "loc:@"); ok {
			names = append(names, name)
		}
	}
	return names
}

// eachCallee calls add with the functions that a function uses.
func eachCallee(def *functionpb.FunctionDef, add func(string)) {
	EachFunction(def.GetAttr(), add)
	for _, n := range def.GetNodeDef() {
		add(n.GetOp())
		EachFunction(n.GetAttr(), add)
	}
}

// spread marks names and all that uses them, directly or not. It does not recurse.
func spread(marked map[string]bool, names []string, users map[string][]string) {
	for todo := names; len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !marked[name] {
			marked[name] = true
			todo = append(todo, users[name]...)
		}
	}
}
