package savedmodel

import (
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/tensor"
)

// maxMainNodes bounds how much of a main graph is looked at for the shapes of a signature's
// outputs.
const maxMainNodes = 20_000

// bodyOrMain returns the function that does a signature's work or, where the main graph does it
// itself, as in TensorFlow 1, that part of the main graph as if it were one: what the signature
// feeds are its arguments.
func (mg *MetaGraph) bodyOrMain(s *Signature) (*body, error) {
	b, err := mg.body(s)
	if b != nil || err != nil {
		return b, err
	}
	return mg.mainBody(s)
}

// mainBody makes a function of the nodes that a signature's outputs are made from.
func (mg *MetaGraph) mainBody(s *Signature) (*body, error) {
	f := &function{byName: map[string]*node{}, argAt: map[string]int{}}
	b := &body{function: f, mg: mg, sig: s, vars: map[int]*variable{}, captured: map[int]bool{}, inputs: map[int]string{}}
	for i, name := range s.InputNames() {
		f.args = append(f.args, name)
		b.inputs[i] = name
		if info := s.Inputs[name]; info.Encoding == "" {
			f.argAt[strings.TrimSuffix(info.Tensor, ":0")] = i
		}
	}
	var todo []string
	for _, name := range s.OutputNames() {
		todo = append(todo, nodeOf(s.Outputs[name].Tensor))
	}
	for ; len(todo) > 0 && len(f.nodes) < maxMainNodes; todo = todo[1:] {
		name := todo[0]
		if _, fed := f.argAt[name]; fed || f.byName[name] != nil {
			continue
		}
		def, err := mg.Node(name)
		if err != nil {
			return nil, err
		}
		if def == nil {
			continue
		}
		n := &node{name: name, op: def.GetOp(), def: def, index: len(f.nodes), parts: strings.SplitN(name, "/", maxScopes)}
		f.nodes = append(f.nodes, n)
		f.byName[name] = n
		for _, in := range def.GetInput() {
			if !strings.HasPrefix(in, "^") {
				todo = append(todo, nodeOf(in))
			}
		}
	}
	for _, n := range f.nodes {
		for _, in := range n.def.GetInput() {
			if !strings.HasPrefix(in, "^") {
				n.inputs = append(n.inputs, f.mainRef(in))
			}
		}
	}
	return b, nil
}

// mainRef reads a tensor's name as a main graph writes it: "node" or "node:i".
func (f *function) mainRef(name string) ref {
	head, place, _ := strings.Cut(name, ":")
	out, _ := strconv.Atoi(place)
	if i, ok := f.argAt[head]; ok && out == 0 {
		return ref{arg: i + 1}
	}
	if n := f.byName[head]; n != nil {
		return ref{node: n, out: max(out, 0)}
	}
	return ref{}
}

// result returns the tensor of the function that an output of the signature is.
func (b *body) result(info TensorInfo) (ref, bool) {
	if b.call == "" {
		r := b.mainRef(info.Tensor)
		return r, r.ok()
	}
	_, place, _ := strings.Cut(info.Tensor, ":")
	k, err := strconv.Atoi(place)
	if err != nil || k < 0 || nodeOf(info.Tensor) != b.call || k >= len(b.results) || b.results[k] < 0 || b.results[k] >= len(b.rets) {
		return ref{}, false
	}
	r := b.source(b.rets[b.results[k]])
	return r, r.ok()
}

// shape returns what is known of a tensor's shape; of an argument that the graph says nothing of,
// it is what the signature or the variable has.
func (b *body) shape(r ref) (tensor.Shape, bool) {
	s, ok := b.function.shape(r)
	if i, isArg := r.isArg(); isArg && !ok {
		if name, fed := b.inputs[i]; fed && b.call == "" {
			return b.sig.Inputs[name].Shape, true
		}
	}
	return s, ok
}
