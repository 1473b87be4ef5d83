package shape

import (
	"slices"

	"github.com/tfrun/tfrun/tensor"
)

// span is what a slice takes of one axis: count places, beginning at from. gone says that the axis
// is dropped, as by x[3]; fresh, that it is a new axis.
type span struct {
	from, step, count int64
	gone, fresh       bool
}

// spans evaluates x[begin:end:stride, …] as ValidateStridedSliceOp of core/util/strided_slice_op.cc
// does; nil where it is not known which axes are meant.
func (c *Call) spans() []span {
	x, begin, end, strides := c.in(0), c.some(1), c.some(2), c.ints(3)
	if !x.Ranked() || strides == nil {
		return nil
	}
	mask := func(name string, i int) bool { return c.attr(name).GetI()>>i&1 == 1 }
	named := 0 // number of axes that the slice names
	for i := range strides {
		if !mask("new_axis_mask", i) && !mask("ellipsis_mask", i) {
			named++
		}
	}
	in, all := x.Dims(), []span{}
	whole := func(n int) {
		for _, d := range in[:min(max(n, 0), len(in))] {
			all = append(all, span{0, 1, d, false, false})
		}
		in = in[min(max(n, 0), len(in)):]
	}
	for i, stride := range strides {
		known := i < len(begin) && i < len(end) && begin[i] != Missing && end[i] != Missing
		switch {
		case mask("ellipsis_mask", i):
			whole(x.Rank() - named)
			continue
		case mask("new_axis_mask", i):
			all = append(all, span{fresh: true, count: 1})
			continue
		case len(in) == 0:
			return nil
		}
		s := span{from: Missing, step: stride, count: tensor.Unknown, gone: mask("shrink_axis_mask", i)}
		from, to := mask("begin_mask", i), mask("end_mask", i)
		switch {
		case s.gone && known:
			if d := in[0]; d != tensor.Unknown && (begin[i] >= d || begin[i] < -d) {
				return nil
			}
			s.from, s.count = begin[i], 1
		case s.gone:
		case known:
			s.from, s.count = Slice(in[0], begin[i], end[i], stride, from, to)
		case from && to:
			s.from, s.count = Slice(in[0], 0, 0, stride, from, to)
		}
		all, in = append(all, s), in[1:]
	}
	whole(len(in))
	return all
}

func stridedSlice(c *Call, _ int) tensor.Shape {
	spans := c.spans()
	if spans == nil {
		return unknown
	}
	dims := []int64{}
	for _, s := range spans {
		if !s.gone {
			dims = append(dims, s.count)
		}
	}
	return tensor.MakeShape(dims...)
}

// sliced is the rule of Slice, with a begin and sizes for each axis; size -1 takes the rest.
func sliced(c *Call, _ int) tensor.Shape {
	begin, size := c.some(1), c.some(2)
	x := c.in(0)
	if !x.Ranked() {
		x = open(max(len(size), c.listed(2), c.listed(1)))
	}
	for i, d := range x.Dims() {
		if i < len(begin) && i < len(size) && d != tensor.Unknown && begin[i] != Missing && size[i] != Missing && begin[i]+max(size[i], 0) > d {
			return unknown
		}
	}
	return eachAxis(x, max(len(size), 0), func(i int, d int64) int64 {
		switch {
		case size[i] != -1:
			return size[i]
		case d == tensor.Unknown || i >= len(begin) || begin[i] == Missing:
			return tensor.Unknown
		}
		return d - begin[i]
	})
}

// split returns the shape of part out of x. Its length is that in the list of lengths, or, without
// a list, the same for all parts.
func (c *Call) split(x tensor.Shape, axis, lengths []int64, out int) tensor.Shape {
	if len(axis) != 1 {
		return open(x.Rank())
	}
	at, ok := Place(axis[0], x.Rank())
	n := c.attr("num_split").GetI()
	if !ok || n < 1 {
		return unknown
	}
	if c.Node.Op == "Split" {
		return Split(x, axis[0], n)
	}
	if out >= len(lengths) {
		return With(x, at, tensor.Unknown)
	}
	if sum := total(lengths); x.Dim(at) != tensor.Unknown && sum != tensor.Unknown && (sum > x.Dim(at) || sum < x.Dim(at) && !slices.Contains(lengths, -1)) {
		return unknown
	}
	d := lengths[out]
	if d == -1 && !slices.Contains(lengths, Missing) { // the rest of the axis
		d = x.Dim(at)
		for i, other := range lengths {
			if i != out && d != tensor.Unknown {
				d = max(0, d-other)
			}
		}
	}
	return With(x, at, d)
}

// total adds the lengths that are given; [tensor.Unknown] where one is missing.
func total(lengths []int64) int64 {
	sum := int64(0)
	for _, n := range lengths {
		if n == Missing || n > maxElements {
			return tensor.Unknown
		}
		sum += max(n, 0)
	}
	return sum
}

// gathered is the rule of GatherV2. The result has the table's axes before the given one, then the
// axes of the indices behind the batch axes, then the table's axes behind the given one.
func gathered(c *Call, _ int) tensor.Shape {
	table, at := c.in(0), c.in(1)
	axis, ok := int64(0), true
	switch c.Node.Op {
	case "GatherV2":
		axis, ok = c.one(2)
	case "ResourceGather":
		table = c.Held(0).Shape
	}
	batch := c.attr("batch_dims").GetI()
	if batch < 0 {
		batch += int64(at.Rank())
	}
	place, in := Place(axis, table.Rank())
	if !ok || !in || !at.Ranked() || batch < 0 || batch > int64(min(place, at.Rank())) {
		if table.Ranked() && at.Ranked() && batch >= 0 {
			return open(table.Rank() - 1 + at.Rank() - int(min(batch, MaxRank)))
		}
		return unknown
	}
	if !slices.EqualFunc(axesOf(table, 0, int(batch)).Dims(), axesOf(at, 0, int(batch)).Dims(), Agree) {
		return unknown
	}
	return Join(axesOf(table, 0, place), axesOf(at, int(batch), at.Rank()), axesOf(table, place+1, table.Rank()))
}
