package rewrite

// Reduction says what is left out of a graph, and what is added to it; see [Reduced].
type Reduction struct {
	// Signatures are the signatures that will be run; none: all.
	Signatures []string
	// Whole keeps also what neither loading nor a signature reaches, except what Without names.
	Whole bool
	// Without names nodes of the main graph, and functions, that are left out together with
	// everything that depends on them. Signatures that depend on them are left out too.
	Without struct{ Nodes, Functions []string }
	// CPUOnly leaves out functions that may take the place of another one on a GPU, such as the
	// LSTM of cuDNN.
	CPUOnly bool
	// Compiled adds, for every signature that [CheckCompile] accepts, a twin that XLA compiles: the
	// same function over the same variables and inputs. [CompiledTensor] names its outputs. With
	// CPUOnly, loops of a signature that do not wait for each other are compiled separately, so
	// that TensorFlow runs them at the same time: a program that XLA makes for a CPU runs one
	// operation after the other.
	Compiled bool
	// Lengths lets one compiled program serve several sizes of open axes of loops, see
	// [Compilation]. TensorFlow must have the operation [LengthsOp].
	Lengths bool
	// Lookups multiplies tables whose rows a loop looks up, such as embeddings, with the weights
	// that the loop multiplies the rows with. That is done once, when the model is loaded; the loop
	// then looks up products. Answers agree up to rounding. The products take at most 128 MiB. It
	// is meant for CPUs.
	Lookups bool
	// Exact adds, for every signature that [ExactOf] describes one for, a twin that takes the
	// lengths of rows as further inputs.
	Exact bool
	// NoOptimizer turns TensorFlow's graph optimizer off for called functions. It is set at each
	// call, where it overrides the session's setting.
	NoOptimizer bool
}
