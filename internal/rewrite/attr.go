package rewrite

import (
	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// attrs are the attributes of a node or a function, by name.
type attrs = map[string]*attrpb.AttrValue

// Attributes that many nodes share. None of them is ever changed.
var (
	int32Attr = typeAttr(typespb.DataType_DT_INT32)
	trueAttr  = boolAttr(true)
	emptyAttr = &attrpb.AttrValue{Value: &attrpb.AttrValue_S{}}
)

func boolAttr(b bool) *attrpb.AttrValue { return &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: b}} }

func intAttr(i int64) *attrpb.AttrValue { return &attrpb.AttrValue{Value: &attrpb.AttrValue_I{I: i}} }

func typeAttr(t typespb.DataType) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: t}}
}

func typesAttr(types []typespb.DataType) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{Type: types}}}
}

func shapeAttr(s *shapepb.TensorShapeProto) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: s}}
}

// shapesAttr returns a list of shapes for a node with a single output of shape s.
func shapesAttr(s *shapepb.TensorShapeProto) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{Shape: []*shapepb.TensorShapeProto{s}}}}
}

func stringAttr(s string) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(s)}}
}

func tensorAttr(t *tensorpb.TensorProto) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Tensor{Tensor: t}}
}

// functionAttr names a function to be called, with attributes.
func functionAttr(name string, with attrs) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: name, Attr: with}}}
}

// constNode returns a constant of int32s. nil dims are those of a scalar.
func constNode(name string, dims []int64, values []int32) *nodepb.NodeDef {
	shape := &shapepb.TensorShapeProto{}
	for _, d := range dims {
		shape.Dim = append(shape.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	value := &tensorpb.TensorProto{Dtype: typespb.DataType_DT_INT32, TensorShape: shape, IntVal: values}
	return &nodepb.NodeDef{Name: name, Op: "Const", Attr: attrs{
		"dtype": int32Attr, "value": tensorAttr(value),
	}}
}
