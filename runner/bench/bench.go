package bench

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
	"github.com/tfrun/tfrun/savedmodel"
)

// Options say what is measured. The zero value takes a minute, on made-up rows.
type Options struct {
	Load runner.Options
	// Predict are the options that all measurements share, except batch size, workers and batching,
	// which are measured.
	Predict runner.PredictOptions
	// Source says where rows come from; the first 4,096 are used. Without Files rows are made up,
	// with Lengths or usual ones.
	Source  job.Source
	Lengths []int64
	// BatchSizes, Workers and Batchings are measured in all combinations. If one of them is empty,
	// the best value is searched for.
	BatchSizes []int
	Workers    []int
	Batchings  []runner.Batching
	// Duration is about how long all measurements may take together; 0: a minute. Quick measures
	// only a few things.
	Duration time.Duration
	Quick    bool
	// ColdStart returns a command that reads a row of JSON from its standard input, runs it, with
	// [runner.PredictOptions.NoBatch] or without, and prints the answer. nil: cold starts are not
	// measured.
	ColdStart func(ctx context.Context, noBatch bool) *exec.Cmd
	// Progress, if not nil, is called with a description of each measurement before it begins.
	Progress func(what string)
}

const (
	sampleRows  = 4096
	sampleBytes = 256 << 20
	madeUpRows  = 1024
	leastSample = 512
)

// bench is a running measurement.
type bench struct {
	o        Options
	session  *runner.Session
	plain    *runner.Session // without XLA, to compare with; nil without XLA
	report   *Report
	rows     []dataset.Element
	lengths  []int64           // of the rows
	sorted   []int             // indices of rows, shortest first
	sample   []dataset.Element // rows that are streamed
	fixed    int               // batch size that the signature fixes, or 0
	free     int               // predict's default, where the signature leaves it open
	stateful bool
	random   bool
	window   time.Duration // the least length of a window
	most     int           // the most windows of one measurement
	until    time.Time     // after it no measurement begins
}

func (b *bench) say(format string, args ...any) {
	if b.o.Progress != nil {
		b.o.Progress(fmt.Sprintf(format, args...))
	}
}

// load opens the library and loads the model, and measures time and memory.
func (b *bench) load(ctx context.Context, m *savedmodel.Model) error {
	b.say("loading")
	r := b.report
	r.Memory.Before, _ = resident()
	start := time.Now()
	if _, err := runner.OpenLibrary(b.o.Load.Library); err != nil {
		return err
	}
	r.LibraryMS = since(start)
	start = time.Now()
	var err error
	if b.session, err = runner.LoadModel(ctx, m, b.o.Load); err != nil {
		return err
	}
	r.LoadMS = since(start)
	r.Memory.Loaded, _ = resident()
	if o := b.o.Load; o.XLA != "" && o.XLA != runner.XLAOff {
		o.XLA = runner.XLAOff
		b.plain, err = runner.LoadModel(ctx, m, o)
		if err != nil {
			return errors.Join(err, b.session.Close())
		}
	}
	return nil
}

// predictor returns a predictor with the shared options. A signature without a batch axis is run
// row by row.
func (b *bench) predictor() (*runner.Predictor, error) {
	o := b.o.Predict
	o.BatchSize, o.Workers, o.Batching = 0, 0, runner.Arrival
	p, err := b.session.NewPredictor(o)
	var axis *runner.BatchAxisError
	if errors.As(err, &axis) && len(b.o.Source.Files) == 0 {
		o.NoBatch, b.o.Predict.NoBatch = true, true
		p, err = b.session.NewPredictor(o)
	}
	return p, err
}

// takeRows reads rows or makes them up, and runs the first one.
func (b *bench) takeRows(ctx context.Context, p *runner.Predictor) error {
	r := b.report
	r.Rows.Files = append([]string{}, b.o.Source.Files...)
	if len(b.o.Source.Files) == 0 {
		b.say("making up rows")
		made, err := job.MakeUpRows(ctx, p, madeUpRows, b.o.Lengths)
		if err != nil {
			return err
		}
		b.rows, r.FirstMS = made.Rows, ms(made.FirstRun)
	} else {
		b.say("reading rows")
		if err := b.readRows(ctx, p); err != nil {
			return err
		}
		start := time.Now()
		if err := drain(ctx, p, b.rows[:1]); err != nil {
			return err
		}
		r.FirstMS = since(start)
	}
	b.lengths = make([]int64, len(b.rows))
	b.sorted = make([]int, len(b.rows))
	for i, row := range b.rows {
		b.lengths[i], b.sorted[i] = p.RowLength(row), i
	}
	slices.SortStableFunc(b.sorted, func(i, j int) int { return int(b.lengths[i] - b.lengths[j]) })
	ordered := slices.Sorted(slices.Values(b.lengths))
	r.Rows.Count, r.Rows.Lengths = len(b.rows), lengthsOf(ordered)
	return nil
}

// readRows reads the first rows of the source, and measures how long that takes.
func (b *bench) readRows(ctx context.Context, p *runner.Predictor) error {
	rows, err := b.o.Source.Rows(p)
	if err != nil {
		return err
	}
	start, bytes := time.Now(), 0
	for row, err := range rows.Take(sampleRows).All(ctx) {
		if err != nil {
			return err
		}
		for _, t := range row.Tensors {
			bytes += len(t.Bytes())
		}
		b.rows = append(b.rows, row.Clone())
		if bytes > sampleBytes {
			break
		}
	}
	if len(b.rows) == 0 {
		return fmt.Errorf("input %q: no rows to run", b.o.Source.Files[0])
	}
	if took := time.Since(start); took > 0 {
		b.report.Reading = Number(float64(len(b.rows)) / took.Seconds())
	}
	return nil
}

// drain runs rows and drops the answers.
func drain(ctx context.Context, p *runner.Predictor, rows []dataset.Element) error {
	for _, err := range p.Predict(ctx, dataset.FromElements(p.RowSpec(), rows...)) {
		if err != nil {
			return err
		}
	}
	return nil
}

// probe finds out whether answers depend on padding. If they do, some batchings are not the same
// for a user.
func (b *bench) probe(ctx context.Context, p *runner.Predictor) error {
	pad := &b.report.Padding
	pad.Possible = !b.o.Predict.NoBatch && b.report.Rows.Lengths.Least != b.report.Rows.Lengths.Most
	b.stateful, b.random = p.State().Stateful(), len(p.State().Random) > 0
	switch {
	case b.stateful:
		pad.Depends, pad.Says = true, "the model keeps state: its rows run in order, with one worker"
		return nil
	case b.o.Predict.NoBatch:
		pad.Says = "nothing is padded: one run a row"
		return nil
	}
	b.say("measuring what padding does")
	check, err := p.CheckUp(ctx, b.rows[:min(len(b.rows), 64)])
	if err != nil {
		return err
	}
	pad.Says = check.Verdict.String()
	pad.Depends = !check.Verdict.Paddable() || !check.Steady()
	if !check.Steady() {
		pad.Says = "the answers differ from run to run, padded or not"
	}
	return nil
}

// schedule divides the time among the measurements.
func (b *bench) schedule() {
	b.window, b.most = b.o.Duration/120, 8
	if b.o.Quick {
		b.window, b.most = b.o.Duration/60, 4
	}
	b.window = max(b.window, 20*time.Millisecond)
	b.until = time.Now().Add(b.o.Duration * 2 / 5)
}
