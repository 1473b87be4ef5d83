package runner

import (
	"io"
	"os"
	"slices"

	"github.com/tfrun/tfrun/internal/ops"
	"github.com/tfrun/tfrun/runner/internal/isolate"
	"github.com/tfrun/tfrun/runner/internal/option"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/runner/internal/xla"
	"github.com/tfrun/tfrun/tensor"
)

// Types of the inner packages that callers of this one hold, or look for in errors.
type (
	// OptionError says that a field of an options struct, Option, has a value that cannot be used:
	// Msg says what was wanted.
	OptionError = option.Error

	// Feed is a tensor about to be fed, see [Function.Call]: its DType and Dims, and Fill, which
	// writes the values, row-major and little-endian, straight into TensorFlow's memory; or
	// Strings, those of a String tensor. [FeedTensor] makes one of a tensor.
	Feed = tf.Feed
	// Device is a processor that TensorFlow may place operations on: its Name
	// ("/job:localhost/replica:0/task:0/device:CPU:0"), its Type ("CPU", "GPU"), and MemoryBytes,
	// what TensorFlow may take of it; ≤ 0 when it does not say.
	Device = tf.Device
	// DeviceTest is what [SelfTest] found on a Device: MaxError is the largest relative difference
	// between the device's numbers and Go's own in a matrix product, Err why the test failed, or
	// nil.
	DeviceTest = tf.DeviceTest
	// Library is the libtensorflow in use: the file's Path, "" where the program is linked with the
	// library itself, and TensorFlow's Version ("2.21.0").
	Library = tf.Library

	// Error is what TensorFlow, or the binding, says of a call. Op is what was being done ("load",
	// "run", or with the cause: "graph" where no values are to blame, "feed", "fetch"), Msg
	// TensorFlow's message in one line, Code its TF_Code (tensorflow/c/tf_status.h: 8 is
	// RESOURCE_EXHAUSTED; 0 where there is none).
	Error = tf.Error
	// DTypeError says that a tensor's DType cannot be moved into or out of TensorFlow.
	DTypeError = tf.DTypeError
	// LibraryError says that libtensorflow could not be opened. Tried lists where it was looked
	// for, each a Path and the Reason why that failed.
	LibraryError = tf.LibraryError
	// OpLibraryError says that a library of custom operations could not be loaded: its Path, and
	// the Reason.
	OpLibraryError = tf.OpLibraryError
	// GPUError says that a GPU was asked for and TensorFlow sees none: its Report says why.
	GPUError = tf.GPUError
	// GPUReport is what stands between TensorFlow and the machine's GPUs, see [ExamineGPU]: whether
	// the library's Build has operations for GPUs, the versions of Driver and CUDA, the GPUs that
	// the driver shows, the Libraries that TensorFlow opens by name, and the Problems, each with
	// What is missing and its Fix, in the order in which they are to be solved.
	GPUReport = tf.GPUReport
	// ProcessError says that the process of an isolated model has died, see [Options.Isolate]:
	// While it did what, of which Cause, and the Last that it said. Final says that no other one
	// will be started. Else the session starts another one when it is used again.
	ProcessError = isolate.ProcessError
	// XLAReport says what XLA did for a session, see [Session.XLA]. Shapes were compiled, which
	// took CompileTime together with the first run of each; Runs were compiled ones, and PlainRuns
	// were not, of signatures that may be compiled. Fallback says why a signature is not compiled:
	// a *[rewrite.CompileError], or an *[Error] of XLA's; nil where all are.
	XLAReport = xla.Report
)

// HasTensorFlow reports whether this program was built with libtensorflow.
const HasTensorFlow = tf.HasTensorFlow

// ErrNoTensorFlow is returned by everything that needs libtensorflow in a program that was built
// without cgo.
var ErrNoTensorFlow = tf.ErrNoTensorFlow

// FeedTensor returns a Feed of a whole tensor.
func FeedTensor(t tensor.Tensor) Feed { return tf.FeedTensor(t) }

// OpenLibrary opens libtensorflow, once for the whole process: later calls return what the first
// successful one found. named is a file, or a folder that holds the library or a lib folder with
// it; "" looks at TFRUN_LIBTENSORFLOW, then in the program's folder and in lib below and beside it,
// then in the folder known at build time, then where the dynamic linker looks, then in tfrun's
// cache. The error is a [*LibraryError], also where another library than the one that is named is
// open already: no process can have two.
//
// [Load] calls it. Calling it early and concurrently with other work hides the 0.2 s that opening
// takes. TF_CPP_MIN_LOG_LEVEL, which silences TensorFlow's log, is read by TensorFlow during this
// call. TensorFlow writes two lines before it looks: where the level is set, to 1 or more, what C
// code writes to its stream stderr goes nowhere while the library is opened, unless an
// [Options.Logger] gets it. ICU_DATA is unset: models name the files that TensorFlow would look for
// there.
func OpenLibrary(named string) (Library, error) { return tf.OpenLibrary(named) }

// UnknownOperations lists the operations of the libtensorflow that is open of which tfrun does not
// know what they do: those of a release that is newer than tfrun. A model that has one is refused.
func UnknownOperations() ([]string, error) {
	names, err := tf.Operations()
	return slices.DeleteFunc(names, func(op string) bool { return ops.Of(op) != nil }), err
}

// ExamineGPU looks at everything that TensorFlow needs to use a GPU. The error is that of opening
// the library.
func ExamineGPU(library string) (GPUReport, error) { return tf.ExamineGPU(library) }

// CatchDeath arranges that died is called when a library in the process ends it: a check of
// TensorFlow's that fails, a fault in one of its kernels, a call of exit. died runs in a goroutine
// of its own, and cause is "SIGABRT", "exit(0)" or the like. Other goroutines go on for up to three
// seconds; then a line is written to what was standard error at the call of CatchDeath, and the
// process ends with status 5. Call CatchDeath once, in the main function of a
// program. It works on Linux alone.
func CatchDeath(died func(cause string)) error { return tf.CatchDeath(died) }

// CatchFatal makes one line on standard error, and status 5, of the end that Go's runtime puts to
// the process where memory or threads run out, a stack grows too large or a panic is not recovered.
// No Go code runs any more then. The stacks of goroutines, which Go prints, go before the line if
// stacks says so, else nowhere. from is the end of a pipe to which the caller lets descriptor 2
// lead; the caller has to read it by the reader that is returned, with an error too. Call it once,
// after [CatchDeath], in the main function of a program. It works on Linux alone; elsewhere the
// reader is from.
func CatchFatal(from *os.File, stacks bool) (io.Reader, error) { return tf.CatchFatal(from, stacks) }

// BoundMemory lets the process, and those of isolated models, allocate no more than the machine and
// its control groups have free, then and later, until stop is called: TensorFlow's "OOM when
// allocating", which becomes a *[MemoryError], comes where the kernel would end the process. It is
// for programs that do little but run a model, and works on Linux alone, by RLIMIT_DATA's soft
// limit, which is set each second; one that the process has already stays. Where a driver for
// NVIDIA's GPUs is loaded it does nothing, unless the device, that of [Options.Device], is "cpu".
func BoundMemory(device string) (stop func()) { return tf.BoundMemory(device, false) }

// IsolateMain makes [Options.Isolate] work: a program that uses it calls IsolateMain first thing in
// main. The model's process is the program itself, started anew; there IsolateMain serves the model
// and does not return. Elsewhere it does nothing. Where a program does not call it, [Load] returns
// an error that says so, after 30 s at most.
func IsolateMain() { isolate.Main() }
