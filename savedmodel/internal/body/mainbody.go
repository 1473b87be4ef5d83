package body

import (
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// OfAny returns the function that does a signature's work or, where the main graph does it
// itself, as in TensorFlow 1, that part of the main graph as if it were one: what the signature
// feeds are its arguments.
func OfAny(mg *savedmodel.MetaGraph, s *savedmodel.Signature) (*Body, error) {
	b, err := Of(mg, s)
	if b != nil || err != nil {
		return b, err
	}
	return mainBody(mg, s)
}

// mainBody makes a function of the nodes that a signature's outputs are made from. What is dense
// among the inputs are its arguments.
func mainBody(mg *savedmodel.MetaGraph, s *savedmodel.Signature) (*Body, error) {
	b := &Body{mg: mg, Signature: s, Variables: map[int]*savedmodel.Variable{}, Captured: map[int]bool{}, Inputs: map[int]string{}}
	feeds := make([]string, len(s.Inputs))
	for i, name := range s.InputNames() {
		b.Inputs[i] = name
		if info := s.Inputs[name]; info.Encoding == savedmodel.Dense {
			feeds[i] = info.Tensor
		}
	}
	reach, err := mg.Graph().Reach()
	if err != nil {
		return nil, err
	}
	reach.Feed(feeds)
	if err := reach.Mark(s.Tensors(s.Outputs)); err != nil {
		return nil, err
	}
	b.Function, err = reach.Main(feeds)
	return b, err
}

// Result returns the tensor of the function that an output of the signature is.
func (b *Body) Result(info savedmodel.TensorInfo) (graph.Ref, bool) {
	if b.call == "" {
		r := b.MainRef(info.Tensor)
		return r, r.OK()
	}
	_, place, _ := strings.Cut(info.Tensor, ":")
	k, err := strconv.Atoi(place)
	if err != nil || k < 0 || graph.NodeOf(info.Tensor) != b.call || k >= len(b.results) || b.results[k] < 0 || b.results[k] >= len(b.Rets) {
		return graph.Ref{}, false
	}
	r := b.Source(b.Rets[b.results[k]])
	return r, r.OK()
}

// Shape returns what is known of a tensor's shape; of an argument that the graph says nothing of,
// it is what the signature or the variable has.
func (b *Body) Shape(r graph.Ref) (tensor.Shape, bool) {
	s, ok := b.Function.Shape(r)
	if i, isArg := r.IsArg(); isArg && !ok {
		if name, fed := b.Inputs[i]; fed && b.call == "" {
			return b.Signature.Inputs[name].Shape, true
		}
	}
	return s, ok
}

// Frame returns the function with what is known of its arguments when the signature's inputs have
// the given shapes; those that are not given have the signature's.
func (b *Body) Frame(inputs map[string]tensor.Shape) *shape.Frame {
	given := make([]shape.Facts, len(b.Args))
	for i := range given {
		given[i].Held.Len = tensor.Unknown
		if name, fed := b.Inputs[i]; fed && b.Signature.Inputs[name].Encoding == savedmodel.Dense {
			given[i].Shape = shape.Merge(inputs[name], b.Signature.Inputs[name].Shape)
		}
		if v := b.Variables[i]; v != nil {
			given[i].Held.Shape = v.Shape
		}
	}
	return shape.NewFrame(b.mg.Graph(), b.Function, given)
}
