package rules

import (
	"strings"

	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/tensor"
)

// lambdaShapes is the shape that the author of a Lambda gave beside its code.
func lambdaShapes(c Config, x tensor.Shape) ([]tensor.Shape, bool) {
	dims := c.Nums("output_shape")
	if kind := c.Str("output_shape_type"); dims == nil || x.Rank() < 1 || kind != "" && kind != "raw" {
		return nil, false
	}
	return single(tensor.MakeShape(append([]int64{x.Dim(0)}, dims...)...))
}

// einsumDense is the rule of EinsumDense: letters of the output stand for sizes of the input, or
// for those that output_shape gives.
func einsumDense(c Config, x tensor.Shape) ([]tensor.Shape, bool) {
	input, rest, ok := strings.Cut(c.Str("equation"), ",")
	_, output, ok2 := strings.Cut(rest, "->")
	given := c.Nums("output_shape")
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

// hashingShape is the rule of Hashing: numbers, or places for the bins.
func hashingShape(c Config, x tensor.Shape) tensor.Shape {
	mode, n := c.Str("output_mode"), c.Num("num_bins", tensor.Unknown)
	if mode != "int" && mode != "" && c.v3() && x.Rank() > 0 {
		return withLast(x, n)
	}
	return encoded(mode, x, n)
}

// discretizationShape is the rule of Discretization: numbers, or places for the bins.
func discretizationShape(c Config, x tensor.Shape) tensor.Shape {
	mode, n := c.Str("output_mode"), c.Num("num_bins", tensor.Unknown)
	if list, ok := Plain(c["bin_boundaries"]).([]any); ok {
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
func textShape(c Config, x tensor.Shape) tensor.Shape {
	length := c.Num("output_sequence_length", tensor.Unknown)
	switch mode := c.Str("output_mode"); {
	case x.Rank() < 1:
		return tensor.Shape{}
	case mode != "int" && c.misprinted():
		return withLast(tensor.MakeShape(append(x.Dims(), 1)...), vocabularySize(c))
	case mode != "int":
		return tensor.MakeShape(x.Dim(0), vocabularySize(c))
	case c.Has("split") || c.v3():
		return tensor.MakeShape(x.Dim(0), length)
	// each text is one word, which stays where it is
	case x.Rank() == 2 && length != tensor.Unknown:
		return tensor.MakeShape(x.Dim(0), tensor.Unknown)
	}
	return x
}

// vocabularySize returns how many places a lookup has: for the words, and for those it does not
// know.
func vocabularySize(c Config) int64 {
	if c.flag("pad_to_max_tokens") && c.Has("max_tokens") {
		return c.Num("max_tokens", tensor.Unknown)
	}
	return c.Num("vocabulary_size", tensor.Unknown)
}

type shapeRule func(c Config, x tensor.Shape) tensor.Shape

// same keeps the shape: the rule of all that works value by value.
func same(_ Config, x tensor.Shape) tensor.Shape { return x }

// withLast replaces the last size.
func withLast(x tensor.Shape, d int64) tensor.Shape {
	if x.Rank() < 1 {
		return tensor.UnknownShape()
	}
	return shape.With(x, x.Rank()-1, d)
}

func embeddingShape(c Config, x tensor.Shape) tensor.Shape {
	if length := c.Nums("input_length"); len(length) == x.Rank()-1 {
		dims := x.Dims()
		for i, d := range length {
			if dims[i+1] == tensor.Unknown {
				dims[i+1] = d
			}
		}
		x = tensor.MakeShape(dims...)
	}
	return tensor.MakeShape(append(x.Dims(), c.Num("output_dim", tensor.Unknown))...)
}

func flattenShape(_ Config, x tensor.Shape) tensor.Shape {
	if x.Rank() == 0 {
		return tensor.MakeShape(1)
	}
	return shape.Reshape(x.Drop(1), []int64{-1}).Prepend(x.Dim(0))
}

func reshapeShape(c Config, x tensor.Shape) tensor.Shape {
	target := c.Nums("target_shape")
	if target == nil || x.Rank() < 1 {
		return tensor.Shape{}
	}
	return shape.Reshape(x.Drop(1), target).Prepend(x.Dim(0))
}

func permuteShape(c Config, x tensor.Shape) tensor.Shape {
	return shape.Transpose(x, append([]int64{0}, c.Nums("dims")...))
}

func repeatShape(c Config, x tensor.Shape) tensor.Shape {
	if x.Rank() != 2 {
		return tensor.Shape{}
	}
	return tensor.MakeShape(x.Dim(0), c.Num("n", tensor.Unknown), x.Dim(1))
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

func categoryShape(c Config, x tensor.Shape) tensor.Shape {
	mode := c.Str("output_mode")
	if mode == "" {
		mode = "multi_hot"
	}
	return encoded(mode, x, c.Num("num_tokens", tensor.Unknown))
}

func lookupShape(c Config, x tensor.Shape) tensor.Shape {
	mode := c.Str("output_mode")
	if mode == "int" || mode == "" {
		return x
	}
	n := vocabularySize(c)
	if n == tensor.Unknown {
		return tensor.Shape{} // the size of the vocabulary is in the graph
	}
	return encoded(mode, x, n)
}
