package dataset

import (
	"errors"
	"fmt"
)

// Code is the kind of an [Error]: a status code of TensorFlow's, or, for what tf.data refuses while
// a dataset is built, the Python exception it raises.
type Code uint8

// The codes that this package uses. ValueError and TypeError are Python's.
const (
	Unknown Code = iota
	InvalidArgument
	DataLoss
	Internal
	FailedPrecondition
	OutOfRange
	ResourceExhausted
	ValueError
	TypeError
)

var codeNames = [...]string{"Unknown", "InvalidArgument", "DataLoss", "Internal", "FailedPrecondition", "OutOfRange", "ResourceExhausted", "ValueError", "TypeError"}

// String returns the code's name, as the golden cases write it.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("Code(%d)", uint8(c))
}

// Positions of an [Error] before the first element.
const (
	AtBuild    int64 = -2 // while the dataset was built
	AtIterator int64 = -1 // while the iterator was created
)

// Error is a failure that tf.data would report too. Msg says in other words what tf.data's message
// says.
type Error struct {
	Code Code
	// Op is the operation in tf.data's words ("padded_batch"), empty when no operation is to blame.
	Op string
	// At is [AtBuild], [AtIterator], or the number of elements that were yielded before the error.
	At int64
	// Component is the flat number of the component at fault, or -1.
	Component int
	// Row is the original row number of the element at fault, or -1.
	Row int64
	Msg string
}

// Error returns the operation, the position and the message: "padded_batch: batch 2: component 0:
// …".
func (e *Error) Error() string {
	s := ""
	if e.Op != "" {
		s = e.Op + ": "
	}
	if e.At >= 0 {
		s += fmt.Sprintf("element %d: ", e.At)
	}
	if e.Row >= 0 {
		s += fmt.Sprintf("row %d: ", e.Row)
	}
	return s + e.Msg
}

// CodeOf returns the code of the first *[Error] in err's chain, or [Unknown].
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Unknown
}

// buildErr returns an error of the given code found while op was built.
func buildErr(code Code, op, format string, args ...any) *Error {
	return &Error{Code: code, Op: op, At: AtBuild, Component: -1, Row: -1, Msg: fmt.Sprintf(format, args...)}
}

// runErr returns an error of the given code met while op ran. The iterator sets its position.
func runErr(code Code, op string, component int, row int64, format string, args ...any) *Error {
	return &Error{Code: code, Op: op, At: atUnset, Component: component, Row: row, Msg: fmt.Sprintf(format, args...)}
}

// atUnset is the position of an error that no iterator has reported yet.
const atUnset int64 = -3

// positioned returns err with its position filled in, where it is an *Error without one.
func positioned(err error, at int64) error {
	if e, ok := err.(*Error); ok && e.At == atUnset { //nolint:errorlint // only an error of our own making is unpositioned, and never wrapped
		c := *e
		c.At = at
		return &c
	}
	return err
}

// KeyError is the cause of a [SyntaxError] of a JSON row that lacks a key.
type KeyError struct {
	Msg string // names the keys that the row has
}

// Error returns the message.
func (e *KeyError) Error() string { return e.Msg }
