//go:build cgo && !notf

package runner

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tfrun/tfrun/tensor"
)

// begin runs a signature of testdata/slow for as long as steps say.
func begin(t *testing.T, ctx context.Context, s *Session, signature string, steps float32) (time.Duration, error) {
	t.Helper()
	x := map[string]tensor.Tensor{"x": mustTensor(t, []float32{steps}, 1, 1)}
	start := time.Now()
	_, err := s.Run(ctx, signature, x)
	return time.Since(start), err
}

// A call ends when its context does, be TensorFlow in a loop or in one operation; and the loop is
// cancelled then, so that the session can be closed long before its million steps are over.
func TestDeadline(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, signature string
		steps           float32
		o               Options
		deadline        time.Duration // 0: cancelled after 100 ms
		want            error
		closesWithin    time.Duration // 0: the run goes on, and Close waits for it
	}{
		{"deadline in a loop", "serving_default", 1 << 24, Options{}, 100 * time.Millisecond, context.DeadlineExceeded, 10 * time.Second},
		{"deadline in an operation", "kernel", 200, Options{}, 100 * time.Millisecond, context.DeadlineExceeded, 0},
		{"cancelled in an operation", "kernel", 200, Options{}, 0, context.Canceled, 0},
		{"cancelled in a loop", "serving_default", 100_000, Options{}, 0, context.Canceled, 0},
		{"timeout in a loop", "serving_default", 1 << 24, Options{Timeout: 500 * time.Millisecond}, time.Hour, nil, 10 * time.Second},
		{"timeout in an operation", "kernel", 800, Options{Timeout: 500 * time.Millisecond}, time.Hour, nil, 0},
		{"timeout of another process", "serving_default", 1 << 24, Options{Timeout: 500 * time.Millisecond, Isolate: true}, time.Hour, nil, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := loadDir(t, "testdata/slow", tt.o)
			if _, err := begin(t, t.Context(), s, tt.signature, 1); err != nil && tt.o.Timeout == 0 {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), max(tt.deadline, 100*time.Millisecond))
			defer cancel()
			if tt.deadline == 0 {
				ctx, cancel = context.WithCancel(t.Context())
				time.AfterFunc(100*time.Millisecond, cancel)
			}
			took, err := begin(t, ctx, s, tt.signature, tt.steps)
			var tfErr *Error
			switch {
			case tt.want != nil && !errors.Is(err, tt.want):
				t.Errorf("Run: %v, want %v", err, tt.want)
			case tt.want == nil && (!errors.As(err, &tfErr) || tfErr.Code != DeadlineExceeded):
				t.Errorf("Run: %v, want TensorFlow's code for a deadline", err)
			}
			if took > 2*time.Second { // by itself a minute in the loop
				t.Errorf("the call took %v", took)
			}
			t.Logf("the call took %v", took)
			start := time.Now()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); tt.closesWithin > 0 && took > tt.closesWithin {
				t.Errorf("Close took %v: the run went on", took)
			}
			t.Logf("Close took %v", time.Since(start))
		})
	}
}

// The timeout is one of runs: loading may take longer.
func TestTimeoutNotOfLoading(t *testing.T) {
	t.Parallel()
	s := loadDir(t, "testdata/slow", Options{Timeout: 1})
	if _, err := begin(t, t.Context(), s, "serving_default", 1<<24); err == nil {
		t.Error("Run took less than a nanosecond")
	}
}

// A deadline that passes at any point of loading is the only error there is, and the context is
// done when it is told.
func TestLoadDeadline(t *testing.T) {
	t.Parallel()
	for wait := time.Millisecond; wait < 3*time.Second; wait *= 3 {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		s, err := Load(ctx, "../testdata/models/k3_resnet/model", Options{})
		switch {
		case err == nil:
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		case !errors.Is(err, context.DeadlineExceeded) || ctx.Err() == nil:
			t.Errorf("after %v: %v; the context: %v", wait, err, ctx.Err())
		}
		cancel()
	}
}

// lookedAt is a context that is done once it was looked at so many times.
type lookedAt struct {
	context.Context
	looks  atomic.Int64
	cancel context.CancelFunc
}

func (c *lookedAt) Err() error {
	if c.looks.Add(-1) < 0 {
		c.cancel()
	}
	return c.Context.Err()
}

// A context that is done while a large input is copied ends the call there, and TensorFlow does not
// run. One that is done while a large output is copied ends that.
func TestCopiesEnd(t *testing.T) {
	t.Parallel()
	s := load(t, "mod_big_int/model")
	x, err := tensor.New(tensor.Int64, 2<<20) // 16 MiB, as has each of the two outputs
	if err != nil {
		t.Fatal(err)
	}
	values, _ := tensor.Values[int64](x)
	for i := range values {
		values[i] = int64(i)
	}
	for _, tt := range []struct {
		looks int64
		runs  int64 // whether TensorFlow is called
		ends  bool
	}{{0, 0, false}, {5, 0, false}, {16 + 8, 1, false}, {1000, 1, true}} {
		inner, cancel := context.WithCancel(t.Context())
		defer cancel()
		ctx := &lookedAt{Context: inner, cancel: cancel}
		ctx.looks.Store(tt.looks)
		before := s.Stats()
		out, err := s.Run(ctx, "", map[string]tensor.Tensor{"x": x})
		if tt.ends != (err == nil) || !tt.ends && !errors.Is(err, context.Canceled) {
			t.Errorf("done after %d looks: %v", tt.looks, err)
		}
		if tt.ends && !out["same"].Equal(x) {
			t.Error("the output is not the input")
		}
		if runs := s.Stats().Runs - before.Runs; runs != tt.runs {
			t.Errorf("done after %d looks: %d runs, want %d", tt.looks, runs, tt.runs)
		}
	}
}
