package graph

import (
	"errors"
	"iter"
	"slices"
	"sync"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/tfrun/tfrun/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Field numbers of graph.proto, function.proto, op_def.proto and node_def.proto.
const (
	FieldNodes   = 1 // GraphDef
	FieldLibrary = 2

	FieldFunctions         = 1 // FunctionDefLibrary
	FieldGradients         = 2
	fieldGradientFunction  = 1 // GradientDef
	fieldGradientOf        = 2
	fieldFunctionSignature = 1 // FunctionDef
	fieldOpName            = 1 // OpDef
	FieldNodeName          = 1 // NodeDef
)

// Faults makes the errors of a graph, which name the file that the graph was read from.
type Faults interface {
	// Damaged returns the error of a damaged part of the file. An error that it made itself is
	// returned as it is.
	Damaged(part string, err error) error
	// Undecodable returns the error of a part of the file that protobuf cannot decode.
	Undecodable(part string, err error) error
}

// Graph is a serialized GraphDef. Nodes and functions are found by name and decoded when they are
// asked for. It may be used from several goroutines.
type Graph struct {
	Faults
	raw    []byte // GraphDef
	opList []byte // OpList
	index  func() (*index, error)
	ops    func() (map[string][]outputArg, error)

	loaded struct {
		sync.Mutex
		functions map[string]*Function
	}
}

// index holds the serialized nodes and functions of a GraphDef by name. They are parts of the
// file's memory.
type index struct {
	nodes     map[string][]byte
	nodeNames []string // in the file's order
	functions map[string][]byte
	funcNames []string          // in the file's order
	gradients map[string]string // maps a function to the one that is its gradient
	twice     []string          // names that several nodes, or functions, have

	placeOnce sync.Once
	place     map[string]int // index of a node in nodeNames
}

// inOrder returns the marked nodes in the file's order. If only few are marked it sorts them
// instead of going through all nodes, since a graph may have many signatures too.
func (x *index) inOrder(marked map[string]bool) []string {
	var names []string
	if len(marked) > len(x.nodeNames)/16 {
		for _, name := range x.nodeNames {
			if marked[name] {
				names = append(names, name)
			}
		}
		return names
	}
	x.placeOnce.Do(func() {
		x.place = make(map[string]int, len(x.nodeNames))
		for i, name := range x.nodeNames {
			x.place[name] = i
		}
	})
	for name, is := range marked {
		if _, ok := x.place[name]; ok && is {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return x.place[a] - x.place[b] })
	return names
}

// New returns the graph of a serialized GraphDef. ops is the serialized OpList of the ops that the
// graph uses, which a SavedModel keeps beside it. Nothing is read yet.
func New(def, ops []byte, faults Faults) *Graph {
	g := &Graph{Faults: faults, raw: def, opList: ops}
	g.index = sync.OnceValues(g.readIndex)
	g.ops = sync.OnceValues(g.readOpOutputs)
	return g
}

// With returns the graph of another GraphDef that uses the same ops, with the same faults.
func (g *Graph) With(def []byte) *Graph { return New(def, g.opList, g.Faults) }

// Raw returns the serialized GraphDef.
func (g *Graph) Raw() []byte { return g.raw }

// readIndex finds the nodes and functions of the GraphDef.
func (g *Graph) readIndex() (*index, error) {
	x := &index{nodes: map[string][]byte{}, functions: map[string][]byte{}, gradients: map[string]string{}}
	err := wire.Each(g.raw, func(f wire.Field) error {
		switch {
		case f.Type != protowire.BytesType:
		case f.Num == FieldNodes:
			name, err := wire.String(f.Data, FieldNodeName)
			if err != nil {
				return err
			}
			if _, ok := x.nodes[name]; ok {
				x.twice = append(x.twice, name)
			} else {
				x.nodeNames = append(x.nodeNames, name)
			}
			x.nodes[name] = f.Data
		case f.Num == FieldLibrary:
			return x.readLibrary(f.Data)
		}
		return nil
	})
	if err != nil {
		return nil, g.Damaged("its graph", err)
	}
	return x, nil
}

// readLibrary finds the functions of a FunctionDefLibrary.
func (x *index) readLibrary(data []byte) error {
	return wire.Each(data, func(f wire.Field) error {
		switch {
		case f.Type != protowire.BytesType:
		case f.Num == FieldFunctions:
			name, err := FunctionName(f.Data)
			if err != nil {
				return err
			}
			if _, ok := x.functions[name]; ok {
				x.twice = append(x.twice, name)
			} else {
				x.funcNames = append(x.funcNames, name)
			}
			x.functions[name] = f.Data
		case f.Num == FieldGradients:
			of, gradient, err := ReadGradient(f.Data)
			x.gradients[of] = gradient
			return err
		}
		return nil
	})
}

// ReadGradient reads a GradientDef: the name of a function, and that of its gradient function.
func ReadGradient(def []byte) (of, gradient string, err error) {
	if of, err = wire.String(def, fieldGradientFunction); err == nil {
		gradient, err = wire.String(def, fieldGradientOf)
	}
	return of, gradient, err
}

// FunctionName returns the name of a serialized FunctionDef, which its signature begins with.
func FunctionName(def []byte) (name string, err error) {
	found := errors.New("found")
	err = wire.Each(def, func(f wire.Field) error {
		if f.Num != fieldFunctionSignature || f.Type != protowire.BytesType {
			return nil
		}
		if name, err = wire.String(f.Data, fieldOpName); err != nil {
			return err
		}
		return found
	})
	if err == found { //nolint:errorlint // the very value that was returned above
		err = nil
	}
	return name, err
}

// FunctionNames returns the names of the function library, in the file's order.
func (g *Graph) FunctionNames() ([]string, error) {
	x, err := g.index()
	if err != nil {
		return nil, err
	}
	return x.funcNames, nil
}

// Gradients maps functions to their gradient functions.
func (g *Graph) Gradients() (map[string]string, error) {
	x, err := g.index()
	if err != nil {
		return nil, err
	}
	return x.gradients, nil
}

// HasFunction reports whether the library has a function. For a damaged graph it reports false.
func (g *Graph) HasFunction(name string) bool {
	x, err := g.index()
	return err == nil && x.functions[name] != nil
}

// Function decodes one function of the library; nil if there is none of that name. Each call
// decodes it again.
func (g *Graph) Function(name string) (*functionpb.FunctionDef, error) {
	x, err := g.index()
	if err != nil {
		return nil, err
	}
	data, ok := x.functions[name]
	if !ok {
		return nil, nil
	}
	def := &functionpb.FunctionDef{}
	if err := g.unmarshal(data, def, "function "+name); err != nil {
		return nil, err
	}
	return def, nil
}

// Functions decodes the functions of the library one by one, in the file's order. One function at a
// time is in memory. An error ends the sequence.
func (g *Graph) Functions() iter.Seq2[*functionpb.FunctionDef, error] {
	return func(yield func(*functionpb.FunctionDef, error) bool) {
		names, err := g.FunctionNames()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, name := range names {
			def, err := g.Function(name)
			if !yield(def, err) || err != nil {
				return
			}
		}
	}
}

// Node decodes one node of the main graph; nil if there is none of that name. Each call decodes it
// again.
func (g *Graph) Node(name string) (*nodepb.NodeDef, error) {
	x, err := g.index()
	if err != nil {
		return nil, err
	}
	data, ok := x.nodes[name]
	if !ok {
		return nil, nil
	}
	def := &nodepb.NodeDef{}
	if err := g.unmarshal(data, def, "node "+name); err != nil {
		return nil, err
	}
	return def, nil
}

// Call decodes the node that makes a tensor of the main graph, if that node calls a function of the
// library; otherwise it returns nil.
func (g *Graph) Call(tensor string) (*nodepb.NodeDef, error) {
	n, err := g.Node(NodeOf(tensor))
	if n == nil || err != nil || !IsCall(n.GetOp()) || !g.HasFunction(n.GetAttr()["f"].GetFunc().GetName()) {
		return nil, err
	}
	return n, nil
}

// Nodes decodes the nodes of the main graph one by one, in the file's order. An error ends the
// sequence.
func (g *Graph) Nodes() iter.Seq2[*nodepb.NodeDef, error] {
	return func(yield func(*nodepb.NodeDef, error) bool) {
		x, err := g.index()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, name := range x.nodeNames {
			def, err := g.Node(name)
			if !yield(def, err) || err != nil {
				return
			}
		}
	}
}

// unmarshal decodes a part of the graph; what names the part for the error.
func (g *Graph) unmarshal(data []byte, to proto.Message, what string) error {
	if err := Unmarshal(data, to); err != nil {
		return g.Undecodable(what, err)
	}
	return nil
}

// Unmarshal decodes a message that may be hostile, with a bound on its nesting.
func Unmarshal(data []byte, to proto.Message) error {
	return proto.UnmarshalOptions{RecursionLimit: MaxMessageDepth}.Unmarshal(data, to)
}

// MaxMessageDepth bounds how deep messages nest. TensorFlow's own parsers stop at 100.
const MaxMessageDepth = 200
