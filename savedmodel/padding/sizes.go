package padding

import (
	"math"
	"slices"
	"strconv"
)

func init() {
	rules["Shape"] = func(c *call) []*value { return c.shapes(0, 1) }
	rules["ShapeN"] = func(c *call) []*value { return c.shapes(0, len(c.in)) }
	rules["Size"] = size
	rules["Rank"] = func(c *call) []*value {
		if !c.ranked(1) {
			return c.unknown("has an input of unknown rank")
		}
		return []*value{c.counted(&value{ranked: true}, []num{number(int64(c.in[0].rank()))})}
	}
	rules["Fill"] = fill
	rules["Range"] = ranged
	rules["BroadcastTo"] = broadcastTo
	rules["Tile"] = tile
	rules["Reshape"] = reshape
}

// counted gives a value the whole numbers that it holds. It is the same in both runs if all of them
// are.
func (c *call) counted(v *value, nums []num) *value {
	v.nums, v.why = nums, nil
	v.real = fact{finite: true, tame: true, nonneg: true, integer: true}
	if v.rank() == 0 && len(nums) == 1 && nums[0].isConst() {
		u := full(nil, constant(float64(nums[0].c)))
		u.nums = nums
		return u
	}
	for _, n := range nums {
		switch a := axis(n.atoms); {
		case n.step:
			return c.made(v, c.in...)[0]
		case n.sameInBoth():
		case a.has(rows), a.has(flat):
			return c.dependsOn(v, "gives the number of rows of the batch")
		default:
			return c.dependsOn(v, "gives the number of steps, padding included")
		}
	}
	return v
}

// shapes is the rule of Shape and ShapeN, for inputs from ≤ i < to.
func (c *call) shapes(from, to int) []*value {
	var outs []*value
	for _, in := range c.in[from:min(to, len(c.in))] {
		if !in.ranked || in.list != nil || in.handle != nil {
			return c.unknown("has an input of unknown rank")
		}
		v := &value{ranked: true, axes: []axis{fixedAxis(int64(in.rank()), "")}, pad: make([]fact, 1)}
		nums := make([]num, in.rank())
		for i, a := range in.axes {
			nums[i] = numOf(a)
		}
		outs = append(outs, c.counted(v, nums))
	}
	return outs
}

func size(c *call) []*value {
	if !c.ranked(1) {
		return c.unknown("has an input of unknown rank")
	}
	n := number(1)
	for _, a := range c.in[0].axes {
		m, ok := n.times(numOf(a))
		if !ok {
			return c.unknown("counts too many entries")
		}
		n = m
	}
	return []*value{c.counted(&value{ranked: true}, []num{n})}
}

// arithmetic computes with whole numbers that follow from sizes; nil if the result does not follow.
func (c *call) arithmetic(rank int) []num {
	if len(c.in) != 2 || c.in[0].nums == nil || c.in[1].nums == nil || rank > 1 {
		return nil
	}
	a, b := c.in[0].nums, c.in[1].nums
	n := max(len(a), len(b))
	if len(a) != n && len(a) != 1 || len(b) != n && len(b) != 1 {
		return nil
	}
	out := make([]num, n)
	for i := range out {
		var ok bool
		if out[i], ok = compute(c.n.Op, a[min(i, len(a)-1)], b[min(i, len(b)-1)]); !ok {
			return nil
		}
	}
	return out
}

// compute applies an operation to two numbers.
func compute(op string, x, y num) (num, bool) {
	switch op {
	case "AddV2", "Add":
		if x.isConst() {
			x, y = y, x
		}
		if y.isConst() {
			return x.plus(y.c)
		}
	case "Sub":
		if x.equal(y) && !x.step {
			return number(0), true
		}
		if y.isConst() {
			return x.plus(-y.c)
		}
	case "Mul":
		return x.times(y)
	case "Maximum", "Minimum", "FloorDiv", "RealDiv", "Div", "FloorMod":
		switch {
		case x.equal(y) && op[0] == 'M':
			return x, !x.step
		case op == "FloorDiv" && y.equal(number(1)):
			return x, true
		case !x.isConst() || !y.isConst():
		case op == "Maximum":
			return number(max(x.c, y.c)), true
		case op == "Minimum":
			return number(min(x.c, y.c)), true
		case op == "FloorDiv" && x.c >= 0 && y.c > 0:
			return number(x.c / y.c), true
		}
	}
	return num{}, false
}

// axesOf returns the axes of a shape whose sizes an input holds.
func (c *call) axesOf(i int) ([]axis, bool) {
	if i >= len(c.in) || c.in[i].nums == nil || c.in[i].rank() != 1 {
		return nil, false
	}
	axes := make([]axis, len(c.in[i].nums))
	for k, n := range c.in[i].nums {
		a, ok := n.axis()
		if !ok {
			return nil, false
		}
		axes[k] = a
	}
	return axes, true
}

func fill(c *call) []*value {
	axes, ok := c.axesOf(0)
	if !ok || len(c.in) < 2 || !c.in[1].ranked || c.in[1].list != nil {
		return c.unknown("makes a shape that is known only when it runs")
	}
	v := full(axes, c.in[1].real.moved())
	return c.made(v, c.in[1])
}

// ranged is the rule of Range: 0, 1, 2, …, as many as there are steps.
func ranged(c *call) []*value {
	if len(c.in) < 3 || c.in[0].nums == nil || c.in[1].nums == nil || !c.in[2].real.is(1) {
		return c.unknown("counts in steps that are known only when it runs")
	}
	begin, end := c.in[0].nums[0], c.in[1].nums[0]
	if !begin.isConst() {
		return c.unknown("counts from a number that is known only when it runs")
	}
	n, ok := end.plus(-begin.c)
	if begin.c == 0 {
		n, ok = end, !end.step
	}
	a, isAxis := n.axis()
	if !ok || !isAxis {
		return c.unknown("counts to a number that is known only when it runs")
	}
	if begin.isConst() && n.isConst() && n.c >= 0 && n.c <= maxNums {
		nums := make([]num, n.c)
		for i := range nums {
			nums[i] = number(begin.c + int64(i))
		}
		return []*value{c.counted(&value{ranked: true, axes: []axis{a}, pad: make([]fact, 1)}, nums)}
	}
	entry := fact{finite: true, tame: true, nonneg: begin.c >= 0, positive: begin.c > 0, integer: true}
	v := &value{ranked: true, axes: []axis{a}, real: entry, pad: []fact{entry}}
	v.real.indexAxis, v.real.offset = 1, begin.c
	if a.has(rows) || a.has(flat) {
		v = c.dependsOn(v, "numbers the rows of the batch")
	}
	return []*value{v}
}

func broadcastTo(c *call) []*value {
	axes, ok := c.axesOf(1)
	if !ok || !c.ranked(1) {
		return c.unknown("makes a shape that is known only when it runs")
	}
	to := full(axes, fact{})
	all, ok := c.stretched([]*value{c.in[0], to})
	if !ok || len(all) != len(axes) {
		return c.unknown("lines up axes whose sizes may differ")
	}
	v := mapped(all, c.in[:1], func(f []fact) fact { return f[0] })
	if slices.EqualFunc(all, c.in[0].axes, slices.Equal[axis]) {
		v.state = c.in[0].state
	}
	return c.made(v, c.in[0])
}

// tile is the rule of Tile. A tensor repeated once is itself. An axis of one entry may become any
// axis.
func tile(c *call) []*value {
	if !c.ranked(1) || len(c.in) < 2 || len(c.in[1].nums) != c.in[0].rank() {
		return c.unknown("repeats a number of times that is known only when it runs")
	}
	in := c.in[0]
	axes := slices.Clone(in.axes)
	plain := true
	for i, n := range c.in[1].nums {
		switch {
		case n.equal(number(1)):
			continue
		case len(axes[i]) == 0:
			a, ok := n.axis()
			if !ok {
				return c.unknown("repeats a number of times that is known only when it runs")
			}
			axes[i] = a
		case axes[i].isFixed() && n.sameInBoth():
			axes[i] = fixedAxis(-1, c.n.Name+strconv.Itoa(i))
		default:
			return c.unknown("repeats rows or steps")
		}
		plain = false
	}
	if plain {
		return []*value{in}
	}
	v := mapped(axes, []*value{in}, func(f []fact) fact { return f[0] })
	v.real = v.real.moved()
	return c.made(v, in)
}

// reshape is the rule of Reshape: the same entries, in the same order, along other axes.
func reshape(c *call) []*value {
	if !c.ranked(1) || len(c.in) < 2 || c.in[1].nums == nil || c.in[1].rank() != 1 {
		return c.unknown("makes a shape that is known only when it runs")
	}
	in := c.in[0]
	target, ok := resolved(in.axes, c.in[1].nums)
	if !ok {
		return c.unknown("makes a shape that is known only when it runs")
	}
	axes, from, ok := regrouped(in.axes, target)
	if !ok {
		return c.unknown("mixes axes, to shape %s", text(target))
	}
	v := in.with(axes, make([]fact, len(axes)))
	for j, a := range axes {
		if !a.has(steps) {
			continue
		}
		for i, old := range from[j] {
			f := in.pad[old]
			f.held = f.held && slices.Equal(in.axes[old], a)
			if i == 0 {
				v.pad[j] = f
			} else {
				v.pad[j] = v.pad[j].join(f)
			}
		}
	}
	if len(in.nums) > 0 && len(axes) <= 1 {
		v.nums = in.nums
	}
	if slices.EqualFunc(axes, in.axes, slices.Equal[axis]) {
		return []*value{in}
	}
	return []*value{v}
}

func text(nums []num) string {
	s := "("
	for i, n := range nums {
		if i > 0 {
			s += ", "
		}
		if n.isConst() {
			s += strconv.FormatInt(n.c, 10)
		} else {
			s += along(n.atoms)
		}
	}
	return s + ")"
}

// resolved replaces -1 in a target shape by the size that is left for it.
func resolved(axes []axis, nums []num) ([]num, bool) {
	at := slices.IndexFunc(nums, func(n num) bool { return n.equal(number(-1)) })
	if at < 0 {
		return nums, true
	}
	left := number(1)
	for _, a := range axes {
		var ok bool
		if left, ok = left.times(numOf(a)); !ok {
			return nil, false
		}
	}
	for i, n := range nums {
		if i == at {
			continue
		}
		if n.step || n.c <= 0 || left.c%n.c != 0 {
			return nil, false
		}
		left.c /= n.c
		for _, x := range n.atoms {
			k := slices.Index(left.atoms, x)
			if k < 0 {
				return nil, false
			}
			left.atoms = slices.Delete(slices.Clone(left.atoms), k, k+1)
		}
	}
	out := slices.Clone(nums)
	out[at] = left
	return out, true
}

// regrouped distributes the atoms of axes, in their order, to axes of the given sizes. from lists,
// for each of these, the old axes that its padded atoms come from.
func regrouped(axes []axis, target []num) (out []axis, from [][]int, ok bool) {
	type piece struct {
		atom
		axis int
	}
	var rest []piece
	for i, a := range axes {
		for _, x := range a {
			rest = append(rest, piece{x, i})
		}
	}
	for _, n := range target {
		var a axis
		var old []int
		want := slices.Clone(n.atoms)
		for c := n.c; c != 1 || len(want) > 0; {
			if len(rest) == 0 || c <= 0 {
				return nil, nil, false
			}
			x := rest[0]
			if x.kind == fixed && x.size >= 0 {
				switch {
				case x.size > 0 && c%x.size == 0:
					c /= x.size
					a, rest = append(a, x.atom), rest[1:]
				case len(want) == 0 && x.size%c == 0 && c > 1:
					a = append(a, atom{kind: fixed, size: c})
					rest[0].size /= c
					c = 1
				default:
					return nil, nil, false
				}
				continue
			}
			size := x.atom
			size.front = false
			k := slices.Index(want, size)
			if k < 0 {
				return nil, nil, false
			}
			want = slices.Delete(want, k, k+1)
			if x.kind == steps {
				old = append(old, x.axis)
			}
			a, rest = append(a, x.atom), rest[1:]
		}
		out, from = append(out, merged(a)), append(from, old)
	}
	return out, from, len(rest) == 0
}

// merged joins fixed atoms next to each other.
func merged(a axis) axis {
	var out axis
	for _, x := range a {
		if n := len(out); n > 0 && x.kind == fixed && out[n-1].kind == fixed && x.size >= 0 && out[n-1].size >= 0 && out[n-1].size*x.size < math.MaxInt32 {
			out[n-1] = atom{kind: fixed, size: out[n-1].size * x.size}
			continue
		}
		out = append(out, x)
	}
	return out
}
