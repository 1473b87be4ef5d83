package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tfrun/tfrun/cmd/tfrun/internal/plot"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/bench"
)

// benchOptions are the flags of tfrun bench.
type benchOptions struct {
	predict    predictOptions
	format     string
	output     string
	batchSizes []int
	workers    []int
	batchings  []string
	lengths    []int64
	duration   time.Duration
	quick      bool
	noCold     bool
	plot       string
	flags      [][]string // of modelFlags, those that were typed, with their values
}

// benchFlags are the flags of tfrun predict that bench has too. It repeats them in the commands
// that it shows.
var benchFlags = append(slices.Clone(modelFlags), "window", "max-tokens")

const benchLong = `Measures MODEL on the path that tfrun predict takes, over the rows of the INPUT files (the first
4,096), or without any over rows made up from the signature: cold start of a new process,
loading, the first call, the latency of a batch by its size and length, rows per second by
batching, batch size and workers, padding and memory. It looks for the best batch size and
number of workers, and says which flags to give tfrun predict.

Every figure is taken in windows that repeat until three in a row lie within 10 % of their mean;
where they do not, it is marked as not stable. What other programs took of the processors
meanwhile is said at the end: measure on an idle machine.`

const benchExample = `  tfrun bench model
  tfrun bench model rows.jsonl --duration 3m
  tfrun bench model reviews.txt --vocab vocab.subwords --batch-size 1,32,256 --workers 1,2
  tfrun bench model --lengths 16,512 --format json`

func newBenchCmd(std stdio) *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:     "bench MODEL [INPUT…]",
		Short:   "measure latency, throughput and memory, and find the best flags for predict",
		Long:    benchLong,
		Example: benchExample,
		Args:    args(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.predict.model, o.predict.inputs = args[0], args[1:]
			o.flags = typedFlags(cmd, benchFlags)
			if err := quietTensorFlow(cmd); err != nil {
				return err
			}
			return runBench(cmd.Context(), o, std)
		},
	}
	o.addFlags(cmd.Flags())
	completeModelFlags(cmd)
	completeFormats(cmd, "table", "json", "csv")
	return cmd
}

func (o *benchOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.format, "format", "table", "table, json or csv")
	f.VarP((*outputName)(&o.output), "output", "o", "write to this `FILE` (stdout)")
	f.IntSliceVar(&o.batchSizes, "batch-size", nil, "`N,…`: rows of a batch, one or several (the best is looked for)")
	f.IntSliceVar(&o.workers, "workers", nil, "`N,…`: batches that run at the same time, one or several (1, 2, 4, … up to the cores)")
	f.StringSliceVar(&o.batchings, "batching", nil, "`WAY,…`: arrival, exact or bucket, one or several (those that make sense for the model)")
	f.Int64SliceVar(&o.lengths, "lengths", nil, "`N,…`: lengths of made-up rows (16, 32, … 256)")
	f.DurationVar(&o.duration, "duration", time.Minute, "about how long to measure")
	f.BoolVar(&o.quick, "quick", false, "a few measurements of short windows: about 10 seconds")
	f.StringVar(&o.plot, "plot", "", "draw throughput and latency to this `FILE`.svg or .png")
	f.BoolVar(&o.noCold, "no-cold-start", false, "start no new processes")
	o.predict.addSome(f, append(slices.Clone(benchFlags), "quiet")...)
}

// validate checks what can be checked before a model is loaded.
func (o *benchOptions) validate(ctx context.Context) error {
	const command = "tfrun bench"
	if !slices.Contains([]string{"table", "json", "csv"}, o.format) {
		return usagef(command, "--format %q: want table, json or csv", o.format)
	}
	for _, name := range o.batchings {
		if !slices.Contains([]string{"arrival", "exact", "bucket"}, name) {
			return usagef(command, "--batching %q: want arrival, exact or bucket", name)
		}
	}
	for flag, least := range map[string]int64{"batch-size": leastOf(o.batchSizes), "workers": leastOf(o.workers), "lengths": leastOf(o.lengths)} {
		if least < 1 {
			return usagef(command, "--%s %d: want numbers from 1", flag, least)
		}
	}
	if err := checkPlot(command, o.plot); err != nil {
		return err
	}
	if o.duration <= 0 {
		return usagef(command, "--duration %s: want more than nothing", o.duration)
	}
	if len(o.lengths) > 0 && len(o.predict.inputs) > 0 {
		return usagef(command, "--lengths are those of made-up rows; the rows of %s have their own", o.predict.inputs[0])
	}
	o.predict.batching = string(runner.Arrival)
	return o.predict.validate(ctx)
}

// leastOf returns the least of the numbers, or 1 if there are none.
func leastOf[T int | int64](list []T) int64 {
	if len(list) == 0 {
		return 1
	}
	return int64(slices.Min(list))
}

func runBench(ctx context.Context, o benchOptions, std stdio) error {
	if err := o.validate(ctx); err != nil {
		return err
	}
	source, err := o.predict.source(ctx, std)
	if err != nil {
		return err
	}
	m, err := o.predict.openFiles(ctx, std, &source)
	if err != nil {
		return err
	}
	o.predict.load.Signatures, o.predict.load.WarmUp, o.predict.load.Exact = []string{m.sig.Name}, true, true
	o.predict.load.XLAFallback = func(reason error) { std.note("running without XLA: %v", reason) }
	defer runner.BoundMemory(o.predict.load.Device)()
	options := bench.Options{
		Load: o.predict.load, Predict: o.predict.predict, Source: source, Lengths: o.lengths,
		BatchSizes: o.batchSizes, Workers: o.workers, Duration: o.duration, Quick: o.quick,
	}
	if o.quick && o.duration == time.Minute {
		options.Duration = 6 * time.Second
	}
	for _, name := range o.batchings {
		options.Batchings = append(options.Batchings, runner.Batching(name))
	}
	if !o.noCold {
		options.ColdStart = o.coldStart
	}
	columns, shown := terminal(std.err)
	if shown = shown && !o.predict.quiet; shown {
		options.Progress = func(what string) {
			line := []rune("measuring: " + what)
			fmt.Fprintf(std.err, "\r\x1b[K%s", string(line[:min(len(line), columns-1)]))
		}
	}
	report, err := bench.Run(ctx, m.model, options)
	if shown {
		fmt.Fprint(std.err, "\r\x1b[K")
	}
	if err != nil {
		return err
	}
	if err := o.write(report, std); err != nil || o.plot == "" {
		return err
	}
	figure, err := plot.Bench(report, "tfrun bench "+o.predict.model)
	if err != nil {
		return err
	}
	return writeFigure(o.plot, figure)
}

// write writes the report in the format asked for.
func (o *benchOptions) write(report *bench.Report, std stdio) error {
	out, err := createOutput(o.output, std.out)
	if err != nil {
		return err
	}
	defer out.abandon()
	commands := o.commands(report)
	switch o.format {
	case "json":
		err = writeJSON(out, benchDocument{report, commands})
	case "csv":
		err = writeBenchCSV(out, report)
	default:
		width := 80
		if o.output == "" || o.output == "-" {
			width = lineWidth(std)
		}
		_, err = out.WriteString(benchText(report, commands, width))
	}
	if err != nil {
		return err
	}
	return out.commit()
}

// benchDocument is the report for scripts, with the commands to type.
type benchDocument struct {
	*bench.Report
	Commands []string `json:"commands"` // one for each choice
}

// commands returns the command to type for each of the report's choices.
func (o *benchOptions) commands(report *bench.Report) []string {
	words := []string{"tfrun", "predict", shellQuote(o.predict.model)}
	for _, name := range o.predict.inputs {
		words = append(words, shellQuote(name))
	}
	if len(o.predict.inputs) == 0 {
		words = append(words, "rows.jsonl")
	}
	words = append(words, quoted(o.flags)...)
	if report.NoBatch && !slices.Contains(words, "--no-batch") {
		words = append(words, "--no-batch")
	}
	list := []string{}
	for _, c := range report.Choices {
		line := strings.Join(words, " ")
		if !report.NoBatch {
			line += fmt.Sprintf(" --batch-size %d", c.BatchSize)
		}
		line += fmt.Sprintf(" --workers %d", c.Workers)
		if c.Batching != runner.Arrival {
			line += " --batching " + string(c.Batching)
		}
		list = append(list, line)
	}
	return list
}

// coldStart returns the command that runs one row from stdin in a new process of this program. The
// row has the form that the model takes, so flags about reading files are left out.
func (o *benchOptions) coldStart(ctx context.Context, noBatch bool) *exec.Cmd {
	args := []string{"predict", o.predict.model, "-", "--quiet"}
	for _, f := range o.flags {
		switch f[0] {
		case "--text", "--vocab", "--vocab-format", "--column", "--input-format":
		default:
			args = append(args, f...)
		}
	}
	if noBatch && !slices.Contains(args, "--no-batch") {
		args = append(args, "--no-batch")
	}
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // this very program
	cmd.Args[0] = os.Args[0]
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 2 * time.Second
	return cmd
}
