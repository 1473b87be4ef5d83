package tf

import (
	"context"
	"errors"

	"github.com/tfrun/tfrun/tensor"
)

// Engine is a loaded graph with its variables: a session of libtensorflow, several of them
// ([Spread]), or one in another process. All code above this interface is pure Go.
type Engine interface {
	// Prepare looks up the tensors of a signature, written "operation:index". The program may be
	// run from many goroutines.
	Prepare(feeds, fetches []string) (Program, error)
	// AddHead adds the operations of a head, which compute from a tensor, to the graph.
	AddHead(tensor string, h Head) ([]HeadTensor, error)
	// Devices lists the processors that operations may run on.
	Devices() ([]Device, error)
	// Close frees the graph and its variables. No run may be in progress.
	Close() error
}

// Program runs one set of feeds and fetches.
type Program interface {
	// Load writes the values to TensorFlow's memory, in the order given to Prepare. The feeds are
	// not used afterwards. The memory of the outputs may come from r.
	Load(feeds []Feed, r *Recycler) (Loaded, error)
}

// Loaded is a set of fed values, for one run.
type Loaded interface {
	// Run returns copies of the fetched tensors in Go memory. With other it fetches the tensors of
	// another program with the same feeds.
	Run(ctx context.Context, other Program) ([]tensor.Tensor, error)
	// Refill replaces the values of a finished run, for another run. It returns false, and changes
	// nothing, if the new values do not fit the memory.
	Refill(feeds []Feed) (bool, error)
	// Release frees the values of a finished run.
	Release()
	// Values returns copies of the fed tensors in Go memory, instead of a run: Run must not be
	// called afterwards.
	Values() ([]tensor.Tensor, error)
}

// Feed is a tensor to be fed. Its values are written into TensorFlow's memory.
type Feed struct {
	DType tensor.DType
	Dims  []int64 // all sizes known; not changed and not kept
	// Fill writes the values, row-major and little-endian, to dst, which has the size that DType
	// and Dims ask for. It is not used for strings.
	Fill func(dst []byte) error
	// Strings holds the values of a String tensor, row-major.
	Strings []string

	values []byte // that Fill copies, where it does only that
}

// FeedTensor returns a Feed of a tensor.
func FeedTensor(t tensor.Tensor) Feed {
	return Feed{
		DType:   t.DType(),
		Dims:    t.Dims(),
		Fill:    func(dst []byte) error { copy(dst, t.Bytes()); return nil },
		Strings: t.Strings(),
		values:  t.Bytes(),
	}
}

// Head says what is computed from an output of logits, along its last axis. The zero value passes
// the tensor on.
type Head struct {
	Activation string // "softmax", "sigmoid" or ""
	ArgMax     bool   // index of the largest entry, an int64
	TopK       int    // not 0: the K largest entries, and their indices (int32)
}

// HeadTensor is a tensor that a head adds to the graph.
type HeadTensor struct {
	Suffix string // of the output's name
	Tensor string // "operation:index"
	DType  tensor.DType
	Label  bool // its values are indices of entries
}

// Model is what a session is made of: a graph, and the operations to run first.
type Model struct {
	Graph []byte // a serialized GraphDef
	Steps []Step // in the order in which they are run
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
	MemoryBytes int64  // what TensorFlow may take of it; ≤ 0: not known
}

// MaxRank is TensorShape::MaxDimensions of tensor_shape.h. For more axes TensorFlow ends the
// process.
const MaxRank = 254

// CheckFeed refuses feeds with which TensorFlow ends the process, or the binding misbehaves:
// impossible shapes and too many axes.
func CheckFeed(f Feed) error {
	n, ok := tensor.NumElements(f.Dims)
	switch {
	case !ok:
		return &tensor.ShapeError{Dims: f.Dims, Msg: "not a shape that a tensor can have"}
	case len(f.Dims) > MaxRank:
		return &tensor.ShapeError{Dims: f.Dims, Msg: "more than 254 axes, TensorFlow's limit"}
	case f.DType == tensor.String && int64(len(f.Strings)) != n:
		return &tensor.ShapeError{Dims: f.Dims, Msg: "does not hold the strings it came with"}
	case f.DType != tensor.String && f.Fill == nil:
		return errors.New("a feed without Fill: nothing says what its values are")
	case n > MaxFeedBytes/int64(max(f.DType.Size(), 1)):
		return &tensor.ShapeError{Dims: f.Dims, Msg: "more than 64 GiB of values"}
	}
	return nil
}

// MaxFeedBytes bounds one fed tensor. TF_AllocateTensor ends the process if it does not get the
// memory.
const MaxFeedBytes = 64 << 30

// carriers maps types that the binding does not know to types of the same width. Values are moved
// as the latter, and converted by op.Bitcast.
var carriers = map[tensor.DType]tensor.DType{
	tensor.Float16:  tensor.Uint16,
	tensor.Bfloat16: tensor.Uint16,
	tensor.Quint16:  tensor.Uint16,
	tensor.Qint16:   tensor.Int16,
	tensor.Quint8:   tensor.Uint8,
	tensor.Qint8:    tensor.Int8,
	tensor.Qint32:   tensor.Int32,
}

// DeviceTest is the result of the self-test for one device.
type DeviceTest struct {
	Device Device
	// MaxError is the largest relative difference between the device's and Go's results, in the
	// test's matrix product.
	MaxError float64
	Err      error // why the test failed, or nil
}
