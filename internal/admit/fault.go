package admit

import (
	"fmt"
	"slices"
	"strconv"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// Template is the fault of a function with attributes that its callers fill in. What such a
// function does depends on the caller and on defaults. TensorFlow 2 makes none.
const Template = "is a template, whose attributes its callers fill in"

const dtypeString = typespb.DataType_DT_STRING

// Fault returns what is wrong with a node, whatever its operation: something that readers could
// differ about, or that no SavedModel holds and TensorFlow would trust. It returns "" for most
// nodes. Allowing a node's operation does not allow a fault.
func Fault(n *nodepb.NodeDef) string {
	if key, msg := faultIn(n.GetAttr(), 0); msg != "" {
		return fmt.Sprintf("has an attribute %q that %s", key, msg)
	}
	key := dataTypes[n.GetOp()]
	v := n.GetAttr()[key]
	if isHandle(v.GetType()) || slices.ContainsFunc(v.GetList().GetType(), isHandle) {
		return fmt.Sprintf("makes handles of data (%s)", key)
	}
	return ""
}

// dataTypes maps operations that decode bytes to the attribute with the type of the result.
var dataTypes = map[string]string{
	"Const": "dtype", "HostConst": "dtype", "ParseTensor": "out_type", "DeserializeSparse": "dtype", "DeserializeManySparse": "dtype",
	"RestoreV2": "dtypes", "Restore": "dt", "RestoreSlice": "dt",
}

// mostNested bounds how deep attributes of functions nest.
const mostNested = 100

// faultIn returns the fault of the first attribute, by name, that has one.
func faultIn(attrs map[string]*attrpb.AttrValue, depth int) (key, msg string) {
	for k, v := range attrs {
		if m := faultOf(v, depth); m != "" && (msg == "" || k < key) {
			key, msg = k, m
		}
	}
	return key, msg
}

// faultOf is [Fault] for one attribute.
func faultOf(v *attrpb.AttrValue, depth int) string {
	if depth > mostNested {
		return "nests too deeply"
	}
	switch v := v.GetValue().(type) {
	case *attrpb.AttrValue_Placeholder:
		return "its caller fills in"
	case *attrpb.AttrValue_Tensor:
		return tensorFault(v.Tensor)
	case *attrpb.AttrValue_Func:
		_, msg := faultIn(v.Func.GetAttr(), depth+1)
		return msg
	case *attrpb.AttrValue_List:
		for _, t := range v.List.GetTensor() {
			if msg := tensorFault(t); msg != "" {
				return msg
			}
		}
		for _, f := range v.List.GetFunc() {
			if _, msg := faultIn(f.GetAttr(), depth+1); msg != "" {
				return msg
			}
		}
	}
	return ""
}

// tensorFault checks a tensor in a graph. TensorFlow reads tensor_content if there is any,
// otherwise the list of the tensor's type.
func tensorFault(t *tensorpb.TensorProto) string {
	if t == nil {
		return ""
	}
	if isHandle(t.GetDtype()) || len(t.GetVariantVal()) > 0 || len(t.GetResourceHandleVal()) > 0 {
		return "is a constant that holds handles"
	}
	forms := 0
	for _, n := range []int{
		len(t.GetTensorContent()), len(t.GetHalfVal()), len(t.GetFloatVal()), len(t.GetDoubleVal()), len(t.GetIntVal()), len(t.GetStringVal()),
		len(t.GetScomplexVal()), len(t.GetInt64Val()), len(t.GetBoolVal()), len(t.GetDcomplexVal()), len(t.GetUint32Val()), len(t.GetUint64Val()),
		len(t.ProtoReflect().GetUnknown()),
	} {
		if n > 0 {
			forms++
		}
	}
	if forms > 1 {
		return "holds its values twice"
	}
	return ""
}

// isHandle reports whether tensors of a type, or references to them, are handles.
func isHandle(t typespb.DataType) bool {
	const reference = 100 // DT_FLOAT_REF and other reference types
	t %= reference
	return t == typespb.DataType_DT_RESOURCE || t == typespb.DataType_DT_VARIANT
}

// attrText returns a value in the form that the table of operations has it in.
func attrText(v *attrpb.AttrValue) string {
	switch v := v.GetValue().(type) {
	case *attrpb.AttrValue_S:
		return string(v.S)
	case *attrpb.AttrValue_B:
		return strconv.FormatBool(v.B)
	}
	return "\x00" // equals nothing in the table
}
