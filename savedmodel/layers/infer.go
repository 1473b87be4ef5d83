package layers

import (
	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/tensor"
)

// inferShape computes a layer's output shapes from its config and the shapes it is called with, by
// the rules of the classes' compute_output_shape in tf_keras. ok is false for classes whose shapes
// only their code knows.
func inferShape(class string, c config, in []tensor.Shape, depth int) (out []tensor.Shape, ok bool) {
	if c == nil || depth > maxNesting || len(in) == 0 {
		return nil, false
	}
	x := in[0]
	if rule, found := shapeRules[class]; found && x.Ranked() {
		if s := rule(c, x); s.Ranked() {
			return []tensor.Shape{s}, true
		}
		return nil, false
	}
	switch class {
	case "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum":
		out, ok := single(shape.Broadcast(in...))
		return openWhereOpen(c, out, in), ok
	case "Concatenate":
		out, ok := single(shape.Concat(in, c.num("axis", -1)))
		return openWhereFirstOpen(c, out, in), ok
	case "Dot":
		return dotShapes(c, in)
	case "Bidirectional":
		return bidirectionalShapes(c, in, depth)
	case "TimeDistributed":
		return timeDistributedShapes(c, in, depth)
	case "LSTM", "GRU", "SimpleRNN", "RNN":
		return rnnShapes(class, c, x)
	}
	return moreShapes(class, c, in, depth)
}

type shapeRule func(c config, x tensor.Shape) tensor.Shape

// same keeps the shape: the rule of all that works value by value.
func same(_ config, x tensor.Shape) tensor.Shape { return x }

// shapeRules holds the classes with one input whose output follows from the config.
var shapeRules = func() map[string]shapeRule {
	rules := map[string]shapeRule{
		"Dense":                  func(c config, x tensor.Shape) tensor.Shape { return withLast(x, c.num("units", tensor.Unknown)) },
		"Embedding":              embeddingShape,
		"Flatten":                flattenShape,
		"Reshape":                reshapeShape,
		"Permute":                permuteShape,
		"RepeatVector":           repeatShape,
		"SeparableConv1D":        convRule(1, "filters"),
		"SeparableConv2D":        convRule(2, "filters"),
		"DepthwiseConv1D":        convRule(1, "depth_multiplier"),
		"DepthwiseConv2D":        convRule(2, "depth_multiplier"),
		"CategoryEncoding":       categoryShape,
		"StringLookup":           lookupShape,
		"IntegerLookup":          lookupShape,
		"TextVectorization":      textShape,
		"Discretization":         discretizationShape,
		"Hashing":                hashingShape,
		"Resizing":               imageRule,
		"CenterCrop":             imageRule,
		"RandomCrop":             imageRule,
		"GlobalAveragePooling1D": globalPool, "GlobalAveragePooling2D": globalPool, "GlobalAveragePooling3D": globalPool,
		"GlobalMaxPooling1D": globalPool, "GlobalMaxPooling2D": globalPool, "GlobalMaxPooling3D": globalPool,
	}
	for _, class := range elementwise {
		rules[class] = same
	}
	for rank, suffix := range map[int]string{1: "1D", 2: "2D", 3: "3D"} {
		rules["Conv"+suffix] = convRule(rank, "filters")
		rules["Conv"+suffix+"Transpose"] = deconvRule(rank)
		rules["MaxPooling"+suffix] = poolRule(rank)
		rules["AveragePooling"+suffix] = poolRule(rank)
		rules["ZeroPadding"+suffix] = padRule(rank, "padding", 1)
		rules["Cropping"+suffix] = padRule(rank, "cropping", -1)
		rules["UpSampling"+suffix] = upRule(rank)
		rules["AdaptiveAveragePooling"+suffix] = adaptiveRule(rank)
		rules["AdaptiveMaxPooling"+suffix] = adaptiveRule(rank)
	}
	return rules
}()

// elementwise lists the classes that keep their input's shape.
var elementwise = []string{
	"Activation", "ActivityRegularization", "AlphaDropout", "BatchNormalization", "Dropout", "ELU", "GaussianDropout", "GaussianNoise",
	"GroupNormalization", "Identity", "LayerNormalization", "LeakyReLU", "Masking", "Normalization", "PReLU", "ReLU", "Rescaling", "Softmax",
	"SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "ThresholdedReLU", "UnitNormalization",
	"RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness", "SyncBatchNormalization",
	"RMSNormalization", "AugMix", "AutoContrast", "CutMix", "Equalization", "MixUp", "RandAugment", "RandomColorDegeneration", "RandomColorJitter",
	"RandomElasticTransform", "RandomErasing", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization",
	"RandomSaturation", "RandomSharpness", "RandomShear", "Solarization",
}

// withLast replaces the last size.
func withLast(x tensor.Shape, d int64) tensor.Shape {
	if x.Rank() < 1 {
		return tensor.UnknownShape()
	}
	return shape.With(x, x.Rank()-1, d)
}

func embeddingShape(c config, x tensor.Shape) tensor.Shape {
	if length := c.nums("input_length"); len(length) == x.Rank()-1 {
		dims := x.Dims()
		for i, d := range length {
			if dims[i+1] == tensor.Unknown {
				dims[i+1] = d
			}
		}
		x = tensor.MakeShape(dims...)
	}
	return tensor.MakeShape(append(x.Dims(), c.num("output_dim", tensor.Unknown))...)
}

func flattenShape(_ config, x tensor.Shape) tensor.Shape {
	if x.Rank() == 0 {
		return tensor.MakeShape(1)
	}
	return shape.Reshape(x.Drop(1), []int64{-1}).Prepend(x.Dim(0))
}

func reshapeShape(c config, x tensor.Shape) tensor.Shape {
	target := c.nums("target_shape")
	if target == nil || x.Rank() < 1 {
		return tensor.Shape{}
	}
	return shape.Reshape(x.Drop(1), target).Prepend(x.Dim(0))
}

func permuteShape(c config, x tensor.Shape) tensor.Shape {
	return shape.Transpose(x, append([]int64{0}, c.nums("dims")...))
}

func repeatShape(c config, x tensor.Shape) tensor.Shape {
	if x.Rank() != 2 {
		return tensor.Shape{}
	}
	return tensor.MakeShape(x.Dim(0), c.num("n", tensor.Unknown), x.Dim(1))
}

// axesOf returns the place of the first spatial axis and of the channels.
func axesOf(c config, x tensor.Shape) (space, channels int) {
	if c.str("data_format") == "channels_first" {
		return 2, 1
	}
	return 1, x.Rank() - 1
}

// spatial applies f to each of the n spatial axes whose size is known.
func spatial(c config, x tensor.Shape, n int, f func(axis int, d int64) int64) []int64 {
	if x.Rank() != n+2 {
		return nil
	}
	space, _ := axesOf(c, x)
	dims := x.Dims()
	for i := range n {
		if d := dims[space+i]; d != tensor.Unknown {
			dims[space+i] = f(i, d)
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
	return func(c config, x tensor.Shape) tensor.Shape {
		kernel, stride, dilation := c.spread("kernel_size", rank, 1), c.spread("strides", rank, 1), c.spread("dilation_rate", rank, 1)
		if kernel == nil || stride == nil || dilation == nil {
			return tensor.Shape{}
		}
		dims := spatial(c, x, rank, func(i int, d int64) int64 {
			return windowLength(d, kernel[i], stride[i], dilation[i], c.str("padding"))
		})
		if dims == nil {
			return tensor.Shape{}
		}
		_, ch := axesOf(c, x)
		filters := c.num(channels, tensor.Unknown)
		if channels == "depth_multiplier" {
			if filters = c.num(channels, 1); dims[ch] != tensor.Unknown {
				filters *= dims[ch]
			}
		}
		dims[ch] = filters
		return tensor.MakeShape(dims...)
	}
}

// deconvRule is the rule of transposed convolutions (deconv_output_length of conv_utils.py).
func deconvRule(rank int) shapeRule {
	return func(c config, x tensor.Shape) tensor.Shape {
		kernel, stride, dilation := c.spread("kernel_size", rank, 1), c.spread("strides", rank, 1), c.spread("dilation_rate", rank, 1)
		var extra []int64
		if c.has("output_padding") {
			extra = c.spread("output_padding", rank, 0)
		}
		if kernel == nil || stride == nil || dilation == nil {
			return tensor.Shape{}
		}
		dims := spatial(c, x, rank, func(i int, d int64) int64 {
			k := kernel[i] + (kernel[i]-1)*(dilation[i]-1)
			if extra == nil {
				if c.str("padding") == "valid" {
					return d*stride[i] + max(k-stride[i], 0)
				}
				return d * stride[i]
			}
			pad := int64(0)
			if c.str("padding") == "same" {
				pad = k / 2
			}
			return (d-1)*stride[i] + k - 2*pad + extra[i]
		})
		if dims == nil {
			return tensor.Shape{}
		}
		_, ch := axesOf(c, x)
		dims[ch] = c.num("filters", tensor.Unknown)
		return tensor.MakeShape(dims...)
	}
}

func poolRule(rank int) shapeRule {
	return func(c config, x tensor.Shape) tensor.Shape {
		size := c.spread("pool_size", rank, 2)
		stride := size
		if c.has("strides") {
			stride = c.spread("strides", rank, 1)
		}
		if size == nil || stride == nil {
			return tensor.Shape{}
		}
		dims := spatial(c, x, rank, func(i int, d int64) int64 { return windowLength(d, size[i], stride[i], 1, c.str("padding")) })
		if dims == nil {
			return tensor.Shape{}
		}
		return tensor.MakeShape(dims...)
	}
}

// padRule adds, or with sign -1 takes away, what stands before and after each axis.
func padRule(rank int, key string, sign int64) shapeRule {
	return func(c config, x tensor.Shape) tensor.Shape {
		pairs := c.pairs(key, rank)
		if pairs == nil {
			return tensor.Shape{}
		}
		dims := spatial(c, x, rank, func(i int, d int64) int64 { return d + sign*(pairs[i][0]+pairs[i][1]) })
		if dims == nil {
			return tensor.Shape{}
		}
		return tensor.MakeShape(dims...)
	}
}

func upRule(rank int) shapeRule {
	return func(c config, x tensor.Shape) tensor.Shape {
		size := c.spread("size", rank, 2)
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

func globalPool(c config, x tensor.Shape) tensor.Shape {
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

func imageRule(c config, x tensor.Shape) tensor.Shape {
	if x.Rank() < 3 || !c.has("height") || !c.has("width") {
		return tensor.Shape{}
	}
	dims := x.Dims()
	h := len(dims) - 3
	if c.str("data_format") == "channels_first" {
		h = len(dims) - 2
	}
	dims[h], dims[h+1] = c.num("height", tensor.Unknown), c.num("width", tensor.Unknown)
	return tensor.MakeShape(dims...)
}

// encoded returns the shape of a multi-hot, count or one-hot encoding to n places.
func encoded(mode string, x tensor.Shape, n int64) tensor.Shape {
	dims := x.Dims()
	switch {
	case mode == "int" || mode == "":
		return x
	case mode == "one_hot" && (len(dims) == 0 || dims[len(dims)-1] != 1):
		return tensor.MakeShape(append(dims, n)...)
	case len(dims) == 0:
		return tensor.MakeShape(n)
	}
	return withLast(x, n)
}

func categoryShape(c config, x tensor.Shape) tensor.Shape {
	mode := c.str("output_mode")
	if mode == "" {
		mode = "multi_hot"
	}
	return encoded(mode, x, c.num("num_tokens", tensor.Unknown))
}

func lookupShape(c config, x tensor.Shape) tensor.Shape {
	mode := c.str("output_mode")
	if mode == "int" || mode == "" {
		return x
	}
	n := vocabularySize(c)
	if n == tensor.Unknown {
		return tensor.Shape{} // the size of the vocabulary is in the graph
	}
	return encoded(mode, x, n)
}
