package savedmodel

import (
	"errors"
	"iter"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of graph.proto, function.proto, op_def.proto and node_def.proto.
const (
	fieldNodes   = 1 // GraphDef
	fieldLibrary = 2

	fieldFunctions         = 1 // FunctionDefLibrary
	fieldFunctionSignature = 1 // FunctionDef
	fieldOpName            = 1 // OpDef
	fieldNodeName          = 1 // NodeDef
)

// graphIndex finds the nodes and the functions of a GraphDef by name. All values are serialized
// messages in the file's memory.
type graphIndex struct {
	nodes     map[string][]byte
	nodeNames []string // in the file's order
	functions map[string][]byte
	funcNames []string // in the file's order
}

// indexGraph splits the GraphDef.
func (mg *MetaGraph) indexGraph() (*graphIndex, error) {
	g := &graphIndex{nodes: map[string][]byte{}, functions: map[string][]byte{}}
	err := eachField(mg.raw.graph, func(f field) error {
		switch {
		case f.typ != protowire.BytesType:
		case f.num == fieldNodes:
			name, err := stringField(f.data, fieldNodeName)
			if err != nil {
				return err
			}
			if _, ok := g.nodes[name]; !ok {
				g.nodeNames = append(g.nodeNames, name)
			}
			g.nodes[name] = f.data
		case f.num == fieldLibrary:
			return g.indexLibrary(f.data)
		}
		return nil
	})
	if err != nil {
		return nil, mg.damaged("its graph", err)
	}
	return g, nil
}

// indexLibrary splits a FunctionDefLibrary.
func (g *graphIndex) indexLibrary(data []byte) error {
	return eachField(data, func(f field) error {
		if f.num != fieldFunctions || f.typ != protowire.BytesType {
			return nil
		}
		name, err := functionName(f.data)
		if err != nil {
			return err
		}
		if _, ok := g.functions[name]; !ok {
			g.funcNames = append(g.funcNames, name)
		}
		g.functions[name] = f.data
		return nil
	})
}

// functionName returns the name in a serialized FunctionDef's signature, which stands first in it.
func functionName(def []byte) (name string, err error) {
	found := errors.New("found")
	err = eachField(def, func(f field) error {
		if f.num != fieldFunctionSignature || f.typ != protowire.BytesType {
			return nil
		}
		if name, err = stringField(f.data, fieldOpName); err != nil {
			return err
		}
		return found
	})
	if err == found { //nolint:errorlint // the very value that was returned above
		err = nil
	}
	return name, err
}

// damaged turns an error of the wire format into a FormatError about a part of saved_model.pb.
func (mg *MetaGraph) damaged(part string, err error) error {
	var fe *FormatError
	if errors.As(err, &fe) {
		return err
	}
	return formatError(mg.model.File, "%s is damaged: %v", part, err)
}

// FunctionNames returns the names of the graph's function library, in the file's order.
func (mg *MetaGraph) FunctionNames() ([]string, error) {
	g, err := mg.graph()
	if err != nil {
		return nil, err
	}
	return g.funcNames, nil
}

// Function decodes one function of the library; nil when there is none of that name. It is not
// kept: each call decodes anew.
func (mg *MetaGraph) Function(name string) (*functionpb.FunctionDef, error) {
	g, err := mg.graph()
	if err != nil {
		return nil, err
	}
	data, ok := g.functions[name]
	if !ok {
		return nil, nil
	}
	def := &functionpb.FunctionDef{}
	if err := mg.unmarshal(data, def, "function "+name); err != nil {
		return nil, err
	}
	return def, nil
}

// Functions decodes the functions of the library one by one, in the file's order, so that memory
// stays that of the largest. An error ends the sequence.
func (mg *MetaGraph) Functions() iter.Seq2[*functionpb.FunctionDef, error] {
	return func(yield func(*functionpb.FunctionDef, error) bool) {
		names, err := mg.FunctionNames()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, name := range names {
			def, err := mg.Function(name)
			if !yield(def, err) || err != nil {
				return
			}
		}
	}
}

// Node decodes one node of the main graph; nil when there is none of that name. It is not kept:
// each call decodes anew.
func (mg *MetaGraph) Node(name string) (*nodepb.NodeDef, error) {
	g, err := mg.graph()
	if err != nil {
		return nil, err
	}
	data, ok := g.nodes[name]
	if !ok {
		return nil, nil
	}
	def := &nodepb.NodeDef{}
	if err := mg.unmarshal(data, def, "node "+name); err != nil {
		return nil, err
	}
	return def, nil
}

// Nodes decodes the nodes of the main graph one by one, in the file's order. An error ends the
// sequence.
func (mg *MetaGraph) Nodes() iter.Seq2[*nodepb.NodeDef, error] {
	return func(yield func(*nodepb.NodeDef, error) bool) {
		g, err := mg.graph()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, name := range g.nodeNames {
			def, err := mg.Node(name)
			if !yield(def, err) || err != nil {
				return
			}
		}
	}
}
