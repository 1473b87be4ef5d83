package savedmodel

import (
	"maps"
	"slices"
)

// ConcreteFunction is what the object graph says of one traced function: the structure of its
// arguments and results, and what it captures.
type ConcreteFunction struct {
	Name string
	// Inputs and Outputs are the tensors in the order of tf.nest, each with its place in the
	// structure: the arguments begin with [0] for the positional ones and [1] for those given by
	// name.
	Inputs, Outputs []StructuredTensor
	// Captures names the variables that the function reads or writes; other captured objects
	// (tables, constants) are "".
	Captures []string
}

// ConcreteFunctions returns the names of the functions that the object graph describes, sorted.
func (mg *MetaGraph) ConcreteFunctions() ([]string, error) {
	objs, err := mg.objs()
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(objs.concrete)), nil
}

// ConcreteFunction describes one of them; nil when there is none of that name.
func (mg *MetaGraph) ConcreteFunction(name string) (*ConcreteFunction, error) {
	objs, err := mg.objs()
	if err != nil {
		return nil, err
	}
	def, err := objs.ConcreteFunction(name)
	if def == nil || err != nil {
		return nil, err
	}
	f := &ConcreteFunction{Name: name, Inputs: StructuredTensors(def.GetCanonicalizedInputSignature()), Outputs: StructuredTensors(def.GetOutputSignature())}
	for _, id := range def.GetBoundInputs() {
		capture := ""
		if v := objs.Variables[int(id)]; v != nil {
			capture = v.Name
		}
		f.Captures = append(f.Captures, capture)
	}
	return f, nil
}
