//go:build cgo && !notf && !race && linux

package main

import (
	"fmt"
	"slices"
	"strings"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/internal/weight"
)

// fillSize is how many bytes of a file are put into one of its fields.
const fillSize = 20 << 20

// fieldPath leads from a SavedModel to one of its fields.
type fieldPath []protoreflect.FieldDescriptor

func (p fieldPath) String() string {
	var names []string
	for _, f := range p {
		names = append(names, string(f.Name()))
	}
	return strings.Join(names, ".")
}

// manyPaths lists the fields of a SavedModel, and of all messages in it, that may stand often, each
// by the shortest path that leads there.
func manyPaths() []fieldPath {
	var found []fieldPath
	seen := map[protoreflect.FullName]bool{}
	type place struct {
		path fieldPath
		d    protoreflect.MessageDescriptor
	}
	for queue := []place{{nil, (&pb.SavedModel{}).ProtoReflect().Descriptor()}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if seen[at.d.FullName()] {
			continue
		}
		seen[at.d.FullName()] = true
		for i := range at.d.Fields().Len() {
			f := at.d.Fields().Get(i)
			path := append(slices.Clone(at.path), f)
			if f.Cardinality() == protoreflect.Repeated {
				found = append(found, path)
			}
			if f.Message() != nil {
				queue = append(queue, place{path, f.Message()})
			}
		}
	}
	return found
}

// filled returns a message with more in the field that path leads to. Of messages that stand often
// the last holds it.
func filled(message protoreflect.Message, path fieldPath, more []byte) []byte {
	f := path[0]
	if len(path) > 1 {
		more = protowire.AppendBytes(protowire.AppendTag(nil, f.Number(), protowire.BytesType), filledField(message, path, more))
		switch {
		case f.IsList() && message.Get(f).List().Len() > 0:
			message.Mutable(f).List().Truncate(message.Get(f).List().Len() - 1)
		case !f.IsMap() && message.Has(f):
			message.Clear(f)
		}
	}
	b, err := proto.Marshal(message.Interface())
	if err != nil {
		panic(err)
	}
	return append(b, more...)
}

// filledField is what a field's last message becomes.
func filledField(message protoreflect.Message, path fieldPath, more []byte) []byte {
	f := path[0]
	switch {
	case f.IsMap(): // an entry of its own
		entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "more")
		value := f.MapValue().Message()
		if len(path) == 2 || value == nil {
			return entry
		}
		return protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), filled(message.NewField(f).Map().NewValue().Message(), path[2:], more))
	case f.IsList() && message.Get(f).List().Len() > 0:
		list := message.Get(f).List()
		return filled(proto.Clone(list.Get(list.Len()-1).Message().Interface()).ProtoReflect(), path[1:], more)
	case f.IsList():
		return filled(message.NewField(f).List().NewElement().Message(), path[1:], more)
	}
	return filled(proto.Clone(message.Get(f).Message().Interface()).ProtoReflect(), path[1:], more)
}

// manyOf writes a field n times, with as little in it as it may have.
func manyOf(f protoreflect.FieldDescriptor, n int) []byte {
	var b []byte
	for i := range n {
		switch {
		case f.IsMap():
			b = protowire.AppendBytes(protowire.AppendTag(b, f.Number(), protowire.BytesType), msg(1, fmt.Sprintf("%x", i)))
		case f.Kind() == protoreflect.MessageKind, f.Kind() == protoreflect.StringKind, f.Kind() == protoreflect.BytesKind:
			b = append(protowire.AppendTag(b, f.Number(), protowire.BytesType), 0)
		case i == 0: // a packed list
			b = protowire.AppendBytes(protowire.AppendTag(b, f.Number(), protowire.BytesType), make([]byte, n&^7))
		}
	}
	return b
}

// hostileFields lists models of 20 MB of which one field after the other is as full as it may be:
// what takes most memory, in one place, before TensorFlow is asked and in it.
func hostileFields() []hostileCase {
	byPart := map[string][]fieldPath{}
	var parts []string
	for _, path := range manyPaths() {
		part := path[:min(2, len(path))].String()
		if part == "meta_graphs.graph_def" && len(path) > 2 {
			part = path[:3].String()
		}
		if byPart[part] == nil {
			parts = append(parts, part)
		}
		byPart[part] = append(byPart[part], path)
	}
	var cases []hostileCase
	for _, part := range parts {
		paths := byPart[part]
		cases = append(cases, hostileCase{"model", fmt.Sprintf("20 MB of `%s`, in %d places", part, len(paths)), func(h *hostile) string {
			base := &pb.SavedModel{}
			if err := proto.Unmarshal(fieldsModel(), base); err != nil {
				h.Fatal(err)
			}
			rows := h.eights(1)
			for _, path := range paths {
				h.file("m/saved_model.pb", heaviest(base, path))
				for _, args := range [][]string{{"shapes", "m", "--explain"}, {"predict", "m", rows, "-q"}, {"doctor", "m"}} {
					h.Log(path)
					h.run(nil, args...)
				}
			}
			return "an answer or an error line each"
		}})
	}
	return cases
}

// heaviest fills a field as often as a file of fillSize may have it. What is left of the size is a
// constant that nothing reads.
func heaviest(base *pb.SavedModel, path fieldPath) []byte {
	with := func(n, padding int) []byte {
		m := proto.CloneOf(base)
		graph := m.GetMetaGraphs()[0].GetGraphDef()
		pad := modeltest.Op("pad", "Const")
		pad.Attr["value"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Tensor{Tensor: &tensorpb.TensorProto{Dtype: 4, TensorContent: make([]byte, padding)}}}
		graph.Node = append([]*nodepb.NodeDef{pad}, graph.GetNode()...)
		return filled(m.ProtoReflect(), path, manyOf(path[len(path)-1], n))
	}
	const some = 1 << 16
	few := with(some, 0)
	w := weight.Of(few, base.ProtoReflect().Descriptor())
	n := int(min(fillSize*some/int64(len(few)), some*(64<<20+16*fillSize)/w.Bytes*15/16, some*(1<<18+fillSize/16)/max(w.Parts, 1)*15/16))
	if w.Entries > some/2 {
		n = some - 10
	}
	if path[len(path)-1].Name() == "string_val" {
		n = min(n, 700_000) // TensorFlow takes up to a KB for each, in honest models too
	}
	if w.Body > 1 {
		n = 1<<18 - 10
	}
	return with(n, max(0, fillSize-n*len(few)/some))
}

// fieldsModel has something in most fields that lead to others.
func fieldsModel() []byte {
	graph := msg(1, placeholder(-1, -1), 1, call("y", "f", "x"), 2, msg(1, function("f", "i:output:0", identity("i", "a"))))
	saved := msg(1, msg(1, msg(1, 0, 2, "x"), 4, msg(1, "_tf_keras_network")))
	return graphModel(graph, plainSig("x:0", "y:0"), 7, saved)
}
