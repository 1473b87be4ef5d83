package padding

import (
	"fmt"
	"slices"
)

func init() {
	rules["ExpandDims"] = expandDims
	rules["Squeeze"] = squeeze
	rules["Transpose"] = transpose
	rules["Pack"] = pack
	rules["Unpack"] = unpack
	rules["ConcatV2"] = concat
	rules["Split"] = func(c *call) []*value { return split(c, 0, 1, int(c.attrInt("num_split"))) }
	rules["SplitV"] = func(c *call) []*value { return split(c, 2, 0, int(c.attrInt("num_split"))) }
	rules["ReverseV2"] = reverse
	rules["ReverseSequence"] = reverseSequence
	rules["Pad"], rules["PadV2"] = padWith, padWith
	rules["OneHot"] = oneHot
}

// removed returns axes and facts without those of axis i.
func removed(v *value, i int) *value {
	u := v.with(slices.Delete(slices.Clone(v.axes), i, i+1), slices.Delete(slices.Clone(v.pad), i, i+1))
	if p := v.real.indexAxis - 1; p >= 0 && p != i {
		u.real.indexAxis, u.real.offset = v.real.indexAxis-when(i < p, 1), v.real.offset
	}
	return u
}

// inserted returns axes and facts with one more axis in place i.
func inserted(v *value, i int, a axis) *value {
	u := v.with(slices.Insert(slices.Clone(v.axes), i, a), slices.Insert(slices.Clone(v.pad), i, fact{}))
	if p := v.real.indexAxis - 1; p >= 0 {
		u.real.indexAxis, u.real.offset = v.real.indexAxis+when(i <= p, 1), v.real.offset
	}
	u.real.some, u.real.zero, u.real.peak = v.real.before(i, v.rank())
	return u
}

func expandDims(c *call) []*value {
	at, ok := c.ints(1)
	if !c.ranked(1) || !ok || len(at) != 1 {
		return c.unknown("has an axis that is known only when it runs")
	}
	i, ok := c.axisOf(at[0], c.in[0].rank()+1)
	if !ok {
		return c.unknown("has no such axis")
	}
	v := inserted(c.in[0], i, nil)
	if len(c.in[0].nums) == 1 && c.in[0].rank() == 0 {
		v.nums = c.in[0].nums
	}
	v.rowIDs = c.in[0].rowIDs
	return []*value{v}
}

// squeeze removes axes that have one entry in both runs.
func squeeze(c *call) []*value {
	if !c.ranked(1) {
		return c.unknown("has an input of unknown rank")
	}
	v := c.in[0]
	gone := c.n.AttrInts("squeeze_dims")
	if len(gone) == 0 {
		for i, a := range v.axes {
			switch {
			case len(a) == 0:
				gone = append(gone, int64(i))
			case a.size() < 0:
				return c.unknown("takes away axes that may have one entry, or more")
			}
		}
	}
	places := make([]int, len(gone))
	for k, g := range gone {
		i, ok := c.axisOf(g, v.rank())
		if !ok || len(v.axes[i]) > 0 {
			return c.unknown("takes away an axis that may have more than one entry")
		}
		places[k] = i
	}
	slices.Sort(places)
	for _, i := range slices.Backward(places) {
		ids := v.rowIDs
		v = removed(v, i)
		v.rowIDs = ids
	}
	if len(c.in[0].nums) == 1 {
		v.nums = c.in[0].nums
	}
	return []*value{v}
}

func transpose(c *call) []*value {
	perm, ok := c.ints(1)
	if !c.ranked(1) || !ok || len(perm) != c.in[0].rank() {
		return c.unknown("has an order of axes that is known only when it runs")
	}
	in := c.in[0]
	v := in.with(make([]axis, len(perm)), make([]fact, len(perm)))
	for i, p := range perm {
		k, ok := c.axisOf(p, len(perm))
		if !ok {
			return c.unknown("has no such axis")
		}
		v.axes[i], v.pad[i] = in.axes[k], in.pad[k]
	}
	return []*value{v}
}

// joined returns a value with the axes that all inputs share, and with the facts that are true of
// all.
func (c *call) joined(in []*value) (*value, bool) {
	v := in[0].with(slices.Clone(in[0].axes), slices.Clone(in[0].pad))
	v.real = in[0].real
	for _, x := range in[1:] {
		if x.rank() != v.rank() {
			return nil, false
		}
		v.real = v.real.join(x.real)
		for i := range v.axes {
			if !c.w.sameEntries(v.axes[i], x.axes[i]) {
				return nil, false
			}
			if v.axes[i].has(steps) {
				v.pad[i] = v.pad[i].join(x.pad[i])
			}
		}
	}
	return v, true
}

func pack(c *call) []*value {
	if !c.ranked(-1) || len(c.in) == 0 {
		return c.unknown("has an input of unknown rank")
	}
	if nums := c.numbersOf(c.in); nums != nil && c.in[0].rank() == 0 {
		v := &value{ranked: true, axes: []axis{fixedAxis(int64(len(nums)), "")}, pad: make([]fact, 1)}
		return []*value{c.counted(v, nums)}
	}
	v, ok := c.joined(c.in)
	if !ok {
		return c.unknown("puts together tensors whose shapes may differ")
	}
	i, ok := c.axisOf(c.attrInt("axis"), v.rank()+1)
	if !ok {
		return c.unknown("has no such axis")
	}
	u := inserted(v, i, fixedAxis(int64(len(c.in)), ""))
	u.real = v.real.moved()
	return c.made(u, c.in...)
}

// numbersOf returns the whole numbers of several inputs; nil if one has none.
func (c *call) numbersOf(in []*value) []num {
	var nums []num
	for _, x := range in {
		if x.nums == nil || len(nums)+len(x.nums) > maxNums {
			return nil
		}
		nums = append(nums, x.nums...)
	}
	return nums
}

func unpack(c *call) []*value {
	if !c.ranked(1) {
		return c.unknown("has an input of unknown rank")
	}
	in := c.in[0]
	i, ok := c.axisOf(c.attrInt("axis"), in.rank())
	n := int(c.attrInt("num"))
	if !ok || !in.axes[i].isFixed() || n < 0 || n > 1<<16 {
		return c.unknown("takes rows or steps apart")
	}
	outs := make([]*value, n)
	for k := range outs {
		outs[k] = removed(in, i)
		if in.rank() == 1 && len(in.nums) == n {
			outs[k] = c.counted(outs[k], in.nums[k:k+1])
		}
	}
	return outs
}

// split is the rule of operations that cut an axis into parts. axisAt and at are the inputs with
// the axis and the tensor.
func split(c *call, axisAt, at, n int) []*value {
	dim, ok := c.ints(axisAt)
	if len(c.in) <= max(at, axisAt) || !ok || len(dim) != 1 || !c.in[at].ranked || c.in[at].list != nil || n < 1 || n > 1<<16 {
		return c.unknown("has an axis that is known only when it runs")
	}
	in := c.in[at]
	i, ok := c.axisOf(dim[0], in.rank())
	if !ok || !in.axes[i].isFixed() {
		return c.unknown("cuts rows or steps into parts")
	}
	sizes, given := c.ints(1)
	outs := make([]*value, n)
	for k := range outs {
		part := int64(-1)
		switch whole := in.axes[i].size(); {
		case c.n.Op == "Split" && whole >= 0:
			part = whole / int64(n)
		case c.n.Op == "SplitV" && given && k < len(sizes):
			part = sizes[k]
		}
		axes := slices.Clone(in.axes)
		axes[i] = fixedAxis(part, c.n.Name+fmt.Sprint(k))
		outs[k] = in.with(axes, slices.Clone(in.pad))
	}
	return outs
}

// concat is the rule of concatenation.
func concat(c *call) []*value {
	n := len(c.in) - 1
	if n < 1 || !c.ranked(n) {
		return c.unknown("has an input of unknown rank")
	}
	in := c.in[:n]
	dim, ok := c.ints(n)
	if !ok || len(dim) != 1 {
		return c.unknown("has an axis that is known only when it runs")
	}
	i, ok := c.axisOf(dim[0], in[0].rank())
	if !ok {
		return c.unknown("has no such axis")
	}
	if n == 1 {
		return in
	}
	if nums := c.numbersOf(in); nums != nil {
		v := &value{ranked: true, axes: []axis{fixedAxis(int64(len(nums)), "")}, pad: make([]fact, 1)}
		return []*value{c.counted(v, nums)}
	}
	along, pad, why := c.behind(in, i)
	if why != "" {
		return c.unknown("%s", why)
	}
	same := make([]*value, n)
	for k, x := range in {
		if i >= x.rank() {
			return c.unknown("puts together tensors whose shapes may differ")
		}
		same[k] = x.with(slices.Clone(x.axes), slices.Clone(x.pad))
		same[k].axes[i] = nil
		same[k].real = x.real
	}
	v, ok := c.joined(same)
	if !ok {
		return c.unknown("puts together tensors whose shapes may differ")
	}
	v.axes[i], v.pad[i] = along, pad
	v.real = v.real.moved()
	return c.made(v, in...)
}

// behind returns the axis along which tensors are concatenated, its padding, and what is not known
// of it. A padded axis may only be joined with fixed ones on the side where it has no padding.
func (c *call) behind(in []*value, i int) (axis, fact, string) {
	total, at := int64(0), -1
	for k, x := range in {
		if i >= x.rank() {
			return nil, fact{}, "has no such axis"
		}
		switch a := x.axes[i]; {
		case a.isFixed():
			if total >= 0 {
				total += a.size()
			}
			if a.size() < 0 {
				total = -1
			}
		case at >= 0:
			return nil, fact{}, "puts rows or steps behind each other"
		default:
			at = k
		}
	}
	if at < 0 {
		return fixedAxis(total, c.n.Name), fact{}, ""
	}
	x, ok := in[at].axes[i].only(steps)
	if !ok || total < 0 || x.front && at != 0 || !x.front && at != len(in)-1 {
		return nil, fact{}, "puts something between the row's steps and others"
	}
	x.shift += total
	return axis{x}, in[at].pad[i], ""
}

// reverse is the rule of ReverseV2: padding that came last comes first.
func reverse(c *call) []*value {
	dims, ok := c.ints(1)
	if !c.ranked(1) || !ok {
		return c.unknown("has axes that are known only when it runs")
	}
	v := c.in[0].with(slices.Clone(c.in[0].axes), slices.Clone(c.in[0].pad))
	v.real = c.in[0].real
	for _, d := range dims {
		i, ok := c.axisOf(d, v.rank())
		if !ok {
			return c.unknown("has no such axis")
		}
		x, padded := v.axes[i].only(steps)
		switch {
		case v.axes[i].isFixed():
		case padded && len(dims) == 1 && c.reversed(i):
			v.pad[i].held = false
		case padded:
			x.front = !x.front
			v.axes[i] = axis{x}
			v.pad[i].held = false
		default:
			v = c.dependsOn(v, "turns round %s", along(v.axes[i]))
		}
	}
	return c.made(v, c.in[0])
}

// reverseSequence is the rule of ReverseSequence. It reverses a given number of each row's steps;
// TensorFlow checks that the row has so many.
func reverseSequence(c *call) []*value {
	if !c.ranked(2) {
		return c.unknown("has an input of unknown rank")
	}
	in := c.in[0]
	batch, ok1 := c.axisOf(c.attrInt("batch_dim"), in.rank())
	seq, ok2 := c.axisOf(c.attrInt("seq_dim"), in.rank())
	if !ok1 || !ok2 || c.in[1].rank() != 1 || !c.w.sameEntries(in.axes[batch], c.in[1].axes[0]) {
		return c.unknown("turns round a number of steps that is known only when it runs")
	}
	v := in.with(in.axes, slices.Clone(in.pad))
	v.pad[seq].held = false
	if x, padded := in.axes[seq].only(steps); !in.axes[seq].isFixed() && (!padded || x.front) {
		return c.unknown("turns round steps behind padding")
	}
	return c.made(v, in, c.in[1])
}

// padWith is the rule of operations that pad with a constant.
func padWith(c *call) []*value {
	sizes, ok := c.pairs()
	if !ok || !c.ranked(1) || len(sizes) != c.in[0].rank() {
		return c.unknown("pads by sizes that are known only when it runs")
	}
	fill := constant(0)
	if len(c.in) > 2 {
		fill = c.in[2].real
	}
	in := c.in[0]
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	padded := false
	for i, p := range sizes {
		if p[0] == 0 && p[1] == 0 {
			continue
		}
		padded = true
		a := in.axes[i]
		x, open := a.only(steps)
		switch {
		case a.isFixed():
			n := a.size()
			if n >= 0 {
				n += p[0] + p[1]
			}
			v.axes[i] = fixedAxis(n, c.n.Name+fmt.Sprint(i))
		case !open:
			v = c.dependsOn(v, "pads %s", along(a))
		default:
			inner, outer := p[1], p[0] // on the side of the row's padding, and on the other side
			if x.front {
				inner, outer = outer, inner
			}
			x.shift += outer + inner
			v.axes[i] = axis{x}
			// Alone the row has fill in a place where it has padding among other rows.
			if f := in.pad[i]; inner > 0 && (!f.known || !f.is(fill.c) || !fill.known) {
				v = c.effect(v, f, "pads %s behind padding", along(a))
			}
			v.pad[i] = v.pad[i].join(fill)
		}
	}
	if padded {
		v.real = v.real.join(fill)
		for i := range v.pad {
			v.pad[i] = v.pad[i].join(fill)
			v.pad[i].held = false
		}
	}
	return c.made(v, in)
}

// pairs reads the sizes to pad by, before and after each axis.
func (c *call) pairs() ([][2]int64, bool) {
	if len(c.in) < 2 || len(c.n.Inputs) < 2 || c.n.Inputs[1].Node == nil {
		return nil, false
	}
	n := c.n.Inputs[1].Node
	for n.Op == "Identity" && len(n.Inputs) > 0 && n.Inputs[0].Node != nil {
		n = n.Inputs[0].Node
	}
	if n.Op != "Const" {
		return nil, false
	}
	p := n.Def.GetAttr()["value"].GetTensor()
	values, ok := numbersOf(p)
	rank := c.in[0].rank()
	if !ok || len(values) != 2*rank && len(values) != 1 {
		return nil, false
	}
	list := make([][2]int64, rank)
	for i := range list {
		for k := range 2 {
			x := values[min(2*i+k, len(values)-1)]
			if x < 0 || x > 1<<31 {
				return nil, false
			}
			list[i][k] = int64(x)
		}
	}
	return list, true
}

func oneHot(c *call) []*value {
	depth, ok := c.ints(1)
	if !c.ranked(4) || !ok || len(depth) != 1 {
		return c.unknown("has a depth that is known only when it runs")
	}
	in := c.in[0]
	at := int64(-1)
	if c.n.Def.GetAttr()["axis"] != nil { // a default value may be left out
		at = c.attrInt("axis")
	}
	i, ok := c.axisOf(at, in.rank()+1)
	if !ok {
		return c.unknown("has no such axis")
	}
	entry := c.in[2].real.join(c.in[3].real).moved()
	v := inserted(in, i, fixedAxis(depth[0], ""))
	v.real = entry
	for j := range v.pad {
		held := v.pad[j].held
		v.pad[j] = entry
		v.pad[j].held = held
	}
	return c.made(v, c.in...)
}
