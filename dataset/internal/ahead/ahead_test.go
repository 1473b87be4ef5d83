package ahead_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tfrun/tfrun/dataset/internal/ahead"
	"github.com/tfrun/tfrun/internal/crash"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type job struct{ n, square int }

func numbers(n int, end error) func(*job) error {
	i := 0
	return func(j *job) error {
		if i == n {
			return end
		}
		j.n = i
		i++
		return nil
	}
}

func square(j *job) {
	if j.n%3 == 0 {
		time.Sleep(100 * time.Microsecond)
	}
	j.square = j.n * j.n
}

func TestOrder(t *testing.T) {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
		stopped := atomic.Bool{}
		p := ahead.Start(3, numbers(200, end), square, func() { stopped.Store(true) })
		for i := range 200 {
			j, err := p.Next(t.Context())
			if err != nil || j.square != i*i {
				t.Fatalf("job %d: %v, %v", i, j, err)
			}
			p.Release(j)
		}
		if _, err := p.Next(t.Context()); !errors.Is(err, end) {
			t.Errorf("after the last job: %v, want %v", err, end)
		}
		if _, err := p.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v, want EOF", err)
		}
		p.Close()
		if !stopped.Load() {
			t.Error("stop was not called")
		}
	}
}

func TestCloseEarly(t *testing.T) {
	p := ahead.Start(2, numbers(1<<40, io.EOF), square, func() {})
	if _, err := p.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Close()
}

func TestReadThatHangs(t *testing.T) {
	release := make(chan struct{})
	done := make(chan struct{})
	p := ahead.Start(2, func(*job) error { <-release; return io.EOF }, square, func() { close(done) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := p.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Next: %v, want the context's error", err)
	}
	p.Close()
	close(release)
	<-done
}

// TestPanic has the reading, the work and the end of a pipe panic: the first two are the error of
// their job, behind the jobs before it, and nothing hangs.
func TestPanic(t *testing.T) {
	for _, at := range []string{"read", "work", "stop"} {
		t.Run(at, func(t *testing.T) {
			fault := func(here string, j *job) {
				if here == at && (j == nil || j.n == 5) {
					panic(here)
				}
			}
			read, stopped := numbers(10, io.EOF), atomic.Bool{}
			p := ahead.Start(3, func(j *job) error {
				err := read(j)
				fault("read", j)
				return err
			}, func(j *job) {
				square(j)
				fault("work", j)
			}, func() {
				stopped.Store(true)
				fault("stop", nil)
			})
			n := 0
			var err error
			for ; err == nil; n++ {
				_, err = p.Next(t.Context())
			}
			var e *crash.Error
			switch {
			case at == "stop":
				if n != 11 || !errors.Is(err, io.EOF) {
					t.Errorf("%d jobs, then %v", n-1, err)
				}
			case n != 6 || !errors.As(err, &e) || e.Value != at:
				t.Errorf("%d jobs, then %v", n-1, err)
			}
			if _, err := p.Next(t.Context()); !errors.Is(err, io.EOF) {
				t.Errorf("after the end: %v, want EOF", err)
			}
			p.Close()
			if !stopped.Load() {
				t.Error("stop was not called")
			}
		})
	}
}
