package runner

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// One run at a time is under way, whoever asks, and one that waits may be given up.
func TestInTurn(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	e := &fakeEngine{begin: func() {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(time.Millisecond)
		now.Add(-1)
	}}
	s := fakeSession(t, tf.InTurn(e))
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := sums(t, s, PredictOptions{BatchSize: 1, Workers: 4}, 3, 1, 2, 5, 4, 2); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n != 1 || len(e.attempts()) != 18 {
		t.Errorf("%d runs, up to %d at a time, want 18 and 1", len(e.attempts()), n)
	}

	// A run that does not end keeps the others waiting, until they are given up.
	release := make(chan struct{})
	var hang atomic.Bool
	stuck := fakeSession(t, tf.InTurn(&fakeEngine{begin: func() {
		if hang.Swap(false) {
			<-release
		}
	}}))
	hang.Store(true)
	wg.Go(func() {
		if err := sums(t, stuck, PredictOptions{}, 1); err != nil {
			t.Error(err)
		}
	})
	for hang.Load() {
		time.Sleep(time.Millisecond)
	}
	p, err := stuck.engine.Prepare(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := p.Load([]Feed{FeedTensor(tensor.Vector(float32(1)))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := l.Run(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v, want the context's error", err)
	}
	close(release)
	wg.Wait()
}

// What TensorFlow is handed has no sum that it would fuse with a convolution, or is used by one run
// at a time.
func TestLoadKeepsRunsApart(t *testing.T) {
	const model = "../testdata/models/k3_resnet/model" // residual, with biases
	for _, tt := range []struct {
		name   string
		o      Options
		place  string
		inTurn bool
		writes bool // there is a place for temporary files
	}{
		{"default", Options{}, "", false, true},
		{"all", Options{Optimizer: OptimizerAll}, "", false, true},
		{"none", Options{Optimizer: OptimizerNone}, "", false, true},
		{"xla", Options{XLA: XLAOn}, "", false, true},
		{"a device", Options{}, "/device:CPU:0", false, true},
		{"whole", Options{NoPrune: true}, "", true, true},
		{"asked for", Options{InTurn: true}, "", true, true},
		{"no place", Options{}, "", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := savedmodel.Open(model)
			if err != nil {
				t.Fatal(err)
			}
			s := &Session{model: m, graph: m.MetaGraphs[0], o: tt.o, xla: newXLA(tt.o)}
			if !tt.writes {
				if _, err := os.Stat("/dev/shm"); err == nil {
					t.Skip("/dev/shm takes the files")
				}
				t.Setenv("TMPDIR", "/nonexistent")
			}
			_, err = s.withFiles(tt.o, tt.place, func(dir string, c tf.Config) error {
				if c.InTurn != tt.inTurn {
					t.Errorf("in turn: %v, want %v", c.InTurn, tt.inTurn)
				}
				loads, err := savedmodel.Open(dir)
				if err != nil {
					return err
				}
				_, sharing, err := loads.MetaGraphs[0].ReducedApart(savedmodel.Reduction{})
				if err == nil && sharing.Sums > 0 && !c.InTurn {
					t.Errorf("%d sums may be fused", sharing.Sums)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
