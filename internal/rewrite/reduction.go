package rewrite

// Reduction says what is left of a graph, and what is added to it; see [Reduced].
type Reduction struct {
	// Signatures are those that will be run; without any, all.
	Signatures []string
	// Whole keeps what neither loading nor a signature reaches, but for what Without names.
	Whole bool
	// Without are nodes of the main graph, and functions, that are left out, and what depends on
	// them with them. Signatures among that are left out too.
	Without struct{ Nodes, Functions []string }
	// CPUOnly leaves out functions that are there to take another's place on a GPU, such as the
	// LSTM with cuDNN.
	CPUOnly bool
	// Compiled adds a twin, to be compiled by XLA, of every signature that [CheckCompile]
	// lets through: the same function over the same variables. [CompiledTensor] names its outputs;
	// the inputs are shared. With CPUOnly, and where the signature has loops that do not wait for
	// each other, each of these is compiled by itself, and TensorFlow runs them side by side: what
	// XLA makes for a CPU runs one operation after the other.
	Compiled bool
	// Lengths has what is compiled of loops serve several sizes of open axes, as [Compilation]
	// says. TensorFlow has to know [LengthsOp].
	Lengths bool
	// Lookups multiplies tables whose rows a loop looks up, such as an embedding's, with the
	// weights that the loop multiplies the rows with, once, when the model is loaded: the loop
	// looks up products then. Answers agree up to rounding. The tables take 128 MiB at most. It is
	// for CPUs.
	Lookups bool
	// Exact adds, for every signature that [ExactOf] has one for, a twin that takes the lengths of
	// rows beside them.
	Exact bool
	// NoOptimizer turns TensorFlow's graph optimizer off for the functions that are called: each
	// call carries settings of its own, which count more than the session's.
	NoOptimizer bool
}
