package body

import (
	"strconv"
	"strings"
	"sync"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// Body is the function that does a signature's work, without the wrappers around it.
type Body struct {
	*graph.Function
	mg        *savedmodel.MetaGraph
	Signature *savedmodel.Signature
	// the variables among the arguments, by the argument's place
	Variables map[int]*savedmodel.Variable
	// Captured marks the arguments that the caller does not feed: variables, tables, constants.
	Captured map[int]bool
	// Inputs gives the signature's name for each argument that is fed, by the argument's place.
	Inputs  map[int]string
	UsersOf func() map[*graph.Node][]*graph.Node
	// call is the node of the main graph that calls the function; results maps its outputs to the
	// function's results, -1 where they cannot be told.
	call    string
	results []int
}

// Framework says what wrote the model.
func (b *Body) Framework() savedmodel.Framework { return b.mg.Framework }

// feed is what a caller gives to an argument: a node of the main graph, an object of the object
// graph, or neither.
type feed struct {
	node   string
	object int // -1: none
}

// Of finds the function behind a signature; nil when the signature's outputs are made by the main
// graph itself, as in TensorFlow 1.
func Of(mg *savedmodel.MetaGraph, sig *savedmodel.Signature) (*Body, error) {
	if sig == nil {
		return nil, nil
	}
	objs, err := mg.Objects()
	if err != nil {
		return nil, err
	}
	call, err := callOf(mg, sig)
	if call == nil || err != nil {
		return nil, err
	}
	f, err := mg.Graph().Load(call.GetAttr()["f"].GetFunc().GetName())
	if f == nil || err != nil {
		return nil, err
	}
	feeds, err := fedBy(call, f, objs)
	if err != nil {
		return nil, err
	}
	f, feeds, results, err := unwrap(mg, f, feeds)
	if f == nil || err != nil {
		return nil, err
	}
	b := &Body{
		Function: f, call: call.GetName(), results: results, mg: mg, Signature: sig, Variables: map[int]*savedmodel.Variable{}, Captured: map[int]bool{}, Inputs: map[int]string{},
	}
	b.UsersOf = sync.OnceValue(f.Users)
	return b, b.bind(objs, feeds)
}

// callOf returns the call that makes the signature's outputs; nil when there is none.
func callOf(mg *savedmodel.MetaGraph, sig *savedmodel.Signature) (*nodepb.NodeDef, error) {
	for _, name := range sig.OutputNames() {
		for _, t := range sig.Tensors(map[string]savedmodel.TensorInfo{name: sig.Outputs[name]}) {
			if call, err := mg.Graph().Call(t); call != nil || err != nil {
				return call, err
			}
		}
	}
	return nil, nil
}

// fedBy lists what the caller gives to each of a function's arguments: a node of the main graph or,
// for the last ones, an object that the function has bound.
func fedBy(call *nodepb.NodeDef, f *graph.Function, objs *savedmodel.ObjectGraph) ([]feed, error) {
	feeds := make([]feed, len(f.Args))
	data, _ := graph.SplitInputs(call)
	for i := range feeds {
		feeds[i].object = -1
		if i < len(data) {
			feeds[i].node = graph.NodeOf(data[i])
		}
	}
	c, err := objs.Function(f.Name)
	if err != nil {
		return nil, err
	}
	if c != nil && len(c.Bound) <= len(feeds) {
		for i, id := range c.Bound {
			feeds[len(feeds)-len(c.Bound)+i].object = id
		}
	}
	return feeds, nil
}

// unwrap steps into the only call of a function that does nothing else, carrying along what feeds
// the arguments, and which result becomes which. The function is nil when no work is found within
// maxUnwrap calls.
func unwrap(mg *savedmodel.MetaGraph, f *graph.Function, feeds []feed) (*graph.Function, []feed, []int, error) {
	results := make([]int, len(f.Rets))
	for i := range results {
		results[i] = i
	}
	for range graph.MaxUnwrap {
		call := f.OnlyCall()
		if call == nil {
			return f, feeds, results, nil
		}
		inner, err := mg.Graph().Load(call.Def.GetAttr()["f"].GetFunc().GetName())
		if err != nil {
			return nil, nil, nil, err
		}
		if inner == nil {
			return f, feeds, results, nil
		}
		next := make([]feed, len(inner.Args))
		for i := range next {
			next[i].object = -1
			if i < len(call.Inputs) {
				if arg, ok := call.Inputs[i].IsArg(); ok {
					next[i] = feeds[arg]
				}
			}
		}
		for i, r := range results {
			results[i] = -1
			if r < 0 || r >= len(f.Rets) {
				continue
			}
			if from := f.Source(f.Rets[r]); from.Node == call {
				results[i] = from.Out
			}
		}
		f, feeds = inner, next
	}
	return nil, nil, nil, nil
}

// bind works out which arguments are the caller's and which are variables.
func (b *Body) bind(objs *savedmodel.ObjectGraph, feeds []feed) error {
	placeholder := map[string]string{}
	for name, in := range b.Signature.Inputs {
		placeholder[graph.NodeOf(in.Tensor)] = name
		for _, c := range in.Components {
			placeholder[graph.NodeOf(c.Tensor)] = name
		}
	}
	for i, fd := range feeds {
		if fd.object >= 0 {
			b.Captured[i] = true
			if v := objs.Variables[fd.object]; v != nil {
				b.Variables[i] = v
			}
			continue
		}
		if name, ok := placeholder[fd.node]; ok {
			b.Inputs[i] = name
			continue
		}
		n, err := b.mg.Graph().Node(fd.node)
		if err != nil {
			return err
		}
		if n == nil {
			continue
		}
		b.Captured[i] = true
		if n.GetOp() == "VarHandleOp" {
			b.Variables[i] = &savedmodel.Variable{ID: -1, Name: graph.SharedName(n), DType: graph.DType(n.GetAttr()["dtype"].GetType()), Shape: graph.Shape(n.GetAttr()["shape"].GetShape()), Trainable: true}
		}
	}
	return nil
}

// InputShapes returns the shapes of the arguments that are fed, in their order.
func (b *Body) InputShapes() []tensor.Shape {
	var shapes []tensor.Shape
	for i := range b.Args {
		if _, ok := b.Inputs[i]; ok {
			s, _ := b.Shape(graph.Ref{Arg: i + 1})
			shapes = append(shapes, s)
		}
	}
	return shapes
}

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
