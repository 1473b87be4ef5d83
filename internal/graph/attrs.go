package graph

import (
	"cmp"
	"strconv"
	"strings"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/tensor"
)

// NodeOf returns the name of the node that an input of a main graph's node refers to: "n" for "^n",
// "n:1" and "n".
func NodeOf(input string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(input, "^"), ":")
	return name
}

// OutputOf returns the tensor that an input refers to, in the one form "n:0". A control input "^n"
// stays as it is.
func OutputOf(input string) string {
	if strings.HasPrefix(input, "^") || strings.Contains(input, ":") {
		return input
	}
	return input + ":0"
}

// OutputShape returns the shape that a node has for one of its tensors, "n:1" (the attribute
// _output_shapes, or shape of a placeholder); an unknown one if it has none.
func OutputShape(n *nodepb.NodeDef, t string) tensor.Shape {
	_, out, _ := strings.Cut(t, ":")
	i, err := strconv.Atoi(cmp.Or(out, "0"))
	list := n.GetAttr()["_output_shapes"].GetList().GetShape()
	switch s := n.GetAttr()["shape"].GetShape(); {
	case err == nil && i >= 0 && i < len(list):
		return Shape(list[i])
	case err == nil && i == 0 && n.GetOp() == "Placeholder" && s != nil:
		return Shape(s)
	}
	return tensor.UnknownShape()
}

// Shape converts a TensorShapeProto. As in TensorFlow, an absent one is the shape of a scalar.
func Shape(p *shapepb.TensorShapeProto) tensor.Shape {
	if p.GetUnknownRank() {
		return tensor.UnknownShape()
	}
	dims := make([]int64, len(p.GetDim()))
	for i, d := range p.GetDim() {
		dims[i] = max(d.GetSize(), tensor.Unknown)
	}
	return tensor.MakeShape(dims...)
}

// DType converts a DataType. Numbers that TensorFlow does not define become [tensor.Invalid].
func DType(d typespb.DataType) tensor.DType {
	if d < 0 || d > 255 {
		return tensor.Invalid
	}
	return tensor.DType(d)
}

// EachFunction calls add with the functions that attributes name, also inside the attributes of
// those functions. It does not recurse.
func EachFunction(attrs map[string]*attrpb.AttrValue, add func(string)) {
	for todo := []map[string]*attrpb.AttrValue{attrs}; len(todo) > 0; {
		last := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, a := range last {
			for _, f := range append(a.GetList().GetFunc(), a.GetFunc()) {
				add(f.GetName())
				if len(f.GetAttr()) > 0 {
					todo = append(todo, f.GetAttr())
				}
			}
		}
	}
}

// OpSets maps each op to its value, for a table that lists the ops of a value in one string.
func OpSets[T comparable](lists map[T]string) map[string]T {
	byOp := map[string]T{}
	for value, list := range lists {
		for op := range strings.FieldsSeq(list) {
			byOp[op] = value
		}
	}
	return byOp
}

// SharedName returns the name of a VarHandleOp's resource: its shared_name, or, where that is
// empty, the name of the node.
func SharedName(n *nodepb.NodeDef) string {
	if name := string(n.GetAttr()["shared_name"].GetS()); name != "" {
		return name
	}
	return n.GetName()
}

// ResourceName returns a text that differs for VarHandleOps of different resources.
func ResourceName(n *nodepb.NodeDef) string {
	return string(n.GetAttr()["container"].GetS()) + "\x00" + SharedName(n)
}

// SharedResource returns the [ResourceName] of a variable of that name in no container.
func SharedResource(name string) string { return "\x00" + name }

// SplitInputs splits the inputs of a node into data inputs and control inputs, which only set an
// order.
func SplitInputs(n *nodepb.NodeDef) (data, orders []string) {
	for _, in := range n.GetInput() {
		if strings.HasPrefix(in, "^") {
			orders = append(orders, in)
		} else {
			data = append(data, in)
		}
	}
	return data, orders
}
