package padding

import "slices"

// A mask is a tensor of booleans, ones or numbers that says which steps of a row count. Models make
// one of the rows themselves, by comparing them with the padding value: Keras' mask_zero is
// NotEqual(x, 0). What is known of it follows from what is known of rows, that no step of theirs
// holds the padding value ([Need]), and from the padding value itself, of which the comparison is
// known. A mask that only looks at steps before its own is made of a matrix of ones.

func init() { rules["MatrixBandPart"] = bandPart }

// compared adds to out what is true of a comparison with the padding value, for steps assumed to
// hold none.
func compared(op string, a, b fact, out *fact) {
	if !a.padless || !b.is(a.c) {
		return
	}
	switch {
	case a.padlessAxes == 0 && op == "NotEqual":
		*out = constant(1)
	case a.padlessAxes == 0:
		*out = constant(0)
	case op == "NotEqual":
		out.some = a.padlessAxes
	}
}

// bandPart is the rule of MatrixBandPart, which keeps the entries near the diagonal. Of a matrix of
// ones it makes a mask that has each place and those before it.
func bandPart(c *call) []*value {
	lower, ok1 := c.ints(1)
	upper, ok2 := c.ints(2)
	if !c.ranked(1) || c.in[0].rank() < 2 || !ok1 || !ok2 || len(lower) != 1 || len(upper) != 1 {
		return c.unknown("keeps a band whose width is known only when it runs")
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
			return c.unknown("keeps a band along rows, or behind padding")
		}
	}
	if in.real.is(1) && slices.Equal(in.axes[in.rank()-2], in.axes[in.rank()-1]) {
		v.real.some = 1
	}
	return c.made(v, in)
}
