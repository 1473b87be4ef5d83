package padding

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

func init() {
	rules["Conv2D"], rules["DepthwiseConv2dNative"], rules["Conv3D"] = convolution, convolution, convolution
	for _, op := range []string{"MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"} {
		rules[op] = pooling
	}
	for _, op := range []string{"FusedBatchNormV3", "FusedBatchNormV2", "FusedBatchNorm"} {
		rules[op] = batchNorm
	}
}

// window is the part of an axis that an operation looks at: size entries, dilation apart, at every
// stride-th place.
type window struct {
	size, stride, dilation int64
	same                   bool // padded with zeros, so that stride 1 keeps the number of entries
}

func (w window) reach() int64 { return (w.size-1)*w.dilation + 1 }

// spatial returns the axes of height, width and so on, and the axis of the channels.
func spatial(format string, rank int) (list []int, channels int) {
	channels = rank - 1
	first := 1
	if strings.HasPrefix(format, "NC") {
		channels, first = 1, 2
	}
	for i := range rank - 2 {
		list = append(list, first+i)
	}
	return list, channels
}

// windowsOf reads the windows along each axis. kernel has their sizes if no attribute has.
func (c *call) windowsOf(rank int, kernel []int64) ([]window, bool) {
	strides, dilations := c.n.AttrInts("strides"), c.n.AttrInts("dilations")
	padding := c.n.AttrString("padding")
	if len(strides) != rank || len(kernel) != rank || padding != "SAME" && padding != "VALID" {
		return nil, false
	}
	list := make([]window, rank)
	for i := range list {
		list[i] = window{size: kernel[i], stride: strides[i], dilation: 1, same: padding == "SAME"}
		if len(dilations) == rank {
			list[i].dilation = dilations[i]
		}
		if list[i].size < 1 || list[i].stride < 1 || list[i].dilation < 1 {
			return nil, false
		}
	}
	return list, true
}

func convolution(c *call) []*value {
	if !c.ranked(2) || c.in[0].rank() < 3 || c.in[1].rank() != c.in[0].rank() {
		return c.unknown("has an input of unknown rank")
	}
	in, filter := c.in[0], c.in[1]
	places, channels := spatial(c.n.AttrString("data_format"), in.rank())
	kernel := slices.Repeat([]int64{1}, in.rank())
	for k, i := range places {
		kernel[i] = filter.axes[k].size()
	}
	windows, ok := c.windowsOf(in.rank(), kernel)
	if !ok || !in.axes[channels].isFixed() {
		return c.unknown("has windows whose sizes are not known")
	}
	c.mendWindows(windows, places, 0, func(_ atom, i int) bool { return c.in[0].pad[i].is(0) })
	in = c.in[0]
	entry := fact{finite: in.whole().finite && filter.whole().finite, tame: in.whole().tame && filter.whole().tame}
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	v.real = entry
	outs := filter.axes[filter.rank()-1].size()
	if c.n.Op == "DepthwiseConv2dNative" {
		outs = -1
	}
	v.axes[channels] = fixedAxis(outs, c.n.Name)
	for j := range v.pad {
		v.pad[j] = entry
		v.pad[j].unclear = in.pad[j].unclear
		if in.pad[j].is(0) && windows[j].reach() == 1 {
			v.pad[j] = constant(0)
		}
	}
	for _, i := range places {
		v = c.convolved(v, in, i, windows[i])
	}
	if in.axes[0].has(steps) {
		return c.unknown("has steps in the place of the batch")
	}
	return c.made(v, in, filter)
}

// convolved returns v with axis i of a convolution's result.
func (c *call) convolved(v, in *value, i int, w window) *value {
	a := in.axes[i]
	s, padded := a.only(steps)
	switch {
	case a.isFixed():
		v.axes[i] = c.fixedWindows(i, a, w)
	case !padded:
		return c.dependsOn(v, "looks at several of %s at a time", along(a))
	case w.reach() == 1 && w.stride == 1:
	case !w.same && w.stride == 1:
		s.shift -= w.reach() - 1
		v.axes[i] = axis{s}
	case !w.same && !s.front:
		v.axes[i] = axis{c.strided(s, w, true)}
	case w.same && w.stride == 1, w.aligned() && !s.front:
		if w.stride > 1 {
			v.axes[i] = axis{c.strided(s, w, false)}
		}
		if f := in.pad[i]; !f.is(0) { // in place of zeros, which the row has alone
			return c.effect(v, f, "looks at padding beside the last of %s", along(a))
		}
	default:
		v.axes[i] = axis{c.strided(s, w, false)}
		return c.dependsOn(v, "divides %s, padding included, into windows", along(a))
	}
	return v
}

// aligned reports whether the first window begins at the same place for any number of entries. Of
// the zeros that are needed, half are put before, rounded down.
func (w window) aligned() bool {
	return w.same && (w.reach()-1)/2 == max(w.reach()-w.stride, 0)/2
}

// strided returns the axis of every stride-th window.
func (c *call) strided(s atom, w window, none bool) atom {
	a := atom{kind: steps, name: fmt.Sprintf("%s%+d/%d,%d,%d,%t", s.name, s.shift, w.size, w.stride, w.dilation, w.same), front: s.front, none: none || s.none || s.shift < 0}
	step := Step{Div: w.stride}
	if !w.same {
		step.Add = 1 - w.reach()
	}
	c.w.derive(a.name, s, step)
	return a
}

// mendWindows plans to keep padding out of the windows at a row's end, by putting fill there, as it
// is for the row alone.
func (c *call) mendWindows(list []window, places []int, fill float64, neutral func(s atom, i int) bool) {
	for _, i := range places {
		w := list[i]
		s, padded := c.in[0].axes[i].only(steps)
		if padded && w.aligned() && w.reach() > 1 && !neutral(s, i) {
			c.mask(0, i, fill)
		}
	}
}

// fixedWindows returns the axis of the windows along a fixed axis.
func (c *call) fixedWindows(i int, a axis, w window) axis {
	n := a.size()
	switch {
	case w.reach() == 1 && w.stride == 1:
		return a
	case n < 0:
		return fixedAxis(-1, c.n.Name+fmt.Sprint(i))
	case w.same:
		return fixedAxis((n+w.stride-1)/w.stride, "")
	}
	return fixedAxis(max(0, (n-w.reach())/w.stride+1), "")
}

func pooling(c *call) []*value {
	if !c.ranked(1) || c.in[0].rank() < 3 {
		return c.unknown("has an input of unknown rank")
	}
	in := c.in[0]
	windows, ok := c.windowsOf(in.rank(), c.n.AttrInts("ksize"))
	if !ok {
		return c.unknown("has windows whose sizes are not known")
	}
	if c.n.Op == "MaxPool" || c.n.Op == "MaxPool3D" {
		places, _ := spatial(c.n.AttrString("data_format"), in.rank())
		c.mendWindows(windows, places, math.Inf(-1), func(s atom, i int) bool {
			return neutral("Max", s, c.in[0].pad[i], c.in[0].real) && !c.in[0].pad[i].held
		})
		in = c.in[0]
	}
	v := in.with(slices.Clone(in.axes), slices.Clone(in.pad))
	v.real = reduced("Max", in.real).moved()
	if strings.HasPrefix(c.n.Op, "Avg") {
		v.real = reduced("Mean", in.real).moved()
	}
	whole := in.whole()
	for j := range v.pad {
		v.pad[j] = fact{finite: whole.finite, tame: whole.tame, nonneg: whole.nonneg, unclear: in.pad[j].unclear}
		if windows[j].reach() == 1 {
			v.pad[j] = reduced("Max", in.pad[j])
		}
	}
	for i, w := range windows {
		if w.reach() > 1 || w.stride > 1 {
			v = c.pooled(v, in, i, w)
		}
	}
	return c.made(v, in)
}

// pooled returns v with axis i of a pooling's result.
func (c *call) pooled(v, in *value, i int, w window) *value {
	a, f := in.axes[i], in.pad[i]
	s, padded := a.only(steps)
	largest := strings.HasPrefix(c.n.Op, "Max")
	switch {
	case a.isFixed():
		v.axes[i] = c.fixedWindows(i, a, w)
	case !padded:
		return c.dependsOn(v, "looks at several of %s at a time", along(a))
	case !w.same && w.stride == 1:
		s.shift -= w.reach() - 1
		v.axes[i] = axis{s}
	case !w.same && !s.front:
		v.axes[i] = axis{c.strided(s, w, true)}
	case largest && w.aligned() && !s.front:
		v.axes[i] = axis{c.strided(s, w, false)}
		if !neutral("Max", s, f, in.real) || f.held {
			return c.effect(v, f, "takes the maximum over padding beside the last of %s", along(a))
		}
		if (w.reach()-1)/2 == 0 { // windows after the row's last one hold padding alone
			v.pad[i] = reduced("Max", f)
		}
	default:
		v.axes[i] = axis{c.strided(s, w, false)}
		return c.dependsOn(v, "divides %s, padding included, into windows", along(a))
	}
	return v
}

// batchNorm is the rule of batch normalization: each channel is moved by a mean and divided by a
// deviation, the model's own or that of the input.
func batchNorm(c *call) []*value {
	if !c.ranked(5) || c.in[0].rank() < 2 {
		return c.unknown("has an input of unknown rank")
	}
	in := c.in[0]
	places, channels := spatial(c.n.AttrString("data_format"), in.rank())
	entry := fact{finite: in.whole().finite, tame: in.whole().tame}
	v := c.plain(in.with(slices.Clone(in.axes), slices.Clone(in.pad)), entry)
	for j := range v.pad {
		v.pad[j].unclear = in.pad[j].unclear
		v.pad[j].held = false
	}
	for _, x := range c.in[1:3] {
		alike := x.rank() == 1 && (numOf(x.axes[0]).equal(numOf(in.axes[channels])) || x.axes[0].isFixed() && in.axes[channels].isFixed())
		if !alike || !x.axes[0].isFixed() && !x.real.known {
			return c.unknown("normalizes channels whose number is not known")
		}
	}
	from := c.in
	if c.n.Def.GetAttr()["is_training"] == nil || c.attrBool("is_training") {
		from = c.in[:3] // the input, not the model's own
		for _, i := range append([]int{0}, places...) {
			a := in.axes[i]
			switch {
			case a.isFixed():
			case a.has(rows), a.has(flat):
				v = c.dependsOn(v, "normalizes over %s", along(a))
			default:
				v = c.effect(v, in.pad[i], "normalizes over %s, padding included", along(a))
			}
		}
	}
	outs := []*value{c.made(v, from...)[0]}
	for range 5 {
		outs = append(outs, notKnown(c.n, "gives statistics"))
	}
	return outs
}
