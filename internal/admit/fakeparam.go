package admit

import (
	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// clearFakeParam makes a FakeParam a constant of zeros. It stands for a value that a branch of
// tf.cond does not have and nobody reads: TensorFlow gives memory as it was left. Where the shape
// leaves a size open there are no values, and texts and handles begin empty.
func clearFakeParam(n *nodepb.NodeDef) {
	shape, dtype := n.GetAttr()["shape"].GetShape(), n.GetAttr()["dtype"]
	const references = 100 // DT_FLOAT_REF and the others, of which there are no constants
	switch t := dtype.GetType(); {
	case n.GetOp() != "FakeParam", t >= references, isHandle(t), t == typespb.DataType_DT_INVALID, t == typespb.DataType_DT_STRING:
		return
	}
	t := &tensorpb.TensorProto{Dtype: dtype.GetType(), TensorShape: &shapepb.TensorShapeProto{}}
	if !shape.GetUnknownRank() { // of an unknown rank: one value
		for _, d := range shape.GetDim() {
			if d.GetSize() < 0 {
				return
			}
			t.TensorShape.Dim = append(t.TensorShape.Dim, &shapepb.TensorShapeProto_Dim{Size: d.GetSize()})
		}
	}
	n.Op = "Const"
	delete(n.Attr, "shape")
	n.Attr["value"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Tensor{Tensor: t}}
}
