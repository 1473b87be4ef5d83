package sizes

import (
	"slices"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/tensor"
)

// RowValues returns how many values a signature computes for one row of a batch, where it can be
// told that it computes them from that row alone, whatever other rows the batch has: a network of
// dense layers does. ok is false for every signature of which that does not follow from its
// operations.
func RowValues(mg *savedmodel.MetaGraph, s *savedmodel.Signature) (values int64, ok bool, err error) {
	ops, err := mg.Operations(s)
	if err != nil || slices.ContainsFunc(ops, func(op string) bool { return !knownByRow(op) }) {
		return 0, false, err
	}
	one := map[string]tensor.Shape{}
	for name, info := range s.Inputs {
		if info.Encoding != savedmodel.Dense || info.Shape.Rank() < 1 || info.Shape.Dim(0) != tensor.Unknown || !info.Shape.Drop(1).FullyKnown() {
			return 0, false, nil
		}
		dims := info.Shape.Dims()
		dims[0] = 1
		one[name] = tensor.MakeShape(dims...)
		n, _ := one[name].NumElements()
		values += n
	}
	b, err := body.OfAny(mg, s)
	if err != nil || b == nil {
		return 0, false, err
	}
	w := rowwise{b: b, kinds: map[kindKey]rowKind{}}
	fr := b.Frame(one)
	for _, info := range s.Outputs {
		r, found := b.Result(info)
		if info.Encoding != savedmodel.Dense || !found || w.kind(fr, r) != perRow {
			return 0, false, nil
		}
	}
	return values + w.values, true, nil
}

// rowKind says what a tensor is made of.
type rowKind int

const (
	mixed    rowKind = iota // of several rows, or that cannot be told
	constant                // of no row
	// along its first axis it has an entry for each row, made of that row alone
	perRow
)

type kindKey struct {
	fr *shape.Frame
	r  graph.Ref
}

// maxDepth bounds how far rows are followed back.
const maxDepth = 2_000

// rowwise follows rows through a graph, backwards from what is asked for.
type rowwise struct {
	b      *body.Body
	kinds  map[kindKey]rowKind
	values int64 // of one row, in all tensors that were found to be perRow
	depth  int
}

// valueOps make each value of their result of one value of their input.
var valueOps = []string{
	"Identity", "StopGradient", "PreventGradient", "Cast", "Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Exp", "Expm1", "Log", "Log1p",
	"Neg", "Abs", "Sign", "Sqrt", "Rsqrt", "Square", "Reciprocal", "Round", "Rint", "Floor", "Ceil", "Sin", "Cos", "Erf", "Erfc", "LogicalNot",
}

// knownByRow reports whether an operation is one that rowwise knows.
func knownByRow(op string) bool {
	switch op {
	case "Placeholder", "Const", "VarHandleOp", "ReadVariableOp", "NoOp", "BiasAdd", "Softmax", "LogSoftmax", "MatMul", "ConcatV2":
		return true
	}
	return graph.IsCall(op) || shape.Broadcasts(op) || slices.Contains(valueOps, op)
}

// kind returns what a tensor is made of.
func (w *rowwise) kind(fr *shape.Frame, r graph.Ref) rowKind {
	if i, ok := r.IsArg(); ok {
		switch {
		case fr.Up != nil && i < len(fr.Args):
			return w.kind(fr.Up, fr.Args[i])
		case fr.Up == nil && w.b.Inputs[i] != "":
			return perRow
		case fr.Up == nil && w.b.Captured[i]:
			return constant
		}
		return mixed
	}
	key := kindKey{fr, r}
	if k, ok := w.kinds[key]; ok || r.Node == nil || w.depth >= maxDepth {
		return k
	}
	w.kinds[key] = mixed // in a circle
	w.depth++
	k := w.node(fr, r)
	w.depth--
	if k == perRow && !graph.IsCall(r.Node.Op) && !w.count(fr, r) {
		k = mixed
	}
	w.kinds[key] = k
	return k
}

// count adds the values of a row of a tensor, and reports false where their number is not known.
func (w *rowwise) count(fr *shape.Frame, r graph.Ref) bool {
	s := fr.Shape(r)
	if s.Rank() < 1 {
		return false
	}
	n, ok := s.Drop(1).NumElements()
	w.values += n
	return ok && n < 1<<31
}

// node is kind for a result of an operation.
func (w *rowwise) node(fr *shape.Frame, r graph.Ref) rowKind {
	n := r.Node
	if graph.IsCall(n.Op) {
		if inner := fr.Enter(n, "f", 0); inner != nil && r.Out < len(inner.F.Rets) {
			return w.kind(inner, inner.F.Rets[r.Out])
		}
		return mixed
	}
	if n.Op == "Const" || n.Op == "VarHandleOp" {
		return constant
	}
	kinds := make([]rowKind, len(n.Inputs))
	for i, in := range n.Inputs {
		kinds[i] = w.kind(fr, in)
	}
	attr := n.Def.GetAttr()
	switch {
	case len(kinds) == 0 || slices.Contains(kinds, mixed):
		return mixed
	case !slices.Contains(kinds, perRow):
		return constant
	case slices.Contains(valueOps, n.Op):
		return perRow
	case shape.Broadcasts(n.Op) && w.sideBySide(fr, n, kinds):
		return perRow
	case n.Op == "BiasAdd" && kinds[0] == perRow && kinds[1] == constant && fr.Shape(n.Inputs[0]).Rank() == 2,
		n.Op == "MatMul" && kinds[0] == perRow && kinds[1] == constant && !attr["transpose_a"].GetB(),
		(n.Op == "Softmax" || n.Op == "LogSoftmax") && fr.Shape(n.Inputs[0]).Rank() >= 2,
		n.Op == "ConcatV2" && !slices.Contains(kinds[:len(kinds)-1], constant) && w.acrossRows(fr, n):
		return perRow
	}
	return mixed
}

// sideBySide reports whether the first axis of the result of an operation that stretches its inputs
// is that of the rows among them.
func (w *rowwise) sideBySide(fr *shape.Frame, n *graph.Node, kinds []rowKind) bool {
	rank := 0
	for _, in := range n.Inputs {
		if !fr.Shape(in).Ranked() {
			return false
		}
		rank = max(rank, fr.Shape(in).Rank())
	}
	for i, in := range n.Inputs {
		s := fr.Shape(in)
		if s.Rank() == rank && kinds[i] == constant && s.Dim(0) != 1 || s.Rank() < rank && kinds[i] == perRow {
			return false
		}
	}
	return true
}

// acrossRows reports whether tensors are joined along another axis than that of the rows.
func (w *rowwise) acrossRows(fr *shape.Frame, n *graph.Node) bool {
	axis := graph.Ints(n.In(len(n.Inputs) - 1))
	rank := fr.Shape(n.Inputs[0]).Rank()
	return len(axis) == 1 && rank > 0 && axis[0] != 0 && axis[0] != int64(-rank)
}
