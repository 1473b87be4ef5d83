package rules

import (
	"math"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/tensor"
)

// OperationName is what "math.reduce_mean", "ReduceMean" and "reduce_mean" have in common.
func OperationName(function string) string {
	return strings.ReplaceAll(strings.ToLower(function[strings.LastIndexByte(function, '.')+1:]), "_", "")
}

type operationRule func(c Config, in []tensor.Shape) ([]tensor.Shape, bool)

var Operations = func() map[string]operationRule {
	rules := map[string]operationRule{
		"concat": concatOperation, "concatenate": concatOperation, "stack": stackOperation, "expanddims": expandOperation,
		"squeeze": squeezeOperation, "reshape": reshapeOperation, "transpose": transposeOperation, "permute": transposeOperation,
		"matmul": matmulOperation, "split": splitOperation, "getitem": sliceOperation, "einsum": einsumOperation,
		"onehot": oneHotOperation, "argmax": argOperation, "argmin": argOperation,
	}
	for _, name := range strings.Fields(`abs absolute negative sqrt rsqrt square exp expm1 log log1p log2 log10 sin cos tan tanh sinh cosh
		sigmoid relu relu6 leakyrelu elu selu gelu silu swish softplus softsign hardsigmoid hardsilu hardswish softmax logsoftmax
		logsigmoid mish floor ceil round sign cast clip clipbyvalue identity stopgradient zeroslike oneslike cumsum cumprod flip reverse
		roll sort l2normalize normalize isnan isinf isfinite logicalnot reciprocal erf nantonum onnx copy conj real imag angle
		triu tril`) {
		rules[name] = func(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) { return in[:1], true }
	}
	for _, name := range strings.Fields(`add subtract multiply truedivide divide truediv dividenonan floordivide floordiv floormod mod pow
		power maximum minimum equal notequal greater greaterequal less lessequal logicaland logicalor logicalxor squareddifference
		sub mul radd rmul rsub rtruediv rpow and or where arctan2 atan2 addn`) {
		rules[name] = broadcastOperation
	}
	for _, name := range strings.Fields(`mean sum max min prod any all std var logsumexp amax amin reducemean reducesum reducemax reducemin
		reduceprod reduceany reduceall reducestd reducevariance reducelogsumexp countnonzero norm median`) {
		rules[name] = reduceOperation
	}
	return rules
}()

// broadcastOperation stretches the tensors among the arguments to one shape, constants among them:
// nested lists of numbers, such as a table of positions that is added to tokens.
func broadcastOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if call := c.call(); call != nil {
		in = slices.Clone(in)
		for _, v := range append(slices.Clone(call.args), call.named["x"], call.named["y"]) {
			list, ok := v.([]any)
			if !ok || len(list) == 0 {
				continue
			}
			if _, isName := list[0].(string); isName {
				continue
			}
			dims, ok := listShape(list)
			if !ok {
				return nil, false
			}
			in = append(in, tensor.MakeShape(dims...))
		}
	}
	return single(shape.Broadcast(in...))
}

// listShape returns the shape of nested lists of numbers; ok is false where they are no tensor.
func listShape(list []any) (dims []int64, ok bool) {
	for i, v := range list {
		var inner []int64
		switch v := v.(type) {
		case float64, bool:
		case []any:
			if inner, ok = listShape(v); !ok {
				return nil, false
			}
		default:
			return nil, false
		}
		if i > 0 && !slices.Equal(inner, dims) {
			return nil, false
		}
		dims = inner
	}
	return append([]int64{int64(len(list))}, dims...), true
}

func concatOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, ok := c.axisArg("axis", 1, nil)
	if !ok {
		return nil, false
	}
	return single(shape.Concat(in, axis))
}

func stackOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, ok := c.axisArg("axis", 1, 0.0)
	if !ok {
		return nil, false
	}
	return single(shape.Insert(shape.Same(in...), axis, int64(len(in))))
}

func expandOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, ok := c.axisArg("axis", 1, nil)
	if !ok {
		return nil, false
	}
	return single(shape.Insert(in[0], axis, 1))
}

func squeezeOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axes := Numbers(c.arg("axis", 1))
	if axes == nil {
		return nil, false
	}
	return single(shape.Squeeze(in[0], axes))
}

func reduceOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axes := shape.AllAxes(in[0].Rank())
	if v := c.arg("axis", 1); v != nil {
		if axes = Numbers(v); axes == nil {
			return nil, false
		}
	}
	return single(shape.Reduce(in[0], axes, c.argFlag("keepdims") || c.argFlag("keep_dims")))
}

func argOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if c.arg("axis", 1) == nil {
		return nil, false // TensorFlow takes the first axis, Keras all
	}
	return reduceOperation(c, in)
}

func reshapeOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	target := Numbers(c.either("newshape", "shape"))
	if target == nil {
		return nil, false
	}
	return single(shape.Reshape(in[0], target))
}

func transposeOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	v := c.either("perm", "axes")
	order := Numbers(v)
	if v == nil {
		order = shape.AllAxes(in[0].Rank())
		slices.Reverse(order)
	}
	return single(shape.Transpose(in[0], order))
}

func matmulOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if len(in) != 2 {
		return nil, false
	}
	return single(shape.MatMul(in[0], in[1], c.argFlag("transpose_a"), c.argFlag("transpose_b")))
}

func splitOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, ok := c.axisArg("axis", 2, 0.0)
	n, isCount := c.either("num_or_size_splits", "indices_or_sections").(float64)
	if !ok || !isCount || n < 1 || n > 1000 {
		return nil, false
	}
	part := shape.Split(in[0], axis, int64(n))
	return slices.Repeat([]tensor.Shape{part}, int(n)), part.Ranked()
}

func oneHotOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	depth := c.Num("num_classes", tensor.Unknown)
	if f, ok := c.arg("depth", 1).(float64); ok {
		depth = int64(f)
	}
	if axis, ok := c.arg("axis", -1).(float64); depth == tensor.Unknown || ok && axis != -1 {
		return nil, false
	}
	return single(shape.Insert(in[0], -1, depth))
}

func einsumOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	equation, ok := c.arg("subscripts", 0).(string)
	if !ok {
		return nil, false
	}
	return single(shape.Einsum(equation, in))
}

// sliceOperation is the rule of x[…] with numbers, slices and None.
func sliceOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	key := c.arg("slice_spec", 1)
	list, ok := Plain(key).([]any)
	if !ok {
		list = []any{key}
	}
	dims := in[0].Dims()
	var out []int64
	for i, k := range list {
		switch s, isSlice := sliceOf(k); {
		case isEllipsis(k):
			rest := len(list) - i - 1
			for _, after := range list[i+1:] {
				if after == nil {
					rest--
				}
			}
			if rest > len(dims) {
				return nil, false
			}
			whole := len(dims) - rest
			out, dims = append(out, dims[:whole]...), dims[whole:]
		case isSlice && len(dims) > 0:
			d, ok := s.size(dims[0])
			if !ok {
				return nil, false
			}
			out, dims = append(out, d), dims[1:]
		case k == nil:
			out = append(out, 1)
		default:
			at, isNumber := k.(float64)
			if !isNumber || len(dims) == 0 {
				return nil, false
			}
			if _, ok := shape.Place(int64(at), int(min(dims[0], math.MaxInt32))); !ok && dims[0] != tensor.Unknown {
				return nil, false
			}
			dims = dims[1:]
		}
	}
	return single(tensor.MakeShape(append(out, dims...)...))
}

// isEllipsis reports whether an index stands for all axes that no other index is for.
func isEllipsis(v any) bool {
	m, _ := v.(map[string]any)
	return m["class_name"] == "__ellipsis__"
}

// sliceBounds is start:stop:step, each of which may be missing.
type sliceBounds struct{ start, stop, step any }

// sliceOf reads a slice as either Keras writes it.
func sliceOf(v any) (sliceBounds, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return sliceBounds{}, false
	}
	if inner, ok := m["config"].(map[string]any); ok && m["class_name"] == "__slice__" {
		m = inner
	}
	_, ok = m["step"]
	return sliceBounds{m["start"], m["stop"], m["step"]}, ok
}

// size returns how many of n places a slice takes, by Python's rule.
func (s sliceBounds) size(n int64) (int64, bool) {
	step := int64(1)
	if f, ok := s.step.(float64); ok {
		step = int64(f)
	}
	start, ok := s.start.(float64)
	stop, ok2 := s.stop.(float64)
	_, count := shape.Slice(n, int64(start), int64(stop), step, !ok, !ok2)
	return count, (ok || s.start == nil) && (ok2 || s.stop == nil)
}
