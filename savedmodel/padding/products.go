package padding

import (
	"slices"
	"strings"
)

func init() {
	for _, op := range []string{"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"} {
		rules[op] = matMul
	}
	rules["Einsum"] = einsum
}

// labelled is an operand of a product, with a letter for each axis.
type labelled struct {
	v       *value
	letters string
}

// matMul is the rule of products of matrices. They are treated as products of labelled axes.
func matMul(c *call) []*value {
	if !c.ranked(2) || len(c.in) != 2 || c.in[0].rank() < 2 || c.in[1].rank() < 2 {
		return c.unknown("has an input of unknown rank")
	}
	const before = "abcdefgh" // axes of both operands
	letters := func(v *value, flip bool, last string) string {
		n := v.rank() - 2
		if n > len(before) {
			return ""
		}
		if flip {
			last = last[1:] + last[:1]
		}
		return before[len(before)-n:] + last
	}
	x := letters(c.in[0], c.attrBool("transpose_a") || c.attrBool("adj_x"), "yz")
	y := letters(c.in[1], c.attrBool("transpose_b") || c.attrBool("adj_y"), "zw")
	if x == "" || y == "" {
		return c.unknown("has too many axes")
	}
	out := before[len(before)-max(c.in[0].rank(), c.in[1].rank())+2:] + "yw"
	return c.product([]labelled{{c.in[0], x}, {c.in[1], y}}, out)
}

func einsum(c *call) []*value {
	from, out, ok := strings.Cut(c.n.AttrString("equation"), "->")
	parts := strings.Split(from, ",")
	if !ok || !c.ranked(-1) || len(parts) != len(c.in) || len(parts) > 2 {
		return c.unknown("has an equation that the proof does not know")
	}
	rank := 0 // number of axes that … stands for
	for i, p := range parts {
		if strings.Contains(p, "...") {
			rank = max(rank, c.in[i].rank()-len(p)+3)
		}
	}
	const dots = "αβγδεζηθ"
	list := []rune(dots)
	if rank > len(list) {
		return c.unknown("has too many axes")
	}
	spread := func(p string, n int) string { return strings.Replace(p, "...", string(list[len(list)-n:]), 1) }
	var in []labelled
	for i, p := range parts {
		p = strings.TrimSpace(p)
		n := 0
		if strings.Contains(p, "...") {
			n = c.in[i].rank() - len(p) + 3
		}
		if n < 0 {
			return c.unknown("has an equation that does not fit")
		}
		p = spread(p, n)
		seen := map[rune]bool{}
		for _, l := range p {
			if seen[l] {
				return c.unknown("takes a diagonal")
			}
			seen[l] = true
		}
		if len([]rune(p)) != c.in[i].rank() {
			return c.unknown("has an equation that does not fit")
		}
		in = append(in, labelled{c.in[i], p})
	}
	return c.product(in, spread(strings.TrimSpace(out), rank))
}

// product returns the product of operands, summed over the letters that the result does not have.
func (c *call) product(in []labelled, out string) []*value {
	axes := map[rune]axis{}
	for _, x := range in {
		for i, l := range []rune(x.letters) {
			a := x.v.axes[i]
			switch b, ok := axes[l]; {
			case !ok || len(b) == 0:
				axes[l] = a
			case len(a) == 0:
			case !c.w.sameEntries(a, b):
				return c.unknown("lines up axes whose sizes may differ")
			}
		}
	}
	c.mendProduct(in, out)
	finite, tame := true, true
	for _, x := range in {
		finite, tame = finite && x.v.whole().finite, tame && x.v.whole().tame
	}
	entry := fact{finite: finite, tame: tame}
	v := &value{ranked: true, real: entry}
	for _, l := range out {
		v.axes = append(v.axes, axes[l])
		v.pad = append(v.pad, productPad(in, l, entry))
	}
	for l, a := range axes {
		if strings.ContainsRune(out, l) {
			continue
		}
		for _, x := range a {
			if x.kind == fixed {
				continue
			}
			if x.kind != steps {
				v = c.dependsOn(v, "adds up %s", along(axis{x}))
				continue
			}
			if f := padOf(in, l); !f.is(0) {
				v = c.effect(v, f, "adds up %s, padding included", along(axis{x}))
			}
		}
	}
	from := make([]*value, len(in))
	for i, x := range in {
		from[i] = x.v
	}
	return c.made(v, from...)
}

// mendProduct plans to keep padding out of the letters that are summed over.
func (c *call) mendProduct(in []labelled, out string) {
	for k := range in {
		for i, l := range []rune(in[k].letters) {
			if in[k].v.axes[i].has(steps) && !strings.ContainsRune(out, l) && !padOf(in, l).is(0) && c.mask(k, i, 0) {
				in[k].v = c.in[k]
			}
		}
	}
}

// padOf returns what is known of the product of entries where the axis of letter l is padding.
func padOf(in []labelled, l rune) fact {
	facts := make([]fact, len(in))
	for i, x := range in {
		facts[i] = x.v.whole()
		if k := slices.Index([]rune(x.letters), l); k >= 0 && len(x.v.axes[k]) > 0 {
			facts[i] = x.v.pad[k]
		}
	}
	if len(facts) == 1 {
		return facts[0]
	}
	return combine("Mul", facts)
}

// productPad returns what is known of the result where the axis of letter l is padding.
func productPad(in []labelled, l rune, entry fact) fact {
	f := padOf(in, l)
	if f.is(0) {
		held := f.held
		f = constant(0)
		f.held = held
		return f
	}
	out := entry
	out.held, out.unclear = f.held, f.unclear
	return out
}
