package layers

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

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
	return mergeShapes(in)
}

// axisOf returns an axis that counts from 0, of n.
func axisOf(v any, n int) (int, bool) {
	f, ok := v.(float64)
	if !ok {
		return 0, false
	}
	axis := int(f)
	if axis < 0 {
		axis += n
	}
	return axis, axis >= 0 && axis < n
}

func concatOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, ok := axisOf(c.arg("axis", 1), in[0].Rank())
	if !ok {
		return nil, false
	}
	return concatShapes(in, axis)
}

func stackOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	v := c.arg("axis", 1)
	if v == nil {
		v = 0.0
	}
	axis, ok := axisOf(v, in[0].Rank()+1)
	all, same := mergeShapes(in)
	if !ok || !same {
		return nil, false
	}
	return one(slices.Insert(all[0].Dims(), axis, int64(len(in))))
}

func expandOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, ok := axisOf(c.arg("axis", 1), in[0].Rank()+1)
	if !ok {
		return nil, false
	}
	return one(slices.Insert(in[0].Dims(), axis, 1))
}

func squeezeOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	gone, ok := axesIn(c.arg("axis", 1), in[0].Rank())
	if !ok {
		return nil, false
	}
	var dims []int64
	for i, d := range in[0].Dims() {
		if !gone[i] {
			dims = append(dims, d)
		} else if d != 1 && d != tensor.Unknown {
			return nil, false
		}
	}
	return one(dims)
}

// axesIn returns the axes that an argument names, of n.
func axesIn(v any, n int) (map[int]bool, bool) {
	list := numbers(v)
	if list == nil {
		return nil, false
	}
	axes := map[int]bool{}
	for _, d := range list {
		axis, ok := axisOf(float64(d), n)
		if !ok {
			return nil, false
		}
		axes[axis] = true
	}
	return axes, true
}

func reduceOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axes := map[int]bool{}
	if v := c.arg("axis", 1); v == nil {
		for i := range in[0].Rank() {
			axes[i] = true
		}
	} else if list, ok := axesIn(v, in[0].Rank()); ok {
		axes = list
	} else {
		return nil, false
	}
	dims := []int64{}
	keep := c.argFlag("keepdims") || c.argFlag("keep_dims")
	for i, d := range in[0].Dims() {
		if !axes[i] {
			dims = append(dims, d)
		} else if keep {
			dims = append(dims, 1)
		}
	}
	return one(dims)
}

func argOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if c.arg("axis", 1) == nil {
		return nil, false // TensorFlow takes the first axis, Keras all
	}
	return reduceOperation(c, in)
}

func reshapeOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	v := c.arg("newshape", 1)
	if v == nil {
		v = c.arg("shape", 1)
	}
	target := numbers(v)
	if target == nil {
		return nil, false
	}
	whole, known := in[0].NumElements()
	left, open := int64(1), -1
	for i, d := range target {
		switch {
		case d < 0 && open >= 0:
			return nil, false
		case d < 0:
			open = i
		default:
			left *= d
		}
	}
	target = slices.Clone(target)
	if open >= 0 {
		if target[open] = tensor.Unknown; known && left > 0 {
			target[open] = whole / left
		}
	}
	return one(target)
}

func transposeOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	v := c.arg("perm", 1)
	if v == nil {
		v = c.arg("axes", 1)
	}
	dims := in[0].Dims()
	order := numbers(v)
	if v == nil {
		slices.Reverse(dims)
		return one(dims)
	}
	if len(order) != len(dims) {
		return nil, false
	}
	out := make([]int64, len(dims))
	for i, d := range order {
		axis, ok := axisOf(float64(d), len(dims))
		if !ok {
			return nil, false
		}
		out[i] = dims[axis]
	}
	return one(out)
}

func matmulOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if len(in) != 2 || in[0].Rank() < 2 || in[1].Rank() < 2 {
		return nil, false
	}
	a, b := in[0].Dims(), in[1].Dims()
	swap := func(d []int64) { d[len(d)-1], d[len(d)-2] = d[len(d)-2], d[len(d)-1] }
	if c.argFlag("transpose_a") {
		swap(a)
	}
	if c.argFlag("transpose_b") {
		swap(b)
	}
	batch, ok := mergeShapes([]tensor.Shape{tensor.MakeShape(a[:len(a)-2]...), tensor.MakeShape(b[:len(b)-2]...)})
	if !ok {
		return nil, false
	}
	return one(append(batch[0].Dims(), a[len(a)-2], b[len(b)-1]))
}

func splitOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	v := c.arg("num_or_size_splits", 1)
	if v == nil {
		v = c.arg("indices_or_sections", 1)
	}
	axisArg := c.arg("axis", 2)
	if axisArg == nil {
		axisArg = 0.0
	}
	axis, ok := axisOf(axisArg, in[0].Rank())
	n, isCount := v.(float64)
	if !ok || !isCount || n < 1 || n > 1000 {
		return nil, false
	}
	dims := in[0].Dims()
	if dims[axis] != tensor.Unknown {
		dims[axis] /= int64(n)
	}
	return slices.Repeat([]tensor.Shape{tensor.MakeShape(dims...)}, int(n)), true
}

func oneHotOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	depth := c.num("num_classes", tensor.Unknown)
	if f, ok := c.arg("depth", 1).(float64); ok {
		depth = int64(f)
	}
	if axis, ok := c.arg("axis", -1).(float64); depth == tensor.Unknown || ok && axis != -1 {
		return nil, false
	}
	return one(append(in[0].Dims(), depth))
}

// einsumOperation computes the shape of a product by its letters.
func einsumOperation(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	text := c.str("subscripts")
	inputs, output, ok := strings.Cut(strings.ReplaceAll(text, " ", ""), "->")
	parts := strings.Split(inputs, ",")
	if !ok || len(parts) != len(in) || strings.Contains(text, ".") {
		return nil, false
	}
	sizes := map[byte]int64{}
	for i, part := range parts {
		if len(part) != in[i].Rank() {
			return nil, false
		}
		letters(sizes, part, in[i].Dims())
	}
	var dims []int64
	for i := range len(output) {
		dims = append(dims, sizes[output[i]])
	}
	return one(dims)
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
	return one(append(out, dims...))
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
	if s.start == nil && s.stop == nil && (s.step == nil || s.step == 1.0 || s.step == -1.0) {
		return n, true
	}
	step := int64(1)
	if f, ok := s.step.(float64); ok {
		step = int64(f)
	}
	if n == tensor.Unknown || step < 1 {
		return tensor.Unknown, step >= 1
	}
	bound := func(v any, otherwise int64) (int64, bool) {
		f, ok := v.(float64)
		if !ok {
			return otherwise, v == nil
		}
		d := int64(f)
		if d < 0 {
			d += n
		}
		return min(max(d, 0), n), true
	}
	start, ok := bound(s.start, 0)
	stop, ok2 := bound(s.stop, n)
	return max(0, (stop-start+step-1)/step), ok && ok2
}
