package padding

import (
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/internal/graph"
)

func init() {
	rules["TensorListFromTensor"] = listFromTensor
	rules["TensorListReserve"], rules["EmptyTensorList"] = listReserve, listReserve
	rules["TensorListGetItem"] = listGet
	rules["TensorListSetItem"] = listSet
	rules["TensorListStack"] = listStack
	rules["TensorListLength"] = func(c *call) []*value {
		if len(c.in) == 0 || c.in[0].list == nil {
			return c.unknown("takes a list that is known only when it runs")
		}
		return []*value{c.counted(&value{ranked: true}, []num{numOf(c.in[0].list.length)})}
	}
	rules["If"], rules["StatelessIf"] = branch, branch
}

func listFromTensor(c *call) []*value {
	if !c.ranked(1) || c.in[0].rank() == 0 {
		return c.unknown("has an input of unknown rank")
	}
	in := c.in[0]
	elem := removed(in, 0)
	elem.why = nil
	return []*value{{list: &list{length: in.axes[0], elem: elem, pad: in.pad[0]}, why: in.why}}
}

// listReserve is the rule of TensorListReserve: a list to which nothing is written yet.
func listReserve(c *call) []*value {
	if len(c.in) < 2 || len(c.in[1].nums) != 1 {
		return c.unknown("makes a list whose length is known only when it runs")
	}
	a, ok := c.in[1].nums[0].axis()
	if !ok {
		return c.unknown("makes a list whose length is known only when it runs")
	}
	return []*value{{list: &list{length: a}}}
}

func listGet(c *call) []*value {
	if len(c.in) < 2 || c.in[0].list == nil || len(c.in[1].nums) != 1 {
		return c.unknown("reads from a list an entry whose number is known only when it runs")
	}
	l := c.in[0].list
	if l.elem == nil || !l.elem.ranked {
		return c.unknown("reads an entry of a list that was not written")
	}
	whole := inserted(l.elem, 0, l.length)
	whole.real = l.elem.real
	whole.pad[0] = l.pad
	whole.why = c.in[0].why
	v, why := c.entry(whole, 0, c.in[1].nums[0])
	if why != "" {
		return c.unknown("%s", why)
	}
	v.real = v.real.moved()
	return []*value{v}
}

// listSet is the rule of TensorListSetItem. It follows writing the entry with the number of the
// loop's step, and writing the only entry of a list that keeps the last result.
func listSet(c *call) []*value {
	if len(c.in) < 3 || c.in[0].list == nil || len(c.in[1].nums) != 1 || !c.in[2].ranked || c.in[2].list != nil {
		return c.unknown("writes to a list that is known only when it runs")
	}
	l, at, v := *c.in[0].list, c.in[1].nums[0], c.in[2]
	if step := c.w.stepping; step != nil && step.padding {
		if state, ok := step.holds(c); ok {
			v = state
		}
	}
	why := c.in[0].why
	if why == nil {
		why = v.why
	}
	step := c.w.stepping
	switch {
	case at.equal(num{step: true}) && step != nil && (sameSize(l.length, step.axis) || l.length.isFixed() && step.axis.isFixed()):
		if !step.axis.isFixed() {
			l.length = step.axis
		}
		if step.padding {
			l.pad = v.real
			l.pad.held = false
			if v.state > 0 {
				l.pad.held = step.writes(c.n, v.state)
			}
			return []*value{{list: &l, why: c.in[0].why, state: c.in[0].state}}
		}
		l.elem = v
	case at.equal(number(0)) && len(l.length) == 0:
		l.elem = v
		out := &value{list: &l, why: v.why}
		if step != nil && step.padding && v.state > 0 && step.writes(c.n, v.state) {
			out.state = c.in[0].state
		}
		return []*value{out}
	default:
		return c.unknown("writes to a list an entry whose number is known only when it runs")
	}
	return []*value{{list: &l, why: why}}
}

func listStack(c *call) []*value {
	if len(c.in) == 0 || c.in[0].list == nil {
		return c.unknown("takes a list that is known only when it runs")
	}
	l := c.in[0].list
	if l.elem == nil || !l.elem.ranked {
		return c.unknown("puts together a list that was not written")
	}
	v := inserted(l.elem, 0, l.length)
	v.pad[0] = l.pad
	v.why = l.elem.why
	if v.why == nil {
		v.why = c.in[0].why
	}
	return []*value{v}
}

// stepping is the loop whose body is being followed.
type stepping struct {
	axis    axis // the loop makes a step for each entry of this axis
	padding bool // the step is one of padding, otherwise one of the row's own
	body    *graph.Function
	carried []graph.Ref // by state: the result of the body that is its next value
	held    []bool      // states that are held, see [Hold]
	args    []*value    // arguments of the body
	relied  []int       // states that must stay as they are, or facts about lists would be false
}

// writes reports whether a node writes a state's next value to a list. In a step of padding, which
// leaves the state as it is, it then writes once more what the row's last own step wrote.
func (s *stepping) writes(n *graph.Node, state int) bool {
	if len(n.Inputs) < 3 || origin(n.Inputs[2]) != origin(s.carried[state-1]) {
		return false
	}
	s.relied = append(s.relied, state-1)
	return true
}

// origin follows a tensor back through identities.
func origin(r graph.Ref) graph.Ref {
	for range 100 {
		if r.Node == nil || r.Node.Op != "Identity" || len(r.Node.Inputs) == 0 {
			break
		}
		r = r.Node.Inputs[0]
	}
	return r
}

// loop is the rule of While. The row's own steps come first and steps of padding last, or the other
// way round. A state is what it is for the row alone if steps of padding leave it as it is.
func (c *call) loop() []*value {
	body, cond := c.w.load(c.n.Def.GetAttr()["body"].GetFunc().GetName()), c.w.load(c.n.Def.GetAttr()["cond"].GetFunc().GetName())
	if body == nil || cond == nil || len(body.Rets) != len(c.in) || len(body.Args) != len(c.in) || len(cond.Rets) != 1 {
		return c.unknown("repeats a function that the graph does not hold")
	}
	l := &looped{call: c, body: body}
	bound, ok := l.bound(cond)
	if !ok {
		return c.unknown("repeats a number of times that is known only when it runs")
	}
	over, ok := l.oriented(bound)
	if !ok {
		return c.unknown("repeats a number of times that is known only when it runs")
	}
	outer := c.w.stepping
	defer func() { c.w.stepping = outer }()
	return l.follow(over)
}

// looped is a loop that is being followed.
type looped struct {
	*call
	body    *graph.Function
	counter []bool
}

// passesOn reports whether the body returns argument i unchanged.
func (l *looped) passesOn(i int) bool {
	at, ok := origin(l.body.Rets[i]).IsArg()
	return ok && at == i
}

// counts reports whether argument i begins with 0 and grows by 1 in each step.
func (l *looped) counts(i int) bool {
	n := origin(l.body.Rets[i]).Node
	if n == nil || n.Op != "AddV2" && n.Op != "Add" || len(n.Inputs) != 2 || len(l.in[i].nums) != 1 || !l.in[i].nums[0].equal(number(0)) {
		return false
	}
	for k, in := range n.Inputs {
		at, ok := origin(in).IsArg()
		one := origin(n.Inputs[1-k]).Node
		if ok && at == i && one != nil && one.Op == "Const" {
			if list := graph.Ints(one); len(list) == 1 && list[0] == 1 {
				return true
			}
		}
	}
	return false
}

// bound returns how many steps the loop makes, from its condition, which must compare counters with
// sizes.
func (l *looped) bound(cond *graph.Function) (bound num, ok bool) {
	args := make([]*value, len(l.in))
	for i, v := range l.in {
		if args[i] = v; !l.passesOn(i) {
			args[i] = notKnown(l.n, "changes in each step")
		}
	}
	inner := l.w.frame(cond, nowhere, args)
	found := false
	todo := []graph.Ref{cond.Rets[0]}
	for range 100 {
		if len(todo) == 0 {
			return bound, found
		}
		n := origin(todo[0]).Node
		todo = todo[1:]
		switch {
		case n == nil:
			return bound, false
		case n.Op == "LogicalAnd":
			todo = append(todo, n.Inputs...)
			continue
		case n.Op != "Less" || len(n.Inputs) != 2:
			return bound, false
		}
		at, isArg := origin(n.Inputs[0]).IsArg()
		if !isArg || at >= len(l.in) || !l.counts(at) {
			return bound, false
		}
		limit := l.w.value(inner, n.Inputs[1]).nums
		if len(limit) != 1 || found && !limit[0].equal(bound) {
			return bound, false
		}
		bound, found = limit[0], true
	}
	return bound, false // the condition depends on itself
}

// oriented returns the axis that the loop goes along. The lists that the loop reads tell whether
// padding comes first or last.
func (l *looped) oriented(bound num) (axis, bool) {
	over, ok := bound.axis()
	s, padded := over.only(steps)
	if !padded {
		return over, ok
	}
	read, front := 0, 0
	for i, v := range l.in {
		if l.passesOn(i) && v.list != nil && sameSize(v.list.length, over) {
			read++
			front += when(v.list.length[0].front, 1)
		}
	}
	s.front = front > 0
	return axis{s}, front == 0 || front == read
}

// sameSize reports whether two axes have as many entries, on whichever side their padding is.
func sameSize(a, b axis) bool { return numOf(a).equal(numOf(b)) }

// follow follows the body. First comes a step of padding, which shows which states it leaves as
// they are, then the row's own steps, until they change nothing that is known of the states.
func (l *looped) follow(over axis) []*value {
	l.counter = make([]bool, len(l.in))
	state := slices.Clone(l.in)
	for i := range l.in {
		l.counter[i] = l.counts(i)
	}
	s, padded := over.only(steps)
	if !padded && !over.isFixed() && !slices.Equal(over, axis{rowsAtom}) {
		return l.unknown("repeats itself for %s", along(over))
	}
	front := padded && s.front
	mixes := !padded && !over.isFixed() // steps are rows of the batch
	for round := range 4 {
		kept := l.kept(over, state, padded)
		if mixes || front {
			for i := range state {
				if !l.passesOn(i) && !l.counter[i] && state[i].list == nil && !kept[i] {
					state[i] = l.changed(state[i], over)
				}
			}
		}
		next, stable := l.step(over, state, mixes || front)
		state = next
		if !stable && round < 3 {
			continue
		}
		if !stable {
			return l.unknown("changes what is known of its state in each step")
		}
		return l.results(over, state, kept, padded && !front, mixes)
	}
	return nil
}

// changed marks a state that steps other than the row's own change.
func (l *looped) changed(v *value, over axis) *value {
	if over.has(steps) {
		return l.dependsOn(v, "goes on through %s: no mask holds its state", along(over))
	}
	return l.dependsOn(v, "carries a state through %s", along(over))
}

// kept returns which states a step of padding leaves as they are, by itself or because they are
// held. What such a step writes to lists is noted in state.
func (l *looped) kept(over axis, state []*value, padded bool) []bool {
	if !padded {
		return make([]bool, len(state))
	}
	kept := l.paddingStep(over, state, nil)
	if held := l.holdable(over, state, kept); held != nil {
		kept = l.paddingStep(over, state, held)
	}
	return kept
}

// paddingStep follows one step of padding, with the given states held.
func (l *looped) paddingStep(over axis, state []*value, held []bool) []bool {
	kept := make([]bool, len(state))
	step := &stepping{axis: over, padding: true, body: l.body, carried: l.body.Rets, held: held}
	l.w.stepping = step
	args := slices.Clone(state)
	for i, v := range state {
		if l.passesOn(i) {
			continue
		}
		u := *v
		u.state, u.why = i+1, nil
		if l.counter[i] {
			u.nums, u.state = []num{{step: true}}, 0
		}
		args[i] = &u
	}
	step.args = args
	inner := l.w.frame(l.body, l.fr.inner(l.n), args)
	for i, r := range l.body.Rets {
		if l.passesOn(i) {
			continue
		}
		v := l.w.value(inner, r)
		kept[i] = v.state == i+1 || held != nil && held[i]
		if v.list != nil && state[i].list != nil {
			u, written := *state[i], *state[i].list
			written.pad, written.length = v.list.pad, v.list.length
			u.list = &written
			state[i] = &u
		}
	}
	changes := slices.ContainsFunc(step.relied, func(i int) bool { return !kept[i] })
	for i, v := range state {
		if v.list != nil && !l.passesOn(i) && (changes || over[0].front) {
			v.list.pad.held = false
			kept[i] = kept[i] && !changes
		}
	}
	return kept
}

// step follows one of the row's own steps, and joins its results with what was known of the states.
func (l *looped) step(over axis, state []*value, behind bool) (next []*value, stable bool) {
	l.w.stepping = &stepping{axis: over, body: l.body, carried: l.body.Rets}
	args := slices.Clone(state)
	for i := range state {
		if l.counter[i] {
			u := *state[i]
			u.nums = []num{{step: true}}
			u.real = fact{finite: true, tame: true, nonneg: true}
			if behind {
				u = *l.dependsOn(&u, "counts the steps of %s", along(over))
			}
			args[i] = &u
		}
	}
	inner := l.w.frame(l.body, l.fr.inner(l.n), args)
	next, stable = slices.Clone(state), true
	for i, r := range l.body.Rets {
		if l.passesOn(i) || l.counter[i] {
			continue
		}
		v := l.w.value(inner, r)
		joined, same := meet(state[i], v)
		if joined == nil {
			joined, same = notKnown(l.n, "changes the shape of its state"), state[i].why != nil && !state[i].ranked && state[i].list == nil
		}
		next[i] = joined
		stable = stable && same
	}
	return next, stable
}

// meet returns what is known of a state that has value a before a step and b after it. same reports
// that this is no less than what was known of a. nil: the two have no shape in common.
func meet(a, b *value) (joined *value, same bool) {
	if a.list != nil && b.list != nil {
		l := *a.list
		u := *a
		u.list, u.state = &l, 0
		u.why = first(a.why, b.why)
		l.pad = a.list.pad
		if b.list.elem == nil || !sameSize(a.list.length, b.list.length) && !(a.list.length.isFixed() && b.list.length.isFixed()) {
			return &u, a.list.elem == nil && a.why == u.why
		}
		l.length = b.list.length
		if a.list.elem == nil {
			l.elem = b.list.elem
			return &u, false
		}
		elem, same := meet(a.list.elem, b.list.elem)
		if elem == nil {
			return nil, false
		}
		l.elem = elem
		return &u, same && a.why == u.why
	}
	if !a.ranked || !b.ranked || a.rank() != b.rank() {
		return nil, false
	}
	u := a.with(slices.Clone(a.axes), slices.Clone(a.pad))
	u.real = a.real.join(b.real)
	u.why = first(a.why, b.why)
	for i := range a.axes {
		switch {
		case slices.Equal(a.axes[i], b.axes[i]):
		case a.axes[i].isFixed() && b.axes[i].isFixed():
			u.axes[i] = fixedAxis(-1, along(a.axes[i])+"|"+along(b.axes[i]))
			if slices.Equal(a.axes[i], u.axes[i]) {
				u.axes[i] = a.axes[i]
			}
		default:
			return nil, false
		}
		u.pad[i] = a.pad[i].join(b.pad[i])
	}
	same = u.real == a.real && slices.Equal(u.pad, a.pad) && (u.why == nil) == (a.why == nil) && slices.EqualFunc(u.axes, a.axes, slices.Equal[axis])
	return u, same
}

// first returns the first of two causes, but prefers a dependence to something unknown.
func first(a, b *cause) *cause {
	if a == nil || b != nil && a.answer == Unknown && b.answer == Depends {
		return b
	}
	return a
}

// results returns the loop's results. Where steps of padding change a state after the row's own
// steps, the result depends on padding.
func (l *looped) results(over axis, state []*value, kept []bool, behind, mixes bool) []*value {
	outs := make([]*value, len(state))
	for i, v := range state {
		u := *v
		u.state = 0
		outs[i] = &u
		switch {
		case l.passesOn(i):
		case l.counter[i]:
			n := numOf(over)
			outs[i] = l.counted(&value{ranked: true}, []num{n})
		case v.list != nil && slices.Equal(v.list.length, over), over.isFixed():
			// Each step has written an entry of its own.
		case mixes, behind && !kept[i]:
			outs[i] = l.changed(&u, over)
		}
	}
	return outs
}

// branch is the rule of conditions: it follows all branches.
func branch(c *call) []*value {
	yes, no := c.w.load(c.n.Def.GetAttr()["then_branch"].GetFunc().GetName()), c.w.load(c.n.Def.GetAttr()["else_branch"].GetFunc().GetName())
	if yes == nil || no == nil || len(c.in) == 0 || len(yes.Rets) != len(no.Rets) {
		return c.unknown("goes into a function that the graph does not hold")
	}
	cond := c.in[0]
	a, b := c.w.frame(yes, nowhere, c.in[1:]), c.w.frame(no, nowhere, c.in[1:])
	outs := make([]*value, len(yes.Rets))
	for i := range outs {
		x, y := c.w.value(a, yes.Rets[i]), c.w.value(b, no.Rets[i])
		switch {
		case cond.real.is(1) && cond.why == nil:
			outs[i] = x
		case cond.real.is(0) && cond.why == nil:
			outs[i] = y
		default:
			joined, _ := meet(x, y)
			if joined == nil {
				joined = notKnown(c.n, fmt.Sprintf("gives other shapes in its branches for result %d", i))
			}
			outs[i] = c.made(joined, cond)[0]
		}
	}
	return outs
}
