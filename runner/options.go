package runner

import (
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/runner/internal/tf"
)

// Options says how a model is loaded. The zero value works.
type Options struct {
	// Tags picks one of the model's graphs. nil takes the only one, or the one tagged "serve"
	// alone.
	Tags []string

	// Signatures are those that will be run; nil means any. TensorFlow gets only the part of the
	// graph that they and loading reach: so a Keras 2 model loads and runs its first batch in half
	// the time.
	Signatures []string
	// NoPrune gives TensorFlow the whole graph, with what no signature reaches.
	NoPrune bool

	// IntraOp and InterOp bound the threads inside one operation and across operations. 0 leaves
	// them to TensorFlow: one for each core.
	IntraOp, InterOp int

	// Timeout bounds each run of the session, but not its loading. 0 means none. A run that passes
	// it fails with an *[Error] whose code is [DeadlineExceeded], or, with Isolate, at the latest a
	// second later, with a *[ProcessError].
	Timeout time.Duration

	// Optimizer says how much TensorFlow's graph optimizer does before the first run; "" is
	// [OptimizerAll] for graphs of at most 128 operations without loops and branches, else
	// [OptimizerFunctions]. On GPUs it is always [OptimizerAll], which puts cuDNN's operations in
	// place.
	Optimizer Optimizer

	// Exact lets batching [Exact] pad rows of like length where padding can be kept out of a
	// signature's answers. For each such signature a twin that takes the rows' lengths is loaded
	// ([rewrite.Exact]). Without Exact, and with XLA, only rows of equal length share a batch.
	Exact bool

	// WarmUp lets oneDNN make its machine code for products of matrices on another core while the
	// model is being loaded. Without it the first batch waits for that code, some 25 ms. It has an
	// effect where signatures have such products and run on the processor, uncompiled. It is for
	// jobs of many rows: a few rows do without most of the code.
	WarmUp bool

	// XLA says whether signatures are compiled; "" is [XLAOff].
	XLA XLA
	// XLAShapes is how many shapes are compiled at most; those that come later run uncompiled. 0
	// means [DefaultXLAShapes].
	XLAShapes int
	// XLAFallback, if not nil, is called once with the reason why something is not compiled
	// although XLA is on, a *[rewrite.CompileError]. The answers are the same. It may be called
	// from another goroutine.
	XLAFallback func(reason error) `json:"-"`

	// Device places the model: "" where TensorFlow likes, which is one device, "cpu", "gpu" for all
	// GPUs, or some of them: "gpu:0", "gpu:0,2". On several GPUs the model is loaded once for each,
	// and batches go to the one with the least to do. Sessions of one process have to agree about
	// their GPUs: TensorFlow numbers them once.
	Device string

	// GPUMemoryFraction is the share of each GPU's memory that may be taken. 0 means that memory is
	// taken as it is needed.
	GPUMemoryFraction float64

	// AllowOps are types of operations ("ReadFile") that the model may run although they do more
	// than compute; see [scan.Scan]. Without them such a model is refused with an
	// *[UnsafeError].
	AllowOps []string

	// OpLibraries are files (.so) with operations that are no part of TensorFlow, such as those of
	// TensorFlow Text. They are loaded before the model, for as long as the process lives, also of
	// an isolated model; what they register may run. Their code may do what this process may.
	// A file that cannot be loaded is an *[OpLibraryError].
	OpLibraries []string

	// AllowLinks lets variables and assets be links that leave the model's directory. Without it
	// such a model is refused with a *[savedmodel.LinkError].
	AllowLinks bool

	// Isolate runs the model in a process of its own, so that the program survives the model.
	// TensorFlow ends its process on a failed internal check, and a model may crash or ask for more
	// memory than there is. Then the call returns a *[ProcessError], and the next call starts
	// another process; [Predictor.Predict] looks for the row that was to blame.
	//
	// The program must call [IsolateMain]. What is fed and fetched travels over pipes. Of several
	// GPUs one is used.
	Isolate bool
	// IsolateMemory bounds the bytes that an isolated model's process may allocate, once the model
	// is loaded (Linux: RLIMIT_DATA). 0: no bound. A model that asks for more gets TensorFlow's
	// "OOM when allocating", or dies; the rest of the machine does not notice.
	IsolateMemory int64

	// InTurn lets one run at a time use the model; the others wait. [Load] sees to that by itself
	// where TensorFlow would give wrong numbers otherwise; see the package's "Concurrency".
	InTurn bool

	// Library is the libtensorflow to open, a file or a folder; see [OpenLibrary]. A process has
	// one: that another one is open already is a *[LibraryError].
	Library string

	// Logger gets TensorFlow's log (on Linux): a record a message, with the file and line of
	// TensorFlow's source. A process has one log, so the Logger of the model that is loaded last
	// gets that of all; only isolated models have their own. What else is written to standard error
	// is not touched. nil leaves the log where it is: on standard error, or with an earlier Logger.
	// TensorFlow leaves out what TF_CPP_MIN_LOG_LEVEL says, the Logger's handler what it likes.
	Logger *slog.Logger `json:"-"`

	// custom are the operations of OpLibraries; nil where nothing was loaded, and so it is not
	// known which they are.
	custom []string

	// for tests
	cpus       int32 // CPU devices that TensorFlow is to make of the processor; 0 means one
	ownThreads bool  // for the operations of this session alone
}

// validate checks what can be checked without TensorFlow.
func (o Options) validate() error {
	switch {
	case o.IntraOp < 0 || o.InterOp < 0:
		return &OptionError{Option: "IntraOp, InterOp", Msg: "want a number of threads ≥ 0"}
	case o.Timeout < 0:
		return &OptionError{Option: "Timeout", Msg: "want a duration ≥ 0"}
	case !slices.Contains([]XLA{"", XLAOff, XLAOn, XLAAuto}, o.XLA):
		return &OptionError{Option: "XLA", Msg: strconv.Quote(string(o.XLA)) + ": want off, on or auto"}
	case o.XLAShapes < 0:
		return &OptionError{Option: "XLAShapes", Msg: "want a number of shapes ≥ 0"}
	case !slices.Contains([]Optimizer{"", OptimizerNone, OptimizerFunctions, OptimizerAll}, o.Optimizer):
		return &OptionError{Option: "Optimizer", Msg: strconv.Quote(string(o.Optimizer)) + ": want none, functions or all"}
	case o.XLA.enabled() && o.Optimizer == OptimizerAll:
		return &OptionError{Option: "XLA, Optimizer", Msg: "the graph optimizer turns loops into operations that XLA does not take"}
	case o.IsolateMemory < 0 || o.IsolateMemory > 0 && !o.Isolate:
		return &OptionError{Option: "IsolateMemory", Msg: "want a number of bytes ≥ 0, and the model isolated"}
	case o.GPUMemoryFraction < 0 || o.GPUMemoryFraction > 1:
		return &OptionError{Option: "GPUMemoryFraction", Msg: "want a share between 0 and 1"}
	}
	return o.config().Validate()
}

// config is what package tf has to know of the options.
func (o Options) config() tf.Config {
	c := tf.Config{
		Device: o.Device, IntraOp: o.IntraOp, InterOp: o.InterOp, Timeout: o.Timeout, GPUMemoryFraction: o.GPUMemoryFraction,
		WarmUp: o.WarmUp, Library: o.Library, OpLibraries: o.OpLibraries, Logger: o.Logger, CPUs: o.cpus, OwnThreads: o.ownThreads,
	}
	c.Optimize = o.optimizer(c.MayUseGPU()) == OptimizerAll
	return c
}

// Optimizer says how much TensorFlow's graph optimizer (Grappler) does.
//
// Measured with TensorFlow 2.21 on 2 shared cores, in CPU time. Session-wide, beside the functions'
// own optimizer, it cost time at the start (loading and the first run of one row: 454 ms with it,
// 307 without, for the tutorial's Keras 2 model; 578 and 351 for a residual network; no difference
// for the Keras 3 export), and later runs of that model, a dense one, two convolutional ones, a GRU
// and a transformer took the same time with and without. The functions' own costs the first run of
// the tutorial's model 70 to 80 ms more, and without it full batches took 5 to 15 % longer, those
// of a mobile network 37 %: worth it for all but short jobs.
type Optimizer string

const (
	// OptimizerNone begins soonest.
	OptimizerNone Optimizer = "none"
	// OptimizerFunctions optimizes each function by itself, as its call in the model says. In
	// TensorFlow 2 nearly everything is in functions. On CPUs [rewrite.Reduction.Lookups]
	// belongs to it, which takes some 40 ms more to load the tutorial's model.
	OptimizerFunctions Optimizer = "functions"
	// OptimizerAll optimizes the graph across functions too: TensorFlow's own default. It does not
	// go with XLA, which does not take the operations (Enter, Exit) that it makes of loops.
	OptimizerAll Optimizer = "all"
)

// optimizer is the one to use, where the model may be placed on a GPU or not.
func (o Options) optimizer(mayUseGPU bool) Optimizer {
	switch {
	case o.Optimizer == OptimizerAll || !o.XLA.enabled() && mayUseGPU:
		return OptimizerAll
	case o.Optimizer == "":
		return OptimizerFunctions
	}
	return o.Optimizer
}

// reduction says what is loaded of a graph.
func (o Options) reduction(lengths bool) rewrite.Reduction {
	mayUseGPU := o.config().MayUseGPU()
	optimizer := o.optimizer(mayUseGPU)
	return rewrite.Reduction{
		Signatures: o.Signatures, Whole: o.NoPrune, CPUOnly: !mayUseGPU, Compiled: o.XLA.enabled(), Lengths: lengths,
		Exact:   o.Exact && !o.XLA.enabled(),
		Lookups: !mayUseGPU && optimizer == OptimizerFunctions, NoOptimizer: optimizer == OptimizerNone,
	}
}

// XLA says whether signatures are compiled. A compiled signature is quicker for one row or a few,
// and often slower for full batches. Where a signature has loops, such as recurrent layers, these
// alone are compiled, each by itself; full batches are quicker then, too, and what is compiled for
// one length serves others: see [rewrite.Compilation]. Each combination of the inputs' shapes,
// but for lengths that share a [rewrite.Compilation.Size], is compiled by itself, which takes
// from 0.1 s to some seconds, and is kept as long as the session.
//
// Two loops that run side by side take two cores: where a program runs one batch at a time, and has
// no more cores than that, [Options.IntraOp] 1 makes full batches half as quick again, as
// operations do not divide themselves then. A program that runs one row at a time may set XLA_FLAGS
// to "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=100000" in its
// environment, which XLA reads once in a process: loops with few weights are then compiled whole,
// not step by step, and take three quarters of the time. It is not for small models' batches, whose
// loops take many times as long so.
//
// Answers agree up to rounding: a signature with an operation of which XLA makes other values is
// not compiled, such as a TensorArray that grows, or random numbers. What TensorFlow reports at run
// time about the values themselves, XLA does not see: a division of whole numbers by zero is no
// error there, and an index beyond the end of a table takes the table's last row. Of the latter the
// session is wary: where what is compiled looks something up by index, values below or above all
// that went through uncompiled runs before are not given to XLA. Neither are values with a NaN
// among them; of one that is computed, maxima may keep another number.
type XLA string

const (
	// XLAOff compiles nothing; "" is the same.
	XLAOff XLA = "off"
	// XLAOn compiles every shape when it comes for the first time, up to [Options.XLAShapes] of
	// them.
	XLAOn XLA = "on"
	// XLAAuto compiles a shape that has come a few times, runs the data's own batches both ways by
	// turns, and stays with the quicker one. It spends a second and a quarter of the running time
	// on compiling at most. Which of two roundings an answer has depends on the measurement.
	XLAAuto XLA = "auto"
)

// enabled reports whether anything is to be compiled.
func (x XLA) enabled() bool { return x != "" && x != XLAOff }
