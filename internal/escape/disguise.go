package escape

import (
	"path/filepath"

	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
)

// disguise hides a path: it adds nodes to a body that compute it.
type disguise struct {
	name string
	main bool // only for a main graph, since it changes the model
	make func(m *model, b *body, path string) ref
}

var plain = disguise{"plain", false, func(_ *model, b *body, path string) ref { return b.text(path) }}

// disguises lists the ways to hide a path, the plain one first.
var disguises = []disguise{
	plain,
	{"identities", false, func(_ *model, b *body, path string) ref { return b.identity(b.identity(b.text(path))) }},
	{"content", false, func(_ *model, b *body, path string) ref {
		return b.tensor(dtString, &tensorpb.TensorProto{TensorContent: content(path)})
	}},
	{"content beside nothing", false, func(_ *model, b *body, path string) ref {
		return b.tensor(dtString, &tensorpb.TensorProto{StringVal: [][]byte{nil}, TensorContent: content(path)})
	}},
	{"joined", false, func(_ *model, b *body, path string) ref {
		dir, file := filepath.Split(path)
		return b.add("StringJoin", "output", attrs{"N": 2, "separator": ""}, b.text(dir), b.text(file))
	}},
	{"default", false, func(_ *model, b *body, path string) ref {
		return b.add("PlaceholderWithDefault", "output", attrs{"dtype": dtString, "shape": []int64{}}, b.text(path))
	}},
	{"second name of a variable", false, func(_ *model, b *body, path string) ref {
		handle := attrs{"dtype": dtString, "shape": []int64{}, "shared_name": "escape_path", "container": ""}
		one, two := b.add("VarHandleOp", "resource", handle), b.add("VarHandleOp", "resource", handle)
		first := b.add("AssignVariableOp", "", attrs{"dtype": dtString}, one, b.text(""))
		second := b.add("AssignVariableOp", "", attrs{"dtype": dtString}, two, b.text(path), after(first))
		return b.add("ReadVariableOp", "value", attrs{"dtype": dtString}, one, after(second))
	}},
	{"asset of another output", true, func(m *model, b *body, path string) ref {
		pair := b.pair(path, "assets/vocab.txt")
		m.asset(pair.node+":1", "vocab.txt")
		return pair
	}},
	{"asset's own constant", true, func(m *model, b *body, path string) ref {
		p := b.text(path)
		m.asset(p.node+":0", "vocab.txt")
		return p
	}},
	{"asset in a variable of two names", true, func(m *model, b *body, path string) ref {
		p := b.text("")
		m.asset(p.node+":0", "vocab.txt")
		handle := attrs{"dtype": dtString, "shape": []int64{}, "shared_name": "escape_asset", "container": ""}
		one, two := b.add("VarHandleOp", "resource", handle), b.add("VarHandleOp", "resource", handle)
		first := b.add("AssignVariableOp", "", attrs{"dtype": dtString}, one, p)
		second := b.add("AssignVariableOp", "", attrs{"dtype": dtString}, two, b.text(path), after(first))
		return b.add("ReadVariableOp", "value", attrs{"dtype": dtString}, one, after(second))
	}},
	{"a row's", true, func(m *model, b *body, _ string) ref { return m.feeds(b.text("")) }},
	{"a row's, under a name that tfrun gives", true, func(m *model, b *body, _ string) ref {
		return m.feeds(b.named("tfrun_path_0", "Identity", "output", attrs{"T": dtString}, b.text("")))
	}},
	{"saver's file name", true, func(m *model, b *body, path string) ref {
		p := b.text(path)
		m.meta.SaverDef = &pb.SaverDef{FilenameTensorName: p.node + ":0", RestoreOpName: b.add("NoOp", "", nil).node}
		return p
	}},
	{"saver's file name of another output", true, func(m *model, b *body, path string) ref {
		pair := b.pair(path, "")
		m.meta.SaverDef = &pb.SaverDef{FilenameTensorName: pair.node + ":1", RestoreOpName: b.add("NoOp", "", nil).node}
		return pair
	}},
}

// feeds makes a tensor the input "path" of the signatures.
func (m *model) feeds(r ref) ref {
	m.fed = m.main.write(r)
	return r
}

// pair adds a node with two strings.
func (b *body) pair(first, second string) ref {
	return b.add("IdentityN", "output", attrs{"T": stringTypes(2)}, b.text(first), b.text(second))
}

// content returns a string in the encoding of tensor_content.
func content(s string) []byte { return append(protowire.AppendVarint(nil, uint64(len(s))), s...) }
