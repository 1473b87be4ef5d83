package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tfrun/tfrun/runner"
)

// coldStarts measures running the median row in new processes.
func (b *bench) coldStarts(ctx context.Context, p *runner.Predictor) error {
	if b.o.ColdStart == nil {
		return nil
	}
	row, err := p.AppendRowJSON(nil, b.rows[b.sorted[len(b.sorted)/2]])
	if err != nil {
		return err
	}
	runs := 5
	if b.o.Quick {
		runs = 1
	}
	c := &ColdStart{}
	var times []float64
	for range runs {
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
	c.Runs, c.MedianMS, c.LeastMS, c.MostMS = runs, Number(times[len(times)/2]), Number(times[0]), Number(times[len(times)-1])
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
