package body

import (
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// maxMainNodes bounds how much of a main graph is looked at for the shapes of a signature's
// outputs.
const maxMainNodes = 20_000

// bodyOrMain returns the function that does a signature's work or, where the main graph does it
// itself, as in TensorFlow 1, that part of the main graph as if it were one: what the signature
// feeds are its arguments.
func OfAny(mg *savedmodel.MetaGraph, s *savedmodel.Signature) (*Body, error) {
	b, err := Of(mg, s)
	if b != nil || err != nil {
		return b, err
	}
	return mainBody(mg, s)
}

// mainBody makes a function of the nodes that a signature's outputs are made from.
func mainBody(mg *savedmodel.MetaGraph, s *savedmodel.Signature) (*Body, error) {
	f := &graph.Function{ByName: map[string]*graph.Node{}, ArgAt: map[string]int{}}
	b := &Body{Function: f, mg: mg, Signature: s, Variables: map[int]*savedmodel.Variable{}, Captured: map[int]bool{}, Inputs: map[int]string{}}
	for i, name := range s.InputNames() {
		f.Args = append(f.Args, name)
		b.Inputs[i] = name
		if info := s.Inputs[name]; info.Encoding == "" {
			f.ArgAt[strings.TrimSuffix(info.Tensor, ":0")] = i
		}
	}
	var todo []string
	for _, name := range s.OutputNames() {
		todo = append(todo, graph.NodeOf(s.Outputs[name].Tensor))
	}
	for ; len(todo) > 0 && len(f.Nodes) < maxMainNodes; todo = todo[1:] {
		name := todo[0]
		if _, fed := f.ArgAt[name]; fed || f.ByName[name] != nil {
			continue
		}
		def, err := mg.Graph().Node(name)
		if err != nil {
			return nil, err
		}
		if def == nil {
			continue
		}
		n := graph.NewNode(def)
		n.Index = len(f.Nodes)
		f.Nodes = append(f.Nodes, n)
		f.ByName[name] = n
		for _, in := range def.GetInput() {
			if !strings.HasPrefix(in, "^") {
				todo = append(todo, graph.NodeOf(in))
			}
		}
	}
	for _, n := range f.Nodes {
		for _, in := range n.Def.GetInput() {
			if !strings.HasPrefix(in, "^") {
				n.Inputs = append(n.Inputs, f.MainRef(in))
			}
		}
	}
	return b, nil
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
