package scopes

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
)

// activationText matches the nodes that an activation function leaves at the end of a layer.
const activationText = `(?: Relu:Relu| Relu6:Relu6| Sigmoid:Sigmoid| Tanh:Tanh| Softplus:Softplus| Softsign:Softsign| Selu:Selu| Elu:Elu| Exp:Exp| LeakyRelu:LeakyRelu|` +
	` Softmax:Softmax| LogSoftmax:LogSoftmax| mul:Mul Sigmoid:Sigmoid mul:Mul| Sigmoid:Sigmoid mul:Mul| mul:Mul Sigmoid:Sigmoid mul:Mul Identity:Identity IdentityN:IdentityN|` +
	` (?:add|Add):AddV2 Relu6:Relu6 (?:truediv|mul):(?:RealDiv|Mul)(?: mul:Mul)?|(?: Gelu/\S+)+| Softplus:Softplus Tanh:Tanh mul:Mul|(?: \S+)+)`

var (
	denseText     = regexp.MustCompile(`^ MatMul:(?:MatMul|BatchMatMulV2)(?: BiasAdd:BiasAdd| (?:add|Add):AddV2)?` + activationText + `?$`)
	embeddingText = regexp.MustCompile(`^(?:(?: \S+)* GatherV2:GatherV2|(?: embedding_lookup\S*:\S+)+)(?: NotEqual:NotEqual)?$`)
	batchNormText = regexp.MustCompile(`(?:^| )(?:FusedBatchNorm|batchnorm/)`)
	tensordotText = regexp.MustCompile(`^(?: Tensordot\S*)+(?: BiasAdd:BiasAdd| (?:add|Add):AddV2)?` + activationText + `?$`)
)

// pattern is a text that a layer without variables leaves in the graph (see [traits]), with the
// classes that leave it, the likeliest first.
type pattern struct {
	text    *regexp.Regexp
	classes func(*traits) []string
}

func classes(names ...string) func(*traits) []string {
	return func(*traits) []string { return names }
}

// byInput appends the number of spatial axes of the input to a class's name.
func byInput(format string) func(*traits) []string {
	return func(t *traits) []string {
		if t.inRank < 3 || t.inRank > 5 {
			return nil
		}
		return []string{strings.Replace(format, "#", strconv.Itoa(t.inRank-2), 1)}
	}
}

// patterns are tried in order against [traits.text]. They are made at the first use: most commands
// look at no layers, and fifty expressions take milliseconds.
var patterns = sync.OnceValue(func() []pattern {
	return []pattern{
		{regexp.MustCompile(`RandomUniform|RandomNormal|RandomGetKey`), randomClasses},
		{regexp.MustCompile(` div_no_nan:DivNoNan$`), classes("ActivityRegularization")},
		{regexp.MustCompile(`^ (?:concat|concatenate):(?:ConcatV2|Identity)$`), classes("Concatenate")},
		{regexp.MustCompile(`^(?: (?:Add|add):AddV2)+$`), mergeOf("Add")},
		{regexp.MustCompile(`^ (?:Sub|sub):Sub$`), mergeOf("Subtract")},
		{regexp.MustCompile(`^(?: (?:Mul|mul):Mul)+$`), mergeOf("Multiply")},
		{regexp.MustCompile(`^(?: Maximum:Maximum)+$`), mergeOf("Maximum")},
		{regexp.MustCompile(`^(?: Minimum:Minimum)+$`), mergeOf("Minimum")},
		{regexp.MustCompile(`^(?: (?:Add|add):AddV2)+ truediv:RealDiv$`), mergeOf("Average")},
		{regexp.MustCompile(`Tanh:Tanh.*Softmax:Softmax.* MatMul:BatchMatMul`), classes("AdditiveAttention")},
		{regexp.MustCompile(`MatMul:BatchMatMul.*Softmax:Softmax.* MatMul:BatchMatMul`), classes("Attention")},
		{regexp.MustCompile(` MatMul:BatchMatMul`), mergeOf("Dot")},
		{regexp.MustCompile(`^ Relu:Relu$`), reluClasses},
		{regexp.MustCompile(`^ Relu6:Relu6$`), classes("ReLU", "Activation")},
		{regexp.MustCompile(`^(?: Greater:Greater| GreaterEqual:GreaterEqual).* (?:SelectV2|mul)\S+$`), classes("ReLU", "ELU")},
		{regexp.MustCompile(`^ LeakyRelu:LeakyRelu$`), classes("LeakyReLU", "Activation", "ReLU")},
		{regexp.MustCompile(`^ Elu:Elu$`), eluClasses},
		{regexp.MustCompile(`^ Elu:Elu .*SelectV2$`), classes("ELU")},
		{regexp.MustCompile(`^ Softmax:Softmax$`), softmaxClasses},
		{regexp.MustCompile(`^ Exp:Exp$`), classes("Activation", "Lambda")},
		{regexp.MustCompile(`^ moments/`), classes("LayerNormalization")},
		{regexp.MustCompile(`^ Square:Square Sum:Sum .*mul:Mul$`), classes("UnitNormalization")},
		{regexp.MustCompile(`^ (?:Sub|sub):Sub .*truediv:RealDiv$`), classes("Normalization")},
		{regexp.MustCompile(`^(?: Cast:Cast)? mul:Mul (?:add|Add):AddV2$`), classes("Rescaling", "Lambda")},
		// As Keras 2 has it.
		{regexp.MustCompile(`^ Identity:Identity$`), classes("Dropout", "SpatialDropout1D", "Lambda")},
		{regexp.MustCompile(`^ Mean:Mean$`), byInput("GlobalAveragePooling#D")},
		{regexp.MustCompile(`^ ExpandDims:ExpandDims (?:SelectV2|mul)\S+ .*truediv:RealDiv$`), classes("GlobalAveragePooling1D")},
		{regexp.MustCompile(`^ Max:Max$`), byInput("GlobalMaxPooling#D")},
		{regexp.MustCompile(`:MaxPool(?:3D|V2)?(?: MaxPool1d/Squeeze:Squeeze| \S*Squeeze:Squeeze)?(?: transpose:Transpose)?$`), byInput("MaxPooling#D")},
		{regexp.MustCompile(`:AvgPool(?:3D)?(?: AvgPool1D/Squeeze:Squeeze| \S*Squeeze:Squeeze)?(?: transpose:Transpose)?$`), byInput("AveragePooling#D")},
		{regexp.MustCompile(`^ (?:Pad|PadV2|MirrorPad):(?:Pad|PadV2|MirrorPad)$`), byInput("ZeroPadding#D")},
		{regexp.MustCompile(`^ strided_slice:StridedSlice$`), cropClasses},
		{regexp.MustCompile(`^(?: Shape:Shape strided_slice:StridedSlice)+ strided_slice:StridedSlice$`), classes("CenterCrop")},
		{regexp.MustCompile(` Repeat/`), repeatClasses},
		{regexp.MustCompile(`resize/Resize(?:Nearest|Bilinear|Bicubic)`), resizeClasses},
		{regexp.MustCompile(`^ transpose:Transpose$`), classes("Permute")},
		{regexp.MustCompile(`LookupTableFindV2`), lookupClasses},
		{regexp.MustCompile(`StringSplit|StringLower`), classes("TextVectorization")},
		{regexp.MustCompile(`Bucketize`), classes("Discretization")},
		{regexp.MustCompile(`StringToHashBucket`), classes("Hashing")},
		{regexp.MustCompile(`one_hot:OneHot|DenseBincount`), classes("CategoryEncoding")},
		{regexp.MustCompile(` NotEqual:NotEqual Any:Any `), classes("Masking")},
		{regexp.MustCompile(` Reshape:Reshape$`), reshapeClasses},
		{regexp.MustCompile(`^` + strings.TrimSuffix(activationText, `|(?: \S+)+)`) + `)$`), classes("Activation")},
	}
})

// mergeOf returns the class of a merge for a layer with several inputs. With one input the layer is
// more likely a Lambda.
func mergeOf(class string) func(*traits) []string {
	return func(t *traits) []string {
		if t.ins > 1 {
			return []string{class}
		}
		return []string{"Lambda", class}
	}
}

// applicationsRelu matches the names that keras.applications' ResNets and DenseNets give to their
// Activation layers.
var applicationsRelu = regexp.MustCompile(`^(?:conv\d+(?:_block\d+)?(?:_\w+)?_relu|(?:post_|pool\d_)?relu|conv\d+_block\d+_out)$`)

// reluClasses tells ReLU from Activation("relu"), which do the same, by the words in the name.
func reluClasses(t *traits) []string {
	name := strings.ToLower(t.name)
	if applicationsRelu.MatchString(name) || strings.HasSuffix(name, "_act") || strings.Contains(name, "activation") || strings.Contains(name, "act_relu") {
		return []string{"Activation", "ReLU"}
	}
	return []string{"ReLU", "Activation"}
}

func eluClasses(t *traits) []string {
	if strings.Contains(strings.ToLower(t.name), "act") {
		return []string{"Activation", "ELU"}
	}
	return []string{"ELU", "Activation"}
}

func softmaxClasses(t *traits) []string {
	if name := strings.ToLower(t.name); strings.Contains(name, "act") || name == "predictions" {
		return []string{"Activation", "Softmax"}
	}
	return []string{"Softmax", "Activation"}
}

// randomClasses lists the layers that draw random numbers even when they change nothing.
func randomClasses(*traits) []string {
	all := []string{"RandomFlip", "RandomRotation", "RandomZoom"}
	for _, class := range kerasnames.Classes {
		if strings.HasPrefix(class, "Random") && !slices.Contains(all, class) {
			all = append(all, class)
		}
	}
	return all
}

func cropClasses(t *traits) []string {
	if t.inRank == t.outRank && t.inRank >= 3 && t.inRank <= 5 {
		return []string{"Cropping" + strconv.Itoa(t.inRank-2) + "D", "CenterCrop", "Lambda"}
	}
	return []string{"Lambda"}
}

func repeatClasses(t *traits) []string {
	if t.inRank == 2 {
		return []string{"RepeatVector"}
	}
	return byInput("UpSampling#D")(t)
}

func resizeClasses(t *traits) []string {
	if strings.HasPrefix(t.text, " Shape:Shape") || !t.multiple {
		return []string{"Resizing", "UpSampling2D"}
	}
	return []string{"UpSampling2D", "Resizing"}
}

func lookupClasses(t *traits) []string {
	switch {
	case strings.Contains(t.text, "StringSplit") || strings.Contains(t.text, "StringLower"):
		return []string{"TextVectorization"}
	case t.textIn:
		return []string{"StringLookup", "TextVectorization"}
	}
	return []string{"IntegerLookup"}
}

// plainReshape matches a reshape whose new shape is made of nothing but the batch size and
// constants.
var plainReshape = regexp.MustCompile(`^(?: Shape:Shape strided_slice:StridedSlice)?(?: Reshape/shape:Pack)? Reshape:Reshape$`)

func reshapeClasses(t *traits) []string {
	if !plainReshape.MatchString(t.text) {
		return nil
	}
	if t.outRank == 2 && t.inRank != 2 {
		return []string{"Flatten", "Reshape"}
	}
	return []string{"Reshape", "Flatten"}
}
