package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tfrun/tfrun/cmd/tfrun/internal/progress"
	"github.com/tfrun/tfrun/dataset/text"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
	"github.com/tfrun/tfrun/savedmodel"
)

const predictExample = `  tfrun predict model rows.csv -o scores.csv --keep id --outputs score=output_0
  tfrun predict model reviews.txt --vocab vocab.txt | jq .`

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
			o.squeezeSet = cmd.Flags().Changed("squeeze")
			if err := quietTensorFlow(cmd); err != nil {
				return err
			}
			return runPredict(cmd.Context(), o, std)
		},
	}
	o.addFlags(cmd.Flags())
	completeModelFlags(cmd)
	completeFormats(cmd, "jsonl", "csv", "tsv", "npy", "npz", "tfrecord", "parquet", "arrow")
	must(cmd.RegisterFlagCompletionFunc("keep", completeKeep))
	return cmd
}

const predictLong = `Runs a signature of MODEL over rows of INPUT, in padded batches, and writes one
result a row. Rows are .jsonl, .csv, .tsv, .npy, .npz, .parquet, .arrow, .txt or
.tfrecord, compressed or not; - is stdin, s3://… a store. A folder's -o is one.`

func runPredict(ctx context.Context, o predictOptions, std stdio) error {
	if err := o.validate(ctx); err != nil {
		return err
	}
	source, err := o.source(ctx, std)
	if err != nil {
		return err
	}
	if o.dryRun {
		return runPlan(ctx, o, source, std)
	}
	defer runner.BoundMemory(o.load.Device)()
	defer runner.OpenAhead(o.load)()
	fewerCollections()
	m, err := o.openFiles(ctx, std, &source)
	if err != nil {
		return err
	}
	if err := o.checkInputs(m.sig); err != nil {
		return err
	}
	o.load.XLAFallback = func(reason error) {
		if !o.quiet {
			std.note("running without XLA: %v", reason)
		}
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
	o.predict.Halved = halvedNote(o.quiet, std)
	draw := o.collect(std)
	j := o.job(source, std)
	session, predictor, err := j.Load(ctx, m.model, o.load, o.predict)
	if err != nil {
		return err
	}
	if state := predictor.State(); state.Stateful() && !o.quiet {
		std.note("%s", stateNote(state.Changes))
	}
	run := o.run
	switch {
	case o.tree != nil:
		run = o.runFolder
	case o.listen != "":
		run = o.serve
	}
	return errors.Join(run(ctx, session, predictor, j, std), draw(), session.Close())
}

// source returns where rows come from, by the flags.
func (o *predictOptions) source(ctx context.Context, std stdio) (job.Source, error) {
	src := job.Source{Files: o.inputs, Stdin: std.in, Format: o.inputFormat, Keep: o.keep, Text: o.text, Columns: map[string]string{}}
	for _, c := range o.columns {
		name, column, err := split2("column", c)
		if err != nil {
			return src, err
		}
		src.Columns[name] = column
	}
	var err error
	if src.CSV, err = o.csv.options(); err != nil {
		return src, err
	}
	if !o.quiet && !o.dryRun {
		src.CSV.Sniffed = unsureNote(std)
	}
	if o.vocab != "" {
		encoder, sum, err := openVocabulary(ctx, o.vocab, text.Format(o.vocabFormat))
		if err != nil {
			return src, err
		}
		if o.vocabFormat == string(text.Auto) && !o.quiet {
			std.note("vocabulary %s: %s; --vocab-format takes it for something else", o.vocab, encoder)
		}
		src.Encoder, src.Vocabulary = encoder, sum
	}
	return src, nil
}

// openVocabulary reads a vocabulary. sum identifies it for --resume: its format, and a digest of
// the file.
func openVocabulary(ctx context.Context, name string, format text.Format) (e text.Encoder, sum string, err error) {
	f, err := openNamed(ctx, name)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	h := sha256.New()
	if e, err = text.Read(io.TeeReader(f, h), name, format); err != nil {
		return nil, "", err
	}
	return e, fmt.Sprintf("%s, sha256 %x", e, h.Sum(nil)[:8]), nil
}

// checkInputs returns an error if a signature with inputs has no rows. A signature without inputs
// has one answer, and needs no rows.
func (o *predictOptions) checkInputs(sig *savedmodel.Signature) error {
	if len(o.inputs) > 0 || len(sig.Inputs) == 0 {
		return nil
	}
	return usagef("tfrun predict", "no input: name files of rows for %s, or - for stdin", strings.Join(sig.InputNames(), ", "))
}

// squeezing returns the value of --squeeze.
func (o *predictOptions) squeezing() job.Squeeze {
	switch {
	case !o.squeezeSet:
		return job.SqueezeTables
	case o.squeeze:
		return job.SqueezeAll
	}
	return job.SqueezeNone
}

// widening returns the value of --wide.
func (o *predictOptions) widening() job.Wide {
	if o.wide == "columns" {
		return job.WideColumns
	}
	return job.WideList
}

// job returns the job to run.
func (o *predictOptions) job(source job.Source, std stdio) job.Job {
	return job.Job{
		Source: source, Output: o.output, Stdout: std.out, Format: o.format, Resume: o.resume, State: o.state, NullNaN: o.nullNaN,
		Squeeze: o.squeezing(), Wide: o.widening(), MaxBadRows: o.mostBad, MaxBadShare: o.badShare, Errors: o.errors,
		Began: func(done int64) {
			if !o.quiet {
				std.note("going on after %s", rowCount(done))
			}
		},
	}
}

// bar returns what shows progress: a line that is redrawn, on a terminal; lines elsewhere; or as
// --progress says.
func (o *predictOptions) bar(std stdio) *progress.Bar {
	columns, isTerminal := terminal(std.err)
	kind := progress.Kind(o.progress)
	switch {
	case o.progress == "none" || o.progress == "auto" && o.quiet:
		return nil
	case o.progress == "auto" && isTerminal:
		kind = progress.Terminal
	case o.progress == "auto":
		kind = progress.Plain
	}
	return progress.New(std.err, kind, columns)
}

// report returns a function that shows a job's progress on a bar.
func report(bar *progress.Bar) func(job.Progress) {
	return func(now job.Progress) {
		bar.Show(progress.Now{Rows: now.Rows, Total: now.Total, Read: now.Read, Size: now.Size, Bad: now.Bad, Waste: now.Waste()})
	}
}

// run runs the job, with progress and a summary.
func (o *predictOptions) run(ctx context.Context, s *runner.Session, p *runner.Predictor, j job.Job, std stdio) error {
	bar := o.bar(std)
	j.Progress = report(bar)
	sum, err := j.Run(ctx, p)
	bar.Done()
	if writeErr := o.writeSummary(j, sum, err, std); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	if sum.Kept {
		return &keptError{err}
	}
	if err == nil && !o.quiet {
		std.note("%s%s", summary(sum), xlaSummary(s.XLA()))
	}
	if err == nil && sum.BadRows > 0 {
		return &badRowsError{sum.BadRows}
	}
	return err
}
