package tf

import (
	"context"

	"github.com/tfrun/tfrun/tensor"
)

// Engine is a loaded graph with its variables: libtensorflow's session, several of them ([Spread]),
// or one in another process. Everything above it is pure Go.
type Engine interface {
	// Prepare resolves the tensors of a signature, written "operation:index". The program may be
	// run from many goroutines.
	Prepare(feeds, fetches []string) (Program, error)
	// AddHead adds what a head computes from a tensor to the graph.
	AddHead(tensor string, h Head) ([]HeadTensor, error)
	// Devices lists the processors that the graph may run on.
	Devices() ([]Device, error)
	// Close frees the graph and its variables. Nothing may be running.
	Close() error
}

// Program runs one set of feeds and fetches.
type Program interface {
	// Load writes the values to TensorFlow's memory, in the order that Prepare was given. The feeds
	// are not looked at afterwards. The memory of the outputs may come from r.
	Load(feeds []Feed, r *Recycler) (Loaded, error)
}

// Loaded is a set of fed values, to be run once.
type Loaded interface {
	// Run returns copies of the fetched tensors in Go memory: those of another program with the
	// same feeds, or, with nil, of its own.
	Run(ctx context.Context, other Program) ([]tensor.Tensor, error)
	// Refill writes other values over those of a run that is over, to be run again. It returns
	// false, and has done nothing, where the values do not fit that memory.
	Refill(feeds []Feed) (bool, error)
	// Release frees the values of a run that is over.
	Release()
	// Values returns copies of the fed tensors in Go memory, in place of a run: Run is not to be
	// called afterwards.
	Values() ([]tensor.Tensor, error)
}

// Feed is a tensor about to be fed whose values are written straight into TensorFlow's memory.
type Feed struct {
	DType tensor.DType
	Dims  []int64 // all sizes known; not changed and not kept
	// Fill writes the values, row-major and little-endian, to dst, whose length is what DType and
	// Dims ask for. Not used for strings.
	Fill func(dst []byte) error
	// Strings holds the values of a String tensor, row-major.
	Strings []string
}

// FeedTensor returns a Feed of a whole tensor.
func FeedTensor(t tensor.Tensor) Feed {
	return Feed{
		DType:   t.DType(),
		Dims:    t.Dims(),
		Fill:    func(dst []byte) error { copy(dst, t.Bytes()); return nil },
		Strings: t.Strings(),
	}
}

// Head is what is computed from an output of logits, along its last axis. The zero value passes the
// tensor on.
type Head struct {
	Activation string // "softmax", "sigmoid" or ""
	ArgMax     bool   // the number of the largest entry, an int64
	TopK       int    // if not 0: the K largest entries, and the numbers (int32) of these
}

// HeadTensor is a tensor that a head adds to the graph.
type HeadTensor struct {
	Suffix string // of the output's name
	Tensor string // "operation:index"
	DType  tensor.DType
	Label  bool // its values are numbers of entries
}

// Model is what a session is made of: a graph, and what is run in it before all else.
type Model struct {
	Graph []byte // a serialized GraphDef
	Steps []Step // in their order
}

// Step runs an operation of a graph once, such as the one that restores the variables.
type Step struct {
	Run   string            // the operation
	Feeds map[string]string // paths, by the tensors that are fed with them
}

// Device is a processor that TensorFlow may place operations on.
type Device struct {
	Name        string // "/job:localhost/replica:0/task:0/device:CPU:0"
	Type        string // "CPU", "GPU"
	MemoryBytes int64  // what TensorFlow may take of it; ≤ 0 when it does not say
}

// MaxRank is TensorShape::MaxDimensions of tensor_shape.h; TensorFlow aborts the process on more.
const MaxRank = 254

// CheckFeed refuses what makes TensorFlow or the binding abort or misbehave: impossible shapes and
// too many axes.
func CheckFeed(f Feed) error {
	n, ok := tensor.NumElements(f.Dims)
	switch {
	case !ok:
		return &tensor.ShapeError{Dims: f.Dims, Msg: "not a shape that a tensor can have"}
	case len(f.Dims) > MaxRank:
		return &tensor.ShapeError{Dims: f.Dims, Msg: "more than 254 axes, TensorFlow's limit"}
	case f.DType == tensor.String && int64(len(f.Strings)) != n:
		return &tensor.ShapeError{Dims: f.Dims, Msg: "does not hold the strings it came with"}
	case n > MaxFeedBytes/int64(max(f.DType.Size(), 1)):
		return &tensor.ShapeError{Dims: f.Dims, Msg: "more than 64 GiB of values"}
	}
	return nil
}

// MaxFeedBytes bounds one fed tensor. TF_AllocateTensor ends the process when it cannot get what it
// is asked for.
const MaxFeedBytes = 64 << 30

// carriers are the types that travel as another one of the same width, through an op.Bitcast: the
// binding knows no values of them.
var carriers = map[tensor.DType]tensor.DType{
	tensor.Float16:  tensor.Uint16,
	tensor.Bfloat16: tensor.Uint16,
	tensor.Quint16:  tensor.Uint16,
	tensor.Qint16:   tensor.Int16,
	tensor.Quint8:   tensor.Uint8,
	tensor.Qint8:    tensor.Int8,
	tensor.Qint32:   tensor.Int32,
}

// DeviceTest is what the self-test found on one device.
type DeviceTest struct {
	Device Device
	// MaxError is the largest relative difference between the device's numbers and Go's own in the
	// test's matrix product.
	MaxError float64
	Err      error // why the test failed, or nil
}
