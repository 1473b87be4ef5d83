package layers

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/tensor"
)

// single returns one shape, if its rank is known.
func single(s tensor.Shape) ([]tensor.Shape, bool) {
	if !s.Ranked() {
		return nil, false
	}
	return []tensor.Shape{s}, true
}

// openWhereOpen leaves a size open that any of the inputs leaves open, as the layers of Keras 3 do.
func openWhereOpen(c config, out, in []tensor.Shape) []tensor.Shape {
	if !c.v3() || len(out) != 1 {
		return out
	}
	dims := out[0].Dims()
	for _, s := range in {
		for i := range max(s.Rank(), 0) {
			at := len(dims) - s.Rank() + i
			// the first axis is the batch
			if s.Dim(i) == tensor.Unknown && at >= 0 && (i > 0 || at == 0) {
				dims[at] = tensor.Unknown
			}
		}
	}
	return []tensor.Shape{tensor.MakeShape(dims...)}
}

// openWhereFirstOpen leaves a size open that the first input leaves open, as Keras 3's Concatenate
// does.
func openWhereFirstOpen(c config, out, in []tensor.Shape) []tensor.Shape {
	if !c.v3() || len(out) != 1 {
		return out
	}
	dims := out[0].Dims()
	for i := range dims {
		if in[0].Dim(i) == tensor.Unknown {
			dims[i] = tensor.Unknown
		}
	}
	return []tensor.Shape{tensor.MakeShape(dims...)}
}

// dotShapes is the shape of Dot: the axes that are multiplied go, the batch stays in front.
func dotShapes(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if len(in) != 2 || in[0].Rank() < 1 {
		return nil, false
	}
	axes := c.nums("axes")
	if len(axes) == 1 {
		axes = []int64{axes[0], axes[0]}
	}
	if len(axes) != 2 {
		return nil, false
	}
	all := tensor.MakeShape(in[0].Dim(0))
	for k, s := range in {
		axis, ok := shape.Place(axes[k], s.Rank())
		if !ok || axis < 1 {
			return nil, false
		}
		all = shape.Join(all, shape.Reduce(s, []int64{0, int64(axis)}, false))
	}
	if all.Rank() == 1 {
		all = shape.Insert(all, -1, 1)
	}
	return single(all)
}

// rnnShapes is the rule of recurrent layers: the sequence or its last step, then the states.
func rnnShapes(class string, c config, x tensor.Shape) ([]tensor.Shape, bool) {
	if x.Rank() != 3 {
		return nil, false
	}
	units, states := c.num("units", 0), 1
	if class == "LSTM" {
		states = 2
	}
	if class == "RNN" {
		cell, inner := c.layer("cell")
		if cells, ok := plain(inner["cells"]).([]any); ok && cell == "StackedRNNCells" {
			return stackedShapes(c, x, cells)
		}
		if units = inner.num("units", 0); units == 0 || !strings.HasSuffix(cell, "Cell") {
			return nil, false
		}
		if cell == "LSTMCell" {
			states = 2
		}
	}
	if units == 0 {
		return nil, false
	}
	state := tensor.MakeShape(x.Dim(0), units)
	out := []tensor.Shape{state}
	if c.flag("return_sequences") {
		out[0] = tensor.MakeShape(x.Dim(0), x.Dim(1), units)
	}
	if c.flag("time_major") && c.flag("return_sequences") {
		return nil, false
	}
	if c.flag("return_state") {
		out = append(out, slices.Repeat([]tensor.Shape{state}, states)...)
	}
	return out, true
}

// stackedShapes is the rule of cells upon each other: the last one's output, then the states of
// all.
func stackedShapes(c config, x tensor.Shape, cells []any) ([]tensor.Shape, bool) {
	var out, states []tensor.Shape
	for _, cell := range cells {
		one := config{"cell": cell, "return_sequences": c["return_sequences"], "return_state": true}
		shapes, ok := rnnShapes("RNN", one, x)
		if !ok {
			return nil, false
		}
		out, states = shapes[:1], append(states, shapes[1:]...)
	}
	if c.flag("return_state") {
		out = append(out[:1:1], states...)
	}
	return out, len(out) > 0
}

// bidirectionalShapes is the shape of Bidirectional: that of the layer inside, merged with the one
// that runs backward.
func bidirectionalShapes(c config, in []tensor.Shape, depth int) ([]tensor.Shape, bool) {
	class, inner := c.layer("layer")
	forward, ok := inferShape(class, inner, in[:1], depth+1)
	if !ok {
		return nil, false
	}
	backward := forward
	if c.has("backward_layer") {
		class, inner := c.layer("backward_layer")
		if backward, ok = inferShape(class, inner, in[:1], depth+1); !ok {
			return nil, false
		}
	}
	var out []tensor.Shape
	switch mode := c.str("merge_mode"); mode {
	case "concat":
		if out, ok = single(shape.Concat([]tensor.Shape{forward[0], backward[0]}, -1)); !ok {
			return nil, false
		}
	case "":
		out = []tensor.Shape{forward[0], backward[0]}
	default:
		out = []tensor.Shape{forward[0]}
	}
	return append(append(out, forward[1:]...), backward[1:]...), true
}

func timeDistributedShapes(c config, in []tensor.Shape, depth int) ([]tensor.Shape, bool) {
	class, inner := c.layer("layer")
	x := in[0]
	if x.Rank() < 2 {
		return nil, false
	}
	dims := slices.Delete(x.Dims(), 1, 2)
	out, ok := inferShape(class, inner, []tensor.Shape{tensor.MakeShape(dims...)}, depth+1)
	if !ok || len(out) != 1 || out[0].Rank() < 1 {
		return nil, false
	}
	return []tensor.Shape{tensor.MakeShape(slices.Insert(out[0].Dims(), 1, x.Dim(1))...)}, true
}
