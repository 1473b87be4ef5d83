package shape

import (
	"strings"

	"github.com/tfrun/tfrun/tensor"
)

// windowed is the rule of convolutions and pooling.
func windowed(c *Call, _ int) tensor.Shape {
	x, filter := c.in(0), c.in(1)
	format, padding := c.Node.AttrString("data_format"), c.Node.AttrString("padding")
	strides, kernel, dilations, pads := c.Node.AttrInts("strides"), c.Node.AttrInts("ksize"), c.Node.AttrInts("dilations"), c.Node.AttrInts("explicit_paddings")
	rank := len(strides)
	pooling := len(kernel) > 0
	if !x.Ranked() {
		x = open(rank)
	}
	if x.Rank() != rank || pooling && len(kernel) != rank || len(format) > rank || len(pads) > 0 && len(pads) != 2*rank {
		return unknown // a layout such as NCHW_VECT_C
	}
	space, channels := 1, rank-1
	if strings.HasPrefix(format, "NC") {
		space, channels = 2, 1
	}
	dims := x.Dims()
	for i := space; i < space+rank-2; i++ {
		k, dilation := tensor.Unknown, int64(1)
		switch {
		case pooling:
			k = kernel[i]
		case filter.Rank() == rank:
			k = filter.Dim(i - space)
		}
		if len(dilations) == rank {
			dilation = dilations[i]
		}
		switch {
		case padding == "SAME":
			dims[i] = SameWindow(dims[i], strides[i])
		case k == tensor.Unknown:
			dims[i] = tensor.Unknown
		case padding == "VALID":
			dims[i] = Window(dims[i], k, strides[i], dilation, 0)
		case padding == "EXPLICIT" && len(pads) > 0:
			dims[i] = Window(dims[i], k, strides[i], dilation, pads[2*i]+pads[2*i+1])
		default:
			dims[i] = tensor.Unknown
		}
		if dims[i] == TooFew {
			return unknown
		}
	}
	if !pooling {
		if from := filter.Dim(-2); filter.Rank() == rank && from != tensor.Unknown && !divides(from, dims[channels]) {
			return unknown
		}
		dims[channels] = tensor.Unknown
		if filter.Rank() == rank {
			dims[channels] = filter.Dim(-1)
			if strings.HasPrefix(c.Node.Op, "Depthwise") {
				dims[channels] = times(filter.Dim(-1), filter.Dim(-2))
			}
		}
	}
	return tensor.MakeShape(dims...)
}

// resized returns the shape of images with another height and width.
func (c *Call) resized(size []int64) tensor.Shape {
	x := c.in(0)
	if x.Rank() != 4 {
		x = open(4)
	}
	if len(size) != 2 {
		size = []int64{tensor.Unknown, tensor.Unknown}
	}
	return tensor.MakeShape(x.Dim(0), size[0], size[1], x.Dim(3))
}

func padded(c *Call, _ int) tensor.Shape {
	pads := c.some(1)
	if x := c.in(0); c.Node.Op == "MirrorPad" && len(pads) == 2*x.Rank() {
		edge := int64(0) // of which each is there once in a mirror
		if c.Node.AttrString("mode") == "REFLECT" {
			edge = 1
		}
		for i, p := range pads {
			if d := x.Dim(i / 2); d != tensor.Unknown && p > d-edge {
				return unknown
			}
		}
	}
	return eachAxis(c.in(0), len(pads)/2, func(i int, d int64) int64 { return plus(plus(d, pads[2*i]), pads[2*i+1]) })
}

// blocks is the rule of operations that move blocks of height and width into another axis, or back.
func blocks(c *Call, _ int) tensor.Shape {
	x := c.in(0)
	if b := c.attr("block_size").GetI(); b > 0 {
		if format := c.Node.AttrString("data_format"); x.Rank() != 4 || format != "NHWC" && format != "" {
			return open(4)
		}
		if c.Node.Op == "SpaceToDepth" {
			if !divides(b, x.Dim(1)) || !divides(b, x.Dim(2)) {
				return unknown
			}
			return tensor.MakeShape(x.Dim(0), part(x.Dim(1), b), part(x.Dim(2), b), times(x.Dim(3), b*b))
		}
		if !divides(b*b, x.Dim(3)) {
			return unknown
		}
		return tensor.MakeShape(x.Dim(0), times(x.Dim(1), b), times(x.Dim(2), b), part(x.Dim(3), b*b))
	}
	sizes, around := c.ints(1), c.ints(2)
	if x.Rank() <= len(sizes) || sizes == nil || len(around) != 2*len(sizes) {
		return open(x.Rank())
	}
	dims := x.Dims()
	for i, b := range sizes {
		var fits bool
		if d := &dims[i+1]; c.Node.Op == "SpaceToBatchND" {
			*d = plus(plus(*d, around[2*i]), around[2*i+1])
			fits = divides(b, *d)
			*d, dims[0] = part(*d, b), times(dims[0], b)
		} else {
			if *d = times(*d, b); *d != tensor.Unknown {
				*d -= around[2*i] + around[2*i+1]
			}
			fits = *d >= tensor.Unknown && divides(b, dims[0])
			dims[0] = part(dims[0], b)
		}
		if !fits {
			return unknown
		}
	}
	return tensor.MakeShape(dims...)
}

// divides reports whether a size may be divided into equal parts.
func divides(by, n int64) bool { return n == tensor.Unknown || by > 0 && n%by == 0 }

// eachAxis applies f to each size of a shape that has n axes; it is unknown for other shapes.
func eachAxis(s tensor.Shape, n int, f func(i int, d int64) int64) tensor.Shape {
	if s.Rank() != n {
		return open(s.Rank())
	}
	dims := s.Dims()
	for i, d := range dims {
		dims[i] = f(i, d)
	}
	return tensor.MakeShape(dims...)
}
