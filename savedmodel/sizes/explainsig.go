package sizes

import (
	"fmt"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/tensor"
)

// Why explains the dimensions of a signature's tensors: one sentence for each dimension, by the
// names of the tensors.
type Why struct {
	Inputs, Outputs map[string][]string
}

// Why explains the signature's shapes. An open dimension is explained by its meaning. A size of an
// output is explained by the layer that makes it, or, if the model has no layers, by the operation
// in the graph at which TensorFlow's shape inference first knew the size.
func (s *Signature) Why() (Why, error) {
	w := Why{Inputs: map[string][]string{}, Outputs: map[string][]string{}}
	names := map[string]map[int]string{}
	for _, a := range s.Axes() {
		if names[a.Input] == nil {
			names[a.Input] = map[int]string{}
		}
		names[a.Input][a.Dim] = a.Name
	}
	for name, info := range s.sig.Inputs {
		for i, d := range info.Shape.Dims() {
			text := words.Thousands(d) + ": fixed by the signature"
			if d == tensor.Unknown {
				text = "None: the " + names[name][i] + " axis, left open by the signature"
			}
			w.Inputs[name] = append(w.Inputs[name], text)
		}
	}
	b, err := s.body()
	if err != nil {
		return w, err
	}
	layers := s.table.Outputs(s.mg, b)
	o := &origins{b: b, frame: b.Frame(nil), names: names}
	for name, info := range s.sig.Outputs {
		layer, ok := layers[name]
		for i, d := range info.Shape.Dims() {
			text := ""
			if ok {
				text = layer.Why(i, d)
			}
			if text == "" {
				text = o.explain(info, i, d)
			}
			w.Outputs[name] = append(w.Outputs[name], text)
		}
	}
	return w, nil
}

// origins traces sizes back through a signature's function.
type origins struct {
	b     *body.Body
	frame *shape.Frame
	names map[string]map[int]string
}

// maxTrace bounds how many operations a size is traced through.
const maxTrace = 1000

// explain says where size d of dimension i of an output comes from.
func (o *origins) explain(info savedmodel.TensorInfo, i int, d int64) string {
	size := "None"
	if d != tensor.Unknown {
		size = words.Thousands(d)
	}
	r, ok := o.b.Result(info)
	if !ok {
		return size + ": as the signature has it"
	}
	return size + ": " + o.trace(r, i, d)
}

// trace follows a dimension back to the operation that determines it, and describes that.
func (o *origins) trace(r graph.Ref, i int, d int64) string {
	for range maxTrace {
		if arg, ok := r.IsArg(); ok {
			return o.argument(arg, i, d)
		}
		if r.Node == nil {
			break
		}
		next, axis, ok := o.step(r, i, d)
		if !ok {
			return o.at(r.Node, i, d)
		}
		r, i = next, axis
	}
	return "as the signature has it"
}

// argument describes a size that is an input's or a variable's.
func (o *origins) argument(arg, i int, d int64) string {
	name, fed := o.b.Inputs[arg]
	switch {
	case fed && d == tensor.Unknown && o.names[name][i] != "":
		return fmt.Sprintf("the %s axis of input %q, left open by the signature", o.names[name][i], name)
	case fed:
		return fmt.Sprintf("as dimension %d of input %q", i, name)
	case o.b.Variables[arg] != nil:
		return fmt.Sprintf("as dimension %d of variable %q", i, o.b.Variables[arg].Name)
	}
	return "as a tensor that the model holds has it"
}

// at describes the operation at which a size comes up.
func (o *origins) at(n *graph.Node, i int, d int64) string {
	where := fmt.Sprintf("%s (%s)", n.Name, n.Op)
	switch {
	case d == tensor.Unknown:
		return "not known before the model runs: it comes up at " + where
	case (n.Op == "MatMul" || strings.HasPrefix(n.Op, "BatchMatMul")) && len(n.Inputs) > 1:
		if s, ok := o.b.Shape(n.Inputs[1]); ok && s.FullyKnown() {
			return fmt.Sprintf("the width of the %s matrix that %s multiplies with", words.Product(s.Dims()), where)
		}
	case n.Op == "ConcatV2":
		return "the sizes of what " + where + " puts side by side"
	case n.Op == "Reshape":
		return "the new shape that " + where + " gives"
	case n.Op == "ReadVariableOp":
		return fmt.Sprintf("as dimension %d of variable %q", i, n.In(0).Name)
	case n.Op == "Const":
		return "the shape of the constant " + n.Name
	}
	return "as TensorFlow's shape inference has it at " + where
}

// step goes back from a dimension of a node's output to the dimension of an input that has its
// size.
func (o *origins) step(r graph.Ref, i int, d int64) (next graph.Ref, axis int, ok bool) {
	n := r.Node
	if n.Op == "ReadVariableOp" && len(n.Inputs) > 0 && n.Inputs[0].Node == nil {
		return n.Inputs[0], i, true
	}
	k, axis, ok := o.frame.From(r, i, d)
	if !ok || k > 0 && strings.Contains(n.Op, "MatMul") {
		return graph.Ref{}, 0, false
	}
	return n.Inputs[k], axis, true
}
