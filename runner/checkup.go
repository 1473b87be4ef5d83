package runner

import (
	"context"
	"errors"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/tf"
)

// Checkup is what running a few rows says of a signature.
type Checkup struct {
	// FirstRun is how long the first row took, TensorFlow's preparations included.
	FirstRun time.Duration
	// Repeated compares each row, run alone, with itself in a second run: what differs there is
	// chance or state. It has an entry for each output.
	Repeated []Effect
	// Refused are the numbers of the rows that the model does not run alone, among those that were
	// to be run twice. Err is why it does not run the first of them.
	Refused []int64
	Err     error
	// Verdict is what other rows and padding do to answers. Where answers differ from run to run
	// anyway, it says nothing. It is empty for a signature that keeps state, or runs row by row.
	Verdict Verdict
}

// Steady reports whether the answers are the same in every run.
func (c Checkup) Steady() bool { return !depends(c.Repeated) }

// checkRows is how many rows are run again.
const checkRows = 4

// CheckUp runs the rows and says what their answers depend on. It needs at least one row; the first
// 64 of a file are enough. Where the model runs none of the first few rows, the error is that of
// the first row.
func (p *Predictor) CheckUp(ctx context.Context, rows []dataset.Element) (Checkup, error) {
	var c Checkup
	if len(rows) == 0 {
		return c, errors.New("check: no rows")
	}
	q := p.quiet()
	c.Repeated = p.noEffects()
	ran := 0
	for _, row := range rows {
		if err := q.runAgain(ctx, row, &c); ctx.Err() != nil {
			return c, ctx.Err()
		} else if err == nil {
			ran++
		}
		if ran == checkRows || ran == 0 && len(c.Refused) == checkRows {
			break
		}
	}
	if ran == 0 {
		return c, &BatchError{First: c.Refused[0], Last: c.Refused[0], Err: c.Err}
	}
	if p.o.NoBatch || p.f.state.Stateful() {
		return c, nil
	}
	var err error
	c.Verdict, err = p.find(ctx, rows, wanted{padding: true, trials: true})
	return c, err
}

// runAgain runs a row twice, and compares the answers.
func (p *Predictor) runAgain(ctx context.Context, row dataset.Element, c *Checkup) error {
	start := time.Now()
	first, err := p.collect(ctx, dataset.FromElements(p.spec, row))
	if err == nil && c.FirstRun == 0 {
		c.FirstRun = time.Since(start)
	}
	var again []Result
	if err == nil {
		again, err = p.collect(ctx, dataset.FromElements(p.spec, row))
	}
	if err != nil {
		if c.Refused = append(c.Refused, row.Row); c.Err == nil {
			c.Err = reasonOf(err)
		}
		return err
	}
	n := p.RowLength(row)
	compareAll(c.Repeated, trial{row: row.Row, steps: n, whole: n}, first[0].Values, again[0].Values)
	return nil
}

// SelfTest runs a small graph on every device that TensorFlow sees: relu(a × b + c) for matrices of
// 64 × 64, compared with the same computed in Go. The error is for what kept the test from running
// at all; what a device did wrong is in its DeviceTest.
func SelfTest(ctx context.Context, o Options) ([]DeviceTest, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return tf.SelfTest(ctx, o.config())
}
