package scopes

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
)

// functions are default names of layers that are those of activation functions, too, after which
// people call an Activation.
var functions = map[string]bool{"elu": true, "softmax": true}

// holders are Keras' classes that hold layers with variables. No layer of another class has scopes
// of such layers within, whatever the layer is called.
var holders = map[string]bool{
	"Bidirectional": true, "TimeDistributed": true, "SpectralNormalization": true, "MultiHeadAttention": true, "GroupedQueryAttention": true,
	"RNN": true, "StackedRNNCells": true, "Model": true, "Functional": true, "Sequential": true,
}

// Classify returns a layer's class as its operations, variables and name suggest it. sure is false
// when several classes would look alike or the class is the user's own.
func Classify(s *Scope, c *Call, name string, vars []*savedmodel.Variable) (class string, sure bool) {
	if kerasnames.WithoutNumber(name) == "keras_layer" { // of tensorflow_hub: any model is in it
		return "KerasLayer", false
	}
	t := newTraits(s, c, name, vars)
	byName, known := kerasnames.ClassOf(name)
	if !kerasnames.IsDefault(name) {
		known = false
	}
	candidates := t.weighted()
	if candidates == nil {
		candidates = t.weightless()
	}
	if len(t.weights) > 0 && len(candidates) > 0 && holders[candidates[0]] && !holders[byName] && !slices.Contains(candidates, byName) {
		known = false
	}
	switch {
	case known && (slices.Contains(candidates, byName) || candidates == nil && len(t.weights) == 0 || byName == "Lambda" && len(t.weights) == 0 && len(candidates) != 1):
		return byName, !functions[kerasnames.WithoutNumber(name)]
	case known && byName == "Lambda" && len(t.weights) == 0:
		return byName, true
	case strings.HasPrefix(name, "tf."): // as Keras 2 calls them
		if strings.HasPrefix(name, "tf.__operators__.getitem") {
			return "SlicingOpLambda", true
		}
		return OperationClass, true
	case known:
		return byName, false
	case len(candidates) == 0:
		return kerasnames.CamelCase(kerasnames.WithoutNumber(name)), false
	}
	return candidates[0], len(candidates) == 1
}

// weighted returns the classes that a layer with such variables may be of. It returns nil for a
// layer without variables, and an empty list where no class of Keras has such variables.
func (t *traits) weighted() []string {
	if len(t.weights) == 0 {
		return nil
	}
	if c := t.compound(); c != nil && !t.has("vector_u") {
		return c
	}
	switch {
	case t.only("embeddings") && embeddingText.MatchString(t.text):
		return []string{"Embedding"}
	case t.has("vector_u"):
		return []string{"SpectralNormalization"}
	case t.has("moving_mean", "moving_variance") && strings.HasPrefix(t.name, "sync_batch_normalization"):
		return []string{"SyncBatchNormalization"}
	case t.has("moving_mean", "moving_variance") && strings.Contains(t.text, "/batchnorm/"):
		return []string{"TimeDistributed", "BatchNormalization"}
	case t.has("moving_mean", "moving_variance") && batchNormText.MatchString(t.text):
		return []string{"BatchNormalization"}
	case t.only("gamma", "beta"):
		if strings.Contains(t.text, "/") && !strings.HasPrefix(t.text, " moments/") || strings.HasPrefix(t.text, " Reshape:Reshape moments/") {
			return []string{"GroupNormalization", "LayerNormalization"}
		}
		return []string{"LayerNormalization"}
	case t.has("pointwise_kernel", "depthwise_kernel"):
		return []string{"SeparableConv" + strconv.Itoa(t.weights["pointwise_kernel"]-2) + "D"}
	case t.has("depthwise_kernel") && t.only("depthwise_kernel", "bias"): // as Keras 2 calls it
		return []string{"DepthwiseConv" + strconv.Itoa(t.weights["depthwise_kernel"]-2) + "D"}
	case t.only("alpha") && t.ops["Relu"]:
		return []string{"PReLU"}
	case t.only("scale"):
		switch {
		case strings.Contains(t.text, "Tanh:Tanh") && strings.Contains(t.text, "Softmax:Softmax"):
			return []string{"AdditiveAttention"}
		case strings.Contains(t.text, "Softmax:Softmax"):
			return []string{"Attention"}
		case t.ops["Rsqrt"]:
			return []string{"RMSNormalization"}
		}
	case t.only("mean", "variance", "count"):
		return []string{"Normalization"}
	case t.only("kernel", "bias"), t.only("kernel", "bias", "lora_kernel_a", "lora_kernel_b"):
		return t.kernelClass()
	}
	return []string{}
}

// compound returns the class of a layer that holds other layers; nil where no such layer shows.
func (t *traits) compound() []string {
	cell := ""
	for _, c := range [][2]string{{"lstm_cell", "LSTM"}, {"gru_cell", "GRU"}, {"simple_rnn_cell", "SimpleRNN"}} {
		if t.parts[c[0]] && (t.scopes[c[0]] || t.loops()) {
			if cell != "" {
				return []string{"RNN"} // of stacked cells
			}
			cell = c[1]
		}
	}
	switch {
	case anyPrefix(t.parts, "forward_") && anyPrefix(t.parts, "backward_"):
		return []string{"Bidirectional"}
	case t.parts["conv_lstm_cell"]:
		return []string{"ConvLSTM" + strconv.Itoa(t.weights["kernel"]-2) + "D"}
	case t.scoped("query", "key", "value"):
		return []string{"MultiHeadAttention", "GroupedQueryAttention"}
	case t.parts["stacked_rnn_cells"]:
		return []string{"RNN"}
	case cell != "":
		return []string{cell, "RNN"}
	case t.isTimeDistributed():
		return []string{"TimeDistributed"}
	case t.direct == 0 && t.nestedModel():
		return t.modelClass()
	}
	return nil
}

// modelClass tells a nested Sequential from a nested Functional by the paths of the variables. The
// layers of a Sequential are built by the model, so its name is in their paths; those of a
// Functional were built before there was a model.
func (t *traits) modelClass() []string {
	if t.parts[kerasnames.WithoutNumber(t.name)] || t.parts[t.name] {
		classes := []string{"Sequential", kerasnames.CamelCase(kerasnames.WithoutNumber(t.name)), "Functional"}
		return slices.DeleteFunc(classes, func(c string) bool { return !holders[c] && slices.Contains(kerasnames.Classes, c) })
	}
	return []string{"Functional", "Sequential"}
}

// kernelClass returns the classes of layers with a kernel, and perhaps a bias, by their operations.
func (t *traits) kernelClass() []string {
	rank := t.weights["kernel"]
	dim := strconv.Itoa(rank-2) + "D"
	switch {
	case !t.work("MatMul", "BatchMatMulV2", "Einsum", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3DBackpropInputV2"):
		return []string{}
	case t.ops["DepthwiseConv2dNative"]:
		return []string{"DepthwiseConv" + dim}
	case t.ops["Conv2DBackpropInput"], t.ops["Conv3DBackpropInputV2"]:
		return []string{"Conv" + dim + "Transpose"}
	case t.ops["Conv2D"], t.ops["Conv3D"]:
		return []string{"Conv" + dim}
	case t.direct == 0 || !t.own && t.nestedModel():
		return []string{}
	case rank == 2 && denseText.MatchString(t.text) && t.ops["BatchMatMulV2"]:
		return []string{"Dense", "EinsumDense"}
	case rank == 2 && (denseText.MatchString(t.text) || tensordotText.MatchString(t.text)):
		return []string{"Dense"}
	case rank == 2 && !strings.Contains(t.text, "BatchMatMul") && !t.ops["Einsum"]:
		return []string{}
	}
	return []string{"EinsumDense"}
}

// weightless returns the classes that a layer without variables may be.
func (t *traits) weightless() []string {
	if len(t.weights) > 0 {
		return nil
	}
	if t.isTimeDistributed() {
		return []string{"TimeDistributed"}
	}
	if t.direct == 0 && t.onlyLayers() {
		return []string{"Sequential", "Functional"}
	}
	for _, p := range patterns() {
		if p.text.MatchString(t.text) {
			return p.classes(t)
		}
	}
	if t.direct == 0 && t.nestedModel() {
		return []string{"Functional", "Sequential"}
	}
	return nil
}
