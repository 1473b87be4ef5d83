// Command profile does what tfrun predict does, in this process, and writes a CPU profile, or one
// of what is allocated:
//
//	go run ./bench/profile -model dense -batch-size 65536 -workers 2 \
//		-o out.npy -cpu cpu.prof rows.npy
//	go tool pprof -top cpu.prof
//
// The profile begins when the model is loaded and has run its first batch.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
)

// options are the command line's.
type options struct {
	model, column, batching  string
	cpu, allocations, output string
	predict                  runner.PredictOptions
	files                    []string
}

func main() {
	var o options
	flag.StringVar(&o.model, "model", "", "SavedModel")
	flag.StringVar(&o.column, "column", "", "INPUT=COLUMN,…")
	flag.StringVar(&o.batching, "batching", "arrival", "as tfrun's")
	flag.IntVar(&o.predict.BatchSize, "batch-size", 0, "as tfrun's")
	flag.Int64Var(&o.predict.MaxTokens, "max-tokens", 0, "as tfrun's")
	flag.IntVar(&o.predict.Workers, "workers", 0, "as tfrun's")
	flag.StringVar(&o.cpu, "cpu", "", "file for the CPU profile")
	flag.StringVar(&o.allocations, "allocations", "", "file for the profile of allocations")
	flag.StringVar(&o.output, "o", "", "file for the results")
	flag.Parse()
	o.files = flag.Args()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "bench/profile:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	s, err := runner.Load(ctx, o.model, runner.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // nothing is lost
	o.predict.Batching = runner.Batching(o.batching)
	p, err := s.NewPredictor(o.predict)
	if err != nil {
		return err
	}
	src := job.Source{Files: o.files}
	if input, column, ok := strings.Cut(o.column, "="); ok {
		src.Columns = map[string]string{input: column}
	}
	if err := warm(ctx, p, src); err != nil {
		return err
	}
	stop, err := start(o)
	if err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	sum, err := job.Job{Source: src, Output: o.output, Stdout: os.Stdout}.Run(ctx, p)
	runtime.ReadMemStats(&after)
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d rows in %v, %d allocations, %d MB allocated\n",
		sum.Rows, sum.Duration.Round(time.Millisecond), after.Mallocs-before.Mallocs, (after.TotalAlloc-before.TotalAlloc)>>20)
	return nil
}

// warm runs the first row.
func warm(ctx context.Context, p *runner.Predictor, src job.Source) error {
	rows, err := src.Rows(p)
	if err != nil {
		return err
	}
	for _, err := range p.Predict(ctx, rows.Take(1)) {
		if err != nil {
			return err
		}
	}
	return nil
}

// start begins what the options ask for; stop ends it and writes the files.
func start(o options) (stop func() error, err error) {
	if o.allocations != "" {
		runtime.MemProfileRate = 4096
	}
	if o.cpu == "" {
		return func() error { return o.writeAllocations() }, nil
	}
	f, err := os.Create(o.cpu)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return errors.Join(f.Close(), o.writeAllocations())
	}, nil
}

func (o options) writeAllocations() error {
	if o.allocations == "" {
		return nil
	}
	f, err := os.Create(o.allocations)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}
