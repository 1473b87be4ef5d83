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
	}
	if !pooling {
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
			return tensor.MakeShape(x.Dim(0), part(x.Dim(1), b), part(x.Dim(2), b), times(x.Dim(3), b*b))
		}
		return tensor.MakeShape(x.Dim(0), times(x.Dim(1), b), times(x.Dim(2), b), part(x.Dim(3), b*b))
	}
	sizes, around := c.ints(1), c.ints(2)
	if x.Rank() <= len(sizes) || sizes == nil || len(around) != 2*len(sizes) {
		return open(x.Rank())
	}
	dims := x.Dims()
	for i, b := range sizes {
		if c.Node.Op == "SpaceToBatchND" {
			dims[i+1] = part(plus(plus(dims[i+1], around[2*i]), around[2*i+1]), b)
			dims[0] = times(dims[0], b)
		} else {
			if dims[i+1] = times(dims[i+1], b); dims[i+1] != tensor.Unknown {
				dims[i+1] -= around[2*i] + around[2*i+1]
			}
			dims[0] = part(dims[0], b)
		}
	}
	return tensor.MakeShape(dims...)
}

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
