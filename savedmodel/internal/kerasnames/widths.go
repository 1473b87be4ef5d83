package kerasnames

// Width says which of a layer's variables shows a number of its configuration: the size of the
// axis, counted from behind.
type Width struct {
	Variable string
	Behind   int
	Key      string // of the configuration
}

// Widths has classes of which all layers have such a variable once they were called.
var Widths = map[string]Width{
	"Dense": {"kernel", 1, "units"}, "Embedding": {"embeddings", 1, "output_dim"},
	"Conv1D": {"kernel", 1, "filters"}, "Conv2D": {"kernel", 1, "filters"}, "Conv3D": {"kernel", 1, "filters"},
	"Conv1DTranspose": {"kernel", 2, "filters"}, "Conv2DTranspose": {"kernel", 2, "filters"}, "Conv3DTranspose": {"kernel", 2, "filters"},
	"DepthwiseConv1D": {"depthwise_kernel", 1, "depth_multiplier"}, "DepthwiseConv2D": {"depthwise_kernel", 1, "depth_multiplier"},
	"SimpleRNN": {"recurrent_kernel", 2, "units"}, "LSTM": {"recurrent_kernel", 2, "units"}, "GRU": {"recurrent_kernel", 2, "units"},
}
