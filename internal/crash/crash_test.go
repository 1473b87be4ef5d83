package crash

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	want := errors.New("x")
	if err := Guard(func() error { return want }); err != want {
		t.Errorf("an error became %v", err)
	}
	err := Guard(func() error {
		var list []int
		return errors.New(string(rune(list[len(list)])))
	})
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(string(e.Stack), "crash_test.go") || !strings.Contains(e.Error(), "index out of range [0]") {
		t.Errorf("a panic became %v", err)
	}
}

func TestGo(t *testing.T) {
	done := make(chan error)
	Go(func() error { panic("x") }, func(err error) { done <- err })
	var e *Error
	if err := <-done; !errors.As(err, &e) || e.Value != "x" {
		t.Errorf("a panic became %v", err)
	}
}

func TestGroup(t *testing.T) {
	g, ctx := WithContext(t.Context())
	g.Go(func() error { <-ctx.Done(); return ctx.Err() })
	g.Go(func() error { panic("x") })
	var e *Error
	if err := g.Wait(); !errors.As(err, &e) || e.Value != "x" {
		t.Errorf("a panic became %v", err)
	}
	plain, want := NewGroup(), context.Canceled
	plain.Go(func() error { return want })
	if err := plain.Wait(); !errors.Is(err, want) {
		t.Errorf("an error became %v", err)
	}
}
