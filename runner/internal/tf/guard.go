package tf

import (
	"fmt"
	"runtime"
)

// guard runs f and turns a panic raised by the binding or by tfgo into an *Error led by op.
// A runtime error is our own bug: it keeps panicking, with its stack.
func guard(op string, f func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error:
			panic(r)
		case error:
			err = &Error{Op: op, Msg: cleanMessage(r.Error())}
		default:
			err = &Error{Op: op, Msg: cleanMessage(fmt.Sprint(r))}
		}
	}()
	return f()
}
