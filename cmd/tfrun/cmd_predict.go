package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tfrun/tfrun/cmd/tfrun/internal/progress"
	"github.com/tfrun/tfrun/dataset/text"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/savedmodel"
)

const predictExample = `  tfrun predict model rows.jsonl                       # one JSON object a line, results to stdout
  tfrun predict model rows.jsonl.gz -o scores.jsonl    # the file appears when it is whole
  tfrun predict model reviews.txt --vocab vocab.subwords
  zcat rows.jsonl.gz | tfrun predict model - | jq .`

// predictOptions are the flags of tfrun predict.
type predictOptions struct {
	model  string
	inputs []string

	output      string
	format      string
	inputFormat string
	columns     []string
	keep        []string
	text        string
	vocab       string
	padding     paddingOptions
	predict     runner.PredictOptions
	batching    string
	load        runner.Options
	xla         string
	optimizer   string
	requireGPU  bool
	gpuMemory   string
	heads       []string
	labels      string
	dryRun      bool
	resume      bool
	shard       string
	plot        string
	quiet       bool
}

// paddingOptions are the flags that speak of one input each, as they were typed.
type paddingOptions struct {
	pad, padTo, paddedShape []string
}

func newPredictCmd(std stdio) *cobra.Command {
	var o predictOptions
	cmd := &cobra.Command{
		Use:     "predict MODEL [INPUT…]",
		Short:   "run a signature over rows of data in padded batches",
		Long:    predictLong,
		Example: predictExample,
		Args:    args(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.model, o.inputs = args[0], args[1:]
			if err := quietTensorFlow(cmd); err != nil {
				return err
			}
			return runPredict(cmd.Context(), o, std)
		},
	}
	o.addFlags(cmd.Flags())
	completeModelFlags(cmd)
	return cmd
}

const predictLong = `Runs a signature of MODEL over the rows of the INPUT files, and writes one result
for each row, in the rows' order.

A row of a .jsonl file is an object with a key for each input of the signature; where there is
one input, a bare value will do. A row of a .txt file is a line of text. INPUT may be
compressed (gzip, zstd), a quoted glob, or - for stdin.

Rows are grouped as they come and padded with zeros to the longest of their batch, as
tf.data's padded_batch does. A model without masking answers differently for padded rows,
so there is a choice (--batching):

  arrival  rows as they come: exactly padded_batch
  exact    only rows of equal length together: what each row would give alone
  bucket   rows of like length together, for speed; refused where a measurement on the
           first rows shows that the answers depend on padding
  auto     bucket where that measurement allows it, else arrival; says which

TensorFlow ends its process on a failed internal check. With --isolate that is not this one:
the model runs in a second process, which is started anew when it dies, crashes or does not
answer within --timeout. The rows of its batch are then run one by one, and the one that it
dies of ends the run with its number; with --skip-bad-rows it gets {"error": …}.
What it costs: 4 % of the rows a second of a model that has something to do, up to a third of one
that does 250,000; the start takes as long.`

func (o *predictOptions) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.output, "output", "o", "", "write results to this file (stdout)")
	f.StringVar(&o.format, "format", "", "of the results: jsonl, csv, tsv, npy, npz, tfrecord, parquet, arrow (by -o's extension, else jsonl)")
	f.StringVar(&o.inputFormat, "input-format", "", "jsonl, txt, csv, tsv, npy, npz, tfrecord, parquet, arrow (by extension)")
	f.StringVarP(&o.predict.Signature, "signature", "s", "", "the signature to run (serving_default, or the only one)")
	f.StringSliceVar(&o.load.Tags, "tags", nil, "tags of the graph to load (the only one, or serve)")
	f.StringSliceVar(&o.load.AllowOps, "allow-op", nil, "`OP`s that may run although they do more than compute; see tfrun scan")
	f.StringSliceVar(&o.predict.Outputs, "outputs", nil, "outputs to write, in this order (all)")
	f.StringArrayVar(&o.heads, "head", nil, "`[OUTPUT=]HEAD` on logits: softmax, sigmoid, argmax, topk=K; softmax,topk=3")
	f.StringVar(&o.labels, "labels", "", "`FILE` with the names of classes, one a line, for argmax and topk")
	f.StringArrayVar(&o.columns, "column", nil, "`INPUT=COLUMN`: read an input from a column of another name")
	f.StringSliceVar(&o.keep, "keep", nil, "columns to carry over into the results")
	f.StringVar(&o.text, "text", "", "column with text to encode with --vocab")
	f.StringVar(&o.vocab, "vocab", "", "vocabulary `FILE`: tfds subwords, or one token a line")
	f.BoolVar(&o.predict.NoBatch, "no-batch", false, "each row holds whole tensors, batch axis included; one run a row")
	f.IntVar(&o.predict.BatchSize, "batch-size", 0, "rows of a batch (64, or what the signature fixes)")
	f.StringVar(&o.batching, "batching", "arrival", "which rows share a batch: `arrival`, exact, bucket or auto")
	f.BoolVar(&o.predict.PaddingMayChangeResults, "padding-may-change-results", false, "let --batching bucket go ahead without a measurement")
	f.IntVar(&o.predict.Window, "window", 0, "rows that exact, bucket and auto may hold back (4096)")
	f.Int64Var(&o.predict.MaxTokens, "max-tokens", 0, "most rows × longest row of a batch (no bound)")
	f.StringArrayVar(&o.padding.pad, "pad", nil, "`INPUT=VALUE`: the padding value (0, \"\", false)")
	f.StringArrayVar(&o.padding.padTo, "pad-to", nil, "`INPUT=N`: pad rows to N entries at least, as pad_to_size does")
	f.StringArrayVar(&o.padding.paddedShape, "padded-shape", nil, "`INPUT=[N,null]`: pad rows to exactly this shape, null for the longest")
	f.BoolVar(&o.predict.SkipBadRows, "skip-bad-rows", false, "write {\"error\": …} for a row that cannot be read, and go on")
	addLimitFlags(f, &o.predict.Limits)
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be done, from the first 1,000 rows, and run nothing")
	f.BoolVar(&o.resume, "resume", false, "go on where an interrupted run into the same -o stopped")
	f.StringVar(&o.shard, "shard", "", "`I/N`: only every Nth row, beginning with row I (from 0)")
	f.StringVar(&o.plot, "plot", "", "draw lengths, padding and latency to this `FILE`.svg or .png when the run ends")
	f.IntVar(&o.predict.Workers, "workers", 0, "batches that run at the same time (2; 1 for a model with state or chance)")
	f.BoolVar(&o.load.NoPrune, "no-prune", false, "load the whole graph, not only what the signature reaches")
	f.StringVar(&o.optimizer, "optimizer", "auto", "TensorFlow's graph optimizer: none, functions, all; `auto` is none for short jobs, else functions")
	f.IntVar(&o.load.IntraOp, "intra-op", 0, "threads inside an operation (the cores, shared by the workers)")
	f.IntVar(&o.load.InterOp, "inter-op", 0, "threads across operations (one for each core)")
	f.DurationVar(&o.load.Timeout, "timeout", 0, "bound on each run of a batch (none)")
	f.StringVar(&o.xla, "xla", "off", "compile with XLA, for one row or few at a time: `off`, on, or auto, which measures and takes the quicker")
	f.BoolVar(&o.load.Isolate, "isolate", false, "run the model in a process of its own, whose death costs the rows it died of and no more")
	f.Var((*byteSize)(&o.load.IsolateMemory), "isolate-memory", "with --isolate: most memory that the model may take once it is loaded: 8GiB (no bound)")
	f.StringVar(&o.load.Device, "device", "", "cpu, gpu for all GPUs, batches spread over them, or some: gpu:0,2 (one, as TensorFlow likes)")
	f.BoolVar(&o.requireGPU, "require-gpu", false, "fail where TensorFlow would fall back to the CPU: --device gpu, with the reason")
	f.StringVar(&o.gpuMemory, "gpu-memory", "grow", "of each GPU: `grow` takes memory as it is needed, 0.5 half of it at once")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress and no summary")
}

// validate checks what can be checked before a model is loaded, and expands globs.
func (o *predictOptions) validate() error {
	const command = "tfrun predict"
	switch o.predict.Batching = runner.Batching(o.batching); o.predict.Batching {
	case runner.Arrival, runner.Exact, runner.Bucket, runner.Auto:
	default:
		return usagef(command, "--batching %q: want arrival, exact, bucket or auto", o.batching)
	}
	switch o.load.XLA = runner.XLA(o.xla); {
	case o.xla != "off" && o.xla != "on" && o.xla != "auto":
		return usagef(command, "--xla %q: want off, on or auto", o.xla)
	case o.xla != "off" && o.load.NoPrune:
		return usagef(command, "--xla %s marks what to compile in a copy of the graph; --no-prune wants the graph as it is", o.xla)
	case o.xla != "off" && o.optimizer == "all":
		return usagef(command, "--xla and --optimizer all do not go together: the optimizer turns loops into operations that XLA does not take")
	case o.xla == "auto" && o.resume:
		return usagef(command, "--xla auto goes by measurements, and --resume promises the same bytes as one run; take --xla on or off")
	}
	if o.text != "" && o.vocab == "" {
		return usagef(command, "--text says which column to encode; --vocab FILE has to say how")
	}
	if o.shard != "" {
		if _, err := fmt.Sscanf(o.shard+" ", "%d/%d ", &o.predict.Shard, &o.predict.Shards); err != nil ||
			o.predict.Shard < 0 || o.predict.Shard >= o.predict.Shards {
			return usagef(command, "--shard %q: want I/N with I from 0 to N-1, such as 0/4", o.shard)
		}
	}
	if err := checkLimits(o.predict.Limits); err != nil {
		return err
	}
	if err := checkPlot(command, o.plot); err != nil {
		return err
	}
	if o.load.IsolateMemory > 0 && !o.load.Isolate {
		return usagef(command, "--isolate-memory bounds the process that --isolate makes; give both")
	}
	if err := o.parseHeads(); err != nil {
		return err
	}
	if o.gpuMemory != "grow" {
		share, err := strconv.ParseFloat(o.gpuMemory, 64)
		if err != nil || !(share > 0 && share <= 1) {
			return usagef(command, "--gpu-memory %q: want grow, or a share of the memory such as 0.5", o.gpuMemory)
		}
		o.load.GPUMemoryFraction = share
	}
	if o.requireGPU {
		if strings.HasPrefix(strings.ToLower(o.load.Device), "cpu") {
			return usagef(command, "--require-gpu and --device %s contradict each other", o.load.Device)
		}
		o.load.Device = cmp.Or(o.load.Device, "gpu")
	}
	files, err := expand(o.inputs)
	if err != nil {
		return err
	}
	o.inputs = files
	if o.load.Optimizer = runner.Optimizer(o.optimizer); o.optimizer == "auto" {
		o.load.Optimizer = runner.OptimizerFunctions
		if shortJob(files) {
			o.load.Optimizer = runner.OptimizerNone
		}
	}
	job := runner.Job{Source: runner.Source{Files: files, Format: o.inputFormat}, Output: o.output, Format: o.format, Resume: o.resume}
	if err := job.Validate(); err != nil {
		return err
	}
	for _, in := range files {
		if sameFile(in, o.output) {
			return usagef(command, "output %q is an input too", o.output)
		}
	}
	return nil
}

// parseHeads reads --head and --labels.
func (o *predictOptions) parseHeads() error {
	var labels []string
	if o.labels != "" {
		data, err := readLabels(o.labels)
		if err != nil {
			return fmt.Errorf("labels %q: %w", o.labels, cause(err))
		}
		labels = strings.Split(strings.TrimRight(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n"), "\n")
	}
	named := false
	for _, s := range o.heads {
		h, err := runner.ParseHead(s)
		if err != nil {
			return err
		}
		if h.ArgMax || h.TopK > 0 {
			h.Labels, named = labels, true
		}
		o.predict.Heads = append(o.predict.Heads, h)
	}
	if labels != nil && !named {
		return usagef("tfrun predict", "--labels name the classes of --head argmax or topk=K; give one")
	}
	return nil
}

// split2 splits NAME=VALUE.
func split2(flag, s string) (name, value string, err error) {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return "", "", usagef("tfrun predict", "--%s %q: want INPUT=VALUE", flag, s)
	}
	return name, value, nil
}

func runPredict(ctx context.Context, o predictOptions, std stdio) error {
	if err := o.validate(); err != nil {
		return err
	}
	source, err := o.source(std)
	if err != nil {
		return err
	}
	if o.dryRun {
		return runPlan(ctx, o, source, std)
	}
	// Opening the library takes longer than everything before the first run: it goes on beside the reading of the model.
	opened := make(chan error, 1)
	go func() {
		var err error
		if !o.load.Isolate {
			_, err = runner.OpenLibrary(o.load.Library)
		}
		opened <- err
	}()
	model, sig, err := o.openModel(std)
	if err != nil {
		return err
	}
	o.shareCores(model, sig)
	if err := o.padding.apply(&o.predict, sig); err != nil {
		return err
	}
	if len(o.inputs) == 0 {
		if len(sig.Inputs) > 0 {
			return usagef("tfrun predict", "no input: name files of rows for %s, or - for stdin", strings.Join(sig.InputNames(), ", "))
		}
		// A signature without inputs has one answer.
		o.predict.NoBatch = true
		source.Files, source.Stdin = []string{"-"}, strings.NewReader("{}\n")
	}
	if err := <-opened; err != nil {
		return err
	}
	o.load.Signatures = []string{sig.Name}
	o.load.XLAFallback = func(reason error) {
		if !o.quiet {
			std.note("running without XLA: %v", reason)
		}
	}
	session, err := runner.LoadModel(ctx, model, o.load)
	if err != nil {
		return err
	}
	o.predict.Measured = func(report runner.PaddingReport, chosen runner.Batching) {
		if !o.quiet {
			std.note("batching %s: %s", chosen, report)
		}
	}
	o.predict.Split = splitNote(o.quiet, std)
	draw := o.collect(std)
	predictor, err := session.NewPredictor(o.predict)
	if err == nil {
		if state := predictor.State(); state.Stateful() && !o.quiet {
			std.note("%s", stateNote(state.Changes))
		}
		err = errors.Join(o.write(ctx, session, predictor, source, std), draw())
	}
	return errors.Join(err, session.Close())
}

// openModel reads the model's files, and finds the signature.
func (o *predictOptions) openModel(std stdio) (*savedmodel.Model, *savedmodel.Signature, error) {
	m, err := savedmodel.Open(o.model)
	if err != nil {
		return nil, nil, err
	}
	if m.Version != "" && !o.quiet {
		std.note("model %s: version %s", o.model, m.Version)
	}
	mg, err := m.MetaGraph(o.load.Tags...)
	if err != nil {
		return nil, nil, err
	}
	sig, err := mg.Signature(o.predict.Signature)
	return m, sig, err
}

// shareCores gives each of the batches that run at the same time its share of the cores: operations of two batches that each spread over all of them get in
// each other's way. On 2 cores one thread for each of two batches gave the tutorial's model 1.05 times the rows a second, a small dense model 1.15 times.
// A short job has one batch, which may have them all.
func (o *predictOptions) shareCores(m *savedmodel.Model, sig *savedmodel.Signature) {
	if o.load.IntraOp != 0 || shortJob(o.inputs) {
		return
	}
	workers := o.predict.Workers
	if workers == 0 {
		workers = runner.DefaultWorkers
		if mg, err := m.MetaGraph(o.load.Tags...); err == nil {
			if state, err := mg.State(sig); err != nil || state.Stateful() || len(state.Random) > 0 {
				return // one batch after the other
			}
		}
	}
	if workers > 1 {
		o.load.IntraOp = max(runtime.GOMAXPROCS(0)/workers, 1)
	}
}

// source puts together where rows come from.
func (o *predictOptions) source(std stdio) (runner.Source, error) {
	src := runner.Source{Files: o.inputs, Stdin: std.in, Format: o.inputFormat, Keep: o.keep, Text: o.text, Columns: map[string]string{}}
	for _, c := range o.columns {
		name, column, err := split2("column", c)
		if err != nil {
			return src, err
		}
		src.Columns[name] = column
	}
	if o.vocab != "" {
		encoder, err := text.Open(o.vocab)
		if err != nil {
			return src, err
		}
		src.Encoder = encoder
	}
	return src, nil
}

// write runs the rows and writes their results.
func (o *predictOptions) write(ctx context.Context, s *runner.Session, p *runner.Predictor, source runner.Source, std stdio) error {
	var bar *progress.Bar
	if columns, ok := terminal(std.err); ok && !o.quiet {
		bar = progress.New(std.err, columns)
	}
	sum, err := p.Run(ctx, runner.Job{
		Source: source, Output: o.output, Stdout: std.out, Format: o.format, Resume: o.resume,
		Progress: func(now runner.Progress) { bar.Show(now.Rows, now.Read, now.Size, now.Waste()) },
		Began: func(done int64) {
			if !o.quiet {
				std.note("going on after %s", rowCount(done))
			}
		},
	})
	bar.Done()
	if sum.Kept {
		return &keptError{err}
	}
	if err == nil && !o.quiet {
		std.note("%s%s", summary(sum), xlaSummary(s.XLA()))
	}
	return err
}
