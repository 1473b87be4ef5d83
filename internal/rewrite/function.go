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

// functionWriter changes a function.
type functionWriter struct {
	def   *functionpb.FunctionDef
	nodes map[string]*nodepb.NodeDef // by name, those that it had
	names nameSet
}

func newFunctionWriter(def *functionpb.FunctionDef) functionWriter {
	w := functionWriter{def: def, nodes: map[string]*nodepb.NodeDef{}, names: namesOf(def)}
	for _, n := range def.GetNodeDef() {
		w.nodes[n.GetName()] = n
	}
	return w
}

// add adds a node and returns one of its outputs, ":0" of the given name.
func (w *functionWriter) add(name, op string, attr attrs, output string, inputs ...string) string {
	n := &nodepb.NodeDef{Name: w.names.unused(name), Op: op, Input: inputs, Attr: attr}
	w.def.NodeDef = append(w.def.NodeDef, n)
	return n.Name + ":" + output + ":0"
}

// constant adds a constant of int32; nil dims are a scalar's.
func (w *functionWriter) constant(name string, dims []int64, values ...int32) string {
	n := constNode(w.names.unused(name), dims, values)
	w.def.NodeDef = append(w.def.NodeDef, n)
	return n.Name + ":output:0"
}

// rename has all that takes a tensor, or comes after a node ("^node"), take another.
func (w *functionWriter) rename(from, to string) {
	replaceRefs(w.def, func(in string) string {
		if in == from {
			return to
		}
		return in
	})
}

// nameSet holds the names that are taken in a function.
type nameSet map[string]bool

// unused returns the name, or one like it that is not taken, and takes it.
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

// replaceRefs has another reference stand for each that a function's nodes and results have: an
// output as the function writes it, or "^node" for the order alone.
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

// redirect has all that takes outputs of a node take others, and what comes after it in the order
// come after another. It reports false where an output is taken that has no other.
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

// sweep leaves out the nodes of a function that nothing depends on any more. It reports false where
// nodes depend on each other in a circle.
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

// addArg gives a function one more argument.
func addArg(def *functionpb.FunctionDef, name string, t typespb.DataType, shape *shapepb.TensorShapeProto) {
	def.Signature.InputArg = append(def.Signature.InputArg, &opdefpb.OpDef_ArgDef{Name: name, Type: t})
	addShape(def.GetAttr()["_input_shapes"], len(def.Signature.InputArg)-1, shape)
}

// addShape adds a shape to a list that has one for each of n tensors. A list of fewer says nothing
// of most, and is left alone.
func addShape(attr *attrpb.AttrValue, n int, shape *shapepb.TensorShapeProto) {
	if list := attr.GetList(); n > 0 && len(list.GetShape()) == n {
		list.Shape = append(list.Shape, shape)
	}
}
