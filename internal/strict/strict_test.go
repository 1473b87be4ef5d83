package strict

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// message is a serialized message as a test writes it.
type message []byte

func (m message) bytes(n protowire.Number, b []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, n, protowire.BytesType), b)
}

func (m message) text(n protowire.Number, s string) message { return m.bytes(n, []byte(s)) }

func (m message) number(n protowire.Number, v uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, n, protowire.VarintType), v)
}

// attr is an entry of a node's map of attributes.
func attr(key string, value message) message { return message{}.text(1, key).bytes(2, value) }

// The numbers of the fields of node_def.proto, attr_value.proto and tensor.proto.
const (
	nodeName, nodeOp, nodeInput, nodeAttr = 1, 2, 3, 5
	attrS, attrI, attrType, attrTensor    = 2, 3, 6, 8
	tensorDtype, tensorInts               = 1, 7
)

// TestCheck has one message for each way in which readers may differ, and honest ones beside them.
func TestCheck(t *testing.T) {
	node := slices.Clip(message{}.text(nodeName, "n").text(nodeOp, "Const"))
	for _, c := range []struct {
		name string
		node message
		want string // "": nothing is wrong
	}{
		{"an honest one", node.text(nodeInput, "a").text(nodeInput, "b").bytes(nodeAttr, attr("x", message{}.number(attrI, 1))).bytes(nodeAttr, attr("y", message{}.number(attrI, 1))), ""},
		{"a list in one piece, and one by one", node.bytes(nodeAttr, attr("value", message{}.bytes(attrTensor, message{}.bytes(tensorInts, []byte{1, 2}).number(tensorInts, 3)))), ""},
		{"a name that stands twice", node.text(nodeName, "m"), "name: stands twice"},
		{"a key that stands twice", node.bytes(nodeAttr, attr("x", message{}.number(attrI, 1))).bytes(nodeAttr, attr("x", message{}.number(attrI, 1))), `attr["x"]: stands twice`},
		{"a value that stands twice", node.bytes(nodeAttr, attr("x", message{}.number(attrI, 1)).bytes(2, message{}.number(attrI, 1))), `attr["x"]: stands twice`},
		{"two values of an attribute", node.bytes(nodeAttr, attr("x", message{}.number(attrI, 1).text(attrS, "a"))), `attr["x"].s: stands beside another value of its place`},
		{"one value of an attribute twice", node.bytes(nodeAttr, attr("x", message{}.number(attrI, 1).number(attrI, 1))), `attr["x"].i: stands twice`},
		{"a message that stands twice", node.bytes(nodeAttr, attr("x", message{}.bytes(attrTensor, nil).bytes(attrTensor, nil))), `attr["x"].tensor: stands twice`},
		{"a dtype that stands twice", node.bytes(nodeAttr, attr("x", message{}.bytes(attrTensor, message{}.number(tensorDtype, 1).number(tensorDtype, 7)))), `attr["x"].tensor.dtype: stands twice`},
		{"a field that there is none of", node.number(77, 1), "has a field 77, which tensorflow.NodeDef does not have"},
		{"a field of another type", node.number(nodeInput, 1), "input: is of another type than it should be"},
		{"text that is no UTF-8", node.text(nodeInput, "\xff"), "input: is not UTF-8"},
		{"a tag that is longer than it needs to be", append(node, 0x9a, 0x00, 0x01, 'a'), "is damaged, or written in no usual way"},
		{"a length that is longer than it needs to be", append(node, 0x1a, 0x81, 0x00, 'a'), "input: is damaged, or written in no usual way"},
		{"a number that is longer than it needs to be", node.bytes(nodeAttr, attr("x", message{attrType << 3, 0x81, 0x00})), `attr["x"].type: is damaged, or written in no usual way`},
		{"a group", append(node, 0x1b, 0x1c), "input: is damaged, or written in no usual way"},
		{"the field 0", append(node, 0x02, 0x00), "is damaged, or written in no usual way"},
		{"a message that is cut off", node[:len(node)-1], "op: is damaged, or written in no usual way"},
		{"messages that nest deeply", node.bytes(nodeAttr, attr("x", nested(50))), "messages nest too deeply"},
		{"a field of a later release", node.bytes(nodeAttr, attr("x", message{}.bytes(attrTensor, message{}.text(18, "\x00")))), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := Check(c.node, (&nodepb.NodeDef{}).ProtoReflect().Descriptor()); err != nil {
				got = err.Error()
			}
			if got != c.want && (c.want == "" || !strings.HasSuffix(got, c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// nested is an attribute's value whose functions have functions among their attributes.
func nested(depth int) message {
	m := message{}
	for range depth {
		m = message{}.bytes(10, message{}.text(1, "f").bytes(2, attr("g", m)))
	}
	return m
}

// TestManyKeys has a map that is too large for a list.
func TestManyKeys(t *testing.T) {
	m := message{}
	for i := range 5000 {
		m = m.bytes(nodeAttr, attr(strings.Repeat("k", i), message{}.number(attrI, 1)))
	}
	d := (&nodepb.NodeDef{}).ProtoReflect().Descriptor()
	if err := Check(m, d); err != nil {
		t.Error(err)
	}
	if err := Check(m.bytes(nodeAttr, attr("kkk", nil)), d); err == nil || !strings.Contains(err.Error(), "stands twice") {
		t.Errorf("a key that stands twice among 5,000: %v", err)
	}
}

// FuzzCheck holds what Check promises: what it lets through says the same when its fields are
// shuffled by decoding and encoding it, in whatever order its maps are written, and all of it is
// known.
func FuzzCheck(f *testing.F) {
	g := &graphpb.GraphDef{Node: []*nodepb.NodeDef{
		{Name: "a", Op: "Const", Attr: map[string]*attrpb.AttrValue{"value": {Value: &attrpb.AttrValue_Tensor{Tensor: &tensorpb.TensorProto{Dtype: 3, IntVal: []int32{1, -2}}}}}},
		{Name: "b", Op: "Identity", Input: []string{"a"}, Attr: map[string]*attrpb.AttrValue{"T": {Value: &attrpb.AttrValue_Type{Type: 3}}, "x": {Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: "f"}}}}},
	}}
	seed, err := proto.Marshal(g)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &graphpb.GraphDef{}
		if Check(data, m.ProtoReflect().Descriptor()) != nil {
			return
		}
		if err := proto.Unmarshal(data, m); err != nil {
			t.Fatalf("Check let through what cannot be decoded: %v", err)
		}
		again, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(again, m.ProtoReflect().Descriptor()); err != nil {
			t.Fatalf("encoded again: %v", err)
		}
		// Nothing is lost, and nothing is merged: twice the same is the same length.
		second := &graphpb.GraphDef{}
		if err := proto.Unmarshal(again, second); err != nil || !proto.Equal(m, second) {
			t.Fatalf("reads as another message: %v", err)
		}
		if other, err := (proto.MarshalOptions{Deterministic: true}).Marshal(second); err != nil || !bytes.Equal(again, other) {
			t.Fatalf("is written in two ways: %v", err)
		}
	})
}

var sink protoreflect.MessageDescriptor

// BenchmarkCheck checks a graph of some 60 KB.
func BenchmarkCheck(b *testing.B) {
	g := &graphpb.GraphDef{}
	for range 500 {
		g.Node = append(g.Node, &nodepb.NodeDef{Name: "model/layer/MatMul", Op: "MatMul", Input: []string{"a", "b"}, Attr: map[string]*attrpb.AttrValue{
			"T": {Value: &attrpb.AttrValue_Type{Type: 1}}, "transpose_a": {Value: &attrpb.AttrValue_B{}}, "transpose_b": {Value: &attrpb.AttrValue_B{}},
		}})
	}
	data, err := proto.Marshal(g)
	if err != nil {
		b.Fatal(err)
	}
	sink = g.ProtoReflect().Descriptor()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := Check(data, sink); err != nil {
			b.Fatal(err)
		}
	}
}
