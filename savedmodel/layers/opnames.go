package layers

// operationClasses gives the class of keras.ops that an operation of a functional graph is an
// instance of, by the TensorFlow op that it leaves. Its default name is the class in snake case.
var operationClasses = map[string]string{
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
