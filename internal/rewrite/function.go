package rewrite

import (
	"maps"
	"slices"
	"strings"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
)

// functionWriter adds to a function and changes it.
type functionWriter struct {
	def   *functionpb.FunctionDef
	nodes map[string]*nodepb.NodeDef // by name, those that the function had at the beginning
	names nameSet
}

func newFunctionWriter(def *functionpb.FunctionDef) functionWriter {
	w := functionWriter{def: def, nodes: map[string]*nodepb.NodeDef{}, names: namesOf(def)}
	for _, n := range def.GetNodeDef() {
		w.nodes[n.GetName()] = n
	}
	return w
}

// add adds a node and returns its output 0 of the given name.
func (w *functionWriter) add(name, op string, attr attrs, output string, inputs ...string) string {
	n := &nodepb.NodeDef{Name: w.names.unused(name), Op: op, Input: inputs, Attr: attr}
	w.def.NodeDef = append(w.def.NodeDef, n)
	return n.Name + ":" + output + ":0"
}

// constant adds a constant of int32s and returns its output. nil dims are those of a scalar.
func (w *functionWriter) constant(name string, dims []int64, values ...int32) string {
	n := constNode(w.names.unused(name), dims, values)
	w.def.NodeDef = append(w.def.NodeDef, n)
	return n.Name + ":output:0"
}

// rename makes all users of a tensor, or all nodes that run after a node ("^node"), use another
// one.
func (w *functionWriter) rename(from, to string) {
	replaceRefs(w.def, func(in string) string {
		if in == from {
			return to
		}
		return in
	})
}

// nameSet holds the names that a function uses.
type nameSet map[string]bool

// unused returns the name, or a similar one that the function does not use, and adds it to the set.
func (s nameSet) unused(name string) string {
	for s[name] {
		name += "_"
	}
	s[name] = true
	return name
}

// namesOf returns the names of a function's nodes and arguments.
func namesOf(def *functionpb.FunctionDef) nameSet {
	names := nameSet{}
	for _, n := range def.GetNodeDef() {
		names[n.GetName()] = true
	}
	for _, a := range def.GetSignature().GetInputArg() {
		names[a.GetName()] = true
	}
	return names
}

// replaceRefs replaces each reference that the function's nodes and results have, an output or a
// control input "^node", by what other returns for it.
func replaceRefs(def *functionpb.FunctionDef, other func(string) string) {
	for _, n := range def.GetNodeDef() {
		for i, in := range n.GetInput() {
			n.Input[i] = other(in)
		}
	}
	for key, from := range def.GetRet() {
		def.Ret[key] = other(from)
	}
	for key, name := range def.GetControlRet() {
		def.ControlRet[key] = strings.TrimPrefix(other("^"+name), "^")
	}
}

// redirect makes the users of a node's outputs take other outputs, and nodes that run after it run
// after another node. It reports false if an output is used for which there is no other.
func redirect(def *functionpb.FunctionDef, outputs map[string]string, node, after string) bool {
	ok := true
	other := func(in string) string {
		switch {
		case in == "^"+node:
			return "^" + after
		case strings.HasPrefix(in, "^") || graph.NodeOf(in) != node:
			return in
		}
		to := outputs[in]
		ok = ok && to != ""
		return to
	}
	replaceRefs(def, other)
	return ok
}

// sweep removes the nodes of a function that nothing depends on any more. It reports false if nodes
// depend on each other in a circle.
func sweep(def *functionpb.FunctionDef) bool {
	nodes := map[string]*nodepb.NodeDef{}
	for _, n := range def.GetNodeDef() {
		nodes[n.GetName()] = n
	}
	todo := slices.Concat(slices.Collect(maps.Values(def.GetRet())), slices.Collect(maps.Values(def.GetControlRet())))
	const entered, left = 1, 2
	state := map[*nodepb.NodeDef]int{}
	for len(todo) > 0 {
		name, _, _ := strings.Cut(strings.TrimPrefix(todo[len(todo)-1], "^"), ":")
		switch n := nodes[name]; {
		case n == nil || state[n] == left:
			todo = todo[:len(todo)-1]
		case state[n] == entered:
			state[n] = left
			todo = todo[:len(todo)-1]
		default:
			state[n] = entered
			for _, in := range n.GetInput() {
				before, _, _ := strings.Cut(strings.TrimPrefix(in, "^"), ":")
				if state[nodes[before]] == entered && nodes[before] != nil {
					return false
				}
				todo = append(todo, in)
			}
		}
	}
	def.NodeDef = slices.DeleteFunc(def.GetNodeDef(), func(n *nodepb.NodeDef) bool { return state[n] == 0 })
	return true
}

// addArg adds an argument to a function.
func addArg(def *functionpb.FunctionDef, name string, t typespb.DataType, shape *shapepb.TensorShapeProto) {
	def.Signature.InputArg = append(def.Signature.InputArg, &opdefpb.OpDef_ArgDef{Name: name, Type: t})
	addShape(def.GetAttr()["_input_shapes"], len(def.Signature.InputArg)-1, shape)
}

// addShape adds a shape to a list with one shape for each of n tensors. A shorter list, which
// leaves shapes out, is not changed.
func addShape(attr *attrpb.AttrValue, n int, shape *shapepb.TensorShapeProto) {
	if list := attr.GetList(); n > 0 && len(list.GetShape()) == n {
		list.Shape = append(list.Shape, shape)
	}
}
