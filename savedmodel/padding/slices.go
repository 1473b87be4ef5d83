package padding

import (
	"fmt"
	"math"
	"slices"
)

func init() {
	rules["StridedSlice"] = stridedSlice
	rules["Slice"] = slice
	rules["GatherV2"], rules["Gather"], rules["ResourceGather"] = gather, gather, gather
}

// axisSlice is the part x[begin:end:stride] of an axis, in Python's terms.
type axisSlice struct {
	begin, end  num
	stride      int64
	start, stop bool // there is no begin, or no end
	one         bool // takes the entry at begin, and drops the axis
	fresh       bool // adds an axis of one entry
}

// axisSlices reads the slices of a StridedSlice.
func (c *call) axisSlices() ([]axisSlice, bool) {
	if len(c.in) < 4 {
		return nil, false
	}
	begin, end := c.in[1].nums, c.in[2].nums
	stride, ok := c.ints(3)
	if begin == nil || end == nil || !ok || len(begin) != len(end) || len(begin) != len(stride) {
		return nil, false
	}
	bit := func(mask string, i int) bool { return c.attrInt(mask)>>i&1 == 1 }
	given := len(begin)
	for i := range begin {
		given -= int(when(bit("new_axis_mask", i) || bit("ellipsis_mask", i), 1))
	}
	whole := axisSlice{stride: 1, start: true, stop: true}
	var list []axisSlice
	for i := range begin {
		switch {
		case bit("ellipsis_mask", i):
			for range c.in[0].rank() - given {
				list = append(list, whole)
			}
		case bit("new_axis_mask", i):
			list = append(list, axisSlice{fresh: true})
		default:
			list = append(list, axisSlice{
				begin: begin[i], end: end[i], stride: stride[i], start: bit("begin_mask", i), stop: bit("end_mask", i), one: bit("shrink_axis_mask", i),
			})
		}
	}
	have := 0
	for _, x := range list {
		have += int(when(!x.fresh, 1))
	}
	if have > c.in[0].rank() {
		return nil, false
	}
	for range c.in[0].rank() - have {
		list = append(list, whole)
	}
	return list, true
}

func stridedSlice(c *call) []*value {
	if !c.ranked(1) {
		return c.unknown("has an input of unknown rank")
	}
	list, ok := c.axisSlices()
	if !ok {
		return c.unknown("takes a part whose bounds are known only when it runs")
	}
	c.mendEnd(list)
	if c.in[0].rank() == 1 && len(list) == 1 && c.in[0].nums != nil {
		if v := c.partOfNums(list[0]); v != nil {
			return []*value{v}
		}
	}
	v := c.in[0].with(slices.Clone(c.in[0].axes), slices.Clone(c.in[0].pad))
	ids := c.rowIDsOf(list)
	i := 0
	for _, x := range list {
		if x.fresh {
			v = inserted(v, i, nil)
			i++
			continue
		}
		var why string
		if v, why = c.taken(v, i, x); why != "" {
			return c.unknown("%s", why)
		}
		if !x.one {
			i++
		}
	}
	v.rowIDs = ids
	return c.made(v, c.in[0])
}

// mendEnd plans to make the last entry of a padded axis the row's own last entry.
func (c *call) mendEnd(list []axisSlice) {
	i := 0
	for _, x := range list {
		if x.fresh {
			continue
		}
		s, padded := c.in[0].axes[i].only(steps)
		if padded && !s.front && x.one && x.begin.equal(number(-1)) && !c.in[0].pad[i].held {
			c.shifted(i)
		}
		i++
	}
}

// rowIDsOf returns, if the slice takes that part of a ragged tensor's indices which numbers the
// rows, what these are the rows of; otherwise "".
func (c *call) rowIDsOf(list []axisSlice) string {
	if c.in[0].rowIDs != "" && len(list) == 2 && list[0].start && list[0].stop && list[1].one && list[1].begin.equal(number(0)) {
		return c.in[0].rowIDs
	}
	return ""
}

// partOfNums returns a part of a list of whole numbers.
func (c *call) partOfNums(x axisSlice) *value {
	nums := c.in[0].nums
	n := int64(len(nums))
	if x.fresh || !x.start && !x.begin.isConst() || !x.one && !x.stop && !x.end.isConst() || x.stride != 1 {
		return nil
	}
	from, to := x.begin.c, x.end.c
	if from < 0 {
		from += n
	}
	if x.one {
		if from < 0 || from >= n {
			return nil
		}
		return c.counted(&value{ranked: true}, nums[from:from+1])
	}
	if to < 0 {
		to += n
	}
	if x.start {
		from = 0
	}
	if x.stop {
		to = n
	}
	from, to = min(max(from, 0), n), min(max(to, 0), n)
	part := nums[from:max(from, to)]
	return c.counted(&value{ranked: true, axes: []axis{fixedAxis(int64(len(part)), "")}, pad: make([]fact, 1)}, part)
}

// taken takes a part along axis i. why says what is not known.
func (c *call) taken(v *value, i int, x axisSlice) (out *value, why string) {
	a := v.axes[i]
	switch {
	case x.one:
		return c.entry(v, i, x.begin)
	case x.start && x.stop && x.stride == 1:
		return v, ""
	case a.isFixed():
		return c.partOfFixed(v, i, x)
	}
	s, ok := a.only(steps)
	if !ok {
		return c.dependsOn(v, "takes a part of %s", along(a)), ""
	}
	if x.start && x.stop && x.stride == -1 {
		s.front = !s.front
		v.axes[i] = axis{s}
		v.pad[i].held = false
		return v, ""
	}
	return c.partOfSteps(v, i, s, x)
}

// entry takes one entry of an axis.
func (c *call) entry(v *value, i int, at num) (*value, string) {
	a := v.axes[i]
	u := removed(v, i)
	s, ok := a.only(steps)
	switch {
	case a.isFixed() && at.sameInBoth():
		return u, ""
	case at.equal(num{step: true}):
		return c.atStep(v, i)
	case !at.isConst():
		return nil, "takes an entry whose number is known only when it runs"
	case !ok:
		return c.dependsOn(u, "takes one entry of %s", along(a)), ""
	case !s.front && at.c >= 0, s.front && at.c < 0:
		c.w.atLeast(s, max(at.c+1, -at.c)) // fewer entries are an error
		return u, ""
	case !s.front && at.c == -1 && v.pad[i].held:
		return u, ""
	case s.front:
		return c.effect(u, v.pad[i], "takes entry %d of %s, which is padding", at.c, along(a)), ""
	}
	return c.effect(u, v.pad[i], "takes entry %d from the end of %s, which is padding", -at.c, along(a)), ""
}

// partOfFixed takes a part of an axis that is the same in both runs. For example, of a table of
// positions it takes as many rows as there are steps.
func (c *call) partOfFixed(v *value, i int, x axisSlice) (*value, string) {
	size := v.axes[i].size()
	begin, end := x.begin, x.end
	if x.start {
		begin = number(0)
	}
	if x.stop {
		end = number(size)
	}
	switch {
	case x.stride == 1 && !x.stop && len(end.atoms) > 0 && begin.equal(number(0)):
		a, ok := end.axis()
		if s, padded := a.only(steps); ok && padded && !s.front {
			v.axes[i], v.pad[i] = a, v.real
			v.pad[i].held = false
			return v, ""
		}
		if !end.sameInBoth() {
			return nil, "takes a part whose end is known only when it runs"
		}
		v.axes[i] = fixedAxis(-1, c.n.Name+fmt.Sprint(i))
	case !begin.sameInBoth() || !end.sameInBoth():
		return nil, "takes a part whose bounds are known only when it runs"
	default:
		n := int64(-1)
		if size >= 0 && begin.isConst() && end.isConst() && x.stride > 0 {
			n = length(size, begin.c, end.c, x.stride)
		}
		v.axes[i] = fixedAxis(n, c.n.Name+fmt.Sprint(i))
	}
	return v, ""
}

// length returns the number of entries of x[begin:end:stride], for x of n entries.
func length(n, begin, end, stride int64) int64 {
	bound := func(at int64) int64 {
		if at < 0 {
			at += n
		}
		return min(max(at, 0), n)
	}
	return max(0, (bound(end)-bound(begin)+stride-1)/stride)
}

// partOfSteps takes a part of a padded axis.
func (c *call) partOfSteps(v *value, i int, s atom, x axisSlice) (*value, string) {
	begin, end := number(0), number(math.MaxInt32)
	if !x.start {
		begin = x.begin
	}
	if !x.stop {
		end = x.end
	}
	if n := numOf(axis{s}); end.equal(n) {
		end = number(math.MaxInt32)
	} else if d := relative(end, s); d < 0 {
		end = number(d)
	}
	if !begin.isConst() || !end.isConst() || x.stride < 1 {
		return nil, "takes a part of the steps whose bounds are known only when it runs"
	}
	b, e := begin.c, end.c
	whole := e >= math.MaxInt32
	named := func(name string) (*value, string) {
		none := s.none || s.shift < 0 || b > 0 // the row may have none of these entries
		v.axes[i] = axis{{kind: steps, name: fmt.Sprintf("%s[%s]%+d", s.name, name, s.shift), front: s.front, none: none}}
		v.pad[i].held = false
		return v, ""
	}
	switch {
	case x.stride > 1 && b >= 0 && whole && !s.front:
		out, why := named(fmt.Sprintf("%d::%d", b, x.stride))
		c.w.derive(out.axes[i][0].name, s, Step{Add: -b, Div: x.stride})
		return out, why
	case x.stride > 1:
	// The first entries are dropped, and as many of the last.
	case !s.front && b >= 0 && (whole || e < 0):
		s.shift -= b - min(e, 0)*int64(when(!whole, 1))
		v.axes[i] = axis{s}
		if !whole {
			v.pad[i] = v.pad[i].join(v.real)
			v.pad[i].held = false
		}
		return v, ""
	case !s.front && b == 0:
		return named(fmt.Sprintf(":%d", e))
	case s.front && b < 0 && whole:
		return named(fmt.Sprintf("%d:", b))
	// The last entries are dropped.
	case s.front && b == 0 && e < 0:
		s.shift += e
		v.axes[i] = axis{s}
		return v, ""
	}
	u, _ := named(fmt.Sprintf("%d:%d:%d", b, e, x.stride))
	return c.effect(u, v.pad[i], "takes a part of %s that is not counted from the row's own end of it", along(axis{s})), ""
}

// relative returns how much smaller or larger the end of a part is than the size of its axis: -1
// for all but the last entry. It returns 0 if the end is no such size.
func relative(end num, s atom) int64 {
	if end.c != 1 || len(end.atoms) != 1 || end.step {
		return 0
	}
	other := end.atoms[0]
	d := other.shift - s.shift
	s.front = false
	if other.shift = s.shift; other != s {
		return 0
	}
	return d
}

// slice is the rule of Slice: x[begin:begin+size] along all axes. A size of -1 reaches to the end.
func slice(c *call) []*value {
	if len(c.in) < 3 || !c.ranked(1) || len(c.in[1].nums) != c.in[0].rank() || len(c.in[2].nums) != c.in[0].rank() {
		return c.unknown("takes a part whose bounds are known only when it runs")
	}
	v := c.in[0].with(slices.Clone(c.in[0].axes), slices.Clone(c.in[0].pad))
	for i, size := range c.in[2].nums {
		x := axisSlice{begin: c.in[1].nums[i], stride: 1, stop: size.equal(number(-1))}
		x.start = x.begin.equal(number(0))
		switch {
		case x.stop:
		case x.start:
			x.end, x.stop = size, size.equal(numOf(v.axes[i]))
		case x.begin.isConst() && size.isConst() && x.begin.c >= 0:
			x.end = number(x.begin.c + size.c)
		default:
			return c.unknown("takes a part whose bounds are known only when it runs")
		}
		var why string
		if v, why = c.taken(v, i, x); why != "" {
			return c.unknown("%s", why)
		}
	}
	return c.made(v, c.in[0])
}

// gather is the rule of GatherV2: it takes entries by their indices, such as rows of a table or
// steps of a row.
func gather(c *call) []*value {
	if len(c.in) < 2 {
		return c.unknown("has an input of unknown rank")
	}
	table, at := c.in[0], c.in[1]
	if table.handle != nil {
		table = table.handle
	}
	dim := []int64{c.attrInt("batch_dims")}
	if len(c.in) > 2 {
		var ok bool
		if dim, ok = c.ints(2); !ok || len(dim) != 1 {
			return c.unknown("has an axis that is known only when it runs")
		}
	}
	if !table.ranked || !at.ranked || table.list != nil || at.list != nil {
		return c.unknown("has an input of unknown rank")
	}
	i, ok := c.axisOf(dim[0], table.rank())
	shared, ok2 := c.axisOf(c.attrInt("batch_dims"), at.rank()+1)
	if !ok || !ok2 || shared > i {
		return c.unknown("has no such axis")
	}
	if table.rank() == 1 && table.nums != nil {
		if v := c.pickedNums(table, at); v != nil {
			return []*value{v}
		}
	}
	for k := range shared {
		if !c.w.sameEntries(table.axes[k], at.axes[k]) {
			return c.unknown("lines up axes whose sizes may differ")
		}
	}
	v := table.with(slices.Clone(table.axes[:i]), slices.Clone(table.pad[:i]))
	entry := table.whole()
	entry.held = false
	for k, a := range at.axes[shared:] {
		f := entry
		f.held = at.pad[shared+k].held
		v.axes, v.pad = append(v.axes, a), append(v.pad, f)
	}
	v.axes, v.pad = append(v.axes, table.axes[i+1:]...), append(v.pad, table.pad[i+1:]...)
	switch s, ok := table.axes[i].only(steps); {
	case table.axes[i].isFixed():
	case ok && !s.front: // a step that the row has alone, too
	case ok:
		v = c.dependsOn(v, "takes a step by its number, which counts padding before the row's own")
	default:
		v = c.dependsOn(v, "takes entries of %s by their numbers", along(table.axes[i]))
	}
	return c.made(v, table, at)
}

// pickedNums takes some of a list of whole numbers.
func (c *call) pickedNums(table, at *value) *value {
	if at.rank() > 1 || at.nums == nil {
		return nil
	}
	nums := make([]num, len(at.nums))
	for k, n := range at.nums {
		if !n.isConst() || n.c < 0 || n.c >= int64(len(table.nums)) {
			return nil
		}
		nums[k] = table.nums[n.c]
	}
	return c.counted(&value{ranked: true, axes: slices.Clone(at.axes), pad: make([]fact, at.rank())}, nums)
}

// atStep takes the entry of an axis with the number of the loop's step.
func (c *call) atStep(v *value, i int) (*value, string) {
	step := c.w.stepping
	switch {
	case step == nil || !slices.Equal(v.axes[i], step.axis) && !(v.axes[i].isFixed() && step.axis.isFixed()):
		return nil, "takes an entry by the number of a loop's step, of an axis that the loop does not go along"
	case step.padding:
		u := removed(v, i)
		f := v.pad[i]
		u.real = f
		for j := range u.pad {
			u.pad[j] = f
		}
		u.why = nil
		return u, ""
	}
	return removed(v, i), ""
}
