package sizes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// Why says why the dimensions of a signature's tensors are what they are: a sentence for each, by
// the tensors' names.
type Why struct {
	Inputs, Outputs map[string][]string
}

// Why explains the signature's shapes: open dimensions by what they are, sizes of outputs by the
// layer that gives them or, where the model holds no layers, by the operation in the graph at which
// TensorFlow's shape inference knew them.
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
	o := &origins{b: b, names: names}
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
	names map[string]map[int]string
}

// maxTrace bounds how far a size is traced.
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

// trace follows a dimension back to what determines it.
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

// argument says that a size is an input's or a variable's.
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

// at says at which operation a size comes up.
func (o *origins) at(n *graph.Node, i int, d int64) string {
	where := fmt.Sprintf("%s (%s)", n.Name, n.Op)
	switch {
	case d == tensor.Unknown:
		return "not known before the model runs: it comes up at " + where
	case (n.Op == "MatMul" || strings.HasPrefix(n.Op, "BatchMatMul")) && len(n.Inputs) > 1:
		if s, ok := o.b.Shape(n.Inputs[1]); ok && s.FullyKnown() {
			return fmt.Sprintf("the width of the %s matrix that %s multiplies with", layers.Factors(s), where)
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

// keepingOps keep the shape of their first input.
var keepingOps = map[string]bool{
	"Identity": true, "IdentityN": true, "BiasAdd": true, "Cast": true, "CheckNumerics": true, "StopGradient": true, "Relu": true, "Relu6": true, "Elu": true, "Selu": true, "LeakyRelu": true,
	"Sigmoid": true, "Tanh": true, "Softmax": true, "LogSoftmax": true, "Softplus": true, "Softsign": true, "Exp": true, "Log": true, "Log1p": true, "Neg": true, "Abs": true, "Sign": true,
	"Sqrt": true, "Rsqrt": true, "Square": true, "Round": true, "Floor": true, "Ceil": true, "Sin": true, "Cos": true, "Erf": true, "LogicalNot": true, "ReverseV2": true, "Cumsum": true,
	"ReadVariableOp": true, "EnsureShape": true, "PreventGradient": true, "StringLower": true, "StringUpper": true, "StringStrip": true, "StaticRegexReplace": true, "ZerosLike": true, "OnesLike": true,
	"Invert": true, "EncodeBase64": true, "DecodeBase64": true, "Real": true, "Imag": true, "Conj": true, "ComplexAbs": true, "Angle": true, "Reciprocal": true, "Rint": true,
	"Sinh": true, "Cosh": true, "Asin": true, "Acos": true, "Atan": true, "Tan": true, "Expm1": true, "Erfc": true, "IsNan": true, "IsInf": true, "IsFinite": true, "AsString": true,
}

// broadcastOps stretch their inputs to one shape.
var broadcastOps = map[string]bool{
	"Add": true, "AddV2": true, "Sub": true, "Mul": true, "RealDiv": true, "Div": true, "DivNoNan": true, "Maximum": true, "Minimum": true, "Pow": true, "FloorDiv": true, "FloorMod": true, "SquaredDifference": true,
	"Greater": true, "GreaterEqual": true, "Less": true, "LessEqual": true, "Equal": true, "NotEqual": true, "LogicalAnd": true, "LogicalOr": true, "SelectV2": true,
	"BitwiseAnd": true, "BitwiseOr": true, "BitwiseXor": true, "LeftShift": true, "RightShift": true, "StringJoin": true, "Atan2": true, "Mod": true, "TruncateDiv": true,
	"TruncateMod": true, "Xdivy": true, "Xlogy": true, "Complex": true, "MulNoNan": true,
}

// step goes from a dimension of a node's output to the dimension of an input that determines it.
func (o *origins) step(r graph.Ref, i int, d int64) (next graph.Ref, axis int, ok bool) {
	n := r.Node
	out, known := o.b.Shape(r)
	switch {
	case keepingOps[n.Op] && r.Out < len(n.Inputs) && !(n.Op == "ReadVariableOp" && n.Inputs[0].Node != nil):
		return n.Inputs[r.Out], i, true
	case broadcastOps[n.Op] && known:
		for _, in := range n.Inputs {
			if s, ok := o.b.Shape(in); ok && s.Rank()-(out.Rank()-i) >= 0 && s.Rank() > 0 {
				if at := s.Rank() - (out.Rank() - i); s.Dim(at) == d {
					return in, at, true
				}
			}
		}
	case n.Op == "MatMul" && i == 0 && len(n.Inputs) > 0 && !n.Def.GetAttr()["transpose_a"].GetB():
		return n.Inputs[0], 0, true
	case strings.HasPrefix(n.Op, "BatchMatMul") && known && i < out.Rank()-1 && len(n.Inputs) > 0 && !n.Def.GetAttr()["adj_x"].GetB():
		return n.Inputs[0], i, true
	case n.Op == "Transpose" && len(n.Inputs) > 1:
		if perm := graph.Ints(n.In(1)); i < len(perm) && perm[i] >= 0 {
			return n.Inputs[0], int(perm[i]), true
		}
	case n.Op == "ConcatV2" && known && len(n.Inputs) > 1:
		if axis := graph.Ints(n.In(len(n.Inputs) - 1)); len(axis) == 1 && (axis[0]+int64(out.Rank()))%int64(max(out.Rank(), 1)) != int64(i) {
			for _, in := range n.Inputs[:len(n.Inputs)-1] {
				if s, ok := o.b.Shape(in); ok && s.Rank() == out.Rank() && s.Dim(i) == d {
					return in, i, true
				}
			}
		}
	case slices.Contains(reducingOps, n.Op) && len(n.Inputs) > 1:
		if in, ok := o.b.Shape(n.Inputs[0]); ok {
			axis, ok = reducedAxis(n, in, i)
			return n.Inputs[0], axis, ok
		}
	case i == 0 && (n.Op == "Conv2D" || n.Op == "Conv3D" || n.Op == "MaxPool" || n.Op == "AvgPool" || n.Op == "DepthwiseConv2dNative") && len(n.Inputs) > 0:
		return n.Inputs[0], 0, true
	}
	return graph.Ref{}, 0, false
}

// reducedAxis finds the axis of a reduction's input that became axis i.
func reducedAxis(n *graph.Node, in tensor.Shape, i int) (axis int, ok bool) {
	gone := graph.Ints(n.In(1))
	if gone == nil || !in.Ranked() {
		return 0, false
	}
	for k := range gone {
		if gone[k] < 0 {
			gone[k] += int64(in.Rank())
		}
	}
	if n.Def.GetAttr()["keep_dims"].GetB() {
		return i, !slices.Contains(gone, int64(i))
	}
	for axis := range in.Rank() {
		if slices.Contains(gone, int64(axis)) {
			continue
		}
		if i == 0 {
			return axis, true
		}
		i--
	}
	return 0, false
}
