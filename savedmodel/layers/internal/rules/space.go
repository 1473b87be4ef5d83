package rules

import (
	"slices"

	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/tensor"
)

// axesOf returns the place of the first spatial axis and of the channels.
func axesOf(c Config, x tensor.Shape) (space, channels int) {
	if c.Str("data_format") == "channels_first" {
		return 2, 1
	}
	return 1, x.Rank() - 1
}

// spatial applies f to each of the n spatial axes whose size is known.
func spatial(c Config, x tensor.Shape, n int, f func(axis int, d int64) int64) []int64 {
	if x.Rank() != n+2 {
		return nil
	}
	space, _ := axesOf(c, x)
	dims := x.Dims()
	for i := range n {
		if d := dims[space+i]; d != tensor.Unknown {
			if dims[space+i] = f(i, d); dims[space+i] < 0 {
				return nil // there are too few places
			}
		}
	}
	return dims
}

// windowLength is conv_output_length of keras/utils/conv_utils.py, which pooling shares.
func windowLength(n, kernel, stride, dilation int64, padding string) int64 {
	if padding == "valid" {
		return shape.Window(n, kernel, stride, dilation, 0)
	}
	return shape.SameWindow(n, max(stride, 1))
}

// convRule is the rule of convolutions over rank axes; channels names what gives the filters, or
// their number for each channel.
func convRule(rank int, channels string) shapeRule {
	return func(c Config, x tensor.Shape) tensor.Shape {
		kernel, stride, dilation := c.Spread("kernel_size", rank, 1), c.Spread("strides", rank, 1), c.Spread("dilation_rate", rank, 1)
		if kernel == nil || stride == nil || dilation == nil {
			return tensor.Shape{}
		}
		dims := spatial(c, x, rank, func(i int, d int64) int64 {
			return windowLength(d, kernel[i], stride[i], dilation[i], c.Str("padding"))
		})
		if dims == nil {
			return tensor.Shape{}
		}
		_, ch := axesOf(c, x)
		filters := c.Num(channels, tensor.Unknown)
		if channels == "depth_multiplier" {
			if filters = c.Num(channels, 1); dims[ch] != tensor.Unknown {
				filters *= dims[ch]
			}
		}
		dims[ch] = filters
		return tensor.MakeShape(dims...)
	}
}

// plainConvRule is [convRule] for convolutions that Keras 3 refuses where there is no place for one
// window.
func plainConvRule(rank int) shapeRule {
	rule := convRule(rank, "filters")
	return func(c Config, x tensor.Shape) tensor.Shape {
		s := rule(c, x)
		if c.v3() && slices.Contains(s.Dims(), 0) && !slices.Contains(x.Dims(), 0) {
			return tensor.Shape{}
		}
		return s
	}
}

// deconvRule is the rule of transposed convolutions (deconv_output_length of conv_utils.py).
func deconvRule(rank int) shapeRule {
	return func(c Config, x tensor.Shape) tensor.Shape {
		kernel, stride, dilation := c.Spread("kernel_size", rank, 1), c.Spread("strides", rank, 1), c.Spread("dilation_rate", rank, 1)
		var extra []int64
		if c.Has("output_padding") {
			extra = c.Spread("output_padding", rank, 0)
		}
		if kernel == nil || stride == nil || dilation == nil {
			return tensor.Shape{}
		}
		dims := spatial(c, x, rank, func(i int, d int64) int64 {
			k := kernel[i] + (kernel[i]-1)*(dilation[i]-1)
			if extra == nil {
				if c.Str("padding") == "valid" {
					return d*stride[i] + max(k-stride[i], 0)
				}
				return d * stride[i]
			}
			pad := int64(0)
			if c.Str("padding") == "same" {
				pad = k / 2
			}
			return (d-1)*stride[i] + k - 2*pad + extra[i]
		})
		if dims == nil {
			return tensor.Shape{}
		}
		_, ch := axesOf(c, x)
		dims[ch] = c.Num("filters", tensor.Unknown)
		return tensor.MakeShape(dims...)
	}
}

func poolRule(rank int) shapeRule {
	return func(c Config, x tensor.Shape) tensor.Shape {
		size := c.Spread("pool_size", rank, 2)
		stride := size
		if c.Has("strides") {
			stride = c.Spread("strides", rank, 1)
		}
		if size == nil || stride == nil {
			return tensor.Shape{}
		}
		dims := spatial(c, x, rank, func(i int, d int64) int64 { return windowLength(d, size[i], stride[i], 1, c.Str("padding")) })
		if dims == nil {
			return tensor.Shape{}
		}
		return tensor.MakeShape(dims...)
	}
}

// padRule adds what stands before and after each axis.
func padRule(rank int) shapeRule {
	return marginRule(rank, "padding", func(_ Config, d, margin int64) int64 { return d + margin })
}

// cropRule takes it away. Nothing may be left of an axis in three of Keras 2 alone.
func cropRule(rank int) shapeRule {
	return marginRule(rank, "cropping", func(c Config, d, margin int64) int64 {
		switch {
		case margin < d:
			return d - margin
		case rank == 3 && !c.v3():
			return 0
		}
		return shape.TooFew
	})
}

// marginRule applies f to each axis, and what stands before and after it together.
func marginRule(rank int, key string, f func(c Config, d, margin int64) int64) shapeRule {
	return func(c Config, x tensor.Shape) tensor.Shape {
		pairs := c.Pairs(key, rank)
		if pairs == nil {
			return tensor.Shape{}
		}
		dims := spatial(c, x, rank, func(i int, d int64) int64 { return f(c, d, pairs[i][0]+pairs[i][1]) })
		if dims == nil {
			return tensor.Shape{}
		}
		return tensor.MakeShape(dims...)
	}
}

func upRule(rank int) shapeRule {
	return func(c Config, x tensor.Shape) tensor.Shape {
		size := c.Spread("size", rank, 2)
		if size == nil {
			return tensor.Shape{}
		}
		dims := spatial(c, x, rank, func(i int, d int64) int64 { return d * size[i] })
		if dims == nil {
			return tensor.Shape{}
		}
		if h, _ := axesOf(c, x); rank == 2 && !c.v3() && (dims[h] == tensor.Unknown || dims[h+1] == tensor.Unknown) {
			// Keras 2 resizes images of a known size or not at all
			dims[h], dims[h+1] = tensor.Unknown, tensor.Unknown
		}
		return tensor.MakeShape(dims...)
	}
}

func globalPool(c Config, x tensor.Shape) tensor.Shape {
	if x.Rank() < 3 {
		return tensor.Shape{}
	}
	space, ch := axesOf(c, x)
	if !c.flag("keepdims") {
		return tensor.MakeShape(x.Dim(0), x.Dim(ch))
	}
	dims := x.Dims()
	for i := range x.Rank() - 2 {
		dims[space+i] = 1
	}
	return tensor.MakeShape(dims...)
}

// adaptivePool is the rule of pooling to the sizes that output_size gives.
func adaptivePool(c Config, x tensor.Shape) tensor.Shape {
	sizes := c.Nums("output_size")
	if n := c.Num("output_size", -1); n >= 0 {
		sizes = slices.Repeat([]int64{n}, max(0, x.Rank()-2))
	}
	if x.Rank() < 3 || len(sizes) != x.Rank()-2 {
		return tensor.Shape{}
	}
	space, _ := axesOf(c, x)
	dims := x.Dims()
	copy(dims[space:], sizes)
	return tensor.MakeShape(dims...)
}

func imageRule(c Config, x tensor.Shape) tensor.Shape {
	if x.Rank() < 3 || !c.Has("height") || !c.Has("width") {
		return tensor.Shape{}
	}
	dims := x.Dims()
	h := len(dims) - 3
	if c.Str("data_format") == "channels_first" {
		h = len(dims) - 2
	}
	dims[h], dims[h+1] = c.Num("height", tensor.Unknown), c.Num("width", tensor.Unknown)
	return tensor.MakeShape(dims...)
}

// convLSTMShapes is the rule of recurrent convolutions: that of a convolution for each step.
func convLSTMShapes(class string, c Config, x tensor.Shape) ([]tensor.Shape, bool) {
	rank := int(class[len(class)-2] - '0')
	if x.Rank() != rank+3 {
		return nil, false
	}
	step := convRule(rank, "filters")(c, tensor.MakeShape(slices.Delete(x.Dims(), 1, 2)...))
	if !step.Ranked() {
		return nil, false
	}
	out := []tensor.Shape{step}
	if c.flag("return_sequences") {
		out[0] = tensor.MakeShape(slices.Insert(step.Dims(), 1, x.Dim(1))...)
	}
	if c.flag("return_state") {
		out = append(out, step, step)
	}
	return out, true
}

// adaptiveRule is the rule of pooling to a size.
func adaptiveRule(rank int) shapeRule {
	return func(c Config, x tensor.Shape) tensor.Shape {
		size := c.Spread("output_size", rank, tensor.Unknown)
		if x.Rank() != rank+2 || size == nil {
			return tensor.Shape{}
		}
		space, _ := axesOf(c, x)
		dims := x.Dims()
		copy(dims[space:], size)
		return tensor.MakeShape(dims...)
	}
}

// melShape is the shape of MelSpectrogram: a place for each frequency and each step of the sound.
// Keras 3 prints one step more where the last one ends with the sound.
func melShape(c Config, x tensor.Shape) tensor.Shape {
	dims, stride := x.Dims(), c.Num("sequence_stride", 512)
	if len(dims) == 0 || len(dims) > 2 || stride <= 0 {
		return tensor.Shape{}
	}
	last := len(dims) - 1
	if n := dims[last]; n != tensor.Unknown {
		if c.misprinted() {
			n++
		}
		dims[last] = n/stride + 1
	}
	return tensor.MakeShape(slices.Insert(dims, last, c.Num("num_mel_bins", 128))...)
}

// stftShape is the shape of STFTSpectrogram: frequencies for each channel, in the channels' axis or
// in one of their own.
func stftShape(c Config, x tensor.Shape) tensor.Shape {
	frame := c.Num("frame_length", 256)
	step, length := c.Num("frame_step", frame/2), c.Num("fft_length", 0)
	if length == 0 {
		for length = 1; length < frame && length < 1<<40; length *= 2 {
			continue
		}
	}
	if x.Rank() != 3 || step <= 0 {
		return tensor.Shape{}
	}
	frequencies := length/2 + 1
	if c.Str("mode") == "stft" {
		frequencies *= 2
	}
	dims := spatial(c, x, 1, func(_ int, n int64) int64 { return windowLength(n, frame, step, 1, c.Str("padding")) })
	_, ch := axesOf(c, x)
	switch {
	case dims == nil:
		return tensor.Shape{}
	case c.flag("expand_dims") && ch == 1:
		return tensor.MakeShape(append(dims, frequencies)...)
	case c.flag("expand_dims"):
		return tensor.MakeShape(slices.Insert(dims, 2, frequencies)...)
	case dims[ch] != tensor.Unknown:
		dims[ch] *= frequencies
	}
	return tensor.MakeShape(dims...)
}
