package runner

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/runner/internal/xla"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// Function is a signature of a loaded model, ready to run. It may be used from many goroutines at
// once.
//
// Its inputs and outputs are dense tensors. A composite value of a signature (ragged, sparse)
// stands there as its components, each named after the value and its role: "x/values" and
// "x/row_splits" ("x/row_splits_1" for the second ragged axis) for a ragged x; "x/indices",
// "x/values" and "x/dense_shape" for a sparse one; "x/0", "x/1", … where the file does not say what
// the components are.
type Function struct {
	session   *Session
	signature *savedmodel.Signature
	joined    bool // inputs were put together, see [savedmodel.MetaGraph.ByRows]
	inputs    []Endpoint
	outputs   []Endpoint
	program   tf.Program
	compiler  *xla.Compiler // nil where XLA is off, or does not take the signature
	state     savedmodel.State
	fed       *tf.Recycler // of calls of few values; nil where TensorFlow may keep what it is fed
}

// Endpoint is a dense tensor that a [Function] takes or gives.
type Endpoint struct {
	Name string // as [Function] says
	// Value is the input or output of the signature that the tensor belongs to: the same as Name
	// for a dense one.
	Value string
	// Role says which component of Value the tensor is: "values", "row_splits", "indices",
	// "dense_shape", or a number; "" for a dense value.
	Role   string
	DType  tensor.DType
	Shape  tensor.Shape // the batch axis included
	Tensor string       // in the graph, "serving_default_x:0"

	// Labels are the names that results of a [Predictor] hold in place of an output's numbers, see
	// [Head]; nil: the numbers stay.
	Labels []string

	input bool   // the output is an input, passed on
	head  string // the output that a head makes this one of; "" where there is no head
	of    string // the output of the signature that was picked, which may have another name
}

// from is the output of the signature that an output is, or that a head makes it of.
func (e Endpoint) from() string {
	return cmp.Or(e.head, e.of, e.Value)
}

func tensorNames(list []Endpoint) []string {
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Tensor
	}
	return names
}

// endpoints lists the dense tensors of a value of a signature.
func endpoints(name string, info savedmodel.TensorInfo) []Endpoint {
	if info.Encoding == savedmodel.Dense {
		return []Endpoint{{Name: name, Value: name, DType: info.DType.Base(), Shape: info.Shape, Tensor: info.Tensor}}
	}
	list := make([]Endpoint, len(info.Components))
	splits := 0
	for i, c := range info.Components {
		role := c.Role
		switch {
		case role == "":
			role = fmt.Sprint(i)
		case role == "row_splits":
			if splits++; splits > 1 {
				role = fmt.Sprintf("row_splits_%d", splits-1)
			}
		}
		list[i] = Endpoint{Name: name + "/" + role, Value: name, Role: role, DType: c.DType.Base(), Shape: c.Shape, Tensor: c.Tensor}
	}
	return list
}

// Session returns the loaded model that the function is of.
func (f *Function) Session() *Session { return f.session }

// Signature returns what the model's file says of the signature. That of a [Predictor] of rows has
// one input for the tensors of a ragged or sparse argument, see [savedmodel.MetaGraph.ByRows].
func (f *Function) Signature() *savedmodel.Signature { return f.signature }

// Inputs lists the tensors that the function takes, in the order of their names. The slice is the
// Function's own.
func (f *Function) Inputs() []Endpoint { return f.inputs }

// Outputs lists the tensors that the function gives, in the order that was asked for. The slice is
// the Function's own.
func (f *Function) Outputs() []Endpoint { return f.outputs }

func endpointNames(list []Endpoint) []string {
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name
	}
	slices.Sort(names)
	return names
}
