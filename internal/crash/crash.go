// Package crash turns panics into errors: a fault of the program's own ends in one line, and not in
// the stacks of all goroutines.
package crash

import (
	"fmt"
	"runtime/debug"
)

// Error is a panic that was caught.
type Error struct {
	Value any    // what was panicked with
	Stack []byte // where, for whoever mends it
}

// Error says what it was.
func (e *Error) Error() string {
	return fmt.Sprintf("tfrun has a fault: %v", e.Value)
}

// Hints says what to do about it.
func (e *Error) Hints() []string {
	return []string{"please report it, with the model or the rows that do it, and with what the same command says with -v"}
}

// Guard calls f. A panic in it, in the same goroutine, is an *[Error].
func Guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Error{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}
