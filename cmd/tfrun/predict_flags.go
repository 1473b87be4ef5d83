package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/tfrun/tfrun/dataset/text"
	"github.com/tfrun/tfrun/runner"
)

func (o *predictOptions) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.output, "output", "o", "", "write results to this file (stdout)")
	f.StringVar(&o.format, "format", "", "of the results: jsonl, csv, tsv, npy, npz, tfrecord, parquet, arrow (by -o's extension, else jsonl)")
	f.StringVar(&o.inputFormat, "input-format", "", "jsonl, txt, csv, tsv, npy, npz, tfrecord, parquet, arrow (by extension)")
	f.StringVarP(&o.predict.Signature, "signature", "s", "", "the signature to run (serving_default, or the only one)")
	addTags(f, &o.load.Tags, "tags of the graph to load, [] for one without any (the only one, or serve)")
	f.StringSliceVar(&o.load.AllowOps, "allow-op", nil, "`OP`s that may run although they do more than compute; see tfrun scan")
	f.StringArrayVar(&o.load.OpLibraries, "op-library", nil, "`FILE` (.so) with custom operations of the model; its code may do what tfrun may")
	f.BoolVar(&o.load.AllowLinks, "allow-links", false, "let the model's variables and assets be links that leave its directory")
	f.StringSliceVar(&o.predict.Outputs, "outputs", nil, "`OUTPUT`s to write, in this order (all); NAME=OUTPUT renames one: score=output_0")
	f.BoolVar(&o.squeeze, "squeeze", false, "write an output of one value a row as that value in JSON, NumPy and TFRecord too, as tables have it; --squeeze=false: nowhere")
	f.StringVar(&o.wide, "wide", "list", "outputs of several values a row: a `list`, or columns: probs.0, probs.1, …")
	f.StringArrayVar(&o.heads, "head", nil, "`[OUTPUT=]HEAD` on logits: softmax, sigmoid, argmax, topk=K; softmax,topk=3")
	f.StringVar(&o.labels, "labels", "", "`FILE` with the names of classes, one a line, for argmax and topk")
	f.StringArrayVar(&o.columns, "column", nil, "`INPUT=COLUMN`: read an input from a column of another name")
	f.StringSliceVar(&o.keep, "keep", nil, "columns to carry over into the results; names or patterns such as *")
	f.BoolVar(&o.nullNaN, "nan-as-null", false, "write null for NaN and infinities in JSON lines (NaN, Infinity, -Infinity, as Python's json)")
	f.StringArrayVar(&o.nulls, "null", nil, "`INPUT=VALUE`: put this in the place of missing values; nan makes them NaN (an error of the row)")
	o.csv.addFlags(f)
	f.StringVar(&o.text, "text", "", "column with text to encode with --vocab")
	f.StringVar(&o.vocab, "vocab", "", "vocabulary `FILE`: of tfds, Keras or BERT, or one token a line")
	f.StringVar(&o.vocabFormat, "vocab-format", "auto", "what --vocab is: `auto` goes by the file; else "+vocabFormats())
	f.BoolVar(&o.predict.NoBatch, "no-batch", false, "each row holds whole tensors, batch axis included; one run a row")
	f.IntVar(&o.predict.BatchSize, "batch-size", 0, "rows of a batch (64, or what the signature fixes; from files up to 8,192, where each is little work and none depends on another)")
	f.StringVar(&o.batching, "batching", "arrival", "which rows share a batch: `arrival`, exact, bucket or auto")
	f.BoolVar(&o.predict.PaddingMayChangeResults, "padding-may-change-results", false, "let --batching bucket go ahead without trials")
	f.IntVar(&o.predict.Window, "window", 0, "rows that exact, bucket and auto may hold back (4096; exact: --window-memory)")
	o.predict.WindowMemory = runner.DefaultWindowMemory
	f.Var((*byteSize)(&o.predict.WindowMemory), "window-memory", "memory of the rows that exact may hold back, so that rows of one length meet")
	f.Int64Var(&o.predict.MaxTokens, "max-tokens", 0, "most rows × longest row of a batch (no bound)")
	f.StringArrayVar(&o.padding.pad, "pad", nil, "`INPUT=VALUE`: the padding value (0, \"\", false)")
	f.StringArrayVar(&o.padding.padTo, "pad-to", nil, "`INPUT=N`: pad rows to N entries at least, as pad_to_size does")
	f.StringArrayVar(&o.padding.paddedShape, "padded-shape", nil, "`INPUT=[N,null]`: pad rows to exactly this shape, null for the longest")
	f.BoolVar(&o.predict.SkipBadRows, "skip-bad-rows", false, "write an error for a row that cannot be read or run, with its kept columns, and go on; exit code 4")
	f.StringVar(&o.maxBad, "max-bad-rows", "", "`N|N%`: --skip-bad-rows up to so many, or such a share from the 1,000th row on; then the run ends")
	f.StringVar(&o.errors, "errors", "", "`FILE` that gathers bad rows, a line of JSON each as it comes; with --skip-bad-rows")
	addLimitFlags(f, &o.predict.Limits)
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be done, from the first 1,000 rows, and run nothing")
	f.BoolVar(&o.resume, "resume", false, "go on where an interrupted run into the same -o stopped")
	f.StringVar(&o.shard, "shard", "", "`I/N`: only every Nth row, beginning with row I (from 0)")
	f.StringVar(&o.plot, "plot", "", "draw lengths, padding and latency to this `FILE`.svg or .png when the run ends")
	f.IntVar(&o.predict.Workers, "workers", 0, "batches that run at the same time (2; 1 for a model with state or chance)")
	f.BoolVar(&o.load.NoPrune, "no-prune", false, "load all of the graph that may run, not only what the signature reaches")
	f.StringVar(&o.optimizer, "optimizer", "auto", "TensorFlow's graph optimizer: none, functions, all; `auto` is none for short jobs, else functions")
	f.IntVar(&o.load.IntraOp, "intra-op", 0, "threads inside an operation (the cores, shared by the workers)")
	f.IntVar(&o.load.InterOp, "inter-op", 0, "threads across operations (one for each core)")
	f.DurationVar(&o.load.Timeout, "timeout", 0, "bound on each run of a batch (none)")
	f.StringVar(&o.xla, "xla", "off", "compile with XLA, for few rows at a time or loops side by side: `off`, on, or auto, which measures and takes the quicker")
	f.BoolVar(&o.load.Isolate, "isolate", false, "run the model in a process of its own, whose death costs the rows it died of and no more")
	f.Var((*byteSize)(&o.load.IsolateMemory), "isolate-memory", "with --isolate: most memory that the model may take once it is loaded: 8GiB (no bound)")
	f.StringVar(&o.load.Device, "device", "", "cpu, gpu for all GPUs, batches spread over them, or some: gpu:0,2 (one, as TensorFlow likes)")
	f.BoolVar(&o.requireGPU, "require-gpu", false, "fail where TensorFlow would fall back to the CPU: --device gpu, with the reason")
	f.StringVar(&o.gpuMemory, "gpu-memory", "grow", "of each GPU: `grow` takes memory as it is needed, 0.5 half of it at once")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress and no summary")
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
func (o *predictOptions) validate() error {
	const command = "tfrun predict"
	switch o.predict.Batching = runner.Batching(o.batching); o.predict.Batching {
	case runner.Arrival, runner.Exact, runner.Bucket, runner.Auto:
	default:
		return usagef(command, "--batching %q: want arrival, exact, bucket or auto", o.batching)
	}
	if err := o.parseXLA(); err != nil {
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
	if err := o.parseHeads(); err != nil {
		return err
	}
	if err := o.parseGPU(); err != nil {
		return err
	}
	return o.checkFiles()
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

// parseBadRows reads --max-bad-rows and --errors, each of which lets bad rows pass.
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
	if o.errors == "" {
		return nil
	}
	if o.maxBad == "" {
		o.predict.SkipBadRows = true
	}
	for _, other := range append([]string{o.output}, o.inputs...) {
		if o.errors == "-" || sameFile(o.errors, other) || o.errors == other {
			return usagef(command, "--errors %q: want a file of its own", o.errors)
		}
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

// checkFiles finds the inputs, and makes sure that the output is none of them.
func (o *predictOptions) checkFiles() error {
	files, err := expand(o.inputs)
	if err != nil {
		return err
	}
	o.inputs = files
	if o.optimizer != "auto" {
		o.load.Optimizer = runner.Optimizer(o.optimizer)
	}
	job := runner.Job{Source: runner.Source{Files: files, Format: o.inputFormat}, Output: o.output, Format: o.format, Resume: o.resume}
	if err := job.Validate(); err != nil {
		return err
	}
	for _, in := range files {
		if sameFile(in, o.output) {
			return usagef("tfrun predict", "output %q is an input too", o.output)
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
