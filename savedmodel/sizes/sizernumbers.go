package sizes

import (
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// reshaped returns a size of a new shape: as it is written, or what is left of the elements.
func (z *sizer) reshaped(fr *frame, n *graph.Node, i int) int64 {
	if len(n.Inputs) < 2 {
		return tensor.Unknown
	}
	target := z.numbers(fr, n.Inputs[1])
	if i >= len(target) {
		return tensor.Unknown
	}
	if target[i] != -1 {
		return target[i]
	}
	left := int64(1)
	s := fr.shape(n.Inputs[0])
	if !s.Ranked() {
		return tensor.Unknown
	}
	for axis := range s.Rank() {
		d := z.dim(fr, n.Inputs[0], axis)
		if d < 0 || d > 0 && left > maxElements/d {
			return tensor.Unknown
		}
		left *= d
	}
	for k, d := range target {
		switch {
		case k == i:
		case d <= 0 || left%d != 0:
			return tensor.Unknown
		default:
			left /= d
		}
	}
	return left
}

// maxElements bounds products of sizes.
const maxElements = 1 << 50

// numbers returns the values of a list of sizes that the graph computes from shapes; nil when they
// do not follow. In it, -1 is what a new shape leaves to be counted.
func (z *sizer) numbers(fr *frame, r graph.Ref) []int64 {
	n := r.Node
	if n == nil || z.budget <= 0 {
		return nil
	}
	z.budget--
	switch n.Op {
	case "Const":
		return graph.Ints(n)
	case "Identity", "Cast":
		if len(n.Inputs) > 0 && z.enterDepth() {
			defer func() { z.depth-- }()
			return z.numbers(fr, n.Inputs[0])
		}
	case "Shape":
		if len(n.Inputs) == 0 || !fr.shape(n.Inputs[0]).Ranked() {
			return nil
		}
		list := make([]int64, min(fr.shape(n.Inputs[0]).Rank(), maxRank))
		for i := range list {
			if list[i] = z.dim(fr, n.Inputs[0], i); list[i] < 0 {
				list[i] = unknownNumber
			}
		}
		return list
	case "StridedSlice":
		return z.pick(fr, n)
	case "Pack":
		return z.gathered(fr, n.Inputs)
	case "ConcatV2":
		return z.gathered(fr, n.Inputs[:max(0, len(n.Inputs)-1)])
	}
	return nil
}

// unknownNumber stands for a size that does not follow; a shape may have it where it does not
// matter.
const unknownNumber = -2

// enterDepth counts a step down; false when there were too many.
func (z *sizer) enterDepth() bool {
	if z.depth >= maxSizerDepth {
		return false
	}
	z.depth++
	return true
}

// gathered returns the lists of several tensors, one behind the other.
func (z *sizer) gathered(fr *frame, from []graph.Ref) []int64 {
	if !z.enterDepth() {
		return nil
	}
	defer func() { z.depth-- }()
	var all []int64
	for _, in := range from {
		list := z.numbers(fr, in)
		if list == nil || len(all)+len(list) > maxRank {
			return nil
		}
		all = append(all, list...)
	}
	return all
}

// pick returns a part of a list: list[i], or list[i:j].
func (z *sizer) pick(fr *frame, n *graph.Node) []int64 {
	if len(n.Inputs) < 4 || !z.enterDepth() {
		return nil
	}
	defer func() { z.depth-- }()
	list := z.numbers(fr, n.Inputs[0])
	begin, end, stride := graph.Ints(n.In(1)), graph.Ints(n.In(2)), graph.Ints(n.In(3))
	if len(list) == 0 || len(begin) != 1 || len(end) != 1 || len(stride) != 1 || stride[0] != 1 {
		return nil
	}
	attr, size := n.Def.GetAttr(), int64(len(list))
	from, to := begin[0], end[0]
	if from < 0 {
		from += size
	}
	if attr["shrink_axis_mask"].GetI()&1 == 1 {
		to = from + 1
	} else if to < 0 {
		to += size
	}
	if attr["begin_mask"].GetI()&1 == 1 {
		from = 0
	}
	if attr["end_mask"].GetI()&1 == 1 {
		to = size
	}
	to = min(to, size)
	if from < 0 || from >= to {
		return nil
	}
	return list[from:to]
}
