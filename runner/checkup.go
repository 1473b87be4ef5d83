package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tfrun/tfrun/dataset"
)

// Checkup is what running a few rows says of a signature.
type Checkup struct {
	// FirstRun is how long the first row took, TensorFlow's preparations included.
	FirstRun time.Duration
	// Repeated compares each row, run alone, with itself in a second run: what differs there is
	// chance or state. Shared compares it with the same row in a batch of its copies: what differs
	// there is the company of other rows. Both have an entry for each output.
	Repeated, Shared []PaddingEffect
	// Padding is what padding does. It says nothing where answers differ without any. Of a
	// signature that keeps state neither it nor Shared is measured.
	Padding PaddingReport
}

// Steady reports whether the answers are the same in every run.
func (c Checkup) Steady() bool { return !PaddingReport{Effects: c.Repeated}.Depends() }

// Alone reports whether a row's answers are the same whatever other rows are in its batch, padding
// apart.
func (c Checkup) Alone() bool { return !PaddingReport{Effects: c.Shared}.Depends() }

// checkRows is how many rows are run again and in company.
const checkRows = 4

// CheckUp runs the rows and says what their answers depend on. It needs a row at least; the first
// 16 will do.
func (p *Predictor) CheckUp(ctx context.Context, rows []dataset.Element) (Checkup, error) {
	var c Checkup
	if len(rows) == 0 {
		return c, errors.New("check: no rows")
	}
	q := *p
	q.o.Batching, q.o.SkipBadRows, q.o.Stats, q.o.Batch, q.o.Workers = Arrival, false, nil, nil, 1
	q.o.From, q.o.Shard, q.o.Shards, q.meter = 0, 0, 0, nil
	c.Repeated, c.Shared = p.noEffects(), p.noEffects()
	once := p.o.NoBatch || p.state.Stateful()
	start := time.Now()
	for i, row := range rows[:min(checkRows, len(rows))] {
		first, err := q.collect(ctx, dataset.FromElements(p.spec, row))
		if err != nil {
			return c, err
		}
		if i == 0 {
			c.FirstRun = time.Since(start)
		}
		again, err := q.collect(ctx, dataset.FromElements(p.spec, row))
		if err != nil {
			return c, err
		}
		compareAll(c.Repeated, row.Row, first[0], again[0])
		if once {
			continue
		}
		company, err := q.collect(ctx, dataset.FromElements(p.spec, row, row, row))
		if err != nil {
			return c, fmt.Errorf("a batch of 3 rows: %w", err)
		}
		compareAll(c.Shared, row.Row, first[0], company[1])
	}
	if once {
		return c, nil
	}
	var err error
	c.Padding, err = q.ProbePadding(ctx, rows)
	return c, err
}

func compareAll(effects []PaddingEffect, row int64, a, b Result) {
	for k := range effects {
		effects[k].compare(row, a.Values[k], b.Values[k])
	}
}
