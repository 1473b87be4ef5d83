package layers

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/tensor"
)

// moreShapes has the rules of the classes whose outputs follow from more than one input, from what
// a call says beside its tensors, or from a layer within.
func moreShapes(class string, c config, in []tensor.Shape, depth int) ([]tensor.Shape, bool) {
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
	case "SpectralNormalization":
		inner, config := c.layer("layer")
		return inferShape(inner, config, in, depth+1)
	case "HashedCrossing":
		if c.str("output_mode") == "one_hot" {
			return []tensor.Shape{encoded("one_hot", x, c.num("num_bins", tensor.Unknown))}, x.Ranked()
		}
		return []tensor.Shape{x}, x.Ranked()
	case "Lambda":
		return lambdaShapes(c, x)
	case "TFOpLambda", "SlicingOpLambda":
		return operationShapes(c.str("function"), c, in)
	}
	if op, ok := strings.CutPrefix(class, operationPrefix); ok {
		return operationShapes(op, c, in)
	}
	return nil, false
}

// operationPrefix marks the class of one of Keras 3's operations, some of which are called like
// layers.
const operationPrefix = "ops."

// severalOutputs are operations of Keras 3 whose outputs are not counted by a rule here.
var severalOutputs = map[string]bool{
	"ArraySplit": true, "AssociativeScan": true, "Cond": true, "Dsplit": true, "Eig": true, "Eigh": true, "FFT": true, "FFT2": true, "ForiLoop": true,
	"Function": true, "Histogram": true, "Hsplit": true, "IFFT2": true, "JVP": true, "LuFactor": true, "Map": true, "Meshgrid": true, "Moments": true,
	"Nonzero": true, "Qr": true, "RFFT": true, "SVD": true, "STFT": true, "Scan": true, "Slogdet": true, "Split": true, "Switch": true, "TopK": true,
	"Unique": true, "Unstack": true, "UnravelIndex": true, "VectorizedMap": true, "Vsplit": true, "WhileLoop": true,
}

// headShapes is the rule of attention with heads: as wide as the query, or as output_shape says.
// With return_attention_scores a score for each head, place of the query and place of the keys
// follows.
func headShapes(class string, c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	query, key := in[0], in[min(1, len(in)-1)]
	// Keras 3 has its scores as long as the query both ways
	if class == "MultiHeadAttention" && c.v3() {
		key = query
	}
	if len(in) > 2 && key.Equal(in[1]) && !c.call().before("key", "value") {
		key = in[2]
	}
	if query.Rank() < 2 {
		return nil, false
	}
	out := query.Dims()
	if c.has("output_shape") {
		wide := c.nums("output_shape")
		if wide == nil {
			return nil, false
		}
		out = append(out[:len(out)-1:len(out)-1], wide...)
	}
	shapes := []tensor.Shape{tensor.MakeShape(out...)}
	if !c.argFlag("return_attention_scores") {
		return shapes, true
	}
	heads := c.num("num_heads", c.num("num_query_heads", tensor.Unknown))
	if query.Rank() != 3 || key.Rank() != 3 {
		return nil, false
	}
	return append(shapes, tensor.MakeShape(query.Dim(0), heads, query.Dim(1), key.Dim(1))), true
}

// attentionShapes is the rule of Attention: as long as the query, as wide as the values.
func attentionShapes(c config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if len(in) < 2 || in[0].Rank() != 3 || in[1].Rank() != 3 {
		return nil, false
	}
	q, v := in[0], in[1]
	out := []tensor.Shape{tensor.MakeShape(q.Dim(0), q.Dim(1), v.Dim(2))}
	if c.argFlag("return_attention_scores") {
		out = append(out, tensor.MakeShape(q.Dim(0), q.Dim(1), v.Dim(1)))
	}
	return out, true
}

// convLSTMShapes is the rule of recurrent convolutions: that of a convolution for each step.
func convLSTMShapes(class string, c config, x tensor.Shape) ([]tensor.Shape, bool) {
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

// lambdaShapes is the shape that the author of a Lambda gave beside its code.
func lambdaShapes(c config, x tensor.Shape) ([]tensor.Shape, bool) {
	dims := c.nums("output_shape")
	if kind := c.str("output_shape_type"); dims == nil || x.Rank() < 1 || kind != "" && kind != "raw" {
		return nil, false
	}
	return single(tensor.MakeShape(append([]int64{x.Dim(0)}, dims...)...))
}

// einsumDense is the rule of EinsumDense: letters of the output stand for sizes of the input, or
// for those that output_shape gives.
func einsumDense(c config, x tensor.Shape) ([]tensor.Shape, bool) {
	input, rest, ok := strings.Cut(c.str("equation"), ",")
	_, output, ok2 := strings.Cut(rest, "->")
	given := c.nums("output_shape")
	if !ok || !ok2 || given == nil || !x.Ranked() {
		return nil, false
	}
	dims, ellipsis := x.Dims(), 0
	sizes := map[byte]int64{}
	if before, after, found := strings.Cut(input, "..."); found {
		if c.v3() && x.Rank() > len(before)+len(after)+2 {
			return nil, false // Keras 3 turns the order of these axes around
		}
		if ellipsis = len(dims) - len(before) - len(after); ellipsis < 0 {
			return nil, false
		}
		letters(sizes, before, dims[:len(before)])
		letters(sizes, after, dims[len(dims)-len(after):])
		dims = dims[len(before) : len(before)+ellipsis]
	} else if len(input) != len(dims) {
		return nil, false
	} else {
		letters(sizes, input, dims)
	}
	// output_shape lacks the batch, and what the ellipsis stands for.
	var out []int64
	text := strings.Replace(output, "...", "\x00", 1)
	offset := len(text) - len(given)
	for i := range len(text) {
		d := tensor.Unknown
		at := i - offset // in output_shape
		switch size, known := sizes[text[i]]; {
		case text[i] == 0:
			out = append(out, dims...)
			continue
		case at >= 0 && at < len(given) && (given[at] != tensor.Unknown || c.v3()):
			d = given[at]
		case known:
			d = size
		}
		out = append(out, d)
	}
	return single(tensor.MakeShape(out...))
}

// letters notes which size each letter stands for.
func letters(sizes map[byte]int64, text string, dims []int64) {
	for i := range len(text) {
		if d, ok := sizes[text[i]]; !ok || d == tensor.Unknown {
			sizes[text[i]] = dims[i]
		}
	}
}

// adaptiveRule is the rule of pooling to a size.
func adaptiveRule(rank int) shapeRule {
	return func(c config, x tensor.Shape) tensor.Shape {
		size := c.spread("output_size", rank, tensor.Unknown)
		if x.Rank() != rank+2 || size == nil {
			return tensor.Shape{}
		}
		space, _ := axesOf(c, x)
		dims := x.Dims()
		copy(dims[space:], size)
		return tensor.MakeShape(dims...)
	}
}

// hashingShape is the rule of Hashing: numbers, or places for the bins.
func hashingShape(c config, x tensor.Shape) tensor.Shape {
	mode, n := c.str("output_mode"), c.num("num_bins", tensor.Unknown)
	if mode != "int" && mode != "" && c.v3() && x.Rank() > 0 {
		return withLast(x, n)
	}
	return encoded(mode, x, n)
}

// discretizationShape is the rule of Discretization: numbers, or places for the bins.
func discretizationShape(c config, x tensor.Shape) tensor.Shape {
	mode, n := c.str("output_mode"), c.num("num_bins", tensor.Unknown)
	if list, ok := plain(c["bin_boundaries"]).([]any); ok {
		n = int64(len(list)) + 1
	}
	switch {
	case c.beforeMinor(12): // which prints the input's shape for all modes
		return x
	case c.v3() && (mode == "multi_hot" || mode == "count") && x.Rank() >= 2:
		return tensor.MakeShape(append(append([]int64{x.Dim(0)}, x.Dims()[2:]...), n)...)
	}
	return encoded(mode, x, n)
}

// textShape is the rule of TextVectorization: a number for each word, or a place for each entry of
// the vocabulary.
func textShape(c config, x tensor.Shape) tensor.Shape {
	length := c.num("output_sequence_length", tensor.Unknown)
	switch mode := c.str("output_mode"); {
	case x.Rank() < 1:
		return tensor.Shape{}
	case mode != "int" && c.v3():
		return withLast(tensor.MakeShape(append(x.Dims(), 1)...), vocabularySize(c))
	case mode != "int":
		return tensor.MakeShape(x.Dim(0), vocabularySize(c))
	case c.has("split") || c.v3():
		return tensor.MakeShape(x.Dim(0), length)
	// each text is one word, which stays where it is
	case x.Rank() == 2 && length != tensor.Unknown:
		return tensor.MakeShape(x.Dim(0), tensor.Unknown)
	}
	return x
}

// vocabularySize returns how many places a lookup has: for the words, and for those it does not
// know.
func vocabularySize(c config) int64 {
	if c.flag("pad_to_max_tokens") && c.has("max_tokens") {
		return c.num("max_tokens", tensor.Unknown)
	}
	return c.num("vocabulary_size", tensor.Unknown)
}
