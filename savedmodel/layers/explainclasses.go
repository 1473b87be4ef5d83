package layers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

// dimExplainer explains a known size of a class's output, or returns "".
type dimExplainer func(l *Layer, in, out tensor.Shape, d int, last bool) string

// lastIs explains the last size by a name for it.
func lastIs(text string) dimExplainer {
	return func(_ *Layer, _, _ tensor.Shape, _ int, last bool) string {
		if last {
			return text
		}
		return ""
	}
}

// channelsFirst reports whether a layer takes the channels before the axes of space.
func channelsFirst(c rules.Config) bool { return c.Str("data_format") == "channels_first" }

// channelAxis returns the axis of the channels in a result of a layer of images or of sequences.
func channelAxis(l *Layer, out tensor.Shape) int {
	switch steps, _ := l.info.config["return_sequences"].(bool); {
	case !channelsFirst(l.info.config) || out.Rank() == 2:
		return out.Rank() - 1
	case steps && strings.HasPrefix(l.Class, "ConvLSTM"):
		return 2 // behind the axis of the steps
	}
	return 1
}

func filters(l *Layer, _, out tensor.Shape, d int, _ bool) string {
	if d == channelAxis(l, out) {
		return ": the layer's filters"
	}
	return ""
}

var explainers = map[string]dimExplainer{
	"Dense":              lastIs(": the layer's units"),
	"EinsumDense":        explainEinsum,
	"Embedding":          lastIs(": numbers for each token, the embedding's width"),
	"LSTM":               lastIs(": the layer's units"),
	"GRU":                lastIs(": the layer's units"),
	"SimpleRNN":          lastIs(": the layer's units"),
	"RNN":                lastIs(": the cell's units"),
	"MultiHeadAttention": explainHeads, "GroupedQueryAttention": explainHeads,
	"Attention":         explainAttention,
	"AdditiveAttention": explainAttention,
	"Conv1D":            filters, "Conv2D": filters, "Conv3D": filters,
	"Conv1DTranspose": filters, "Conv2DTranspose": filters, "Conv3DTranspose": filters,
	"SeparableConv1D": filters, "SeparableConv2D": filters,
	"ConvLSTM1D": filters, "ConvLSTM2D": filters, "ConvLSTM3D": filters,
	"DepthwiseConv1D": explainDepthwise, "DepthwiseConv2D": explainDepthwise,
	"Bidirectional": explainBidirectional,
	"Flatten":       explainFlatten,
	"Reshape":       explainReshape,
	"Permute":       explainPermute,
	"RepeatVector":  explainRepeat,
	"Concatenate":   explainConcat,
	"Resizing":      explainImage, "CenterCrop": explainImage, "RandomCrop": explainImage,
	"GlobalAveragePooling1D": explainGlobal("mean"), "GlobalAveragePooling2D": explainGlobal("mean"), "GlobalAveragePooling3D": explainGlobal("mean"),
	"AdaptiveAveragePooling1D": explainAdaptive, "AdaptiveAveragePooling2D": explainAdaptive, "AdaptiveAveragePooling3D": explainAdaptive,
	"AdaptiveMaxPooling1D": explainAdaptive, "AdaptiveMaxPooling2D": explainAdaptive, "AdaptiveMaxPooling3D": explainAdaptive,
	"GlobalMaxPooling1D": explainGlobal("maximum"), "GlobalMaxPooling2D": explainGlobal("maximum"), "GlobalMaxPooling3D": explainGlobal("maximum"),
	"CategoryEncoding":  lastIs(": the number of categories"),
	"StringLookup":      explainLookup,
	"IntegerLookup":     explainLookup,
	"TextVectorization": explainText,
	"Dot": func(_ *Layer, _, out tensor.Shape, _ int, last bool) string {
		if last && out.Rank() == 2 && out.Dim(1) == 1 {
			return ": one product for each pair of rows"
		}
		return ""
	},
	"Add": explainMerge, "Subtract": explainMerge, "Multiply": explainMerge, "Average": explainMerge, "Maximum": explainMerge, "Minimum": explainMerge,
}

// explainEinsum explains a size by its letter in the equation: one of the input's, or one that
// stands in the kernel alone.
func explainEinsum(l *Layer, in, out tensor.Shape, d int, last bool) string {
	equation := l.info.config.Str("equation")
	inputs, output, ok := strings.Cut(equation, "->")
	x, _, _ := strings.Cut(inputs, ",")
	at := d
	if before, after, dots := strings.Cut(output, "..."); dots {
		if at = len(output) - (out.Rank() - d); d < len(before) {
			at = d
		} else if out.Rank()-d > len(after) {
			return "" // an axis that the dots stand for
		}
	}
	switch {
	case !ok && last && !slices.Contains(in.Dims(), out.Dim(d)):
		return ": the size that the layer's kernel gives"
	case !ok || at < 0 || at >= len(output):
		return ""
	case strings.IndexByte(x, output[at]) >= 0:
		return fmt.Sprintf(": the input's axis %c in the equation %q", output[at], equation)
	}
	return fmt.Sprintf(": the kernel's axis %c in the equation %q", output[at], equation)
}

// leavesOpen reports whether the output_shape of an EinsumDense, which lacks the batch, leaves a
// size open.
func leavesOpen(l *Layer, d int) bool {
	sizes := l.info.config.Nums("output_shape")
	return d > 0 && d <= len(sizes) && sizes[d-1] == tensor.Unknown
}

// explainHeads explains what attention with heads gives: the heads' results side by side, projected
// to one size.
func explainHeads(l *Layer, in, out tensor.Shape, d int, last bool) string {
	switch {
	case last && (l.info.config.Has("output_shape") || in.Ranked() && in.Dim(-1) != out.Dim(-1)):
		return ": given by output_shape, to which the heads' results are projected"
	case last:
		return ": as wide as the query, to which the heads' results are projected"
	case d > 0:
		return ": the places of the query"
	}
	return ""
}

func explainAttention(_ *Layer, _, _ tensor.Shape, d int, last bool) string {
	switch {
	case last:
		return ": the width of the values"
	case d > 0:
		return ": the places of the query"
	}
	return ""
}

func explainDepthwise(l *Layer, in, out tensor.Shape, d int, _ bool) string {
	if d != channelAxis(l, out) || in.Rank() != out.Rank() || in.Dim(d) <= 0 || out.Dim(d)%in.Dim(d) != 0 {
		return ""
	}
	if m := out.Dim(d) / in.Dim(d); m > 1 {
		return fmt.Sprintf(" = %s channels × %d, the depth_multiplier", words.Thousands(in.Dim(d)), m)
	}
	return ": a filter for each channel of the input"
}

func explainBidirectional(l *Layer, _, out tensor.Shape, _ int, last bool) string {
	if !last {
		return ""
	}
	class, inner := l.info.config.Layer("layer")
	units, what := unitsOf(class, inner)
	if what == "" {
		return ""
	}
	switch mode := l.info.config.Str("merge_mode"); mode {
	case "concat":
		switch n := out.Dim(-1); {
		case n > units:
			return fmt.Sprintf(" = %s forward + %s backward, concatenated (merge_mode \"concat\")", words.Thousands(units), words.Thousands(n-units))
		case n == units:
			return ": the " + what + " of one direction, whose state it is"
		}
		return ""
	case "":
		return ": the " + what + " of one direction, given apart (no merge_mode)"
	case "ave":
		return ": the " + what + " of either direction, averaged (merge_mode \"ave\")"
	case "sum":
		return ": the " + what + " of either direction, added (merge_mode \"sum\")"
	default:
		return fmt.Sprintf(": the %s of either direction, put together by merge_mode %q", what, mode)
	}
}

// unitsOf returns the width of what a recurrent layer gives, and what Keras calls it; "" where it
// is not known.
func unitsOf(class string, c rules.Config) (n int64, what string) {
	for _, what := range []string{"units", "filters"} {
		if n := c.Num(what, 0); n > 0 {
			return n, what
		}
	}
	if class != "RNN" {
		return 0, ""
	}
	_, cell := c.Layer("cell")
	if cells, _ := cell["cells"].([]any); len(cells) > 0 {
		_, cell = rules.Config{"cell": cells[len(cells)-1]}.Layer("cell")
	}
	if n = cell.Num("units", 0); n > 0 {
		return n, "units"
	}
	return 0, ""
}

func explainFlatten(_ *Layer, in, out tensor.Shape, d int, _ bool) string {
	if d != 1 || in.Rank() < 3 || product(in.Drop(1)) != out.Dim(d) {
		return ""
	}
	return " = " + words.Product(in.Drop(1).Dims()) + ": all axes but the batch, flattened"
}

func explainReshape(l *Layer, in, out tensor.Shape, d int, _ bool) string {
	if d == 0 {
		return ""
	}
	given := "given by target_shape"
	if target := l.info.config.Nums("target_shape"); d <= len(target) && target[d-1] == -1 {
		given = "what is left, for the −1 of target_shape"
	}
	if n, ok := in.Drop(1).NumElements(); ok && product(out.Drop(1)) == n {
		return fmt.Sprintf(": %s; %s = %s numbers in each row, as in the input", given, words.Product(out.Drop(1).Dims()), words.Thousands(n))
	}
	return ": " + given
}

// product returns how many numbers a shape holds, -1 where that is open.
func product(s tensor.Shape) int64 {
	if n, ok := s.NumElements(); ok {
		return n
	}
	return -1
}

func explainPermute(l *Layer, _, _ tensor.Shape, d int, _ bool) string {
	if dims := l.info.config.Nums("dims"); d > 0 && d <= len(dims) {
		return fmt.Sprintf(": axis %d of the input", dims[d-1])
	}
	return ""
}

func explainRepeat(_ *Layer, _, _ tensor.Shape, d int, last bool) string {
	switch {
	case d == 1:
		return ": the vector is repeated so many times"
	case last:
		return ": the size of the vector"
	}
	return ""
}

func explainConcat(l *Layer, in, out tensor.Shape, d int, _ bool) string {
	var sizes []string
	sum := int64(0)
	for _, s := range l.info.in {
		if s.Rank() != out.Rank() || s.Dim(d) == tensor.Unknown {
			return ""
		}
		sizes = append(sizes, words.Thousands(s.Dim(d)))
		sum += s.Dim(d)
	}
	if len(sizes) < 2 || sum != out.Dim(d) || in.Dim(d) == out.Dim(d) {
		return ""
	}
	return " = " + strings.Join(sizes, " + ") + ": the inputs side by side"
}

func explainMerge(l *Layer, _, out tensor.Shape, d int, _ bool) string {
	for _, s := range l.info.in {
		if s.Rank() != out.Rank() || s.Dim(d) != out.Dim(d) {
			return ": the inputs are stretched to one size (broadcast)"
		}
	}
	if len(l.info.in) > 1 {
		return ": as in all inputs"
	}
	return ""
}

func explainImage(l *Layer, _, out tensor.Shape, d int, _ bool) string {
	height := out.Rank() - 3
	if channelsFirst(l.info.config) {
		height = out.Rank() - 2
	}
	switch d {
	case height:
		return ": the layer's height"
	case height + 1:
		return ": the layer's width"
	}
	return ""
}

func explainLookup(l *Layer, in, out tensor.Shape, d int, last bool) string {
	if !last || in.Rank() == out.Rank() && in.Dim(d) == out.Dim(d) {
		return ""
	}
	if padsVocabulary(l, out) {
		return ": the layer's max_tokens (pad_to_max_tokens)"
	}
	if l.info.config.Num("num_oov_indices", 1) == 0 {
		return ": a place for each entry of the vocabulary"
	}
	return ": a place for each entry of the vocabulary, and for what is not in it"
}

// padsVocabulary reports whether a layer that counts tokens gives as many places as it may have
// tokens, whether there are so many or not.
func padsVocabulary(l *Layer, out tensor.Shape) bool {
	pads, _ := l.info.config["pad_to_max_tokens"].(bool)
	return pads && l.info.config.Num("max_tokens", tensor.Unknown) == out.Dim(-1)
}

func explainText(l *Layer, _, out tensor.Shape, _ int, last bool) string {
	switch length := l.info.config.Num("output_sequence_length", tensor.Unknown); {
	case !last:
		return ""
	case length == out.Dim(-1):
		return ": the layer's output_sequence_length"
	case padsVocabulary(l, out):
		return ": the layer's max_tokens (pad_to_max_tokens)"
	case l.info.config.Has("output_mode") && l.info.config.Str("output_mode") != "int":
		return ": a place for each token of the vocabulary, and for what is not in it"
	}
	return ""
}

// explainGlobal explains pooling over all of space.
func explainGlobal(what string) dimExplainer {
	return func(l *Layer, in, out tensor.Shape, d int, _ bool) string {
		switch {
		case d == channelAxis(l, out) && in.Rank() > 2:
			return fmt.Sprintf(": the channels; of each, the %s over all places is taken", what)
		case d > 0 && out.Dim(d) == 1 && in.Rank() == out.Rank():
			return fmt.Sprintf(": the %s over the axis, which is kept (keepdims)", what)
		}
		return ""
	}
}

func explainAdaptive(l *Layer, _, out tensor.Shape, d int, _ bool) string {
	if d == 0 || d == channelAxis(l, out) {
		return ""
	}
	return ": the layer's output_size"
}
