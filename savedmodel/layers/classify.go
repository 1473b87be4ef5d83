package layers

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
)

// kerasClasses lists the classes of Keras' layers, whose names in snake case are the layers'
// default names.
var kerasClasses = strings.Fields(`
	Activation ActivityRegularization Add AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D AveragePooling2D
	AveragePooling3D BatchNormalization Bidirectional CategoryEncoding CenterCrop Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D
	Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization
	Dot Dropout ELU EinsumDense Embedding Equalization Flatten GRU GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
	GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention HashedCrossing
	Hashing Identity IntegerLookup LSTM Lambda LayerNormalization LeakyReLU Masking MaxNumBoundingBoxes MaxPooling1D MaxPooling2D MaxPooling3D Maximum
	MelSpectrogram Minimum MixUp MultiHeadAttention Multiply Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration
	RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective
	RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing
	STFTSpectrogram SeparableConv1D SeparableConv2D SimpleRNN Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StringLookup
	Subtract TFSMLayer TextVectorization TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
	Functional Sequential`)

// traits is what the graph shows of a layer's call.
type traits struct {
	ops map[string]bool // op types
	// the nodes that do work, each " name:op" below the layer's scope, without numbers at their
	// ends
	text    string
	direct  int             // nodes that do work and stand in no scope within the layer's
	scopes  map[string]bool // the scopes directly within the layer's, without numbers
	weights map[string]int  // ranks of the variables, by the last component of their paths
	parts   map[string]bool // the other components of these paths
	own     bool            // the variables hang on the layer itself, not on a layer within
	name    string
	inRank  int // of the first input, -1 when not known
	outRank int // of the last output
	ins     int // tensors taken, each counted once
	textIn  bool
	// multiple says that each size of the output is a multiple of the input's.
	multiple bool
}

// classify returns a layer's class as its operations, variables and name suggest it. sure is false
// when several classes would look alike or the class is the user's own.
func classify(s *scope, c *call, name string, vars []*savedmodel.Variable) (class string, sure bool) {
	t := newTraits(s, c, name, vars)
	byName, known := ClassOfName(name)
	if !isDefaultName(name) {
		known = false
	}
	candidates := t.weighted()
	if candidates == nil {
		candidates = t.weightless()
	}
	switch {
	case known && (slices.Contains(candidates, byName) || candidates == nil && len(t.weights) == 0 || byName == "Lambda" && len(t.weights) == 0 && len(candidates) != 1):
		return byName, true
	case known && byName == "Lambda" && len(t.weights) == 0:
		return byName, true
	case strings.HasPrefix(name, "tf."): // as Keras 2 calls them
		if strings.HasPrefix(name, "tf.__operators__.getitem") {
			return "SlicingOpLambda", true
		}
		return kerasOperation, true
	case known:
		return byName, false
	case len(candidates) == 0:
		return camelCase(defaultBase(name)), false
	}
	return candidates[0], len(candidates) == 1
}

// isDefaultName reports whether a name is a class's default name with at most one number: Keras
// would not make "dense_1_1".
func isDefaultName(name string) bool {
	_, whole := classByDefault[name]
	_, base := classByDefault[defaultBase(name)]
	return whole || base
}

// newTraits collects what a call shows of its layer: operations, scopes, weights and ranks.
func newTraits(s *scope, c *call, name string, vars []*savedmodel.Variable) *traits {
	t := &traits{ops: map[string]bool{}, scopes: map[string]bool{}, weights: map[string]int{}, parts: map[string]bool{}, name: name, inRank: -1, outRank: -1, ins: len(c.ins)}
	var text strings.Builder
	for _, n := range c.nodes {
		rel := n.Parts[min(s.depth+1, len(n.Parts)):]
		if c.op {
			rel = n.Parts[s.depth:]
		}
		t.ops[n.Op] = true
		if len(rel) > 1 {
			t.scopes[defaultBase(rel[0])] = true
		}
		if quietOps[n.Op] || n.Op == "Cast" || n.Op == "DisableCopyOnRead" {
			continue
		}
		if len(rel) == 1 {
			t.direct++
		}
		for i, part := range rel {
			if i == 0 {
				text.WriteByte(' ')
			} else {
				text.WriteByte('/')
			}
			text.WriteString(defaultBase(part))
		}
		text.WriteString(":" + n.Op)
	}
	t.text = text.String()
	for _, v := range vars {
		path := strings.Split(v.Name, "/")
		last := path[len(path)-1]
		if isSeed(v) {
			continue
		}
		t.weights[last] = v.Shape.Rank()
		for _, p := range path[:len(path)-1] {
			t.parts[defaultBase(p)] = true
		}
		t.own = t.own || len(path) > 1 && path[len(path)-2] == name
	}
	if len(c.ins) > 0 {
		in, _ := s.b.Shape(c.ins[0].ref)
		t.inRank = in.Rank()
	}
	if len(c.shapes) > 0 {
		t.outRank = c.shapes[len(c.shapes)-1].Rank()
	}
	t.multiple = s.grows(c)
	for _, n := range c.nodes {
		t.textIn = t.textIn || n.Op == "LookupTableFindV2" && n.Def.GetAttr()["Tin"].GetType() == 7
	}
	return t
}

// grows reports whether each size of a call's output is a multiple of the input's, as far as they
// are known.
func (s *scope) grows(c *call) bool {
	if len(c.ins) == 0 || len(c.shapes) == 0 {
		return false
	}
	in, _ := s.b.Shape(c.ins[0].ref)
	out := c.shapes[0]
	if in.Rank() != out.Rank() {
		return false
	}
	for i := range in.Dims() {
		if a, b := in.Dim(i), out.Dim(i); a > 0 && b > 0 && (b < a || b%a != 0) {
			return false
		}
	}
	return true
}

// only reports whether the layer's variables are among the given ones, and there is at least one.
func (t *traits) only(names ...string) bool {
	for w := range t.weights {
		if !slices.Contains(names, w) {
			return false
		}
	}
	return len(t.weights) > 0
}

// has reports whether the layer has all the given variables.
func (t *traits) has(names ...string) bool {
	for _, n := range names {
		if _, ok := t.weights[n]; !ok {
			return false
		}
	}
	return true
}

// scoped reports whether scopes of all the given names lie within the layer's.
func (t *traits) scoped(names ...string) bool {
	for _, n := range names {
		if !t.scopes[n] {
			return false
		}
	}
	return true
}

func anyPrefix(set map[string]bool, prefix string) bool {
	for s := range set {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

// weighted returns the classes that a layer with such variables may be; nil when it has none, empty
// when it is of no class of Keras.
func (t *traits) weighted() []string {
	if len(t.weights) == 0 {
		return nil
	}
	if c := t.compound(); c != nil && !t.has("vector_u") {
		return c
	}
	switch {
	case t.only("embeddings"):
		return []string{"Embedding"}
	case t.has("vector_u"):
		return []string{"SpectralNormalization"}
	case t.has("moving_mean", "moving_variance"):
		return []string{"BatchNormalization"}
	case t.only("gamma", "beta"):
		if strings.Contains(t.text, "/") && !strings.HasPrefix(t.text, " moments/") || strings.HasPrefix(t.text, " Reshape:Reshape moments/") {
			return []string{"GroupNormalization", "LayerNormalization"}
		}
		return []string{"LayerNormalization"}
	case t.has("pointwise_kernel", "depthwise_kernel"):
		return []string{"SeparableConv" + strconv.Itoa(t.weights["pointwise_kernel"]-2) + "D"}
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

// compound returns the class of a layer that holds other layers; nil when it is none that shows.
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
		return []string{"MultiHeadAttention", "GroupQueryAttention"}
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

// loops reports whether the layer's work is a loop over time, with the cell in the loop's body.
func (t *traits) loops() bool { return t.ops["While"] || t.ops["StatelessWhile"] }

// isTimeDistributed recognizes the wrapper: it maps the layer over the time axis by a vectorized
// loop body, or step by step.
func (t *traits) isTimeDistributed() bool {
	if t.scopes["loop_body"] {
		return true
	}
	return strings.HasPrefix(strings.TrimPrefix(t.text, " Shape:Shape strided_slice:StridedSlice"), " transpose:Transpose strided_slice:StridedSlice") &&
		strings.HasSuffix(t.text, " stack:Pack transpose:Transpose")
}

// nestedModel reports whether the work is done in scopes that are layers of their own.
func (t *traits) nestedModel() bool {
	for s := range t.scopes {
		if !helperScopes[s] {
			return true
		}
	}
	return false
}

// modelClass tells the kinds of nested models: the variables of a Sequential's layers have its name
// in their paths, those of a Functional's, which were made before the model was, do not.
func (t *traits) modelClass() []string {
	if t.parts[defaultBase(t.name)] || t.parts[t.name] {
		return []string{"Sequential", camelCase(defaultBase(t.name)), "Functional"}
	}
	return []string{"Functional", "Sequential"}
}

// kernelClass tells the classes with a kernel and perhaps a bias.
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

// work reports whether any of the ops is there.
func (t *traits) work(ops ...string) bool {
	return slices.ContainsFunc(ops, func(op string) bool { return t.ops[op] })
}

// activationText matches what the activation functions leave at the end of a layer's nodes.
const activationText = `(?: Relu:Relu| Relu6:Relu6| Sigmoid:Sigmoid| Tanh:Tanh| Softplus:Softplus| Softsign:Softsign| Selu:Selu| Elu:Elu| Exp:Exp| LeakyRelu:LeakyRelu|` +
	` Softmax:Softmax| LogSoftmax:LogSoftmax| mul:Mul Sigmoid:Sigmoid mul:Mul| Sigmoid:Sigmoid mul:Mul| mul:Mul Sigmoid:Sigmoid mul:Mul Identity:Identity IdentityN:IdentityN|` +
	` (?:add|Add):AddV2 Relu6:Relu6 (?:truediv|mul):(?:RealDiv|Mul)(?: mul:Mul)?|(?: Gelu/\S+)+| Softplus:Softplus Tanh:Tanh mul:Mul|(?: \S+)+)`

var (
	denseText     = regexp.MustCompile(`^ MatMul:(?:MatMul|BatchMatMulV2)(?: BiasAdd:BiasAdd| (?:add|Add):AddV2)?` + activationText + `?$`)
	tensordotText = regexp.MustCompile(`^(?: Tensordot\S*)+(?: BiasAdd:BiasAdd| (?:add|Add):AddV2)?` + activationText + `?$`)
)

// weightless returns the classes that a layer without variables may be.
func (t *traits) weightless() []string {
	if len(t.weights) > 0 {
		return nil
	}
	if t.isTimeDistributed() {
		return []string{"TimeDistributed"}
	}
	for _, p := range patterns {
		if p.text.MatchString(t.text) {
			return p.classes(t)
		}
	}
	if t.direct == 0 && t.nestedModel() {
		return []string{"Functional", "Sequential"}
	}
	return nil
}

// isSeed reports whether a variable is the state of a random number generator, which Keras does not
// count among the weights; Keras 2 calls it StateVar.
func isSeed(v *savedmodel.Variable) bool {
	last := v.Name[strings.LastIndexByte(v.Name, '/')+1:]
	return strings.HasPrefix(last, "seed_generator_state") || last == "seed_state" || last == "StateVar"
}

// kerasOperation is the class of a layer that Keras 2 makes of an operation in a functional model.
const kerasOperation = "TFOpLambda"
