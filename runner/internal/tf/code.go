package tf

import "strconv"

// Code is TensorFlow's canonical error code, TF_Code of tensorflow/c/tf_status.h, which says whose
// fault an error is. 0: no code.
type Code int

// The codes of TensorFlow, with the numbers of gRPC's.
const (
	Canceled           Code = 1
	Unknown            Code = 2
	InvalidArgument    Code = 3 // what was fed does not fit the graph
	DeadlineExceeded   Code = 4 // a run took longer than it may
	NotFound           Code = 5
	AlreadyExists      Code = 6
	PermissionDenied   Code = 7
	ResourceExhausted  Code = 8 // a device has no memory left
	FailedPrecondition Code = 9 // a variable without a value, for instance
	Aborted            Code = 10
	OutOfRange         Code = 11
	Unimplemented      Code = 12
	Internal           Code = 13
	Unavailable        Code = 14
	DataLoss           Code = 15 // a file is damaged
	Unauthenticated    Code = 16
)

var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
	"UNAUTHENTICATED",
}

// String returns the code's name as TensorFlow writes it: "INVALID_ARGUMENT".
func (c Code) String() string {
	if c < 0 || int(c) >= len(codeNames) {
		return "code " + strconv.Itoa(int(c))
	}
	return codeNames[c]
}
