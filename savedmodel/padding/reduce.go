package padding

import (
	"math"
	"slices"
)

// reductions describes the reductions for messages.
var reductions = map[string]string{
	"Max": "the maximum", "Min": "the minimum", "Sum": "the sum", "Mean": "the mean", "Prod": "the product", "All": "whether all are true", "Any": "whether any is true",
	"EuclideanNorm": "the norm",
}

func init() {
	for op := range reductions {
		rules[op] = reduce
	}
	rules["Softmax"], rules["LogSoftmax"] = softmax, softmax
	rules["Cumsum"] = cumsum
	rules["ArgMax"], rules["ArgMin"] = argMax, argMax
	rules["TopKV2"] = topK
	rules["DenseBincount"] = bincount
	rules["L2Loss"] = func(c *call) []*value { return c.unknown("sums up everything") }
}

// reduced returns what is known of the reduction of entries of which f is true.
func reduced(op string, f fact) fact {
	out := fact{finite: f.finite, tame: f.tame, held: f.held, nonneg: f.nonneg, unclear: f.unclear, low: f.low && op != "Prod"}
	switch op {
	case "Max", "Min", "Mean", "All", "Any":
		out.known, out.c, out.positive = f.known && !f.isText, f.c, f.positive
		if f.positive && (op == "Max" || op == "Min") {
			out.finite = f.finite
		}
	case "Sum", "EuclideanNorm":
		out.known, out.c = f.is(0), 0
		out.nonneg = f.nonneg || op == "EuclideanNorm"
	case "Prod":
		out.known, out.c = f.is(1), 1
	}
	out.unclear = out.unclear || f.known && !out.known
	return out
}

func reduce(c *call) []*value {
	dims, ok := c.ints(1)
	if !c.ranked(1) || !ok {
		return c.unknown("goes along axes that are known only when it runs")
	}
	in := c.in[0]
	if nums := c.reducedNums(dims); nums != nil {
		return []*value{c.counted(&value{ranked: true}, nums)}
	}
	if len(dims) == 0 {
		return c.in[:1]
	}
	keep := c.attrBool("keep_dims")
	var gone []int
	for _, d := range dims {
		i, ok := c.axisOf(d, in.rank())
		if !ok {
			return c.unknown("has no such axis")
		}
		gone = append(gone, i)
	}
	slices.Sort(gone)
	gone = slices.Compact(gone)
	c.mendReduction(gone)
	in = c.in[0]
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	for _, i := range gone {
		v = c.reduceAxis(v, i)
	}
	// One of the last axes has a true entry for each place of the others, and all of the last axes
	// are reduced.
	if n := len(gone); c.n.Op == "Any" && n > 0 && in.real.some > 0 && in.real.some == n && gone[0] == in.rank()-n {
		v.real = constant(1)
	} else {
		v.real = reduced(c.n.Op, in.real)
	}
	for j := range v.pad {
		v.pad[j] = reduced(c.n.Op, v.pad[j])
	}
	for _, i := range slices.Backward(gone) {
		if !keep {
			v.axes, v.pad = slices.Delete(v.axes, i, i+1), slices.Delete(v.pad, i, i+1)
		}
	}
	return c.made(v, in)
}

// reduceAxis reduces an axis to one entry. It marks the value if padding or other rows change the
// result.
func (c *call) reduceAxis(v *value, i int) *value {
	a := v.axes[i]
	what := reductions[c.n.Op]
	for _, x := range a {
		switch {
		case x.kind == fixed, slices.Contains(c.meant, i):
		case x.kind != steps:
			v = c.dependsOn(v, "takes %s over %s", what, along(axis{x}))
		case !neutral(c.n.Op, x, v.pad[i], v.real):
			v = c.effect(v, v.pad[i], "takes %s over %s, padding included", what, along(axis{x}))
		}
	}
	v.axes[i] = nil
	return v
}

// reducedNums multiplies whole numbers, as for the number of elements of a shape.
func (c *call) reducedNums(dims []int64) []num {
	in := c.in[0]
	if in.rank() != 1 || in.nums == nil || len(dims) != 1 || c.attrBool("keep_dims") || c.n.Op != "Prod" {
		return nil
	}
	p := number(1)
	for _, n := range in.nums {
		var ok bool
		if p, ok = p.times(n); !ok {
			return nil
		}
	}
	return []num{p}
}

// softmax is the rule of Softmax along the last axis. Padding gets no weight if it is far below the
// other entries.
func softmax(c *call) []*value {
	if !c.ranked(1) || c.in[0].rank() == 0 {
		return c.unknown("has an input of unknown rank")
	}
	last := c.in[0].rank() - 1
	peaked := c.in[0].real.tame || c.in[0].real.peak == 1
	if f := c.in[0].pad[last]; !(f.known && f.c < -1e300) && !(f.low && peaked) {
		c.mask(0, last, math.Inf(-1))
	}
	in := c.in[0]
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	finite := in.whole().finite || c.n.Op == "Softmax" && peaked && in.whole().bounded
	out := fact{finite: finite, tame: finite, nonneg: c.n.Op == "Softmax"}
	v.real = out
	for j := range v.pad {
		held := in.pad[j].held
		v.pad[j] = out
		v.pad[j].held = held
	}
	for _, x := range in.axes[last] {
		f := in.pad[last]
		switch {
		case x.kind == fixed:
		case x.kind != steps:
			v = c.dependsOn(v, "weighs %s against each other", along(axis{x}))
		case f.known && f.c < -1e300, f.low && peaked:
			if c.n.Op == "Softmax" {
				v.pad[last] = constant(0)
			}
		case f.low:
			v = c.effect(v, fact{unclear: true}, "weighs %s, and padding may outweigh all of them", along(axis{x}))
			v.pad = slices.Clone(v.pad)
			v.pad[last].unclear = true
		default:
			v = c.effect(v, f, "weighs %s against each other, padding included", along(axis{x}))
		}
	}
	return c.made(v, in)
}

func cumsum(c *call) []*value {
	dims, ok := c.ints(1)
	if !c.ranked(1) || !ok || len(dims) != 1 {
		return c.unknown("goes along axes that are known only when it runs")
	}
	i, ok := c.axisOf(dims[0], c.in[0].rank())
	if !ok {
		return c.unknown("has no such axis")
	}
	if c.attrBool("reverse") && !c.in[0].pad[i].is(0) {
		c.mask(0, i, 0)
	}
	in := c.in[0]
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	entry := func(f fact) fact {
		return fact{finite: f.finite, tame: f.tame, nonneg: f.nonneg, known: f.is(0), unclear: f.unclear}
	}
	v.real = entry(in.real)
	for j := range v.pad {
		v.pad[j] = entry(in.pad[j])
	}
	back := c.attrBool("reverse")
	if in.real.is(1) && !back {
		v.real.indexAxis, v.real.offset = i+1, 1-int64(when(c.attrBool("exclusive"), 1))
	}
	s, padded := in.axes[i].only(steps)
	switch {
	case in.axes[i].isFixed():
	case !padded:
		v = c.dependsOn(v, "adds up %s", along(in.axes[i]))
	case s.front != back && !in.pad[i].is(0):
		v = c.effect(v, in.pad[i], "adds up %s, padding first", along(in.axes[i]))
	case s.front == back:
		v.pad[i] = fact{finite: in.whole().finite, tame: in.whole().tame, nonneg: in.whole().nonneg}
		v.pad[i].held = in.pad[i].is(0) && !s.front && !c.attrBool("exclusive")
	}
	return c.made(v, in)
}

// argMax is the rule of ArgMax: the index of the largest entry, the first of several.
func argMax(c *call) []*value {
	dims, ok := c.ints(1)
	if !c.ranked(1) || !ok || len(dims) != 1 {
		return c.unknown("goes along axes that are known only when it runs")
	}
	i, ok := c.axisOf(dims[0], c.in[0].rank())
	if !ok {
		return c.unknown("has no such axis")
	}
	if x, padded := c.in[0].axes[i].only(steps); padded && c.n.Op == "ArgMax" && !neutral("Max", x, c.in[0].pad[i], c.in[0].real) {
		c.mask(0, i, math.Inf(-1))
	}
	in := c.in[0]
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	for _, x := range in.axes[i] {
		f := in.pad[i]
		behind := x.kind == steps && !x.front
		switch {
		case x.kind == fixed:
		case x.kind != steps:
			v = c.dependsOn(v, "looks for the largest of %s", along(axis{x}))
		case behind && c.n.Op == "ArgMax" && neutral("Max", x, f, in.real):
		default:
			v = c.effect(v, f, "looks for the largest of %s, padding included", along(axis{x}))
		}
	}
	v = c.plain(v, fact{finite: true, tame: true, nonneg: true, integer: true})
	return c.made(removed(v, i), in)
}

// plain returns a value with one fact about all entries. Padding along an axis repeats the last
// entry (held) as in v.
func (c *call) plain(v *value, f fact) *value {
	u := *v
	u.real, u.pad = f, slices.Clone(v.pad)
	for j := range u.pad {
		g := f
		g.held = u.pad[j].held
		u.pad[j] = g
	}
	return &u
}

// topK is the rule of TopKV2, which sorts the last axis and returns the largest entries and their
// indices.
func topK(c *call) []*value {
	k, ok := c.ints(1)
	if !c.ranked(1) || c.in[0].rank() == 0 {
		return c.unknown("has an input of unknown rank")
	}
	last := c.in[0].rank() - 1
	if f := c.in[0].pad[last]; !f.known || f.c >= -3e38 {
		c.mask(0, last, math.Inf(-1))
	}
	in := c.in[0]
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	size := int64(-1)
	if ok && len(k) == 1 {
		size = k[0]
	} else if len(c.in) < 2 || len(c.in[1].nums) != 1 || !c.in[1].nums[0].sameInBoth() {
		return c.unknown("gives a number of entries that is known only when it runs")
	}
	s, padded := in.axes[last].only(steps)
	switch f := in.pad[last]; {
	case in.axes[last].isFixed():
	case !padded:
		v = c.dependsOn(v, "sorts %s", along(in.axes[last]))
	case !s.front && f.known && f.c < -3e38:
		c.w.atLeast(s, size) // fewer entries are an error
	default:
		v = c.effect(v, f, "sorts %s, padding included", along(in.axes[last]))
	}
	v.axes[last], v.pad[last] = fixedAxis(size, c.n.Name), fact{}
	values := *v
	values.real = in.real.moved()
	places := c.plain(v, fact{finite: true, tame: true, nonneg: true, integer: true})
	return []*value{c.made(&values, in)[0], c.made(places, in)[0]}
}

// bincount is the rule of operations that count, in each row, how often each number occurs.
func bincount(c *call) []*value {
	size, ok := c.ints(1)
	if !c.ranked(1) || !ok || len(size) != 1 || len(c.in) < 3 {
		return c.unknown("counts to a number that is known only when it runs")
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
