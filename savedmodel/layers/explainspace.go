package layers

import (
	"fmt"
	"strings"
)

// spaceRule is the arithmetic of a spatial axis.
type spaceRule struct {
	class                                   string
	kernel, stride, dilation, before, after int64
	padding                                 string
	// interpolation is how an UpSampling fills places in, "" where it is not known.
	interpolation string
	// extra is the output_padding of a transposed convolution that has one.
	extra *int64
}

// spatialRule returns the arithmetic that a layer does to axis d of its output; nil when d is no
// spatial axis of it.
func spatialRule(l *Layer, d int) *spaceRule {
	rank := 0
	for i := 1; i <= 3; i++ {
		if strings.Contains(l.Class, fmt.Sprintf("%dD", i)) {
			rank = i
		}
	}
	c := l.info.config
	at := d - 1
	if channelsFirst(c) {
		at = d - 2
	}
	if steps, _ := c["return_sequences"].(bool); steps && strings.HasPrefix(l.Class, "ConvLSTM") {
		at-- // behind the axis of the steps
	}
	if rank == 0 || c == nil || at < 0 || at >= rank || strings.HasPrefix(l.Class, "Global") || strings.HasPrefix(l.Class, "Spatial") ||
		strings.HasPrefix(l.Class, "Adaptive") {
		return nil
	}
	r := &spaceRule{class: l.Class, padding: c.Str("padding"), kernel: 1, stride: 1, dilation: 1}
	pick := func(key string, otherwise int64) int64 {
		if list := c.Spread(key, rank, otherwise); list != nil {
			return list[at]
		}
		return otherwise
	}
	switch {
	case strings.HasPrefix(l.Class, "ZeroPadding"), strings.HasPrefix(l.Class, "Cropping"):
		key := map[bool]string{true: "padding", false: "cropping"}[strings.HasPrefix(l.Class, "ZeroPadding")]
		pairs := c.Pairs(key, rank)
		if pairs == nil || !c.Has(key) {
			return nil
		}
		r.before, r.after = pairs[at][0], pairs[at][1]
	case strings.HasPrefix(l.Class, "UpSampling"):
		r.stride, r.interpolation = pick("size", 2), c.Str("interpolation")
	case strings.Contains(l.Class, "Pooling"):
		r.kernel = pick("pool_size", 2)
		r.stride = r.kernel
		if c.Has("strides") {
			r.stride = pick("strides", 1)
		}
	case strings.Contains(l.Class, "Conv"):
		if !c.Has("kernel_size") {
			return nil
		}
		r.kernel, r.stride, r.dilation = pick("kernel_size", 1), pick("strides", 1), pick("dilation_rate", 1)
		if c.Has("output_padding") && strings.HasSuffix(l.Class, "Transpose") {
			extra := pick("output_padding", 0)
			r.extra = &extra
		}
	default:
		return nil
	}
	if r.padding == "" && (strings.Contains(l.Class, "Pooling") || strings.Contains(l.Class, "Conv")) {
		return nil // a graph does not show it where sizes are open
	}
	return r
}

// cut returns what padding "same" takes off the result of a transposed convolution with an
// output_padding.
func (r *spaceRule) cut() int64 {
	if r.padding == "same" {
		return ((r.kernel-1)*r.dilation + 1) / 2 * 2
	}
	return 0
}

// size returns what the arithmetic makes of a size of n.
func (r *spaceRule) size(n int64) int64 {
	reach := (r.kernel-1)*r.dilation + 1
	switch {
	case r.extra != nil:
		return (n-1)*r.stride + reach - r.cut() + *r.extra
	case r.keeps():
		return n
	case strings.HasPrefix(r.class, "ZeroPadding"):
		return r.before + n + r.after
	case strings.HasPrefix(r.class, "Cropping"):
		return n - r.before - r.after
	case strings.HasPrefix(r.class, "UpSampling"), strings.HasSuffix(r.class, "Transpose") && (r.padding == "same" || reach <= r.stride):
		return n * r.stride
	case strings.HasSuffix(r.class, "Transpose"):
		return n*r.stride + reach - r.stride
	case r.padding == "valid" && r.stride > 0:
		return (n-reach)/r.stride + 1
	case r.stride > 0:
		return (n + r.stride - 1) / r.stride
	}
	return -1
}

// keeps reports whether the padding makes up for the kernel.
func (r *spaceRule) keeps() bool {
	return r.extra == nil && r.stride == 1 && (r.padding == "same" || r.padding == "causal" || r.one()) && !strings.HasPrefix(r.class, "UpSampling")
}

// one reports whether a convolution looks at one place at a time, which needs no padding.
func (r *spaceRule) one() bool {
	return r.kernel == 1 && strings.Contains(r.class, "Conv") && !strings.HasSuffix(r.class, "Transpose")
}

// text writes the arithmetic for an input of size n, and what its numbers are.
func (r *spaceRule) text(n string) string {
	reach := (r.kernel-1)*r.dilation + 1 // how far the kernel reaches
	kernel := fmt.Sprintf("kernel %d", r.kernel)
	if strings.Contains(r.class, "Pooling") {
		kernel = fmt.Sprintf("pool %d", r.kernel)
	}
	if r.dilation > 1 {
		kernel += fmt.Sprintf(", dilation %d", r.dilation)
	}
	switch {
	case r.extra != nil:
		padding := "no padding"
		if r.padding == "same" {
			padding = "padding \"same\""
		}
		return fmt.Sprintf("(%s − 1) × %d + %d + %d: %s, stride %d, %s, output_padding %d", n, r.stride, reach-r.cut(), *r.extra, kernel, r.stride, padding, *r.extra)
	case r.one() && r.stride == 1:
		return "kernel 1, stride 1 keep the size"
	case r.keeps():
		return fmt.Sprintf("%s, stride 1, and padding %q keep the size", kernel, r.padding)
	case strings.HasPrefix(r.class, "ZeroPadding"):
		return fmt.Sprintf("%d + %s + %d: zeros put before and behind", r.before, n, r.after)
	case strings.HasPrefix(r.class, "Cropping"):
		return fmt.Sprintf("%s − %d − %d: cut off before and behind", n, r.before, r.after)
	case strings.HasPrefix(r.class, "UpSampling"):
		how := "each place is repeated"
		if r.interpolation != "" && r.interpolation != "nearest" {
			how = fmt.Sprintf("places between are filled in (interpolation %q)", r.interpolation)
		}
		return fmt.Sprintf("%s × %d: %s", n, r.stride, how)
	case strings.HasSuffix(r.class, "Transpose") && r.padding == "same":
		return fmt.Sprintf("%s × %d: %s, stride %d, padding \"same\"", n, r.stride, kernel, r.stride)
	case strings.HasSuffix(r.class, "Transpose") && reach <= r.stride:
		return fmt.Sprintf("%s × %d: %s, stride %d, no padding", n, r.stride, kernel, r.stride)
	case strings.HasSuffix(r.class, "Transpose"):
		return fmt.Sprintf("%s × %d + %d: %s, stride %d, no padding", n, r.stride, reach-r.stride, kernel, r.stride)
	case r.padding == "valid" && r.stride == 1:
		return fmt.Sprintf("%s − %d + 1: %s, stride 1, no padding", n, reach, kernel)
	case r.padding == "valid":
		return fmt.Sprintf("⌊(%s − %d) / %d⌋ + 1: %s, stride %d, no padding", n, reach, r.stride, kernel, r.stride)
	}
	return fmt.Sprintf("⌈%s / %d⌉: %s, stride %d, padding %q", n, r.stride, kernel, r.stride, r.padding)
}
