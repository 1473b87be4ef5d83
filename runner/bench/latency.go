package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
)

// latencies measures single batches of each size, of short, usual and long rows, and with XLA both
// without and with it.
func (b *bench) latencies(ctx context.Context) error {
	sizes, asked := []int{1, 8, 64}, true
	switch {
	case b.o.Predict.NoBatch:
		sizes = []int{1}
	case b.fixed > 0:
		sizes = []int{b.fixed}
	case len(b.o.BatchSizes) > 0:
		sizes = b.o.BatchSizes
	default:
		asked = false
	}
	for _, size := range sizes {
		for _, rank := range b.ranks() {
			var takes time.Duration
			if !asked { // each batch is run once before it is measured
				takes = b.running(2 * size)
			}
			if !b.fits(takes) {
				b.report.LeftOut++
				continue
			}
			for _, xla := range []bool{false, true} {
				session := b.session
				switch {
				case b.plain != nil && !xla:
					session = b.plain
				case b.plain == nil && xla:
					continue
				}
				l, err := b.latency(ctx, session, size, rank)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					b.report.Problems = append(b.report.Problems, fmt.Sprintf("latency of a batch of %d rows padded to %d: %v", size, l.Length, err))
					continue
				}
				l.XLA = xla
				b.report.Latency = append(b.report.Latency, l)
			}
		}
	}
	return nil
}

// ranks returns the places of a short, a usual, a long and the longest row among the sorted rows.
// Of rows with the same length only one is returned.
func (b *bench) ranks() []int {
	shares := []float64{0.05, 0.5, 0.95, 1}
	if b.o.Quick {
		shares = []float64{0.5, 1}
	}
	var ranks []int
	seen := map[int64]bool{}
	for _, q := range shares {
		rank := min(int(q*float64(len(b.sorted))), len(b.sorted)-1)
		if length := b.lengths[b.sorted[rank]]; !seen[length] {
			seen[length] = true
			ranks = append(ranks, rank)
		}
	}
	return ranks
}

// upTo returns n rows, of which the row at the rank is the longest. The others are those before it
// in order of length, several times if there are too few.
func (b *bench) upTo(rank, n int) []dataset.Element {
	first := max(rank-n+1, 0)
	rows := make([]dataset.Element, n)
	for i := range rows {
		rows[i] = b.rows[b.sorted[rank-i%(rank-first+1)]]
	}
	return rows
}

func (b *bench) latency(ctx context.Context, session *runner.Session, size, rank int) (Latency, error) {
	l := Latency{BatchSize: size, Length: b.lengths[b.sorted[rank]]}
	b.say("latency of %d rows padded to %d", size, l.Length)
	o := b.o.Predict
	o.BatchSize, o.Workers, o.Batching = size, 1, runner.Arrival
	if o.NoBatch {
		o.BatchSize = 0
	}
	p, err := session.NewPredictor(o)
	if err != nil {
		return l, err
	}
	rows := b.upTo(rank, size)
	if err := drain(ctx, p, rows); err != nil { // a first run, for which TensorFlow prepares itself
		return l, err
	}
	var windows [][]float64
	var medians []float64
	late := func() bool { return time.Now().After(b.until) }
	for len(medians) == 0 || len(medians) < b.most && !stable(medians) && !late() {
		var window []float64
		for start := time.Now(); len(window) == 0 || (time.Since(start) < b.window || len(window) < 3) && !late(); {
			call := time.Now()
			if err := drain(ctx, p, rows); err != nil {
				return l, err
			}
			window = append(window, float64(since(call)))
		}
		slices.Sort(window)
		windows = append(windows, window)
		medians = append(medians, window[(len(window)-1)/2])
	}
	all := slices.Concat(windows[max(len(windows)-stableWindows, 0):]...)
	slices.Sort(all)
	l.Calls, l.Windows, l.Stable, l.Outliers = len(all), len(medians), stable(medians), outliers(all)
	for _, p := range []struct {
		q  float64
		to *Number
	}{{0.5, &l.P50}, {0.95, &l.P95}, {0.99, &l.P99}, {0.999, &l.P999}, {1, &l.Max}} {
		*p.to = Number(percentile(all, p.q))
	}
	return l, nil
}
