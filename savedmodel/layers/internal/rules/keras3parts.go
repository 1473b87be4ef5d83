package rules

import (
	"slices"

	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/tensor"
)

// This file has the rules of those functions of keras.ops that take tensors apart and put them
// together.

// splitAtOperation is the rule of split: into equal parts, or at places.
func splitAtOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, _, ok := c.axisOf("axis", 0.0, in[0].Rank())
	at, isList := Plain(c["indices_or_sections"]).([]any)
	if !ok || !isList {
		return splitOperation(c, in)
	}
	places := Numbers(at)
	if len(places) != len(at) || len(at) > maxParts {
		return nil, false
	}
	size := in[0].Dim(axis)
	var out []tensor.Shape
	last := int64(0)
	for i := range len(places) + 1 {
		end := size
		if i < len(places) {
			end = places[i]
		}
		d := tensor.Unknown
		if end != tensor.Unknown {
			if d = end - last; d < 0 || size != tensor.Unknown && end > size {
				return nil, false
			}
		}
		out, last = append(out, shape.With(in[0], axis, d)), end
	}
	return out, true
}

// maxParts bounds into how many parts a rule takes a tensor.
const maxParts = 1000

func arraySplitOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, _, ok := c.axisOf("axis", 0.0, in[0].Rank())
	n := c.Num("indices_or_sections", 0)
	if !ok || n < 1 || n > maxParts {
		return nil, false
	}
	var out []tensor.Shape
	for i := range n {
		d := in[0].Dim(axis)
		if d != tensor.Unknown {
			rest := d % n
			d /= n
			if i < rest {
				d++
			}
		}
		out = append(out, shape.With(in[0], axis, d))
	}
	return out, true
}

// fixedSplit is the rule of hsplit and its like, whose axis is in their names.
func fixedSplit(axis int) operationRule {
	return func(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
		return splitAtOperation(Config{"axis": float64(min(axis, in[0].Rank()-1)), "indices_or_sections": c["indices_or_sections"]}, in)
	}
}

// stackedOperation is the rule of hstack and vstack of tensors with an axis to lie along.
func stackedOperation(axis int64) operationRule {
	return func(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) {
		if in[0].Rank() < 2 {
			return nil, false
		}
		return single(shape.Concat(in, axis))
	}
}

func depthOperation(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	deep := make([]tensor.Shape, len(in))
	for i, s := range in {
		switch s.Rank() {
		case 1:
			deep[i] = tensor.MakeShape(1, s.Dim(0), 1)
		case 2:
			deep[i] = tensor.MakeShape(s.Dim(0), s.Dim(1), 1)
		default:
			deep[i] = s
		}
		if deep[i].Rank() < 3 {
			return nil, false
		}
	}
	return single(shape.Concat(deep, 2))
}

// squeezeOnesOperation is the rule of squeeze: of the axes that are named, or of all of size 1.
func squeezeOnesOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if c.arg("axis", 1) != nil {
		return squeezeOperation(c, in)
	}
	dims := in[0].Dims()
	if !c.misprinted() && slices.Contains(dims, tensor.Unknown) {
		return nil, false
	}
	return single(tensor.MakeShape(slices.DeleteFunc(dims, func(d int64) bool { return d == 1 })...))
}

func expandManyOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axes := Numbers(c.arg("axis", 1))
	rank := in[0].Rank() + len(axes)
	at := map[int]bool{}
	for _, axis := range axes {
		place, ok := shape.Place(axis, rank)
		if !ok || at[place] {
			return nil, false
		}
		at[place] = true
	}
	dims, rest := make([]int64, rank), in[0].Dims()
	for i := range dims {
		if at[i] {
			dims[i] = 1
			continue
		}
		dims[i], rest = rest[0], rest[1:]
	}
	return []tensor.Shape{tensor.MakeShape(dims...)}, len(axes) > 0
}

func broadcastToOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	to := c.Nums("shape")
	if to == nil || slices.Contains(to, tensor.Unknown) {
		return nil, false
	}
	return single(tensor.MakeShape(to...))
}

func sliceToOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	from, to := Numbers(c.arg("start_indices", 1)), Numbers(c["shape"])
	dims := in[0].Dims()
	if len(from) != len(dims) || len(to) != len(dims) {
		return nil, false
	}
	for i, n := range to {
		switch {
		case n >= 0:
			dims[i] = n
		case dims[i] != tensor.Unknown:
			dims[i] -= from[i]
		}
	}
	return single(tensor.MakeShape(dims...))
}

func unstackOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, _, ok := c.axisOf("axis", 0.0, in[0].Rank())
	if !ok {
		return nil, false
	}
	n := c.Num("num", in[0].Dim(axis))
	if n < 1 || n > maxParts {
		return nil, false
	}
	rest := tensor.MakeShape(slices.Delete(in[0].Dims(), axis, axis+1)...)
	return slices.Repeat([]tensor.Shape{rest}, int(n)), true
}

func topKOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	k := c.Num("k", tensor.Unknown)
	if k < 0 || in[0].Rank() < 1 {
		return nil, false
	}
	return slices.Repeat([]tensor.Shape{withLast(in[0], k)}, 2), true
}

func oneHotAtOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	n, axis := c.Num("num_classes", tensor.Unknown), c.Num("axis", -1)
	if n < 0 {
		return nil, false
	}
	return single(shape.Insert(in[0], axis, n))
}

// multiHotOperation is the rule of multi_hot, which makes one row of flags of all numbers along the
// second axis, or of a lone one.
func multiHotOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	out, ok := oneHotAtOperation(c, in)
	if !ok || in[0].Rank() < 1 {
		return nil, false
	}
	along := min(1, in[0].Rank()-1)
	return single(tensor.MakeShape(slices.Delete(out[0].Dims(), along, along+1)...))
}

func gluOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, _, ok := c.axisOf("axis", -1.0, in[0].Rank())
	if !ok {
		return nil, false
	}
	d := in[0].Dim(axis)
	if d != tensor.Unknown {
		d /= 2
	}
	return single(shape.With(in[0], axis, d))
}

// momentsOperation gives the mean and the variance.
func momentsOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axes := c.Nums("axes")
	if axes == nil {
		return nil, false
	}
	s := shape.Reduce(in[0], axes, c.flag("keepdims"))
	return []tensor.Shape{s, s}, s.Ranked()
}
