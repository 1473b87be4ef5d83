package escape

import (
	"bytes"
	"slices"

	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/wire"
)

// form is a way to encode a model. Forms that hide a model have a harmless double of it: the same
// graph with constants in place of harmful operations, and with signatures and loading steps that
// name harmless nodes. Both are written, and readers that pick another one of the two see another
// model.
type form struct {
	name  string
	tags  []string // of the graph to load
	write func(harmful, double *pb.MetaGraphDef) []byte
}

var serve = []string{"serve"}

var asIs = form{"as it is", serve, func(harmful, _ *pb.MetaGraphDef) []byte { return savedModel(harmful) }}

// doubled lists the fields that are written twice, once for the harmless double. A field is given
// by the field numbers that lead to it from a SavedModel.
var doubled = []struct {
	name string
	path []protowire.Number
}{
	{"two graphs of the same tags", []protowire.Number{2}},
	{"two graph_defs", []protowire.Number{2, 2}},
	{"two meta_info_defs", []protowire.Number{2, 1}},
	{"two saver_defs", []protowire.Number{2, 3}},
	{"two collections of one name", []protowire.Number{2, 4}},
	{"two values of a collection", []protowire.Number{2, 4, 2}},
	{"two signatures of one name", []protowire.Number{2, 5}},
	{"two values of a signature", []protowire.Number{2, 5, 2}},
	{"two outputs of one name", []protowire.Number{2, 5, 2, 2}},
	{"two files of an asset", []protowire.Number{2, 6}},
	{"two nodes of one name", []protowire.Number{2, 2, 1}},
	{"two ops of a node", []protowire.Number{2, 2, 1, 2}},
	{"two attributes of one name", []protowire.Number{2, 2, 1, 5}},
	{"two values of an attribute", []protowire.Number{2, 2, 1, 5, 2}},
	{"two tensors of a value", []protowire.Number{2, 2, 1, 5, 2, 8}},
	{"two libraries", []protowire.Number{2, 2, 2}},
	{"two functions of one name", []protowire.Number{2, 2, 2, 1}},
	{"two nodes of one name in a function", []protowire.Number{2, 2, 2, 1, 3}},
	{"two ops of a node in a function", []protowire.Number{2, 2, 2, 1, 3, 2}},
	{"two attributes of one name in a function", []protowire.Number{2, 2, 2, 1, 3, 5}},
	{"two values of an attribute in a function", []protowire.Number{2, 2, 2, 1, 3, 5, 2}},
	{"two gradients of a function", []protowire.Number{2, 2, 2, 2}},
}

// forms lists the ways to encode a model, except [asIs].
func forms() []form {
	var list []form
	for _, d := range doubled {
		for _, order := range []string{"harmless first", "harmless last"} {
			list = append(list, form{d.name + ", the " + order, serve, func(harmful, double *pb.MetaGraphDef) []byte {
				return twice(d.path, savedModel(double), savedModel(harmful), order == "harmless first")
			}})
		}
	}
	tagged := func(def *pb.MetaGraphDef, tags ...string) *pb.MetaGraphDef {
		def = proto.Clone(def).(*pb.MetaGraphDef) //nolint:errcheck // it is one
		def.MetaInfoDef.Tags = tags
		return def
	}
	return append(list,
		form{"a tag that stands twice", serve, func(harmful, _ *pb.MetaGraphDef) []byte { return savedModel(tagged(harmful, "serve", "serve")) }},
		form{"a graph beside, whose tag stands twice", serve, func(harmful, double *pb.MetaGraphDef) []byte {
			return savedModel(tagged(harmful, "serve", "serve"), double)
		}},
		form{"a graph before, whose tags are in another order", []string{"serve", "a"}, func(harmful, double *pb.MetaGraphDef) []byte {
			return savedModel(tagged(harmful, "a", "serve"), tagged(double, "serve", "a"))
		}},
		form{"a field that nobody knows", serve, func(harmful, double *pb.MetaGraphDef) []byte {
			node := field(nil, 99, marshal(harmful.GetGraphDef().GetNode()[0]))
			nodes := marshal(&graphpb.GraphDef{Node: harmful.GetGraphDef().GetNode()})
			more := within([]protowire.Number{1}, nodes, func(n []byte) []byte { return slices.Concat(n, node) })
			return within([]protowire.Number{2, 2}, savedModel(double), func(graph []byte) []byte { return slices.Concat(graph, node, more) })
		}},
		form{"a number written longer than it is", serve, func(harmful, _ *pb.MetaGraphDef) []byte {
			return within([]protowire.Number{2, 2, 1}, savedModel(harmful), lengthened)
		}},
		form{"a library in front of the nodes", serve, func(harmful, _ *pb.MetaGraphDef) []byte {
			return within([]protowire.Number{2, 2}, savedModel(harmful), reversed)
		}},
	)
}

func savedModel(graphs ...*pb.MetaGraphDef) []byte {
	return marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: graphs})
}

// harmlessDouble returns the model without an operation; see [form].
func harmlessDouble(harmful *pb.MetaGraphDef, op string) *pb.MetaGraphDef {
	m := proto.Clone(harmful).(*pb.MetaGraphDef) //nolint:errcheck // it is one
	quieten := func(nodes []*nodepb.NodeDef) {
		for _, n := range nodes {
			if n.GetOp() == op {
				value := &tensorpb.TensorProto{Dtype: dtString, StringVal: [][]byte{[]byte("nothing")}}
				n.Op, n.Input, n.Attr = "Const", nil, attrs{"dtype": dtString, "value": value}.proto()
			}
		}
	}
	quieten(m.GetGraphDef().GetNode())
	for _, f := range m.GetGraphDef().GetLibrary().GetFunction() {
		quieten(f.GetNodeDef())
	}
	for _, g := range m.GetGraphDef().GetLibrary().GetGradient() {
		g.GradientFunc = g.GetFunctionName()
	}
	for name, sig := range m.GetSignatureDef() {
		for _, out := range sig.GetOutputs() {
			node := quietText + ":0"
			if name == initSignature {
				node = quiet
			}
			out.Encoding = &pb.TensorInfo_Name{Name: node}
		}
	}
	for _, c := range m.GetCollectionDef() {
		c.Kind = &pb.CollectionDef_NodeList_{NodeList: &pb.CollectionDef_NodeList{Value: []string{quiet}}}
	}
	if m.GetSaverDef() != nil {
		m.SaverDef.RestoreOpName, m.SaverDef.FilenameTensorName = quiet, quietText+":0"
	}
	for _, a := range m.GetAssetFileDef() {
		a.TensorInfo.Encoding = &pb.TensorInfo_Name{Name: quietText + ":0"}
	}
	return m
}

// twice writes the field at the end of a path two times if the double and the harmful message
// differ in it, in either order.
func twice(path []protowire.Number, double, harmful []byte, harmfulLast bool) []byte {
	var others []wire.Field
	var raws [][]byte
	must(wire.EachRaw(double, func(f wire.Field, raw []byte) error {
		if f.Num == path[0] {
			others, raws = append(others, f), append(raws, raw)
		}
		return nil
	}))
	var out []byte
	at := 0
	must(wire.EachRaw(harmful, func(f wire.Field, raw []byte) error {
		if f.Num != path[0] || at >= len(raws) {
			out = append(out, raw...)
			return nil
		}
		pair := [][]byte{raws[at], raw}
		if len(path) > 1 {
			inner := twice(path[1:], others[at].Data, f.Data, harmfulLast)
			pair = [][]byte{field(nil, f.Num, inner)}
		} else if bytes.Equal(raws[at], raw) {
			pair = pair[:1]
		}
		if !harmfulLast {
			slices.Reverse(pair)
		}
		at++
		out = append(out, slices.Concat(pair...)...)
		return nil
	}))
	return out
}

// within changes the messages at the end of a path.
func within(path []protowire.Number, message []byte, change func([]byte) []byte) []byte {
	if len(path) == 0 {
		return change(message)
	}
	var out []byte
	must(wire.EachRaw(message, func(f wire.Field, raw []byte) error {
		if f.Num == path[0] && f.Type == protowire.BytesType {
			raw = field(nil, f.Num, within(path[1:], f.Data, change))
		}
		out = append(out, raw...)
		return nil
	}))
	return out
}

// lengthened writes the field numbers of a message with one byte more than necessary.
func lengthened(message []byte) []byte {
	var out []byte
	must(wire.EachRaw(message, func(f wire.Field, raw []byte) error {
		tag := protowire.AppendTag(nil, f.Num, f.Type)
		out = append(out, tag[0]|0x80, 0)
		out = append(out, raw[len(tag):]...)
		return nil
	}))
	return out
}

// reversed writes a message's fields in reverse order.
func reversed(message []byte) []byte {
	var fields [][]byte
	must(wire.EachRaw(message, func(_ wire.Field, raw []byte) error {
		fields = append(fields, raw)
		return nil
	}))
	slices.Reverse(fields)
	return slices.Concat(fields...)
}

// field appends a field of bytes.
func field(to []byte, n protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, n, protowire.BytesType), b)
}

// must panics on an error. The messages are the package's own, so there is none.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
