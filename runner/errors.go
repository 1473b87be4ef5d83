package runner

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// ErrClosed is returned by the methods of a [Session] after [Session.Close].
var ErrClosed = errors.New("the session is closed")

// FeedError says that a tensor does not fit an input of the signature.
type FeedError struct {
	Input     string // the input's name in the signature
	WantDType tensor.DType
	WantShape tensor.Shape
	GotDType  tensor.DType
	GotShape  tensor.Shape
}

// Error says what was wanted and what came.
func (e *FeedError) Error() string {
	return fmt.Sprintf("input %q: want %s %s, got %s %s", e.Input, e.WantDType, e.WantShape, e.GotDType, e.GotShape)
}

// NameError says that a name is none of those there are, or that one that is needed is missing.
type NameError struct {
	Kind    string   // "input", "output" or "signature"
	Name    string   // the name in question
	Missing bool     // the name is needed and was not given
	Have    []string // the names there are, sorted
}

// Error names the names there are.
func (e *NameError) Error() string {
	have := "it has none"
	if len(e.Have) > 0 {
		have = "it has " + strings.Join(e.Have, ", ")
	}
	if e.Missing {
		return fmt.Sprintf("%s %q: nothing given for it", e.Kind, e.Name)
	}
	return fmt.Sprintf("%s %q: the signature has no such %s; %s", e.Kind, e.Name, e.Kind, have)
}

// Code is the TF_Code of an *[Error]: it says whose fault an error is.
type Code = tf.Code

// The codes of TensorFlow. A service answers [InvalidArgument] and [OutOfRange] with the caller's
// fault, [ResourceExhausted] and [Unavailable] with "later", and the rest with its own.
const (
	Canceled           = tf.Canceled
	Unknown            = tf.Unknown
	InvalidArgument    = tf.InvalidArgument
	DeadlineExceeded   = tf.DeadlineExceeded
	NotFound           = tf.NotFound
	AlreadyExists      = tf.AlreadyExists
	PermissionDenied   = tf.PermissionDenied
	ResourceExhausted  = tf.ResourceExhausted
	FailedPrecondition = tf.FailedPrecondition
	Aborted            = tf.Aborted
	OutOfRange         = tf.OutOfRange
	Unimplemented      = tf.Unimplemented
	Internal           = tf.Internal
	Unavailable        = tf.Unavailable
	DataLoss           = tf.DataLoss
	Unauthenticated    = tf.Unauthenticated
)
