package main

import (
	"context"
	"errors"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

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
  exact    only rows of equal length together: what each row would give alone; each row
           by itself where trials on the first rows show that other rows change an answer
  bucket   rows of like length together, for speed; refused where these trials show an
           effect of padding or of other rows
  auto     bucket where they show none, else arrival; says which

TensorFlow ends its process on a failed internal check. With --isolate that is not this one:
the model runs in a second process, which is started anew when it dies, crashes or does not
answer within --timeout. The rows of its batch are then run one by one, and the one that it
dies of ends the run with its number; with --skip-bad-rows it gets {"error": …}.
What it costs: 4 % of the rows a second of a model that has something to do, up to a third of one
that does 250,000; the start takes as long.`

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
	opened := o.openLibrary()
	model, sig, err := o.openModel(std)
	if err != nil {
		return err
	}
	if err := o.sizeBatches(model, sig); err != nil {
		return err
	}
	o.shareCores(model, sig)
	if err := o.padding.apply(&o.predict, sig); err != nil {
		return err
	}
	if len(o.inputs) == 0 {
		if err := o.askNothing(sig, &source); err != nil {
			return err
		}
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
	o.predict.Measured = func(found runner.Verdict, chosen runner.Batching) {
		switch {
		case o.quiet:
		case chosen == runner.Exact && !found.Alone():
			std.note("batching exact: one row at a time: %s", found)
		case chosen != runner.Exact:
			std.note("batching %s: %s", chosen, found)
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

// openLibrary opens TensorFlow, which takes longer than everything else before the first run: it
// goes on beside the reading of the model.
func (o *predictOptions) openLibrary() <-chan error {
	opened := make(chan error, 1)
	go func() {
		var err error
		if !o.load.Isolate {
			_, err = runner.OpenLibrary(o.load.Library)
		}
		opened <- err
	}()
	return opened
}

// askNothing makes a row of nothing for a signature without inputs, which has one answer. Others
// need inputs.
func (o *predictOptions) askNothing(sig *savedmodel.Signature, source *runner.Source) error {
	if len(sig.Inputs) > 0 {
		return usagef("tfrun predict", "no input: name files of rows for %s, or - for stdin", strings.Join(sig.InputNames(), ", "))
	}
	o.predict.NoBatch = true
	source.Files, source.Stdin = []string{"-"}, strings.NewReader("{}\n")
	return nil
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

// sizeBatches makes the batches of files as large as suits the signature, unless a flag says how
// large they are, or what they depend on. What comes down a pipe may come slowly: nobody is to wait
// until many rows are there.
func (o *predictOptions) sizeBatches(m *savedmodel.Model, sig *savedmodel.Signature) error {
	p := &o.predict
	if p.BatchSize != 0 || p.NoBatch || p.MaxTokens > 0 || p.Batching != runner.Arrival || shortJob(o.inputs) || !regular(o.inputs) {
		return nil
	}
	mg, err := m.MetaGraph(o.load.Tags...)
	if err != nil {
		return err
	}
	size, err := runner.FileBatchSize(mg, sig, p.Limits)
	if err == nil && size != runner.DefaultBatchSize {
		p.BatchSize = size
	}
	return err
}

// shareCores gives each of the batches that run at the same time its share of the cores: operations
// of two batches that each spread over all of them get in each other's way. On 2 cores one thread
// for each of two batches gave the tutorial's model 1.05 times the rows a second, a small dense
// model 1.15 times. A short job has one batch, which may have them all.
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
		encoder, err := text.Open(o.vocab, text.Format(o.vocabFormat))
		if err != nil {
			return src, err
		}
		if o.vocabFormat == string(text.Auto) && !o.quiet {
			std.note("vocabulary %s: %s; --vocab-format takes it for something else", o.vocab, encoder)
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
