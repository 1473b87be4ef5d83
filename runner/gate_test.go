package runner

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tfrun/tfrun/tensor"
)

// While Close waits for a run that takes long, other calls are told at once that the session is
// closed: none waits for that run beyond its own deadline.
func TestCloseHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := fakeSession(t, &fakeEngine{begin: func() { time.Sleep(time.Hour) }})
		f, err := s.Function("")
		if err != nil {
			t.Fatal(err)
		}
		row, err := tensor.FromSlice([]float32{1, 2}, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		x := map[string]tensor.Tensor{f.Inputs()[0].Name: row}
		var wg sync.WaitGroup
		start := time.Now()
		wg.Go(func() {
			if _, err := s.Run(context.Background(), "", x); err != nil {
				t.Errorf("the run that was under way: %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if err := s.Close(); err != nil || time.Since(start) != time.Hour {
				t.Errorf("Close: %v after %v, want it to wait for the run", err, time.Since(start))
			}
		})
		synctest.Wait()
		if _, err := s.Run(context.Background(), "", x); !errors.Is(err, ErrClosed) || time.Since(start) != 0 {
			t.Errorf("a call meanwhile: %v after %v", err, time.Since(start))
		}
		if _, err := s.Devices(); !errors.Is(err, ErrClosed) {
			t.Errorf("Devices: %v", err)
		}
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := s.Run(context.Background(), "", x); !errors.Is(err, ErrClosed) {
			t.Errorf("a call afterwards: %v", err)
		}
	})
}

// Whoever comes, nobody is inside once the gate is closed, and it is closed once.
func TestGate(t *testing.T) {
	t.Parallel()
	for range 200 {
		var g gate
		var inside, closed atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for g.enter() {
					if inside.Add(1); closed.Load() != 0 {
						t.Error("somebody is inside of what is closed")
					}
					inside.Add(-1)
					g.leave()
				}
			})
		}
		for range 2 {
			wg.Go(func() {
				_ = g.close(func() error {
					if closed.Add(1); inside.Load() != 0 {
						t.Error("closed while somebody is inside")
					}
					return nil
				})
				if closed.Load() != 1 {
					t.Errorf("closed %d times", closed.Load())
				}
			})
		}
		wg.Wait()
	}
}
