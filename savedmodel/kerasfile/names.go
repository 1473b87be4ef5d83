package kerasfile

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// part is an object within a layer: its class and its configuration, as far as they are known.
type part struct {
	class  string
	config map[string]any
	sure   bool // the class is Keras' own
	// serialized says that the file has a configuration of this part alone, as of what a wrapper
	// wraps: what it says of training holds for the part's own variables.
	serialized bool
	built      []any // the shape of the input that the part was built with
}

// model returns the layers of a part that is a model, as far as the file has their configuration.
func (p part) model() *layers.ModelConfig {
	if !p.serialized || p.config["layers"] == nil {
		return nil
	}
	config, err := json.Marshal(p.config)
	if err != nil {
		return nil
	}
	return (&layers.LayerConfig{ClassName: p.class, Config: config}).Model()
}

// partOf returns the layer itself.
func partOf(l *layers.LayerConfig) part {
	p := part{class: l.Class(), sure: l.Builtin()}
	_ = json.Unmarshal(l.Config, &p.config) // a class of one's own may have any configuration
	var build map[string]any
	_ = json.Unmarshal(l.BuildConfig, &build) // a class of one's own may note anything
	p.built, _ = build["input_shape"].([]any)
	return p
}

// serialized returns a layer that stands in the configuration of another.
func serialized(v any) (part, bool) {
	m, _ := v.(map[string]any)
	class, _ := m["class_name"].(string)
	config, _ := m["config"].(map[string]any)
	if class == "" {
		return part{}, false
	}
	module, _ := m["module"].(string)
	sure := m["registered_name"] == nil && (&layers.LayerConfig{ClassName: class, Module: module}).Builtin()
	build, _ := m["build_config"].(map[string]any)
	built, _ := build["input_shape"].([]any)
	return part{class[strings.LastIndexByte(class, '>')+1:], config, sure, true, built}, true
}

// within returns what stands in an attribute of a part, or in a list there.
func (p part) within(attribute string, o *object) part {
	attribute = strings.TrimLeft(attribute, "_")
	switch {
	case p.class == "Bidirectional" && attribute == "backward_layer":
		if q, ok := serialized(p.config["backward_layer"]); ok {
			return q
		}
		fallthrough
	case attribute == "layer" || p.class == "Bidirectional":
		if q, ok := serialized(p.config["layer"]); ok {
			return q
		}
	case attribute == "cell":
		if q, ok := serialized(p.config["cell"]); ok {
			return q
		}
		return part{class: p.class + "Cell", config: p.config, sure: p.sure, serialized: !strings.HasPrefix(p.class, "ConvLSTM")}
	case strings.HasSuffix(p.class, "Attention") && p.sure:
		return part{class: "EinsumDense", sure: true}
	}
	if o.hasVars || len(o.vars) > 0 {
		for _, name := range []string{o.name, attribute} {
			if class, ok := kerasnames.ClassOf(name); ok {
				return part{class: class, sure: p.sure}
			}
			if class, ok := cells[strings.TrimRight(name, "_0123456789")]; ok {
				return part{class: class, sure: p.sure}
			}
		}
	}
	return part{sure: p.sure && !o.hasVars}
}

var cells = map[string]string{
	"lstm_cell": "LSTMCell", "gru_cell": "GRUCell", "simple_rnn_cell": "SimpleRNNCell", "conv_lstm_cell": "ConvLSTMCell",
}

// orders are the names of the variables of Keras' classes, in the order in which they are saved.
var orders = map[string][]string{
	"Embedding":          {"embeddings", "embeddings_scale", "embeddings_zero", "g_idx"},
	"BatchNormalization": {"gamma", "beta", "moving_mean", "moving_variance"},
	"LayerNormalization": {"gamma", "beta"},

	"SyncBatchNormalization": {"gamma", "beta", "moving_mean", "moving_variance"},
	"RandomFourierFeatures":  {"kernel_scale", "unscaled_kernel", "bias"},
	"GroupNormalization":     {"gamma", "beta"},
	"RMSNormalization":       {"scale"},
	"Normalization":          {"mean", "variance", "count"},
	"PReLU":                  {"alpha"},
	"LSTMCell":               {"kernel", "recurrent_kernel", "bias"},
	"GRUCell":                {"kernel", "recurrent_kernel", "bias"},
	"SimpleRNNCell":          {"kernel", "recurrent_kernel", "bias"},
	"ConvLSTM1DCell":         {"kernel", "recurrent_kernel", "bias"},
	"ConvLSTM2DCell":         {"kernel", "recurrent_kernel", "bias"},
	"ConvLSTM3DCell":         {"kernel", "recurrent_kernel", "bias"},
	"ConvLSTMCell":           {"kernel", "recurrent_kernel", "bias"},
	"SeparableConv1D":        {"depthwise_kernel", "pointwise_kernel", "bias"},
	"SeparableConv2D":        {"depthwise_kernel", "pointwise_kernel", "bias"},
	"Attention":              {"scale", "concat_score_weight"},
	"AdditiveAttention":      {"scale"},
}

// ownsSome reports whether layers of a class have variables, be they in a cell.
func ownsSome(class string) bool {
	return orders[class] != nil || orders[class+"Cell"] != nil || strings.Contains(class, "Conv") || class == "Dense" || class == "EinsumDense"
}

// names returns the names of a part's own variables by their numbers; nil where they are not known.
func (p part) names(n int) []string {
	names, ok := orders[p.class]
	switch {
	case p.class == "SpectralNormalization" && n == 2: // Keras 3 saves the layer's kernel once more
		return []string{kernelAgain, "vector_u"}
	case p.class == "SpectralNormalization":
		return []string{"vector_u"}
	case ok:
	case p.class == "ReversibleEmbedding":
		names = p.reversible()
	case p.quantization() == "float8":
		names = []string{"kernel", "bias"}
		for _, of := range []string{"inputs", "kernel", "outputs_grad"} {
			names = append(names, of+"_scale", of+"_amax_history")
		}
	case p.class == "Dense", p.class == "EinsumDense", strings.Contains(p.class, "Conv"):
		names = []string{"kernel", "bias", "kernel_scale", "kernel_zero", "g_idx"}
	default:
		return nil
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		off := func(key string) bool { on, said := p.config[key].(bool); return said && !on }
		return name == "bias" && off("use_bias") || name == "beta" && off("center") || (name == "gamma" && off("scale")) ||
			name == "scale" && p.class == "Attention" && off("use_scale")
	})
}

// reversible returns the names of the variables of an Embedding of Keras 3 that has a second table
// for the way back, unless its weights are tied. Both tables of a quantized one have scales.
func (p part) reversible() []string {
	tables := []string{"embeddings", "reverse_embeddings"}
	if p.config["tie_weights"] != false {
		tables = tables[:1]
	}
	var names []string
	for _, table := range tables {
		names = append(names, table)
		if p.packed() || p.quantization() == "int8" {
			names = append(names, table+"_scale")
		}
		if p.packed() {
			names = append(names, table+"_zero")
		}
		if p.packed() && table == "embeddings" {
			names = append(names, "g_idx")
		}
	}
	return names
}

// quantization returns the mode in which Keras 3 quantized a layer, such as "int8", or "".
func (p part) quantization() string {
	policy, _ := p.config["dtype"].(map[string]any)
	config, _ := policy["config"].(map[string]any)
	mode, _ := config["mode"].(string)
	return mode
}

// packed reports whether two numbers of the kernel stand in each byte of the file.
func (p part) packed() bool { return strings.HasPrefix(p.quantization(), "int4") }

// kernelAgain stands for a variable that another object has too.
const kernelAgain = "\x00kernel"

// shortName returns the last part of a variable's name, without the number that TensorFlow 1 puts
// behind a colon.
func shortName(name string) string {
	_, name = splitName(name)
	return name
}

// splitName returns what stands before the short name of a variable, and that.
func splitName(name string) (path, short string) {
	at := strings.LastIndexByte(name, '/') + 1
	short, _, _ = strings.Cut(name[at:], ":")
	return name[:at], short
}

// nameOf returns the name of variable i of a part.
func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return strconv.Itoa(i)
}

// trains reports whether training changes a variable, by its name and its type.
func (p part) trains(name string, d tensor.DType) bool {
	if !d.IsFloat() && !d.IsComplex() {
		return false
	}
	switch name {
	case "moving_mean", "moving_variance", "vector_u", "g_idx":
		return false
	case "mean", "variance":
		return p.class != "Normalization"
	}
	switch p.class {
	case "RandomFourierFeatures":
		return name == "kernel_scale"
	case "BatchNormalization", "SyncBatchNormalization": // renorm of Keras 2 has more statistics
		return name == "gamma" || name == "beta"
	}
	return p.quantization() == "float8" || !strings.HasSuffix(name, "_scale") && !strings.HasSuffix(name, "_zero")
}

// The reasons why it is not known which variables training changes.
const (
	whyOwnVariables = "which variables of a class of one's own training changes is not in the file: all of floats are counted"
	whyOwnParts     = "whether code of one's own froze the layer is not in the file: it is counted as one that is not"
	whyFrozen       = "the layer is frozen; what is within it Keras 3 trains all the same if the layer was made so, or the model was loaded"
	whyNoConfig     = "whether the layer was frozen is not in the file, which holds variables alone: it is counted as one that was not"
)
