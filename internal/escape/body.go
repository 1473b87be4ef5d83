package escape

import (
	"fmt"
	"slices"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

const (
	dtFloat    = typespb.DataType_DT_FLOAT
	dtInt32    = typespb.DataType_DT_INT32
	dtInt64    = typespb.DataType_DT_INT64
	dtUint8    = typespb.DataType_DT_UINT8
	dtString   = typespb.DataType_DT_STRING
	dtResource = typespb.DataType_DT_RESOURCE
	dtVariant  = typespb.DataType_DT_VARIANT
)

// attrs are a node's attributes, as values of Go.
type attrs map[string]any

// shapes is a list(shape) attribute with so many scalars.
type shapes int

// call is an attribute that names a function, with attributes of its own.
type call struct {
	name string
	with attrs
}

// filled is an attribute that the function's caller fills in.
type filled string

func attrValue(v any) *attrpb.AttrValue {
	list := func(l *attrpb.AttrValue_ListValue) *attrpb.AttrValue {
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: l}}
	}
	switch v := v.(type) {
	case string:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(v)}}
	case bool:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: v}}
	case int:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_I{I: int64(v)}}
	case typespb.DataType:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: v}}
	case []typespb.DataType:
		return list(&attrpb.AttrValue_ListValue{Type: v})
	case []string:
		l := &attrpb.AttrValue_ListValue{}
		for _, s := range v {
			l.S = append(l.S, []byte(s))
		}
		return list(l)
	case shapes:
		l := &attrpb.AttrValue_ListValue{}
		for range v {
			l.Shape = append(l.Shape, &shapepb.TensorShapeProto{})
		}
		return list(l)
	case []int64:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: shapeOf(v)}}
	case *tensorpb.TensorProto:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Tensor{Tensor: v}}
	case filled:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Placeholder{Placeholder: string(v)}}
	case call:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Func{Func: v.proto()}}
	case []call:
		l := &attrpb.AttrValue_ListValue{}
		for _, c := range v {
			l.Func = append(l.Func, c.proto())
		}
		return list(l)
	}
	panic(fmt.Sprintf("no attribute is a %T", v))
}

func (c call) proto() *attrpb.NameAttrList {
	n := &attrpb.NameAttrList{Name: c.name}
	if c.with != nil {
		n.Attr = c.with.proto()
	}
	return n
}

func (a attrs) proto() map[string]*attrpb.AttrValue {
	m := map[string]*attrpb.AttrValue{}
	for k, v := range a {
		m[k] = attrValue(v)
	}
	return m
}

func shapeOf(dims []int64) *shapepb.TensorShapeProto {
	s := &shapepb.TensorShapeProto{}
	for _, d := range dims {
		s.Dim = append(s.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	return s
}

// ref is an output of a node. A main graph refers to it by its number, a function by its name.
type ref struct {
	node, output string
	index        int
}

// body is a main graph or a function that is being made.
type body struct {
	inside bool // it is a function's
	nodes  []*nodepb.NodeDef
	prefix string // of nodes' names
}

// write returns a reference in the form that the body uses.
func (b *body) write(r ref) string {
	switch {
	case r.output == "": // an argument, or "^node"
		return r.node
	case b.inside:
		return fmt.Sprintf("%s:%s:%d", r.node, r.output, r.index)
	}
	return fmt.Sprintf("%s:%d", r.node, r.index)
}

// after returns a control input, which makes a node run after r's node and takes nothing from it.
func after(r ref) ref { return ref{node: "^" + r.node} }

// add adds a node and returns its first output, which the op calls output.
func (b *body) add(op, output string, a attrs, inputs ...ref) ref {
	return b.named(fmt.Sprintf("n%d", len(b.nodes)), op, output, a, inputs...)
}

// named is add with a name.
func (b *body) named(name, op, output string, a attrs, inputs ...ref) ref {
	n := &nodepb.NodeDef{Name: b.prefix + name, Op: op, Attr: a.proto()}
	for _, in := range inputs {
		n.Input = append(n.Input, b.write(in))
	}
	slices.SortStableFunc(n.Input, func(x, y string) int { return order(x) - order(y) })
	b.nodes = append(b.nodes, n)
	return ref{node: n.Name, output: output}
}

// order sorts control inputs behind data inputs.
func order(input string) int {
	if input[0] == '^' {
		return 1
	}
	return 0
}

// text adds a constant of one string.
func (b *body) text(s string) ref {
	return b.tensor(dtString, textTensor(s))
}

// textTensor is a scalar of text.
func textTensor(s string) *tensorpb.TensorProto {
	return &tensorpb.TensorProto{Dtype: dtString, TensorShape: &shapepb.TensorShapeProto{}, StringVal: [][]byte{[]byte(s)}}
}

// texts adds a constant of several strings.
func (b *body) texts(list ...string) ref {
	t := &tensorpb.TensorProto{TensorShape: shapeOf([]int64{int64(len(list))})}
	for _, s := range list {
		t.StringVal = append(t.StringVal, []byte(s))
	}
	return b.tensor(dtString, t)
}

// number adds a constant of an int32.
func (b *body) number(n int32) ref {
	return b.tensor(dtInt32, &tensorpb.TensorProto{IntVal: []int32{n}})
}

// long adds a constant of an int64.
func (b *body) long(n int64) ref {
	return b.tensor(dtInt64, &tensorpb.TensorProto{Int64Val: []int64{n}})
}

// truth adds a constant of a bool.
func (b *body) truth(v bool) ref {
	return b.tensor(typespb.DataType_DT_BOOL, &tensorpb.TensorProto{BoolVal: []bool{v}})
}

func (b *body) tensor(t typespb.DataType, value *tensorpb.TensorProto) ref {
	value.Dtype = t
	if value.TensorShape == nil {
		value.TensorShape = &shapepb.TensorShapeProto{}
	}
	return b.add("Const", "output", attrs{"dtype": t, "value": value})
}

// identity passes a string on, after other nodes have run.
func (b *body) identity(r ref, first ...ref) ref {
	return b.add("Identity", "output", attrs{"T": dtString}, append([]ref{r}, first...)...)
}

// asText turns a scalar of another type into a string.
func (b *body) asText(r ref, t typespb.DataType) ref {
	return b.add("AsString", "output", attrs{"T": t}, r)
}

// function makes a function from a float "x" to a string "y".
func function(name string, build func(b *body, x ref) ref) *functionpb.FunctionDef {
	b := &body{inside: true}
	y := build(b, ref{node: "x"})
	return &functionpb.FunctionDef{
		Signature: &opdefpb.OpDef{
			Name: name, IsStateful: true,
			InputArg:  []*opdefpb.OpDef_ArgDef{{Name: "x", Type: dtFloat}},
			OutputArg: []*opdefpb.OpDef_ArgDef{{Name: "y", Type: dtString}},
		},
		NodeDef: b.nodes,
		Ret:     map[string]string{"y": b.write(y)},
	}
}
