package rewrite

import (
	"slices"

	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// shapeOps are ops whose results depend only on shapes if their inputs do.
var shapeOps = graph.OpSets(map[bool]string{true: `Const Pack StridedSlice Slice Prod Mul Add AddV2 Sub FloorDiv Maximum Minimum Range Cast ConcatV2 Reshape ExpandDims Squeeze
	Fill Identity GatherV2`})

// sizeOps are ops whose results depend only on the shape of their input.
var sizeOps = graph.OpSets(map[bool]string{true: "Shape Size Rank ZerosLike OnesLike"})

// looksAtShape reports whether a node returns numbers that depend only on its input's shape.
func looksAtShape(n *graph.Node) bool { return n.Op == "Shape" || n.Op == "Size" || n.Op == "Rank" }

// moveOps are ops that move values and compute nothing. Those before a loop, and only for it, are
// compiled with the loop.
var moveOps = graph.OpSets(map[bool]string{true: "Identity Transpose ReverseV2 ExpandDims"})

// turnsNumbers reports whether a node reverses whole numbers. That takes no time, so TensorFlow
// runs it: the programs for both directions of a sequence are then the same, and XLA compiles one.
func turnsNumbers(n *graph.Node) bool {
	t := graph.DType(n.Def.GetAttr()["T"].GetType())
	return n.Op == "ReverseV2" && (t == tensor.Int32 || t == tensor.Int64)
}

// movesOn reports whether u moves a result of the loop that n belongs to, or takes a step of it; it
// is then compiled with the loop. A second transposition in a row belongs to the next loop, which
// wants the batch axis first.
func movesOn(u, n *graph.Node) bool {
	switch u.Op {
	case "Identity", "ReverseV2":
		return true
	case "Transpose":
		return n.Op == "TensorListStack" || graph.IsLoop(n) || graph.IsCall(n.Op)
	}
	return takesStep(u)
}

// listOps are ops that make or read lists of tensors. XLA's programs cannot take or return such
// lists.
var listOps = graph.OpSets(map[bool]string{true: "TensorListFromTensor TensorListReserve TensorListStack TensorListGetItem"})

// isVariant reports whether values of a type have no shape, and cannot be looked into.
func isVariant(t typespb.DataType) bool {
	return t == typespb.DataType_DT_VARIANT || t == typespb.DataType_DT_RESOURCE
}

// inputType returns the type of data input i of a node, for the ops that a cluster may contain;
// DT_INVALID where the type is not known.
func inputType(n *graph.Node, i int) typespb.DataType {
	attr := n.Def.GetAttr()
	list := func(name string) typespb.DataType {
		if types := attr[name].GetList().GetType(); i < len(types) {
			return types[i]
		}
		return typespb.DataType_DT_INVALID
	}
	switch {
	case graph.IsLoop(n):
		return list("T")
	case graph.IsCall(n.Op):
		return list("Tin")
	case sizeOps[n.Op] || (moveOps[n.Op] || n.Op == "StridedSlice") && i == 0:
		return attr["T"].GetType()
	case n.Op == "TensorListFromTensor" && i == 0:
		return attr["element_dtype"].GetType()
	case n.Op == "TensorListStack" && i == 0 || n.Op == "TensorListGetItem" && i == 0:
		return typespb.DataType_DT_VARIANT
	}
	return typespb.DataType_DT_INVALID
}

// outputType returns the type of an output of a node, for the ops that a cluster may contain;
// DT_INVALID where the type is not known, or where a program of XLA cannot return it.
func outputType(r graph.Ref) typespb.DataType {
	attr := r.Node.Def.GetAttr()
	t := typespb.DataType_DT_INVALID
	switch {
	case graph.IsLoop(r.Node):
		if types := attr["T"].GetList().GetType(); r.Out < len(types) {
			t = types[r.Out]
		}
	case graph.IsCall(r.Node.Op):
		if types := attr["Tout"].GetList().GetType(); r.Out < len(types) {
			t = types[r.Out]
		}
	case moveOps[r.Node.Op] || r.Node.Op == "StridedSlice":
		t = attr["T"].GetType()
	case r.Node.Op == "TensorListStack" || r.Node.Op == "TensorListGetItem":
		t = attr["element_dtype"].GetType()
	}
	if isVariant(t) || t == typespb.DataType_DT_STRING {
		return typespb.DataType_DT_INVALID
	}
	return t
}

// takesStep reports whether a node takes the first or the last step of a sequence, which sequences
// of any length have.
func takesStep(n *graph.Node) bool {
	begin := graph.Ints(n.In(1))
	return n.Op == "StridedSlice" && n.Def.GetAttr()["shrink_axis_mask"].GetI()&1 == 1 &&
		len(begin) > 0 && !slices.ContainsFunc(begin, func(b int64) bool { return b != 0 && b != -1 })
}

// unmoved follows a tensor back through identities.
func unmoved(r graph.Ref) graph.Ref {
	for range graph.MaxUnwrap {
		if r.Node == nil || r.Node.Op != "Identity" || len(r.Node.Inputs) != 1 {
			break
		}
		r = r.Node.Inputs[0]
	}
	return r
}

// sameShape follows a tensor back through operations that keep its shape.
func sameShape(r graph.Ref) graph.Ref {
	for range graph.MaxUnwrap {
		if r.Node == nil || r.Node.Op != "Identity" && r.Node.Op != "ReverseV2" || len(r.Node.Inputs) == 0 {
			break
		}
		r = r.Node.Inputs[0]
	}
	return r
}

// inRangeAttr marks a lookup whose numbers are known to be within the table.
const inRangeAttr = "_tfrun_in_range"
