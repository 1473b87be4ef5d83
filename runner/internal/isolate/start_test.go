//go:build cgo && !notf

package isolate

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// forgetEnv makes the model's process one of a program whose main does not call Main: one
// that ends, that goes on or that dies.
const forgetEnv = "TFRUN_TEST_FORGETS"

// forgetMain is the main of such a program.
func forgetMain() {
	if os.Getenv(markEnv) == "" {
		return
	}
	switch os.Getenv(forgetEnv) {
	case "ends":
		os.Exit(3)
	case "cannot begin":
		os.Exit(2)
	case "goes on":
		time.Sleep(time.Minute)
	case "dies":
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		panic(err)
	case "talks":
		_, err := os.NewFile(answersFD, "answers").WriteString("hello, world")
		panic(err)
	}
}

func TestMain(m *testing.M) {
	forgetMain()
	Main()
	goleak.VerifyTestMain(m)
}

// A program that has no Main in its main is told so.
func TestWithoutMain(t *testing.T) {
	for _, tt := range []struct{ program, want string }{
		{"ends", "started anew to hold the model, ended (exit status 3) without calling runner.IsolateMain: call it first thing in main"},
		{"goes on", "started anew to hold the model, has not called runner.IsolateMain within 100ms: call it first thing in main"},
		{"dies", "start: the model's process died: SIGKILL (as when memory runs out)"},
		{"cannot begin", "start: the model's process died: exit status 2"},
		{"talks", "start: the model's process died: its answer is damaged"},
	} {
		t.Run(tt.program, func(t *testing.T) {
			t.Setenv(forgetEnv, tt.program)
			within := startWithin
			if tt.program == "goes on" {
				within = 100 * time.Millisecond
			}
			p, err := startProcess(io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.await(t.Context(), within); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("await: %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		t.Setenv(forgetEnv, "goes on")
		p, err := startProcess(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := p.await(ctx, startWithin); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("await: %v, want the context's error", err)
		}
	})
}
