package savedmodel

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/wire"
	"github.com/tfrun/tfrun/tensor"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of saved_object_graph.proto.
const (
	fieldObjects           = 1 // SavedObjectGraph
	fieldConcreteFunctions = 2

	fieldUserObject = 4 // SavedObject
	fieldIdentifier = 1 // SavedUserObject
	fieldChildren   = 1 // SavedObject
)

// ObjectGraph is the graph of Python objects that tf.saved_model.save wrote: node 0 is the model.
// Children may form cycles.
type ObjectGraph struct {
	Nodes     []*pb.SavedObject
	concrete  map[string][]byte      // serialized SavedConcreteFunctions by function name
	children  map[int]map[string]int // by name, of the objects that have many
	Variables map[int]*Variable      // the objects that are variables
	file      fileFaults
}

// manyChildren is from how many children on they are found by a map of their names.
const manyChildren = 32

// Variable is a variable of the model, as the object graph or the main graph's VarHandleOp names
// it.
type Variable struct {
	ID        int // in the object graph, or -1
	Name      string
	DType     tensor.DType
	Shape     tensor.Shape
	Trainable bool
}

// Size returns the number of elements, 0 when the shape is not known.
func (v *Variable) Size() int64 {
	n, _ := v.Shape.NumElements()
	return n
}

// Bytes returns how many bytes the values take in memory, 0 when the shape is not known.
func (v *Variable) Bytes() int64 { return v.Size() * int64(v.DType.Size()) }

// readObjectGraph decodes the objects and indexes the concrete functions. Edges to objects that do
// not exist are refused.
func readObjectGraph(file fileFaults, data []byte) (*ObjectGraph, error) {
	g := &ObjectGraph{concrete: map[string][]byte{}, children: map[int]map[string]int{}, Variables: map[int]*Variable{}, file: file}
	err := wire.Each(data, func(f wire.Field) error {
		switch {
		case f.Type != protowire.BytesType:
		case f.Num == fieldObjects:
			obj := &pb.SavedObject{}
			if err := unmarshal(string(file), f.Data, obj, "the object graph"); err != nil {
				return err
			}
			g.Nodes = append(g.Nodes, obj)
		case f.Num == fieldConcreteFunctions:
			var name string
			var def []byte
			err := wire.Each(f.Data, func(e wire.Field) error {
				switch e.Num {
				case 1:
					name = string(e.Data)
				case 2:
					def = e.Data
				}
				return nil
			})
			if err != nil {
				return err
			}
			g.concrete[name] = def
		}
		return nil
	})
	if err != nil {
		return nil, file.Damaged("the object graph", err)
	}
	for id, obj := range g.Nodes {
		if n := len(obj.GetChildren()); n > manyChildren {
			byName := make(map[string]int, n)
			for _, c := range slices.Backward(obj.GetChildren()) {
				byName[c.GetLocalName()] = int(c.GetNodeId()) // the first of a name is left
			}
			g.children[id] = byName
		}
		if v := obj.GetVariable(); v != nil {
			g.Variables[id] = &Variable{ID: id, Name: v.GetName(), DType: graph.DType(v.GetDtype()), Shape: graph.Shape(v.GetShape()), Trainable: v.GetTrainable()}
		}
		for _, c := range obj.GetChildren() {
			if c.GetNodeId() < 0 || int(c.GetNodeId()) >= len(g.Nodes) {
				return nil, formatError(string(file), "the object graph is damaged: %q points to object %d of %d", c.GetLocalName(), c.GetNodeId(), len(g.Nodes))
			}
		}
	}
	return g, nil
}

// Child follows names from object id, or returns -1.
func (g *ObjectGraph) Child(id int, names ...string) int {
	for _, name := range names {
		next := -1
		if id >= 0 && id < len(g.Nodes) {
			if many := g.children[id]; many != nil {
				if c, ok := many[name]; ok {
					next = c
				}
				id = next
				continue
			}
			for _, c := range g.Nodes[id].GetChildren() {
				if c.GetLocalName() == name {
					next = int(c.GetNodeId())
					break
				}
			}
		}
		id = next
	}
	return id
}

// Items returns the members of a tracked list, in its order.
func (g *ObjectGraph) Items(id int) []int {
	return g.Numbered(id, "")
}

// Numbered returns the children of id whose names are prefix and a number, in the order of the
// numbers.
func (g *ObjectGraph) Numbered(id int, prefix string) []int {
	found := g.numbered(id, prefix)
	ids := make([]int, len(found))
	for i, f := range found {
		ids[i] = f.id
	}
	return ids
}

// Slots returns the members of a tracked list at their places. It has -1 in the place of a member
// that TensorFlow does not keep, such as a number or an operation of keras.ops, and ends with the
// last member that is kept. For a list of more than limit places it returns nil.
func (g *ObjectGraph) Slots(id, limit int) []int {
	found := g.numbered(id, "")
	if len(found) == 0 || found[len(found)-1].n >= limit {
		return nil
	}
	slots := slices.Repeat([]int{-1}, found[len(found)-1].n+1)
	for _, f := range found {
		slots[f.n] = f.id
	}
	return slots
}

// numberedChild is a child that has a number in its name.
type numberedChild struct{ n, id int }

// numbered returns the children whose names are prefix and a number, in the order of the numbers.
func (g *ObjectGraph) numbered(id int, prefix string) []numberedChild {
	if id < 0 || id >= len(g.Nodes) {
		return nil
	}
	var found []numberedChild
	for _, c := range g.Nodes[id].GetChildren() {
		digits, ok := strings.CutPrefix(c.GetLocalName(), prefix)
		if n, err := strconv.Atoi(digits); ok && err == nil && n >= 0 {
			found = append(found, numberedChild{n, int(c.GetNodeId())})
		}
	}
	slices.SortStableFunc(found, func(a, b numberedChild) int { return a.n - b.n })
	return found
}

// Function decodes what the object graph says of a function; nil when it says nothing.
func (g *ObjectGraph) Function(name string) (*ConcreteFunction, error) {
	data, ok := g.concrete[name]
	if !ok {
		return nil, nil
	}
	def := &pb.SavedConcreteFunction{}
	if err := unmarshal(string(g.file), data, def, "concrete function "+name); err != nil {
		return nil, err
	}
	f := &ConcreteFunction{Name: name, Inputs: structuredTensors(def.GetCanonicalizedInputSignature()), Outputs: structuredTensors(def.GetOutputSignature())}
	for _, id := range def.GetBoundInputs() {
		f.Bound = append(f.Bound, int(id))
	}
	return f, nil
}

// StructuredTensor is a tensor in a structure of Python's (arguments or results of a function): the
// tensor's place in the structure, and its spec.
type StructuredTensor struct {
	Path  string // such as [0]["image"]; "" for a value that is one tensor
	Name  string // of the tensor's spec; "" for most outputs
	DType tensor.DType
	Shape tensor.Shape
	Class string // of a composite's spec, whose dtype and shape are not given here

	spec *pb.TypeSpecProto // of a composite
}

// maxStructure bounds how deep structured values are followed.
const maxStructure = 100

// structuredTensors returns the tensors of a structured value in the order of tf.nest, which sorts
// the keys of dictionaries.
func structuredTensors(v *pb.StructuredValue) []StructuredTensor {
	var out []StructuredTensor
	flattenInto(v, "", &out, 0)
	return out
}

// flattenInto appends the tensors of a value with their paths, which begin with path.
func flattenInto(v *pb.StructuredValue, path string, out *[]StructuredTensor, depth int) {
	if depth > maxStructure {
		return
	}
	list := func(values []*pb.StructuredValue) {
		for i, x := range values {
			flattenInto(x, path+"["+strconv.Itoa(i)+"]", out, depth+1)
		}
	}
	switch v := v.GetKind().(type) {
	case *pb.StructuredValue_TensorSpecValue:
		s := v.TensorSpecValue
		*out = append(*out, StructuredTensor{Path: path, Name: s.GetName(), DType: graph.DType(s.GetDtype()), Shape: graph.Shape(s.GetShape())})
	case *pb.StructuredValue_BoundedTensorSpecValue:
		s := v.BoundedTensorSpecValue
		*out = append(*out, StructuredTensor{Path: path, Name: s.GetName(), DType: graph.DType(s.GetDtype()), Shape: graph.Shape(s.GetShape())})
	case *pb.StructuredValue_ListValue:
		list(v.ListValue.GetValues())
	case *pb.StructuredValue_TupleValue:
		list(v.TupleValue.GetValues())
	case *pb.StructuredValue_NamedTupleValue:
		for _, pair := range v.NamedTupleValue.GetValues() {
			flattenInto(pair.GetValue(), path+"."+pair.GetKey(), out, depth+1)
		}
	case *pb.StructuredValue_DictValue:
		for _, key := range slices.Sorted(maps.Keys(v.DictValue.GetFields())) {
			flattenInto(v.DictValue.GetFields()[key], path+"["+strconv.Quote(key)+"]", out, depth+1)
		}
	case *pb.StructuredValue_TypeSpecValue:
		s := v.TypeSpecValue
		*out = append(*out, StructuredTensor{Path: path, Class: specClass(s), spec: s})
	}
}

// ConcreteFunction is what the object graph says of one traced function.
type ConcreteFunction struct {
	Name string
	// Inputs and Outputs are the tensors in the order of tf.nest, each with its place in the
	// structure: the arguments begin with [0] for the positional ones and [1] for those given by
	// name.
	Inputs, Outputs []StructuredTensor
	// Bound are the objects that the function captures, by their numbers: its last arguments.
	Bound []int
}

// Functions returns the names of the functions that the object graph describes, sorted.
func (g *ObjectGraph) Functions() []string { return slices.Sorted(maps.Keys(g.concrete)) }
