package padding

import (
	"math"
	"slices"

	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// samePassOps return their first input unchanged.
var samePassOps = []string{
	"Identity", "StopGradient", "PreventGradient", "Snapshot", "CheckNumerics", "EnsureShape", "DeepCopy", "DebugGradientIdentity", "PlaceholderWithDefault",
}

func init() {
	for op := range scalarRules {
		rules[op] = elementwise
	}
	for _, op := range samePassOps {
		rules[op] = func(c *call) []*value { return c.in[:min(1, len(c.in))] }
	}
	rules["IdentityN"] = func(c *call) []*value { return c.in }
	rules["Cast"] = cast
	rules["SelectV2"], rules["Select"] = choose, choose
	rules["BiasAdd"] = biasAdd
	rules["ZerosLike"] = func(c *call) []*value { return c.filled(0) }
	rules["OnesLike"] = func(c *call) []*value { return c.filled(1) }
	rules["NoOp"] = func(*call) []*value { return nil }
	for _, op := range []string{"Assert", "Print", "PrintV2"} {
		rules[op] = func(c *call) []*value { return c.in[:min(1, len(c.in))] }
	}
}

// filled returns a value with the first input's axes and x everywhere.
func (c *call) filled(x float64) []*value {
	if !c.ranked(1) {
		return c.unknown("has an input of unknown rank")
	}
	return []*value{full(c.in[0].axes, constant(x))}
}

// inRange drops constants that do not fit the dtype: computing with them gives others.
func (c *call) inRange(v *value) {
	lo, hi := limitsOf(c.n.Def.GetAttr()["T"].GetType())
	check := func(f *fact) {
		if f.known && !f.isText && (f.c < lo || f.c > hi) {
			*f = fact{unclear: true}
		}
	}
	check(&v.real)
	for j := range v.pad {
		check(&v.pad[j])
	}
}

// unchanged returns which of the loop's states a sum or a product leaves as it is, by adding 0 or
// multiplying by 1; 0 if none.
func (c *call) unchanged(axes []axis) int {
	neutral, ok := map[string]float64{"AddV2": 0, "Add": 0, "Sub": 0, "Mul": 1}[c.n.Op]
	for i, in := range c.in {
		if ok && in.state > 0 && len(c.in) == 2 && c.in[1-i].whole().is(neutral) && (i == 0 || c.n.Op != "Sub") && slices.EqualFunc(in.axes, axes, slices.Equal[axis]) {
			return in.state
		}
	}
	return 0
}

// diagonal notes, for a comparison of the numbers of steps along two equal axes, that it is true
// where both are the same. A causal mask is made so: for each place along one axis there is a place
// along the other that is not masked.
func (c *call) diagonal(v *value) {
	if len(c.in) != 2 || c.in[0].real.indexAxis == 0 || c.in[1].real.indexAxis == 0 {
		return
	}
	ahead := c.in[0].real.offset - c.in[1].real.offset
	switch c.n.Op {
	case "GreaterEqual":
	case "LessEqual":
		ahead = -ahead
	case "Greater":
		ahead--
	case "Less":
		ahead = -ahead - 1
	default:
		return
	}
	p, q := c.in[0].real.indexAxis-1+v.rank()-c.in[0].rank(), c.in[1].real.indexAxis-1+v.rank()-c.in[1].rank()
	if ahead >= 0 && p != q && max(p, q) == v.rank()-1 && slices.Equal(v.axes[p], v.axes[q]) {
		v.real.some = 1
	}
}

// mayCancel reports whether two inputs depend on padding or other rows for different reasons: the
// effects might cancel.
func (c *call) mayCancel() bool {
	var first *cause
	for _, in := range c.in {
		switch {
		case in.why == nil || in.why.answer != Depends:
		case first != nil && first != in.why:
			return true
		default:
			first = in.why
		}
	}
	return false
}

// sameEntries reports whether two axes have the same entries. Padded axes of two inputs have them
// if each row has as many entries along both, which then becomes a need.
func (w *walker) sameEntries(a, b axis) bool {
	if slices.Equal(a, b) || a.isFixed() && b.isFixed() {
		return true // otherwise TensorFlow refuses the operation
	}
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		first, ok1 := w.inputAxis(x.name)
		second, ok2 := w.inputAxis(y.name)
		if x.kind != steps || y.kind != steps || x.shift != y.shift || x.front != y.front || !ok1 || !ok2 {
			return false
		}
		need := Need{Input: first.Input, Axis: first.Axis, Other: second.Input, OtherAxis: second.Axis}
		if !slices.Contains(w.needs, need) {
			w.needs = append(w.needs, need)
		}
	}
	return true
}

// at returns what is true of an input's entries where axis j of the result, which has rank axes, is
// padding.
func at(v *value, j, rank int) fact {
	if k := j - (rank - v.rank()); k >= 0 && len(v.axes[k]) > 0 {
		return v.pad[k]
	}
	return v.whole()
}

func elementwise(c *call) []*value {
	arity := arities[c.n.Op]
	if arity == 0 {
		arity = 2
	}
	if list := c.n.Op == "AddN" || c.n.Op == "StringJoin"; list && len(c.in) == 0 || !list && len(c.in) != arity {
		return c.unknown("has too many inputs, or too few")
	}
	if !c.ranked(-1) {
		return c.unknown("has an input of unknown rank")
	}
	axes, ok := c.stretched(c.in)
	if !ok {
		return c.unknown("lines up axes whose sizes may differ")
	}
	square := len(c.n.Inputs) == 2 && c.n.Inputs[0] == c.n.Inputs[1]
	v := mapped(axes, c.in, func(facts []fact) fact {
		f := combine(c.n.Op, facts)
		f.nonneg = f.nonneg || square && c.n.Op == "Mul"
		return f
	})
	c.inRange(v)
	c.diagonal(v)
	if nums := c.arithmetic(v.rank()); nums != nil {
		return []*value{c.counted(v, nums)}
	}
	if v.real.known { // by the values of some inputs alone
		return []*value{v}
	}
	v.state = c.unchanged(axes)
	out := c.made(v, c.in...)
	if c.mayCancel() {
		v.why = &cause{text: "puts together two values that depend on padding or other rows, which may make up for each other", node: c.n}
	}
	return out
}

// cast is the rule of Cast.
func cast(c *call) []*value {
	if !c.ranked(1) {
		return c.unknown("has an input of unknown rank")
	}
	u := *c.in[0]
	u.pad, u.state = slices.Clone(u.pad), 0
	dst := c.n.Def.GetAttr()["DstT"].GetType()
	lo, hi := limitsOf(dst)
	trunc := func(f fact) fact {
		if f.known && dst == typespb.DataType_DT_BOOL {
			return constant(float64(when(f.c != 0, 1)))
		}
		if f.known && (f.c != math.Trunc(f.c) || f.c < lo || f.c > hi) {
			return fact{finite: f.finite, held: f.held, unclear: true}
		}
		f.positive = f.positive && (f.known || f.integer) // 0.5 becomes 0
		f.padless = f.padless && f.integer
		return f
	}
	if !floating(dst) {
		u.real = trunc(u.real)
		for i, f := range u.pad {
			u.pad[i] = trunc(f)
		}
	}
	return []*value{&u}
}

// choose is the rule of operations that take each value from one of two inputs.
func choose(c *call) []*value {
	if !c.ranked(3) {
		return c.unknown("has an input of unknown rank")
	}
	cond, yes, no := c.in[0], c.in[1], c.in[2]
	// A Select whose condition is a vector chooses for each entry of the first axis.
	if c.n.Op == "Select" && cond.rank() == 1 && yes.rank() > 1 {
		u := cond.with(slices.Clone(cond.axes), slices.Clone(cond.pad))
		for range yes.rank() - 1 {
			u.axes, u.pad = append(u.axes, nil), append(u.pad, fact{})
		}
		cond = u
	}
	in := []*value{cond, yes, no}
	axes, ok := c.stretched(in)
	if !ok {
		return c.unknown("lines up axes whose sizes may differ")
	}
	v := mapped(axes, in, func(f []fact) fact {
		switch {
		case f[0].is(1):
			return unheld(f[1], f)
		case f[0].is(0):
			return unheld(f[2], f)
		}
		out := unheld(f[1].join(f[2]), f)
		out.peak = when(f[1].tame, f[0].some)
		return out
	})
	from := in
	all := cond.whole()
	switch {
	case cond.real.is(1):
		from = in[1:2]
	case cond.real.is(0):
		from = in[2:]
	}
	for i, branch := range []*value{yes, no} {
		// Only then is it the branch itself, and not just equal for the row.
		if all.is(float64(1-i)) && slices.EqualFunc(branch.axes, axes, slices.Equal[axis]) {
			v.state = branch.state
		}
	}
	return c.made(v, from...)
}

// unheld returns f, which describes the chosen values. Padding that repeats the last entry of the
// row (held) does so after a choice only if the condition and both branches do.
func unheld(f fact, of []fact) fact {
	f.held = of[0].held && of[1].held && of[2].held
	return f
}

func biasAdd(c *call) []*value {
	if !c.ranked(2) || c.in[1].rank() != 1 || c.in[0].rank() < 2 {
		return c.unknown("has an input of unknown rank")
	}
	bias := c.in[1]
	if c.n.AttrString("data_format") == "NCHW" {
		u := bias.with(slices.Clone(bias.axes), slices.Clone(bias.pad))
		for range c.in[0].rank() - 2 {
			u.axes, u.pad = append(u.axes, nil), append(u.pad, fact{})
		}
		bias = u
	}
	in := []*value{c.in[0], bias}
	axes, ok := c.stretched(in)
	if !ok || len(axes) != c.in[0].rank() {
		return c.unknown("lines up axes whose sizes may differ")
	}
	return c.made(mapped(axes, in, func(f []fact) fact { return combine("AddV2", f) }), in...)
}
