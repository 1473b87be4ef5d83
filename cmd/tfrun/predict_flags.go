package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/tfrun/tfrun/dataset/text"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
	"github.com/tfrun/tfrun/savedmodel"
)

// predictOptions are the flags of tfrun predict.
type predictOptions struct {
	model  string
	inputs []string
	tree   *job.Tree // for a run over a folder

	output      string
	format      string
	inputFormat string
	columns     []string
	keep        []string
	nulls       []string
	nullNaN     bool
	squeeze     bool
	squeezeSet  bool // --squeeze was given, as true or false
	wide        string
	maxBad      string
	mostBad     int64 // the number in maxBad
	badShare    float64
	errors      string
	progress    string
	summary     string
	planJSON    bool // --dry-run with --format json
	csv         csvFlags
	text        string
	vocab       string
	vocabFormat string
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
	listen      string        // socket for rows and results
	listenIdle  time.Duration // time without a connection after which it ends
	dryRun      bool
	resume      bool
	state       string // folder for an object until it is whole
	shard       string
	plot        string
	quiet       bool
}

// paddingOptions are the flags about single inputs, as they were typed.
type paddingOptions struct {
	pad, padTo, paddedShape    []string
	side, truncate             string
	keras                      bool // pads as pad_sequences does
	maxLen, length, mask, sets []string
}

// addFlags adds the flags of tfrun predict; for their order in help see [predictGroups]. A
// description should take one line of help, 53 characters.
func (o *predictOptions) addFlags(f *pflag.FlagSet) {
	f.VarP((*outputName)(&o.output), "output", "o", "write results to `FILE` (stdout)")
	f.StringVar(&o.format, "format", "", "`NAME`: jsonl, csv, tsv, npy, npz, tfrecord, parquet, arrow")
	f.StringVar(&o.inputFormat, "input-format", "", "`NAME`: those of --format, or txt (by file name)")
	f.StringVarP(&o.predict.Signature, "signature", "s", "", "`NAME` of what to run (serving_default, or the only)")
	addTags(f, &o.load.Tags, "`TAGS` of the graph; [] for none (the only one, or serve)")
	f.StringSliceVar(&o.load.AllowOps, "allow-op", nil, "`OP` that may run although it does more than compute")
	f.StringArrayVar(&o.load.OpLibraries, "op-library", nil, "`FILE.so` with custom operations; may do what tfrun may")
	f.BoolVar(&o.load.AllowLinks, "allow-links", false, "let variables and assets be links out of the model")
	f.StringSliceVar(&o.predict.Outputs, "outputs", nil, "`OUTPUT`s in this order (all); NAME=OUTPUT renames one")
	f.BoolVar(&o.squeeze, "squeeze", false, "numbers, not lists of one, in JSON too; =false: never")
	f.StringVar(&o.wide, "wide", "list", "`KIND`: list, or columns: probs.0, probs.1, … (list)")
	f.StringArrayVar(&o.heads, "head", nil, "`[OUTPUT=]HEAD`: softmax, sigmoid, argmax, topk=K, softmax,…")
	f.StringVar(&o.labels, "labels", "", "`FILE` of names of classes, for argmax and topk")
	f.StringArrayVar(&o.columns, "column", nil, "`INPUT=COLUMN` of another name; x=a,b,c or x='f*': several")
	f.StringSliceVar(&o.keep, "keep", nil, "`COLUMNS` to carry over into the results, or '*'")
	f.BoolVar(&o.nullNaN, "nan-as-null", false, "write null for NaN and infinities in JSON")
	f.StringArrayVar(&o.nulls, "null", nil, "`INPUT=VALUE` in the place of missing values; also nan")
	o.csv.addFlags(f)
	f.StringVar(&o.text, "text", "", "`COLUMN` of text, to encode with --vocab")
	f.StringVar(&o.vocab, "vocab", "", "`FILE` of a vocabulary: tfds, Keras, BERT, token a line")
	f.StringVar(&o.vocabFormat, "vocab-format", "auto", "`NAME` (auto): "+vocabFormats())
	f.BoolVar(&o.predict.NoBatch, "no-batch", false, "each row holds whole tensors; one run a row")
	f.IntVar(&o.predict.BatchSize, "batch-size", 0, "`N` rows a batch (64; more where rows are little work)")
	f.StringVar(&o.batching, "batching", "arrival", "`KIND`: arrival, exact, bucket, auto: tfrun help batching")
	f.BoolVar(&o.predict.PaddingMayChangeResults, "padding-may-change-results", false, "let --batching bucket go ahead without trials")
	f.IntVar(&o.predict.Window, "window", 0, "`N` rows that exact, bucket, auto may hold back (4096)")
	o.predict.WindowMemory = runner.DefaultWindowMemory
	f.Var((*byteSize)(&o.predict.WindowMemory), "window-memory", "`SIZE` of the rows that exact may hold back")
	f.Int64Var(&o.predict.MaxTokens, "max-tokens", 0, "`N`: most rows × longest row of a batch (no bound)")
	f.StringArrayVar(&o.padding.pad, "pad", nil, "`INPUT=VALUE` to pad with (0, \"\", false)")
	f.StringArrayVar(&o.padding.padTo, "pad-to", nil, "`INPUT=N` entries at least, as pad_to_size")
	f.StringArrayVar(&o.padding.paddedShape, "padded-shape", nil, "`SHAPE`: INPUT=[N,null] exactly; null: the longest's")
	f.StringVar(&o.padding.side, "pad-side", "", "`SIDE` of a row that padding goes to: pre or post (post)")
	f.StringArrayVar(&o.padding.maxLen, "max-len", nil, "`[INPUT=]N`: rows get this length, padded or cut")
	f.StringVar(&o.padding.truncate, "truncate", "", "`SIDE` where what is too long is cut: pre, post (an error)")
	f.BoolVar(&o.padding.keras, "pad-sequences", false, "as Keras' pad_sequences: pads and truncates before")
	f.StringArrayVar(&o.padding.length, "length", nil, "`INPUT[=OF]` gets the length of the row before padding")
	f.StringArrayVar(&o.padding.mask, "mask", nil, "`INPUT[=OF]` gets 1 for each step, and 0 for padding")
	f.StringArrayVar(&o.padding.sets, "set", nil, "`INPUT=VALUE` for all rows: keep_prob=1.0")
	f.BoolVar(&o.predict.SkipBadRows, "skip-bad-rows", false, "a bad row gets an error, the run goes on; exit code 4")
	f.StringVar(&o.maxBad, "max-bad-rows", "", "`N|N%` of bad rows, then the run ends (no bound)")
	f.StringVar(&o.errors, "errors", "", "`FILE` that gathers bad rows, as lines of JSON")
	addLimitFlags(f, &o.predict.Limits)
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be read, fed and written; run nothing")
	f.BoolVar(&o.resume, "resume", false, "go on where an interrupted run into this -o stopped")
	f.StringVar(&o.state, "state", "", "`DIR` for results on their way to a store (in the cache)")
	f.StringVar(&o.shard, "shard", "", "`I/N`: every Nth row (of a folder: file) from the Ith on")
	f.StringVar(&o.listen, "listen", "", "`unix:PATH` where Arrow streams come and go, one a client")
	f.DurationVar(&o.listenIdle, "listen-idle", 0, "`TIME` without a connection that ends --listen (never)")
	f.StringVar(&o.plot, "plot", "", "`FILE` (.svg, .png) to draw lengths and latency to")
	f.IntVar(&o.predict.Workers, "workers", 0, "`N` batches at a time (2; 1 with state or chance)")
	f.BoolVar(&o.load.NoPrune, "no-prune", false, "load all of the graph, not what the signature reaches")
	f.StringVar(&o.optimizer, "optimizer", "auto", "`KIND`: none, functions, all (auto: none for short jobs)")
	f.IntVar(&o.load.IntraOp, "intra-op", 0, "`N` threads inside an operation (cores / workers)")
	f.IntVar(&o.load.InterOp, "inter-op", 0, "`N` threads across operations (cores)")
	f.DurationVar(&o.load.Timeout, "timeout", 0, "`TIME` that the run of a batch may take: 30s (no bound)")
	f.StringVar(&o.xla, "xla", "off", "`WHEN` to compile: on, off, or auto, which measures (off)")
	f.BoolVar(&o.load.Isolate, "isolate", false, "run the model in another process: tfrun help isolate")
	f.Var((*byteSize)(&o.load.IsolateMemory), "isolate-memory", "`SIZE` that this process may take: 8GiB (no bound)")
	f.StringVar(&o.load.Device, "device", "", "`NAME`: cpu, gpu for all of them, gpu:0,2 for some")
	f.BoolVar(&o.requireGPU, "require-gpu", false, "fail, with the reason, where there is no GPU to use")
	f.StringVar(&o.gpuMemory, "gpu-memory", "grow", "`SHARE` of each GPU at once, 0.5, or grow (grow)")
	f.StringVar(&o.progress, "progress", "auto", "`KIND`: plain or json lines every 30 s, or none (auto)")
	f.Var((*outputName)(&o.summary), "summary", "`FILE` for what the run did, as JSON; - is standard output")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no notes, no progress, no summary")
}

// vocabFormats lists the formats of vocabularies beside auto.
func vocabFormats() string {
	var names []string
	for _, f := range text.Formats()[1:] {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// validate checks what can be checked before a model is loaded, and expands globs.
func (o *predictOptions) validate(ctx context.Context) error {
	const command = "tfrun predict"
	if err := o.cleanNames(); err != nil {
		return err
	}
	switch o.predict.Batching = runner.Batching(o.batching); o.predict.Batching {
	case runner.Arrival, runner.Exact, runner.Bucket, runner.Auto:
	default:
		return usagef(command, "--batching %q: want arrival, exact, bucket or auto", o.batching)
	}
	if err := o.parseXLA(); err != nil {
		return err
	}
	if !slices.Contains([]string{"auto", "plain", "json", "none"}, o.progress) {
		return usagef(command, "--progress %q: want plain, json, none or auto", o.progress)
	}
	if err := o.checkOutputs(); err != nil {
		return err
	}
	if o.wide != "list" && o.wide != "columns" {
		return usagef(command, "--wide %q: want list or columns", o.wide)
	}
	if !slices.Contains(text.Formats(), text.Format(o.vocabFormat)) {
		return usagef(command, "--vocab-format %q: want auto, %s", o.vocabFormat, vocabFormats())
	}
	if o.text != "" && o.vocab == "" {
		return usagef(command, "--text says which column to encode; --vocab FILE has to say how")
	}
	if err := o.parseShard(); err != nil {
		return err
	}
	if err := o.parseBadRows(); err != nil {
		return err
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
	if err := o.parseHeads(ctx); err != nil {
		return err
	}
	if err := o.parseGPU(); err != nil {
		return err
	}
	if o.listen != "" {
		if err := o.checkListen(); err != nil {
			return err
		}
	}
	return o.checkFiles(ctx)
}

// parseXLA reads --xla.
func (o *predictOptions) parseXLA() error {
	const command = "tfrun predict"
	switch o.load.XLA = runner.XLA(o.xla); {
	case o.xla != "off" && o.xla != "on" && o.xla != "auto":
		return usagef(command, "--xla %q: want off, on or auto", o.xla)
	case o.xla != "off" && o.optimizer == "all":
		return usagef(command, "--xla and --optimizer all do not go together: the optimizer turns loops into operations that XLA does not take")
	case o.xla == "auto" && o.resume:
		return usagef(command, "--xla auto goes by measurements, and --resume promises the same bytes as one run; take --xla on or off")
	}
	return nil
}

// parseBadRows reads --max-bad-rows and --errors. Each of them allows bad rows.
func (o *predictOptions) parseBadRows() error {
	const command = "tfrun predict"
	if o.maxBad != "" {
		number, share := strings.CutSuffix(strings.TrimSpace(o.maxBad), "%")
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n >= 0) || share && n > 100 || !share && n != float64(int64(n)) {
			return usagef(command, "--max-bad-rows %q: want a number of rows, or a share such as 0.5%%", o.maxBad)
		}
		if o.predict.SkipBadRows = n > 0; share {
			o.badShare = n / 100
		} else {
			o.mostBad = int64(n)
		}
	}
	if o.errors != "" && o.maxBad == "" {
		o.predict.SkipBadRows = true
	}
	return nil
}

// parseShard reads --shard.
func (o *predictOptions) parseShard() error {
	if o.shard == "" {
		return nil
	}
	if _, err := fmt.Sscanf(o.shard+" ", "%d/%d ", &o.predict.Shard, &o.predict.Shards); err != nil ||
		o.predict.Shard < 0 || o.predict.Shard >= o.predict.Shards {
		return usagef("tfrun predict", "--shard %q: want I/N with I from 0 to N-1, such as 0/4", o.shard)
	}
	return nil
}

// parseGPU reads --gpu-memory and --require-gpu.
func (o *predictOptions) parseGPU() error {
	const command = "tfrun predict"
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
	return nil
}

// checkFiles finds the inputs, and returns an error if the output is one of them.
func (o *predictOptions) checkFiles(ctx context.Context) error {
	if o.optimizer != "auto" {
		o.load.Optimizer = runner.Optimizer(o.optimizer)
	}
	if o.planJSON = o.dryRun && o.format == "json"; o.planJSON {
		o.format = ""
	}
	if o.overFolder(ctx) {
		return o.checkFolder()
	}
	files, err := expand(ctx, o.inputs, o.inputFormat)
	if err != nil {
		return o.swapped(err)
	}
	o.inputs = files
	j := job.Job{Source: job.Source{Files: files, Format: o.inputFormat}, Output: o.output, Format: o.format, Resume: o.resume}
	if err := j.Validate(); err != nil {
		return err
	}
	return o.checkWritten()
}

// checkOutputs returns an error if two things would be written to one file, or to standard output.
func (o *predictOptions) checkOutputs() error {
	outputs := []struct{ flag, name string }{
		{"-o", cmp.Or(o.output, "-")}, {"--errors", o.errors}, {"--summary", o.summary}, {"--plot", o.plot},
	}
	for i, out := range outputs[1:] {
		taken := out.flag == "--errors" && out.name == "-" // before all results are there
		for _, other := range outputs[:i+1] {
			taken = taken || sameFile(out.name, other.name)
		}
		if taken {
			return usagef("tfrun predict", "%s %q: want a file of its own", out.flag, out.name)
		}
	}
	return nil
}

// checkWritten returns an error if an output would replace something that is read.
func (o *predictOptions) checkWritten() error {
	for _, out := range []string{o.output, o.errors, o.summary, o.plot} {
		for _, in := range append([]string{o.vocab, o.labels}, o.inputs...) {
			if sameFile(in, out) {
				return usagef("tfrun predict", "output %q is an input too", out)
			}
		}
	}
	return nil
}

// swapped returns the error of finding the inputs. It has a better one if the model is among the
// inputs and a file of rows is named as the model.
func (o *predictOptions) swapped(err error) error {
	if info, statErr := os.Stat(o.model); statErr != nil || info.IsDir() {
		return err
	}
	for _, in := range o.inputs {
		if _, openErr := savedmodel.Open(in); openErr == nil {
			return usagef("tfrun predict", "%q is no model, and %q is one: the model comes first", o.model, in)
		}
	}
	return err
}

// parseHeads reads --head and --labels.
func (o *predictOptions) parseHeads(ctx context.Context) error {
	var labels []string
	if o.labels != "" {
		var err error
		if labels, err = readLabels(ctx, o.labels); err != nil {
			return fmt.Errorf("labels %q: %w", o.labels, cause(err))
		}
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
