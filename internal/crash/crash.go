// Package crash turns panics into errors: a fault of the program's own ends in one line, and not in
// the stacks of all goroutines.
//
// A panic ends the process from whichever goroutine it comes, and only that goroutine can recover
// it. So none is started with the word go: [Go] and [Group] start them, which a test holds.
package crash

import (
	"context"
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
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

// Go calls f in a goroutine of its own, and then hands its error to done, there: an *[Error] where
// f panicked.
func Go(f func() error, done func(error)) {
	go func() { done(Guard(f)) }()
}

// Group is an [errgroup.Group] in which a panic is the error of its goroutine. [NewGroup] and
// [WithContext] make one.
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
