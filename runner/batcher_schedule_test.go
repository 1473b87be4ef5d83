//go:build cgo && !notf

package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tfrun/tfrun/dataset"
)

// scheduled is a row of a schedule and what a plain run makes of it.
type scheduled struct {
	row  dataset.Element
	bad  bool
	want Result
}

// scheduledRows makes rows of 0 to 6 tokens, of which some are no tokens of the model's.
func scheduledRows(t *testing.T, p *Predictor, rnd *rand.Rand, n int) []scheduled {
	t.Helper()
	rows := make([]scheduled, n)
	for i := range rows {
		tokens := make([]string, 1+rnd.IntN(6))
		for k := range tokens {
			tokens[k] = fmt.Sprint(1 + rnd.IntN(20))
		}
		rows[i].bad = rnd.IntN(12) == 0
		if rows[i].bad {
			tokens[rnd.IntN(len(tokens))] = fmt.Sprint(1 << 40)
		}
		row, err := p.ParseRow([]byte("[" + strings.Join(tokens, ",") + "]"))
		if err != nil {
			t.Fatal(err)
		}
		rows[i].row = row
		if rows[i].bad {
			continue
		}
		alone, err := p.collectInOrder(t.Context(), []dataset.Element{row})
		if err != nil {
			t.Fatal(err)
		}
		rows[i].want = alone[0]
	}
	return rows
}

// Whatever callers do at whatever time, leave at once or later, be late, bring bad rows, close the
// batcher: a row has the answer that it has alone, or the one error that is its own.
func TestBatcherSchedules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model    string
		batching Batching
	}{{"k3_seed", ""}, {"k3_seed", Exact}, {"k2_masked", ""}} {
		s := loadDir(t, "../testdata/models/"+tt.model+"/model", Options{Exact: tt.batching == Exact})
		p, err := s.NewPredictor(PredictOptions{Batching: tt.batching})
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(12) {
			t.Run(fmt.Sprintf("%s%s/%d", tt.model, tt.batching, seed), func(t *testing.T) {
				t.Parallel()
				rnd := rand.New(rand.NewPCG(seed, 7))
				o := BatcherOptions{MaxBatch: 1 + rnd.IntN(9), MaxWait: time.Duration(rnd.IntN(4)) * time.Millisecond, Runs: 1 + rnd.IntN(3)}
				b, err := p.NewBatcher(o)
				if err != nil {
					t.Fatal(err)
				}
				runSchedule(t, b, scheduledRows(t, p, rnd, 60), rnd, seed%3 == 0)
			})
		}
	}
}

// runSchedule lets a caller for each row come at a time by chance.
func runSchedule(t *testing.T, b *Batcher, rows []scheduled, rnd *rand.Rand, closes bool) {
	t.Helper()
	var wg sync.WaitGroup
	for i, r := range rows {
		ctx, cancel := context.WithCancel(t.Context())
		pause, patience := time.Duration(rnd.IntN(20))*time.Millisecond, time.Duration(rnd.IntN(10))*time.Millisecond
		how := rnd.IntN(6)
		wg.Go(func() {
			defer cancel()
			time.Sleep(pause)
			switch how {
			case 0:
				cancel()
			case 1:
				time.AfterFunc(patience, cancel)
			case 2:
				var late context.CancelFunc
				ctx, late = context.WithTimeout(ctx, patience)
				defer late()
			}
			got, err := b.Run(ctx, r.row)
			var row *RowError
			switch {
			case err == nil && !r.bad:
				if d := distance(r.want.Values[0], got.Values[0]); d.depends {
					t.Errorf("row %d: %+v", i, d)
				}
			case errors.As(err, &row):
				if !r.bad {
					t.Errorf("row %d is refused: %v", i, err)
				}
			case errors.Is(err, ErrClosed):
				if !closes {
					t.Errorf("row %d: %v, and nobody closed it", i, err)
				}
			case err == nil || ctx.Err() == nil || !errors.Is(err, ctx.Err()):
				t.Errorf("row %d: %v; bad: %v, context: %v", i, err, r.bad, ctx.Err())
			}
		})
	}
	if closes {
		time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond)
	} else {
		wg.Wait()
	}
	b.Close()
	ran := b.Stats().Rows // nothing begins after Close
	wg.Wait()
	if stats := b.Stats(); stats.Rows != ran || stats.Rows > int64(len(rows)) {
		t.Errorf("%+v, after Close %d rows", stats, ran)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.groups) != 0 || b.free != b.o.Runs {
		t.Errorf("%d groups are left, and %d of %d runs", len(b.groups), b.o.Runs-b.free, b.o.Runs)
	}
}
