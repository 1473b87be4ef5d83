package rules

import (
	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/tensor"
)

// This file has the rules of those functions of keras.ops that work on images and sequences.

// likeLayer is the rule of a function that does what a layer does on as many axes as there are
// between the batch and the channels.
func likeLayer(rule func(rank int) shapeRule) operationRule {
	return func(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
		if in[0].Rank() < 3 {
			return nil, false
		}
		return single(rule(in[0].Rank()-2)(c, in[0]))
	}
}

// imageAxes returns the places of height, width and channels of images, with a batch or without.
func imageAxes(c Config, x tensor.Shape) (height, channels int, ok bool) {
	rank := x.Rank()
	if c.Str("data_format") == "channels_first" {
		return rank - 2, rank - 3, rank == 3 || rank == 4
	}
	return rank - 3, rank - 1, rank == 3 || rank == 4
}

func resizeOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	size := c.Nums("size")
	h, _, ok := imageAxes(c, in[0])
	if !ok || len(size) != 2 {
		return nil, false
	}
	return single(shape.With(shape.With(in[0], h, size[0]), h+1, size[1]))
}

// marginOperation is the rule of crop_images and pad_images, which are given margins, sizes, or
// both. sign says whether margins add to a size.
func marginOperation(of string, sign int64) operationRule {
	return func(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
		h, _, ok := imageAxes(c, in[0])
		if !ok {
			return nil, false
		}
		out := in[0]
		for i, names := range [][3]string{{"target_height", "top_", "bottom_"}, {"target_width", "left_", "right_"}} {
			switch d := in[0].Dim(h + i); {
			case c.Has(names[0]):
				out = shape.With(out, h+i, c.Num(names[0], tensor.Unknown))
			case !c.Has(names[1]+of) || !c.Has(names[2]+of):
				return nil, false
			case d != tensor.Unknown:
				out = shape.With(out, h+i, d+sign*(c.Num(names[1]+of, 0)+c.Num(names[2]+of, 0)))
			}
		}
		return single(out)
	}
}

// patchesOperation is the rule of extract_patches: a convolution that gives what it sees.
func patchesOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	size := c.Nums("size")
	h, ch, ok := imageAxes(c, in[0])
	if !ok || len(size) != 2 {
		return nil, false
	}
	stride, dilation := c.Spread("strides", 2, 1), c.Spread("dilation_rate", 2, 1)
	if !c.Has("strides") {
		stride = size
	}
	if stride == nil || dilation == nil {
		return nil, false
	}
	out := shape.With(in[0], ch, product([]int64{in[0].Dim(ch), size[0], size[1]}))
	for i := range 2 {
		if d := in[0].Dim(h + i); d != tensor.Unknown {
			out = shape.With(out, h+i, windowLength(d, size[i], stride[i], dilation[i], c.Str("padding")))
		}
	}
	return single(out)
}

// blockOperation is the rule of space_to_depth and, with deep, of depth_to_space.
func blockOperation(deep bool) operationRule {
	return func(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
		n := c.Num("block_size", 0)
		h, ch, ok := imageAxes(c, in[0])
		if !ok || n < 1 || n > maxParts {
			return nil, false
		}
		out := in[0]
		for _, axis := range []int{h, h + 1, ch} {
			d := in[0].Dim(axis)
			switch {
			case d == tensor.Unknown:
			case axis == ch && deep:
				d /= n * n
			case axis == ch:
				d = product([]int64{d, n, n})
			case deep:
				d = product([]int64{d, n})
			default:
				d /= n
			}
			out = shape.With(out, axis, d)
		}
		return single(out)
	}
}

// sequencesOperation is the rule of extract_sequences: windows over the last axis.
func sequencesOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	length, stride := c.Num("sequence_length", 0), c.Num("sequence_stride", 0)
	rank := in[0].Rank()
	if length < 1 || stride < 1 || rank < 1 {
		return nil, false
	}
	n := in[0].Dim(rank - 1)
	if n != tensor.Unknown {
		n = windowLength(n, length, stride, 1, "valid")
	}
	return single(tensor.MakeShape(append(in[0].Dims()[:rank-1], n, length)...))
}

// grayOperation keeps one channel of images.
func grayOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	_, ch, ok := imageAxes(c, in[0])
	if !ok {
		return nil, false
	}
	return single(shape.With(in[0], ch, 1))
}
