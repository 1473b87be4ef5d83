package rules

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/tensor"
)

// Shapes computes a layer's output shapes from its config and the shapes it is called with, by the
// rules of the classes' compute_output_shape in tf_keras and Keras 3. ok is false for classes whose
// shapes only their code knows.
func Shapes(class string, c Config, in []tensor.Shape) (out []tensor.Shape, ok bool) {
	return shapes(class, c, in, 0)
}

// Refused reports whether a layer does not take tensors of these sizes: its rule has a shape for
// tensors of these ranks.
func Refused(class string, c Config, in []tensor.Shape) bool {
	if _, ok := Shapes(class, c, in); ok {
		return false
	}
	open := make([]tensor.Shape, len(in))
	for i, s := range in {
		if open[i] = s; s.Ranked() {
			open[i] = tensor.MakeShape(slices.Repeat([]int64{tensor.Unknown}, s.Rank())...)
		}
	}
	_, ok := Shapes(class, c, open)
	return ok
}

// shapes is Shapes for a layer within others.
func shapes(class string, c Config, in []tensor.Shape, depth int) (out []tensor.Shape, ok bool) {
	if c == nil || depth > MaxNesting || len(in) == 0 {
		return nil, false
	}
	x := in[0]
	if rule, found := ShapeRules[class]; found && x.Ranked() {
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
		out, ok := single(shape.Concat(in, c.Num("axis", -1)))
		return openWhereFirstOpen(c, out, in), ok
	case "Dot":
		return dotShapes(c, in)
	case "Bidirectional":
		return bidirectionalShapes(c, in, depth)
	case "TimeDistributed":
		return timeDistributedShapes(c, in, depth)
	case "LSTM", "GRU", "SimpleRNN", "RNN":
		return rnnShapes(class, c, withStates(c, in))
	}
	return moreShapes(class, c, in, depth)
}

// ShapeRules holds the classes with one input whose output follows from the config.
var ShapeRules = func() map[string]shapeRule {
	rules := map[string]shapeRule{
		"Dense":                  func(c Config, x tensor.Shape) tensor.Shape { return withLast(x, c.Num("units", tensor.Unknown)) },
		"Embedding":              embeddingShape,
		"RandomFourierFeatures":  func(c Config, x tensor.Shape) tensor.Shape { return withLast(x, c.Num("output_dim", tensor.Unknown)) },
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
		"MelSpectrogram":         melShape,
		"STFTSpectrogram":        stftShape,
		"Resizing":               imageRule,
		"CenterCrop":             imageRule,
		"RandomCrop":             imageRule,
		"GlobalAveragePooling1D": globalPool, "GlobalAveragePooling2D": globalPool, "GlobalAveragePooling3D": globalPool,
		"GlobalMaxPooling1D": globalPool, "GlobalMaxPooling2D": globalPool, "GlobalMaxPooling3D": globalPool,
		"AdaptiveAveragePooling1D": adaptivePool, "AdaptiveAveragePooling2D": adaptivePool, "AdaptiveAveragePooling3D": adaptivePool,
		"AdaptiveMaxPooling1D": adaptivePool, "AdaptiveMaxPooling2D": adaptivePool, "AdaptiveMaxPooling3D": adaptivePool,
	}
	for _, class := range Elementwise {
		rules[class] = same
	}
	for rank, suffix := range map[int]string{1: "1D", 2: "2D", 3: "3D"} {
		rules["Conv"+suffix] = plainConvRule(rank)
		if rank < 3 {
			rules["LocallyConnected"+suffix] = convRule(rank, "filters")
		}
		rules["Conv"+suffix+"Transpose"] = deconvRule(rank)
		rules["MaxPooling"+suffix] = poolRule(rank)
		rules["AveragePooling"+suffix] = poolRule(rank)
		rules["ZeroPadding"+suffix] = padRule(rank)
		rules["Cropping"+suffix] = cropRule(rank)
		rules["UpSampling"+suffix] = upRule(rank)
		rules["AdaptiveAveragePooling"+suffix] = adaptiveRule(rank)
		rules["AdaptiveMaxPooling"+suffix] = adaptiveRule(rank)
	}
	return rules
}()

// Elementwise lists the classes that keep their input's shape.
var Elementwise = []string{
	"Activation", "ActivityRegularization", "AlphaDropout", "BatchNormalization", "Dropout", "ELU", "GaussianDropout", "GaussianNoise",
	"GroupNormalization", "Identity", "LayerNormalization", "LeakyReLU", "Masking", "Normalization", "PReLU", "ReLU", "Rescaling", "Softmax",
	"SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "ThresholdedReLU", "UnitNormalization",
	"RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness", "SyncBatchNormalization",
	"RMSNormalization", "AugMix", "AutoContrast", "CutMix", "Equalization", "MixUp", "RandAugment", "RandomColorDegeneration", "RandomColorJitter",
	"RandomElasticTransform", "RandomErasing", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization",
	"RandomSaturation", "RandomSharpness", "RandomShear", "Solarization", "AddLoss", "AddMetric",
}

// bidirectionalShapes is the shape of Bidirectional: that of the layer inside, merged with the one
// that runs backward.
func bidirectionalShapes(c Config, in []tensor.Shape, depth int) ([]tensor.Shape, bool) {
	class, inner := c.Layer("layer")
	forward, ok := shapes(class, inner, in[:1], depth+1)
	if !ok {
		return nil, false
	}
	backward := forward
	if c.Has("backward_layer") && !c.misprinted() { // Keras 3 prints the forward layer's twice
		class, inner := c.Layer("backward_layer")
		if backward, ok = shapes(class, inner, in[:1], depth+1); !ok {
			return nil, false
		}
	}
	var out []tensor.Shape
	switch mode := c.Str("merge_mode"); mode {
	case "concat":
		if out, ok = single(shape.Concat([]tensor.Shape{forward[0], backward[0]}, -1)); !ok {
			return nil, false
		}
	case "":
		out = []tensor.Shape{forward[0], backward[0]}
	default:
		out = []tensor.Shape{forward[0]}
	}
	return append(append(out, forward[1:]...), backward[1:]...), true
}

func timeDistributedShapes(c Config, in []tensor.Shape, depth int) ([]tensor.Shape, bool) {
	class, inner := c.Layer("layer")
	x := in[0]
	if x.Rank() < 2 {
		return nil, false
	}
	dims := slices.Delete(x.Dims(), 1, 2)
	out, ok := shapes(class, inner, []tensor.Shape{tensor.MakeShape(dims...)}, depth+1)
	if !ok || len(out) != 1 || out[0].Rank() < 1 {
		return nil, false
	}
	return []tensor.Shape{tensor.MakeShape(slices.Insert(out[0].Dims(), 1, x.Dim(1))...)}, true
}

// moreShapes has the rules of the classes whose outputs follow from more than one input, from what
// a call says beside its tensors, or from a layer within.
func moreShapes(class string, c Config, in []tensor.Shape, depth int) ([]tensor.Shape, bool) {
	x := in[0]
	switch class {
	case "MultiHeadAttention", "GroupQueryAttention", "GroupedQueryAttention":
		return headShapes(class, c, in)
	case "Attention", "AdditiveAttention":
		return attentionShapes(c, in)
	case "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D":
		return convLSTMShapes(class, c, x)
	case "EinsumDense":
		return einsumDense(c, x)
	case "ReversibleEmbedding": // reverse gives a score for each row of the table
		if c.argFlag("reverse") {
			return single(withLast(x, c.Num("input_dim", tensor.Unknown)))
		}
		return single(embeddingShape(c, x))
	case "SpectralNormalization":
		inner, config := c.Layer("layer")
		return shapes(inner, config, in, depth+1)
	case "HashedCrossing":
		if c.Str("output_mode") == "one_hot" {
			return []tensor.Shape{encoded("one_hot", x, c.Num("num_bins", tensor.Unknown))}, x.Ranked()
		}
		return []tensor.Shape{x}, x.Ranked()
	case "Lambda":
		return lambdaShapes(c, x)
	case "TFOpLambda", "SlicingOpLambda":
		return operationShapes(c.Str("function"), c, in)
	}
	if op, ok := strings.CutPrefix(class, OperationPrefix); ok {
		return operationShapes(op, c, in)
	}
	if key := applications[class]; key != "" && c.Has(key) {
		return single(x)
	}
	return nil, false
}

// applications has the classes that keras.applications makes for ConvNeXt and InceptionResNetV2,
// with what their configurations have. They keep the shape of their first input, of which an .h5
// file of Keras 2 says nothing.
var applications = map[string]string{"LayerScale": "projection_dim", "StochasticDepth": "drop_path_rate", "CustomScaleLayer": "scale"}

// OperationPrefix marks the class of one of Keras 3's operations, some of which are called like
// layers.
const OperationPrefix = "ops."
