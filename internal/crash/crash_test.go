package crash

import (
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
