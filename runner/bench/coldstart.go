package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// coldStarts measures running a row of JSON in new processes. They take half of the time that there
// is to measure, or one process does that is likely to end within all of it: a large model takes as
// long to load in each.
func (b *bench) coldStarts(ctx context.Context, row []byte) error {
	if b.o.ColdStart == nil {
		return nil
	}
	runs := 5
	if b.o.Quick {
		runs = 1
	}
	c := &ColdStart{}
	var times []float64
	begin := time.Now()
	if warm := float64(b.report.LibraryMS + b.report.LoadMS + b.report.FirstMS); warm > float64(ms(b.o.Duration)) {
		b.report.LeftOut++
		return nil
	}
	for range runs {
		if len(times) > 0 && time.Since(begin) > b.o.Duration/2 {
			break
		}
		b.say("cold start %d of %d", len(times)+1, runs)
		took, peak, err := b.coldStart(ctx, append(row, '\n'))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			b.report.Problems = append(b.report.Problems, fmt.Sprintf("cold start: %v", err))
			return nil
		}
		times = append(times, float64(ms(took)))
		c.Peak = max(c.Peak, peak)
	}
	slices.Sort(times)
	c.Runs, c.MedianMS, c.LeastMS, c.MostMS = len(times), Number(times[len(times)/2]), Number(times[0]), Number(times[len(times)-1])
	b.report.ColdStart = c
	return nil
}

// coldStart returns the time from a process's start to the end of its answer.
func (b *bench) coldStart(ctx context.Context, row []byte) (time.Duration, int64, error) {
	cmd := b.o.ColdStart(ctx, b.o.Predict.NoBatch)
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(row), &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	answer, readErr := io.ReadAll(out)
	took := time.Since(start)
	if err := cmd.Wait(); err != nil {
		return 0, 0, fmt.Errorf("%w: %s", err, bytes.TrimSpace(errs.Bytes()))
	}
	if readErr == nil && len(answer) == 0 {
		readErr = fmt.Errorf("%s printed no answer", cmd.Path)
	}
	return took, peakOf(cmd.ProcessState), readErr
}
