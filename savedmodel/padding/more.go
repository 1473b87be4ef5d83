package padding

import (
	"fmt"
	"slices"
)

func init() {
	rules["SpaceToBatchND"], rules["BatchToSpaceND"] = spaceToBatch, batchToSpace
	for _, op := range []string{"Conv2DBackpropInput", "Conv3DBackpropInputV2"} {
		rules[op] = transposed
	}
	for _, op := range []string{"ResizeNearestNeighbor", "ResizeBilinear", "ResizeBicubic", "ResizeArea"} {
		rules[op] = resize
	}
	rules["DenseBincount"] = bincount
	for _, op := range []string{"LookupTableSizeV2", "LookupTableSize"} {
		rules[op] = func(*call) []*value {
			return []*value{{ranked: true, real: fact{finite: true, tame: true, nonneg: true, integer: true}}}
		}
	}
	rules["MatrixBandPart"] = bandPart
}

// spaceToBatch is the rule of SpaceToBatchND: it moves blocks of fixed axes to the axis of the
// rows.
func spaceToBatch(c *call) []*value {
	block, ok := c.ints(1)
	if !c.ranked(1) || !ok || c.in[0].rank() < len(block)+1 {
		return c.unknown("has blocks that do not follow")
	}
	in := c.in[0]
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	v.real = v.real.join(constant(0))
	n := int64(1)
	for i, b := range block {
		if !in.axes[i+1].isFixed() {
			return c.unknown("makes blocks of rows or steps")
		}
		n *= b
		v.axes[i+1] = fixedAxis(-1, c.n.Name+fmt.Sprint(i))
	}
	v.axes[0] = append(fixedAxis(n, ""), v.axes[0]...)
	return c.made(v, in)
}

// batchToSpace is the rule of BatchToSpaceND, which undoes SpaceToBatchND.
func batchToSpace(c *call) []*value {
	block, ok := c.ints(1)
	if !c.ranked(1) || !ok || c.in[0].rank() < len(block)+1 {
		return c.unknown("has blocks that do not follow")
	}
	in := c.in[0]
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	n := int64(1)
	for i, b := range block {
		if !in.axes[i+1].isFixed() {
			return c.unknown("makes blocks of rows or steps")
		}
		n *= b
		v.axes[i+1] = fixedAxis(-1, c.n.Name+fmt.Sprint(i))
	}
	if n > 1 {
		if len(v.axes[0]) == 0 || v.axes[0][0] != (atom{kind: fixed, size: n}) {
			return c.unknown("makes blocks of rows or steps")
		}
		v.axes[0] = v.axes[0][1:]
	}
	return c.made(v, in)
}

// transposed is the rule of transposed convolutions, along fixed axes.
func transposed(c *call) []*value {
	axes, ok := c.axesOf(0)
	if len(c.in) < 3 || !ok || !c.in[1].ranked || !c.in[2].ranked || c.in[2].rank() != len(axes) {
		return c.unknown("has a shape that does not follow from sizes")
	}
	in := c.in[2]
	if !slices.Equal(in.axes[0], axes[0]) || slices.ContainsFunc(in.axes[1:], func(a axis) bool { return !a.isFixed() }) || slices.ContainsFunc(axes[1:], func(a axis) bool { return !a.isFixed() }) {
		return c.unknown("goes along rows or steps")
	}
	v := in.with(axes, make([]fact, len(axes)))
	v.real = fact{finite: in.real.finite, tame: in.real.tame}
	return c.made(v, in, c.in[1])
}

// resize is the rule of operations that scale images of fixed sizes.
func resize(c *call) []*value {
	if !c.ranked(1) || c.in[0].rank() != 4 || len(c.in) < 2 || len(c.in[1].nums) != 2 {
		return c.unknown("has a size that does not follow")
	}
	in := c.in[0]
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	v.real = fact{finite: in.real.finite, tame: in.real.tame}
	for i, n := range c.in[1].nums {
		a, ok := n.axis()
		if !ok || !in.axes[i+1].isFixed() || !n.sameInBoth() {
			return c.unknown("makes steps more or fewer")
		}
		v.axes[i+1] = a
	}
	return c.made(v, in)
}

// bincount is the rule of operations that count, in each row, how often each number occurs.
func bincount(c *call) []*value {
	size, ok := c.ints(1)
	if !c.ranked(1) || !ok || len(size) != 1 || len(c.in) < 3 {
		return c.unknown("counts to where does not follow")
	}
	in := c.in[0]
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	v.real = fact{finite: true, tame: true, nonneg: true}
	last := in.rank() - 1
	if last < 0 {
		return c.unknown("has an input of unknown rank")
	}
	switch a := in.axes[last]; {
	case a.isFixed():
	case a.has(steps):
		v = c.effect(v, in.pad[last], "counts %s, padding included", along(a))
	default:
		v = c.dependsOn(v, "counts %s", along(a))
	}
	v.axes[last], v.pad[last] = fixedAxis(size[0], ""), fact{}
	return c.made(v, in, c.in[2])
}

// bandPart is the rule of MatrixBandPart, which keeps the entries near the diagonal. Of a matrix of
// ones it makes a mask that has each place and those before it.
func bandPart(c *call) []*value {
	lower, ok1 := c.ints(1)
	upper, ok2 := c.ints(2)
	if !c.ranked(1) || c.in[0].rank() < 2 || !ok1 || !ok2 || len(lower) != 1 || len(upper) != 1 {
		return c.unknown("has a band that does not follow")
	}
	in := c.in[0]
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	v.real = in.real.join(constant(0)).moved()
	for j := range v.pad {
		v.pad[j] = v.pad[j].join(constant(0))
		v.pad[j].held = false
	}
	for _, a := range in.axes[in.rank()-2:] {
		if s, ok := a.only(steps); ok && s.front || !ok && !a.isFixed() {
			return c.unknown("has a band along rows, or behind padding")
		}
	}
	if in.real.is(1) && slices.Equal(in.axes[in.rank()-2], in.axes[in.rank()-1]) {
		v.real.some = 1
	}
	return c.made(v, in)
}
