package scopes

import (
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
)

// Operations has the class of keras.ops by the name scope that its function of TensorFlow opens.
// Where a layer's scope would stand, such a scope is an operation of the model.
var Operations = map[string]string{
	"Gelu": "Gelu", "clip_by_value": "Clip", "reduce_variance": "Var", "reduce_std": "Std", "l2_normalize": "Normalize", "zeros_like": "ZerosLike",
	"ones_like": "OnesLike", "einsum": "Einsum",
}

// Functions are name scopes of TensorFlow's functions by whose names no layer of Keras is called.
var Functions = map[string]bool{
	"Tensordot": true, "moments": true, "Repeat": true, "boolean_mask": true, "meshgrid": true, "eye": true, "random_normal": true, "random_uniform": true,
	"truncated_normal": true, "rgb_to_grayscale": true, "per_image_standardization": true, "SequenceMask": true, "einsum": true,
	"Gelu": true, "ReduceLogSumExp": true, "LogSigmoid": true, "MatVec": true, "CRelu": true, "CumulativeLogsumexp": true, "UnsortedSegmentMean": true, "BatchGather": true,
	"BatchGatherND": true, "sufficient_statistics": true, "weighted_moments": true, "saturate_cast": true, "grayscale_to_rgb": true, "softmax_cross_entropy_with_logits": true,
	"SparseSoftmaxCrossEntropyWithLogits": true, "logistic_loss": true,
}

// LikeLayers are name scopes of TensorFlow's functions by whose names layers may be called, too.
var LikeLayers = map[string]bool{
	"l2_normalize": true, "normalize": true, "norm": true, "clip_by_value": true, "clip_by_norm": true, "clip_by_global_norm": true, "reduce_variance": true, "reduce_std": true,
	"embedding_lookup": true, "embedding_lookup_sparse": true, "zeros_like": true, "ones_like": true, "zeros": true, "ones": true, "linspace": true, "polyval": true, "resize": true,
	"map": true, "scan": true, "foldl": true, "foldr": true, "while": true, "cond": true, "case": true, "count_nonzero": true, "zero_fraction": true, "confusion_matrix": true,
	"stft": true, "inverse_stft": true, "frame": true, "random_crop": true, "random_gamma": true, "central_crop": true, "adjust_brightness": true, "adjust_contrast": true, "rot90": true,
	"crop_to_bounding_box": true, "pad_to_bounding_box": true, "convert_image": true, "total_variation": true, "logdet": true, "argsort": true, "sort": true,
}

// QuietOps are operations in any layer's scope that say nothing of what the layer does.
var QuietOps = map[string]bool{"Const": true, "ReadVariableOp": true, "NoOp": true}

// maskOps compare or combine truth values: between layers they compute masks.
var maskOps = map[string]bool{
	"NotEqual": true, "Equal": true, "LogicalAnd": true, "LogicalNot": true, "LogicalOr": true, "Any": true, "All": true,
	"Less": true, "LessEqual": true, "Greater": true, "GreaterEqual": true,
}

// Helpers are name scopes that operations open within a layer.
var Helpers = map[string]bool{
	"Tensordot": true, "batchnorm": true, "moments": true, "convolution": true, "conv_transpose": true, "separable_conv2d": true, "depthwise": true, "Repeat": true,
	"MaxPool1d": true, "AvgPool1D": true, "einsum": true, "Einsum": true, "Gelu": true, "BiasAdd": true, "Cast": true, "Reshape": true, "zeros": true, "ones_like": true,
	"Softmax": true, "strided_slice": true, "hash_table_Lookup": true, "StringSplit": true, "concat": true, "one_hot": true, "Add": true, "MatMul": true, "resize": true,
}

// PassesOn reports whether a node hands on the values of its input.
func PassesOn(n *graph.Node) bool {
	return n.Op == "Cast" || n.Op == "Identity" || n.Op == "StopGradient"
}

// IsBool reports whether a node makes truth values.
func IsBool(n *graph.Node) bool {
	const dtBool = 10
	attr := n.Def.GetAttr()
	switch {
	case maskOps[n.Op]:
		return true
	case n.Op == "Cast":
		return attr["DstT"].GetType() == dtBool
	}
	return attr["T"].GetType() == dtBool || attr["dtype"].GetType() == dtBool && n.Op != "Placeholder"
}

// IsSeed reports whether a variable is the state of a random number generator, which Keras does not
// count among the weights; Keras 2 calls it StateVar.
func IsSeed(v *savedmodel.Variable) bool {
	last := v.Name[strings.LastIndexByte(v.Name, '/')+1:]
	return strings.HasPrefix(last, "seed_generator_state") || last == "seed_state" || last == "StateVar"
}

// OperationClass is the class of a layer that Keras 2 makes of an operation in a functional model.
const OperationClass = "TFOpLambda"
