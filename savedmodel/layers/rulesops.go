package layers

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/tensor"
)

// callArgs is what a call of a layer says beside its tensors.
type callArgs struct {
	args  []any
	named map[string]any
}

// callKey is where a config carries the call that its shapes are computed for.
const callKey = "\x00call"

// versionKey is where a config carries the version of the Keras that wrote it: "3.15.1".
const versionKey = "\x00version"

// v3 reports whether Keras 3 wrote the config, some of whose rules differ from those of Keras 2.
func (c config) v3() bool { return strings.HasPrefix(c.str(versionKey), "3.") }

// beforeMinor reports whether a version of Keras 3 before 3.minor wrote the config.
func (c config) beforeMinor(minor int) bool {
	text, _, _ := strings.Cut(strings.TrimPrefix(c.str(versionKey), "3."), ".")
	n, err := strconv.Atoi(text)
	return c.v3() && err == nil && n < minor
}

// withCall returns the config with one call's arguments, as inbound_nodes has them.
func (c config) withCall(node json.RawMessage) config {
	call := parseCall(jsonValue(node))
	if call == nil {
		return c
	}
	all := config{callKey: call}
	for key, v := range c {
		all[key] = v
	}
	return all
}

// parseCall reads a call as Keras 3 writes it, {"args": […], "kwargs": {…}}, or as Keras 2 does,
// [["x", 0, 0, {…}], …], where the first tensor carries the named arguments.
func parseCall(v any) *callArgs {
	if m, ok := v.(map[string]any); ok {
		call := &callArgs{}
		call.args, _ = m["args"].([]any)
		call.named, _ = m["kwargs"].(map[string]any)
		return call
	}
	for range 3 {
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return nil
		}
		if _, isName := list[0].(string); isName && len(list) > 3 {
			named, _ := list[3].(map[string]any)
			return &callArgs{named: named}
		}
		v = list[0]
	}
	return nil
}

// call returns the arguments of the call that shapes are computed for; nil where none are known.
func (c config) call() *callArgs { call, _ := c[callKey].(*callArgs); return call }

// arg returns an argument of an operation by its name or its place, or what the config has for it.
func (c config) arg(name string, place int) any {
	call := c.call()
	if call != nil && call.named[name] != nil {
		return call.named[name]
	}
	if c[name] != nil || call == nil || place < 0 || place >= len(call.args) {
		return c[name]
	}
	return call.args[place]
}

func (c config) argFlag(name string) bool { b, _ := c.arg(name, -1).(bool); return b }

// before reports whether both arguments are named, so that the first stands before the second.
func (a *callArgs) before(first, second string) bool {
	return a != nil && a.named[first] != nil && a.named[second] != nil
}

// operationShapes is the rule of a function of TensorFlow ("math.add") or an operation of Keras 3
// ("Add"), called with the tensors in and with the arguments that the config carries.
func operationShapes(function string, c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	rule := operations[operationName(function)]
	if rule == nil || !in[0].Ranked() {
		return nil, false
	}
	return rule(c, in)
}

// operationName is what "math.reduce_mean", "ReduceMean" and "reduce_mean" have in common.
func operationName(function string) string {
	return strings.ReplaceAll(strings.ToLower(function[strings.LastIndexByte(function, '.')+1:]), "_", "")
}

type operationRule func(c config, in []tensor.Shape) ([]tensor.Shape, bool)

var operations = func() map[string]operationRule {
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
		rules[name] = func(_ config, in []tensor.Shape) ([]tensor.Shape, bool) { return in[:1], true }
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

// broadcastOperation stretches the tensors among the arguments to one shape. Lists of numbers among
// them would count too.
func broadcastOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if call := c.call(); call != nil {
		for _, v := range append(slices.Clone(call.args), call.named["x"], call.named["y"]) {
			if list, ok := v.([]any); ok && len(list) > 0 {
				if _, isName := list[0].(string); !isName {
					return nil, false
				}
			}
		}
	}
	return single(shape.Broadcast(in...))
}

// axisArg returns an axis that an argument names.
func (c config) axisArg(name string, place int, otherwise any) (int64, bool) {
	v := c.arg(name, place)
	if v == nil {
		v = otherwise
	}
	f, ok := v.(float64)
	return int64(f), ok
}

func concatOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, ok := c.axisArg("axis", 1, nil)
	if !ok {
		return nil, false
	}
	return single(shape.Concat(in, axis))
}

func stackOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, ok := c.axisArg("axis", 1, 0.0)
	if !ok {
		return nil, false
	}
	return single(shape.Insert(shape.Broadcast(in...), axis, int64(len(in))))
}

func expandOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, ok := c.axisArg("axis", 1, nil)
	if !ok {
		return nil, false
	}
	return single(shape.Insert(in[0], axis, 1))
}

func squeezeOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axes := numbers(c.arg("axis", 1))
	if axes == nil {
		return nil, false
	}
	return single(shape.Squeeze(in[0], axes))
}

func reduceOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axes := shape.AllAxes(in[0].Rank())
	if v := c.arg("axis", 1); v != nil {
		if axes = numbers(v); axes == nil {
			return nil, false
		}
	}
	return single(shape.Reduce(in[0], axes, c.argFlag("keepdims") || c.argFlag("keep_dims")))
}

func argOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if c.arg("axis", 1) == nil {
		return nil, false // TensorFlow takes the first axis, Keras all
	}
	return reduceOperation(c, in)
}

func reshapeOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	target := numbers(c.either("newshape", "shape"))
	if target == nil {
		return nil, false
	}
	return single(shape.Reshape(in[0], target))
}

// either returns the first argument beside the tensor, which goes by one of two names.
func (c config) either(name, other string) any {
	if v := c.arg(name, 1); v != nil {
		return v
	}
	return c.arg(other, 1)
}

func transposeOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	v := c.either("perm", "axes")
	order := numbers(v)
	if v == nil {
		order = shape.AllAxes(in[0].Rank())
		slices.Reverse(order)
	}
	return single(shape.Transpose(in[0], order))
}

func matmulOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if len(in) != 2 {
		return nil, false
	}
	return single(shape.MatMul(in[0], in[1], c.argFlag("transpose_a"), c.argFlag("transpose_b")))
}

func splitOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, ok := c.axisArg("axis", 2, 0.0)
	n, isCount := c.either("num_or_size_splits", "indices_or_sections").(float64)
	if !ok || !isCount || n < 1 || n > 1000 {
		return nil, false
	}
	part := shape.Split(in[0], axis, int64(n))
	return slices.Repeat([]tensor.Shape{part}, int(n)), part.Ranked()
}

func oneHotOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	depth := c.num("num_classes", tensor.Unknown)
	if f, ok := c.arg("depth", 1).(float64); ok {
		depth = int64(f)
	}
	if axis, ok := c.arg("axis", -1).(float64); depth == tensor.Unknown || ok && axis != -1 {
		return nil, false
	}
	return single(shape.Insert(in[0], -1, depth))
}

func einsumOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	return single(shape.Einsum(c.str("subscripts"), in))
}

// sliceOperation is the rule of x[…] with numbers, slices and None.
func sliceOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	key := c.arg("slice_spec", 1)
	list, ok := plain(key).([]any)
	if !ok {
		list = []any{key}
	}
	dims := in[0].Dims()
	var out []int64
	for _, k := range list {
		switch s, isSlice := sliceOf(k); {
		case isSlice && len(dims) > 0:
			d, ok := s.size(dims[0])
			if !ok {
				return nil, false
			}
			out, dims = append(out, d), dims[1:]
		case k == nil:
			out = append(out, 1)
		default:
			if _, isNumber := k.(float64); !isNumber || len(dims) == 0 {
				return nil, false
			}
			dims = dims[1:]
		}
	}
	return single(tensor.MakeShape(append(out, dims...)...))
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
