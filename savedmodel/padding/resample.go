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
}

// spaceToBatch is the rule of SpaceToBatchND: it moves blocks of fixed axes to the axis of the
// rows.
func spaceToBatch(c *call) []*value {
	block, ok := c.ints(1)
	if !c.ranked(1) || !ok || c.in[0].rank() < len(block)+1 {
		return c.unknown("makes blocks whose sizes are known only when it runs")
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
		return c.unknown("makes blocks whose sizes are known only when it runs")
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
		return c.unknown("makes a shape that is known only when it runs")
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
		return c.unknown("resizes to a size that is known only when it runs")
	}
	in := c.in[0]
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	v.real = fact{finite: in.real.finite, tame: in.real.tame}
	for i, n := range c.in[1].nums {
		a, ok := n.axis()
		if !ok || !in.axes[i+1].isFixed() || !n.sameInBoth() {
			return c.unknown("changes the number of steps")
		}
		v.axes[i+1] = a
	}
	return c.made(v, in)
}
