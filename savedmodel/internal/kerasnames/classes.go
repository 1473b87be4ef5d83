package kerasnames

import "strings"

// Classes lists the classes of Keras' layers, whose names in snake case are the layers'
// default names.
var Classes = strings.Fields(`
	Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D
	AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D AveragePooling2D
	AveragePooling3D BatchNormalization Bidirectional CategoryEncoding CenterCrop Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D
	Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization
	Dot Dropout ELU EinsumDense Embedding Equalization Flatten GRU GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
	GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupedQueryAttention HashedCrossing
	Hashing Identity IntegerLookup LSTM Lambda LayerNormalization LeakyReLU LocallyConnected1D LocallyConnected2D Masking MaxNumBoundingBoxes MaxPooling1D MaxPooling2D MaxPooling3D Maximum
	MelSpectrogram Minimum MixUp MultiHeadAttention Multiply Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration
	RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective
	RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing ReversibleEmbedding
	STFTSpectrogram SeparableConv1D SeparableConv2D SimpleRNN Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StringLookup
	Subtract SyncBatchNormalization TFSMLayer TextVectorization ThresholdedReLU TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
	Functional Sequential`)

// Operations gives the class of keras.ops that an operation of a functional graph is an
// instance of, by the TensorFlow op that it leaves. Its default name is the class in snake case.
var Operations = map[string]string{
	"Abs": "Absolute", "Add": "Add", "AddV2": "Add", "All": "All", "Any": "Any", "ArgMax": "Argmax", "ArgMin": "Argmin", "BatchMatMulV2": "Matmul", "BroadcastTo": "BroadcastTo",
	"Ceil": "Ceil", "ConcatV2": "Concatenate", "Cos": "Cos", "Cumsum": "Cumsum", "Einsum": "Einsum", "Elu": "Elu", "Equal": "Equal", "Erf": "Erf", "Exp": "Exp",
	"ExpandDims": "ExpandDims", "Expm1": "Expm1", "Floor": "Floor", "FloorDiv": "FloorDivide", "FloorMod": "Mod", "GatherV2": "Take", "Greater": "Greater",
	"GreaterEqual": "GreaterEqual", "LeakyRelu": "LeakyRelu", "Less": "Less", "LessEqual": "LessEqual", "Log": "Log", "Log1p": "Log1p", "LogSoftmax": "LogSoftmax",
	"LogicalAnd": "LogicalAnd", "LogicalNot": "LogicalNot", "LogicalOr": "LogicalOr", "MatMul": "Matmul", "Max": "Max", "Maximum": "Maximum", "Mean": "Mean", "Min": "Min",
	"Minimum": "Minimum", "Mul": "Multiply", "Neg": "Negative", "NotEqual": "NotEqual", "OneHot": "OneHot", "Pack": "Stack", "Pad": "Pad", "Pow": "Power", "Prod": "Prod",
	"RealDiv": "TrueDivide", "Reciprocal": "Reciprocal", "Relu": "Relu", "Relu6": "Relu6", "Reshape": "Reshape", "ReverseV2": "Flip", "Roll": "Roll", "Round": "Round", "Rsqrt": "Rsqrt",
	"SelectV2": "Where", "Selu": "Selu", "Shape": "Shape", "Sigmoid": "Sigmoid", "Sign": "Sign", "Sin": "Sin", "Softmax": "Softmax", "Softplus": "Softplus", "Softsign": "Softsign",
	"Split": "Split", "SplitV": "Split", "Sqrt": "Sqrt", "Square": "Square", "Squeeze": "Squeeze", "StridedSlice": "GetItem", "Sub": "Subtract", "Sum": "Sum", "Tanh": "Tanh",
	"Tile": "Tile", "TopKV2": "TopK", "Transpose": "Transpose",
}
