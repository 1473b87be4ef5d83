package rules

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/tensor"
)

// keras2Operations has the rules of functions of TensorFlow that keras.ops has not, or has with
// other arguments: Keras 2 makes layers of calls such as tf.gather(x, [0, 2], axis=1), and its
// files do not hold their shapes. [Operations] has the rest.
var keras2Operations = func() map[string]operationRule {
	rules := map[string]operationRule{
		"gather": gatherOperation, "slice": renamed(sliceToOperation, "start_indices", "begin", "shape", "size"),
		"pad": renamed(padOperation, "pad_width", "paddings"), "tile": renamed(tileOperation, "repeats", "multiples"),
		"repeat": renamed(repeatOperation, "repeats", "repeats", "axis", "axis"), "unstack": renamed(unstackOperation, "axis", "axis", "num", "num"),
		"split": splitSizesOperation, "broadcastto": renamed(broadcastToOperation, "shape", "shape"), "topk": renamed(topKOperation, "k", "k"),
		"reduceeuclideannorm": reduceOperation, "tensordot": renamed(tensordotOperation, "axes", "axes"), "squeeze": squeezeOnesOperation,
		"resize": renamed(resizeOperation, "size", "size"), "resizewithpad": targetOperation, "resizewithcroporpad": targetOperation,
		"croptoboundingbox": targetOperation, "padtoboundingbox": targetOperation, "extractpatches": imagePatchesOperation,
		"rgbtograyscale": func(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) { return single(withLast(in[0], 1)) },
		"spacetodepth":   renamed(blockOperation(false), "block_size", "block_size"), "depthtospace": renamed(blockOperation(true), "block_size", "block_size"),
		"shape": func(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) {
			return single(tensor.MakeShape(int64(in[0].Rank())))
		},
		"rank": noAxes, "size": noAxes, "trace": lastTwo(func(_, _ int64) []int64 { return nil }),
		"matrixtranspose": lastTwo(func(rows, columns int64) []int64 { return []int64{columns, rows} }),
		"diagpart": lastTwo(func(rows, columns int64) []int64 {
			if rows == tensor.Unknown || columns == tensor.Unknown {
				return []int64{tensor.Unknown}
			}
			return []int64{min(rows, columns)}
		}),
		"det": lastTwo(func(_, _ int64) []int64 { return nil }), "sequencemask": maskOperation,
	}
	rules["rgbtohsv"] = func(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) { return single(withLast(in[0], 3)) }
	rules["hsvtorgb"] = rules["rgbtohsv"]
	rules["inv"] = func(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) {
		dims := in[0].Dims()
		return in[:1], len(dims) > 1 && dims[len(dims)-1] == dims[len(dims)-2]
	}
	for _, name := range strings.Fields("maxpool maxpool1d maxpool2d maxpool3d avgpool avgpool1d avgpool2d avgpool3d") {
		rules[name] = windowOperation
	}
	for _, name := range strings.Fields(`argsort adjustbrightness adjustcontrast adjusthue adjustsaturation adjustgamma flipleftright
		flipupdown perimagestandardization bandpart biasadd dropout localresponsenormalization lrn checknumerics
		cumulativelogsumexp digamma lgamma erfc erfinv ndtri acos asin atan acosh asinh atanh rint`) {
		rules[name] = func(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) { return in[:1], true }
	}
	return rules
}()

// renamed gives a rule the arguments of a call under the names that it knows: pairs of its name and
// that of TensorFlow.
func renamed(rule operationRule, names ...string) operationRule {
	return func(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
		given := Config{}
		for i := 0; i < len(names); i += 2 {
			given[names[i]] = c.arg(names[i+1], 1+i/2)
		}
		return rule(given, in)
	}
}

func noAxes(Config, []tensor.Shape) ([]tensor.Shape, bool) {
	return []tensor.Shape{tensor.MakeShape()}, true
}

// lastTwo is the rule of functions of matrices, which stand in the last two axes.
func lastTwo(of func(rows, columns int64) []int64) operationRule {
	return func(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
		rank := in[0].Rank()
		if rank < 2 || c.arg("k", -1) != nil {
			return nil, false
		}
		dims := in[0].Dims()
		return []tensor.Shape{tensor.MakeShape(append(dims[:rank-2:rank-2], of(dims[rank-2], dims[rank-1])...)...)}, true
	}
}

// gatherOperation is the rule of gather, with indices as numbers or as a tensor.
func gatherOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if batch, _ := c.arg("batch_dims", -1).(float64); batch != 0 {
		return nil, false
	}
	indices := c.arg("indices", 1)
	if list, _ := indices.([]any); len(list) > 0 {
		if _, isName := list[0].(string); isName {
			indices = nil
		}
	}
	axis := c.arg("axis", -1)
	if axis == nil {
		axis = 0.0
	}
	return takeOperation(Config{"indices": indices, "axis": axis}, in)
}

// splitSizesOperation is the rule of split: into equal parts, or into those of the sizes given.
func splitSizesOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	sizes, isList := c.either("num_or_size_splits", "").([]any)
	axis, _, ok := c.axisOf("axis", 0.0, in[0].Rank())
	if !ok || !isList {
		return splitOperation(c, in)
	}
	var out []tensor.Shape
	rest, open := in[0].Dim(axis), -1
	for i, d := range Numbers(sizes) {
		if d == tensor.Unknown {
			if open >= 0 {
				return nil, false
			}
			open = i
		} else if rest != tensor.Unknown {
			rest -= d
		}
		out = append(out, shape.With(in[0], axis, d))
	}
	if open >= 0 {
		out[open] = shape.With(in[0], axis, rest)
	}
	return out, len(out) == len(sizes) && len(sizes) <= maxParts && (rest >= 0 || rest == tensor.Unknown)
}

// targetOperation is the rule of functions that make images as large as they are told.
func targetOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	height, width := c.arg("target_height", -1), c.arg("target_width", -1)
	if height == nil || width == nil {
		return nil, false
	}
	return resizeOperation(Config{"size": []any{height, width}}, in)
}

// inner returns the two numbers between the batch and the channels of a list of four.
func inner(v any) any {
	if list := Numbers(v); len(list) == 4 && list[0] == 1 && list[3] == 1 {
		return []any{float64(list[1]), float64(list[2])}
	}
	return nil
}

func imagePatchesOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	padding, _ := c.arg("padding", 4).(string)
	if in[0].Rank() != 4 {
		return nil, false
	}
	return patchesOperation(Config{
		"size": inner(c.arg("sizes", 1)), "strides": inner(c.arg("strides", 2)), "dilation_rate": inner(c.arg("rates", 3)),
		"padding": strings.ToLower(padding),
	}, in)
}

// windowOperation is the rule of pooling.
func windowOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	format, _ := c.arg("data_format", -1).(string)
	padding, _ := c.arg("padding", 3).(string)
	if strings.HasPrefix(format, "NC") || in[0].Rank() < 3 {
		return nil, false
	}
	of := func(v any) any {
		if list := Numbers(v); len(list) == in[0].Rank() && list[0] == 1 && list[len(list)-1] == 1 {
			var space []any
			for _, n := range list[1 : len(list)-1] {
				space = append(space, float64(n))
			}
			return space
		}
		return v
	}
	return likeLayer(poolRule)(Config{
		"pool_size": of(c.arg("ksize", 1)), "strides": of(c.arg("strides", 2)), "padding": strings.ToLower(padding),
	}, in)
}

func maskOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	n, ok := c.arg("maxlen", 1).(float64)
	if !ok {
		return nil, false
	}
	return single(tensor.MakeShape(append(slices.Clone(in[0].Dims()), int64(n))...))
}
