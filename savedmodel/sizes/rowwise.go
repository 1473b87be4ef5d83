package sizes

import (
	"slices"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/padding"
	"github.com/tfrun/tfrun/tensor"
)

// RowWork is the work of a signature for one row of a batch.
type RowWork struct {
	Values int64  // number of values computed: a measure of work and of memory
	Why    string // why Values are not known, or ""
}

// Known reports whether a row's work is known. Each row's work is then done for that row alone.
func (w RowWork) Known() bool { return w.Why == "" }

// RowValues finds the work that a signature does for one row. It is known if rows have one shape,
// if it is proven that other rows do not change a row's answer ([padding.Of]), and if no loop is
// run: for any network of dense layers, embeddings, convolutions and the like. An error is one of
// reading the file.
func RowValues(mg *savedmodel.MetaGraph, s *savedmodel.Signature) (RowWork, error) {
	one := map[string]tensor.Shape{}
	w := rowwise{known: map[refKey]bool{}}
	for name, info := range s.Inputs {
		if info.Encoding != savedmodel.Dense || info.Shape.Rank() < 1 || info.Shape.Dim(0) != tensor.Unknown || !info.Shape.Drop(1).FullyKnown() {
			return RowWork{Why: "rows need not have one shape"}, nil
		}
		dims := info.Shape.Dims()
		dims[0] = 1
		one[name] = tensor.MakeShape(dims...)
		n, _ := one[name].NumElements()
		w.values += n
	}
	outputs, err := padding.Of(mg, s, nil)
	if err != nil {
		return RowWork{}, err
	}
	if slices.ContainsFunc(outputs, func(o padding.Output) bool {
		return o.Company.Answer != padding.Independent || len(o.Company.Needs) > 0
	}) {
		return RowWork{Why: "it is not proven that a row's answer is that row's own"}, nil
	}
	b, err := body.OfAny(mg, s)
	if err != nil || b == nil {
		return RowWork{Why: "the graph is not one that can be followed"}, err
	}
	w.b = b
	fr := b.Frame(one)
	for _, name := range s.OutputNames() {
		if r, ok := b.Result(s.Outputs[name]); !ok || s.Outputs[name].Encoding != savedmodel.Dense {
			w.why = "an output is not one tensor"
		} else {
			w.ofRows(fr, r)
		}
	}
	if w.why != "" {
		return RowWork{Why: w.why}, nil
	}
	return RowWork{Values: w.values}, nil
}

// refKey is a tensor of a function in one call.
type refKey struct {
	fr *shape.Frame
	r  graph.Ref
}

// maxDepth bounds how far tensors are followed back.
const maxDepth = 2_000

// rowwise counts the values of all tensors that consist of rows, from the outputs backwards.
type rowwise struct {
	b      *body.Body
	known  map[refKey]bool // whether the tensor consists of rows
	values int64
	why    string // why the values cannot be counted
	depth  int
}

// ofRows reports whether a tensor consists of rows, and counts its values if it does.
func (w *rowwise) ofRows(fr *shape.Frame, r graph.Ref) bool {
	if i, ok := r.IsArg(); ok {
		if fr.Up != nil {
			return i < len(fr.Args) && w.ofRows(fr.Up, fr.Args[i])
		}
		return w.b.Inputs[i] != ""
	}
	key := refKey{fr, r}
	if of, ok := w.known[key]; ok || r.Node == nil || w.why != "" {
		return of
	}
	if w.depth >= maxDepth {
		w.why = "the graph is too deep"
		return false
	}
	w.known[key] = false // for a tensor that depends on itself
	w.depth++
	w.known[key] = w.node(fr, r)
	w.depth--
	return w.known[key]
}

// node is ofRows for a result of an operation.
func (w *rowwise) node(fr *shape.Frame, r graph.Ref) bool {
	n := r.Node
	if graph.IsCall(n.Op) {
		inner := fr.Enter(n, "f", 0)
		if inner == nil || r.Out >= len(inner.F.Rets) {
			w.why = "the graph is not one that can be followed"
			return false
		}
		return w.ofRows(inner, inner.F.Rets[r.Out])
	}
	of := false
	for _, in := range n.Inputs {
		of = w.ofRows(fr, in) || of
	}
	if !of {
		return false
	}
	for _, a := range n.Def.GetAttr() {
		if a.GetFunc() != nil || len(a.GetList().GetFunc()) > 0 {
			w.why = n.Op + " may do its work many times"
			return true
		}
	}
	size, ok := fr.Shape(r).NumElements()
	if w.values += size; !ok || w.values >= 1<<31 {
		w.why = "the size of what " + n.Op + " makes is not known"
	}
	return true
}
