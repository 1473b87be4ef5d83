package runner

import "github.com/tfrun/tfrun/runner/internal/tf"

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
