// Package crash turns panics into errors, so that a fault of the program's own is reported in one
// line instead of the stacks of all goroutines.
//
// A panic in any goroutine ends the process, and only that goroutine can recover it. So no
// goroutine is started with the go statement: [Go] and [Group] start them, which a test checks.
package crash

import (
	"context"
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// Error is a panic that was caught.
type Error struct {
	Value any    // the value given to panic
	Stack []byte // stack of the panic, for a report
}

// Error describes the panic.
func (e *Error) Error() string {
	return fmt.Sprintf("tfrun has a fault: %v", e.Value)
}

// Hints returns what the user can do about it.
func (e *Error) Hints() []string {
	return []string{"please report it, with the model or the rows that do it, and with what the same command says with -v"}
}

// Guard calls f and returns its error. If f panics, in the same goroutine, the error is an
// *[Error].
func Guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Error{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}

// Go calls f in a new goroutine, and then done with f's error in the same goroutine. If f panics
// the error is an *[Error].
func Go(f func() error, done func(error)) {
	go func() { done(Guard(f)) }()
}

// Group is an [errgroup.Group] that turns a panic in a goroutine into that goroutine's error.
// [NewGroup] and [WithContext] make one.
type Group struct{ *errgroup.Group }

// NewGroup returns a group without a context of its own.
func NewGroup() Group { return Group{&errgroup.Group{}} }

// WithContext is [errgroup.WithContext]: the context ends with the first error.
func WithContext(ctx context.Context) (Group, context.Context) {
	g, ctx := errgroup.WithContext(ctx)
	return Group{g}, ctx
}

// Go calls f in a goroutine of the group.
func (g Group) Go(f func() error) {
	g.Group.Go(func() error { return Guard(f) })
}
