package runner

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// fakeBatcher is a batcher of a model each of whose runs takes the same time, and a row of it.
func fakeBatcher(t *testing.T, takes time.Duration, o BatcherOptions) (*Batcher, *fakeEngine, dataset.Element) {
	t.Helper()
	e := &fakeEngine{begin: func() { time.Sleep(takes) }}
	p := fakePredictor(t, e, PredictOptions{})
	b, err := p.NewBatcher(o)
	if err != nil {
		t.Fatal(err)
	}
	return b, e, dataset.Element{Tensors: []tensor.Tensor{tensor.Vector[float32](1, 2, 3)}}
}

// runWithin runs a row with a deadline, 0 for none, and returns what that took.
func runWithin(ctx context.Context, b *Batcher, row dataset.Element, deadline time.Duration) (time.Duration, error) {
	if deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, deadline)
		defer cancel()
	}
	start := time.Now()
	_, err := b.Run(ctx, row)
	return time.Since(start), err
}

// A row with a deadline does not wait for others so long that it is late.
func TestBatcherEarlyDeadline(t *testing.T) {
	t.Parallel()
	const takes = 10 * time.Millisecond
	for _, tt := range []struct {
		deadline time.Duration
		first    time.Duration // what a row takes when nothing is known of the model
		later    time.Duration // and when a batch has run: the wait and one run
	}{
		{0, time.Hour + takes, time.Hour + takes},
		{2 * time.Hour, time.Hour + takes, time.Hour + takes},
		{time.Hour, time.Hour/2 + takes, time.Hour - 2*takes + takes},
		{time.Second, time.Second/2 + takes, time.Second - 2*takes + takes},
		{30 * time.Millisecond, 25 * time.Millisecond, 20 * time.Millisecond},
		{15 * time.Millisecond, 0, takes}, // shorter than two runs: it begins at once
		{20 * time.Millisecond, 0, takes},
		{5 * time.Millisecond, 0, 0}, // no batch keeps it
	} {
		synctest.Test(t, func(t *testing.T) {
			b, _, row := fakeBatcher(t, takes, BatcherOptions{MaxWait: time.Hour})
			defer b.Close()
			if tt.first > 0 {
				if took, err := runWithin(t.Context(), b, row, tt.deadline); err != nil || took != tt.first {
					t.Errorf("deadline %v: the first row took %v, %v; want %v", tt.deadline, took, err, tt.first)
				}
			} else if _, err := runWithin(t.Context(), b, row, time.Second); err != nil {
				t.Error(err)
			}
			took, err := runWithin(t.Context(), b, row, tt.deadline)
			if tt.later == 0 {
				if took != tt.deadline || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("deadline %v: a row took %v, %v; want the deadline's error then", tt.deadline, took, err)
				}
			} else if err != nil || took != tt.later {
				t.Errorf("deadline %v: a later row took %v, %v; want %v", tt.deadline, took, err, tt.later)
			}
		})
	}
}

// One row's deadline lets the rows go that wait with it, as one batch, and a row that is due goes
// before those that have waited longer.
func TestBatcherDeadlineOfCompany(t *testing.T) {
	t.Parallel()
	const takes = 10 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		b, _, row := fakeBatcher(t, takes, BatcherOptions{MaxWait: time.Hour, MaxBatch: 4, Runs: 1})
		if _, err := runWithin(t.Context(), b, row, time.Second); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		start := time.Now()
		run := func(deadline, want time.Duration) {
			wg.Go(func() {
				_, err := runWithin(t.Context(), b, row, deadline)
				if took := time.Since(start); err != nil || took != want {
					t.Errorf("a row with deadline %v has its answer after %v, %v; want %v", deadline, took, err, want)
				}
			})
			synctest.Wait()
		}
		run(0, 90*time.Millisecond)
		run(0, 90*time.Millisecond)
		run(100*time.Millisecond, 90*time.Millisecond)
		wg.Wait()

		// Four rows run; of the five that come meanwhile the last goes first, with three others.
		start = time.Now()
		for range 4 {
			run(0, takes)
		}
		late := make(chan time.Duration, 4)
		for range 4 {
			wg.Go(func() {
				if _, err := runWithin(t.Context(), b, row, 0); err != nil {
					t.Error(err)
				}
				late <- time.Since(start)
			})
		}
		synctest.Wait()
		run(50*time.Millisecond, 2*takes)
		for range 3 {
			if got := <-late; got != 2*takes {
				t.Errorf("a row has its answer after %v, want %v", got, 2*takes)
			}
		}
		b.Close()
		wg.Wait()
	})
}

// Whatever rows come, on a machine that is not too slow for them each is answered within its
// deadline, or within the wait that is allowed and two batches where it has none.
func TestBatcherKeepsDeadlines(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 11))
			takes := time.Duration(1+rnd.IntN(20)) * time.Millisecond
			wait := time.Duration(rnd.IntN(200)) * time.Millisecond
			o := BatcherOptions{MaxWait: wait, MaxBatch: 64, Runs: 1 + rnd.IntN(2)}
			b, e, row := fakeBatcher(t, takes, o)
			if _, err := runWithin(t.Context(), b, row, 0); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 300 {
				// A batch that has just begun, and its own, are what a row has to wait for.
				deadline := 2*takes + time.Duration(rnd.Int64N(int64(3*(wait+takes))))
				if rnd.IntN(3) == 0 {
					deadline = 0
				}
				wg.Go(func() {
					took, err := runWithin(t.Context(), b, row, deadline)
					if err != nil || deadline == 0 && took > wait+2*takes {
						t.Errorf("runs take %v, wait %v, %d at a time: a row with deadline %v took %v: %v", takes, wait, o.Runs, deadline, took, err)
					}
				})
				time.Sleep(time.Duration(rnd.Int64N(int64(takes))))
			}
			wg.Wait()
			b.Close()
			if runs := len(e.attempts()); runs > 301 {
				t.Errorf("%d runs for 301 rows", runs)
			}
		})
	}
}
