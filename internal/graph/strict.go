package graph

import (
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tfrun/tfrun/internal/strict"
	"github.com/tfrun/tfrun/internal/wire"
)

// Doubt names a part of a graph that other readers may read in another way, and says why.
type Doubt struct {
	Function string // "" for the main graph
	Node     string // "" for a function as a whole, or for the graph
	Msg      string
}

// Doubts calls found with each part of the graph that readers may differ about, see package strict,
// until found returns an error. Graphs that TensorFlow has written have none; others may have a
// million, so they are not collected here.
func (g *Graph) Doubts(found func(Doubt) error) error {
	x, err := g.index()
	if err != nil {
		return err
	}
	for _, name := range x.twice {
		if err := found(Doubt{Msg: name + ": stands twice"}); err != nil {
			return err
		}
	}
	check := func(data []byte, d protoreflect.MessageDescriptor, at Doubt) error {
		err := strict.Check(data, d)
		if err == nil {
			return nil
		}
		at.Msg = err.Error()
		return found(at)
	}
	nodes := (&nodepb.NodeDef{}).ProtoReflect().Descriptor()
	for _, name := range x.nodeNames {
		if err := check(x.nodes[name], nodes, Doubt{Node: name}); err != nil {
			return err
		}
	}
	functions := (&functionpb.FunctionDef{}).ProtoReflect().Descriptor()
	for _, name := range x.funcNames {
		if err := check(x.functions[name], functions, Doubt{Function: name}); err != nil {
			return err
		}
	}
	rest, err := g.withoutBodies()
	if err != nil {
		return err
	}
	return check(rest, (&graphpb.GraphDef{}).ProtoReflect().Descriptor(), Doubt{})
}

// withoutBodies returns the GraphDef without nodes and functions, but for those whose field number
// or length is written in more bytes than it needs.
func (g *Graph) withoutBodies() ([]byte, error) {
	plain := func(f wire.Field, raw []byte, n protowire.Number) bool {
		return f.Num == n && f.Type == protowire.BytesType && len(raw) == protowire.SizeTag(n)+protowire.SizeBytes(len(f.Data))
	}
	var out []byte
	err := wire.EachRaw(g.raw, func(f wire.Field, raw []byte) error {
		switch {
		case plain(f, raw, FieldNodes):
			return nil
		case plain(f, raw, FieldLibrary):
			var library []byte
			err := wire.EachRaw(f.Data, func(f wire.Field, raw []byte) error {
				if !plain(f, raw, FieldFunctions) {
					library = append(library, raw...)
				}
				return nil
			})
			out = protowire.AppendTag(out, FieldLibrary, protowire.BytesType)
			out = protowire.AppendBytes(out, library)
			return err
		}
		out = append(out, raw...)
		return nil
	})
	if err != nil {
		return nil, g.Damaged("its graph", err)
	}
	return out, nil
}
