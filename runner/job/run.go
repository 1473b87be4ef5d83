package job

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/internal/store"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
	"github.com/tfrun/tfrun/savedmodel"
)

// Run does a whole job: it loads the model in dir as suits the job, runs the job, and closes the
// model. It chooses what o and po leave open as [Job.Options] says. Errors are those of
// [runner.Load], [runner.Session.NewPredictor] and [Job.Run].
func Run(ctx context.Context, dir string, o runner.Options, po runner.PredictOptions, j Job) (sum Summary, err error) {
	if err := j.checkStreams(); err != nil {
		return sum, err
	}
	defer runner.OpenAhead(o)()
	m, err := savedmodel.Open(dir)
	if err != nil {
		return sum, err
	}
	m.AllowLinks = o.AllowLinks
	s, p, err := j.Load(ctx, m, o, po)
	if err != nil {
		return sum, err
	}
	sum, err = j.Run(ctx, p)
	return sum, errors.Join(err, s.Close())
}

// Validate checks what can be checked without a model: that the formats are known, and that Resume
// can work.
func (j Job) Validate() error {
	toStdout := j.toStdout()
	if j.Resume && (toStdout || slices.Contains(j.Source.Files, "-")) {
		return ErrStdinResume
	}
	form, err := j.outputFormat()
	if err != nil {
		return err
	}
	if !slices.Contains([]Squeeze{SqueezeTables, SqueezeAll, SqueezeNone}, j.Squeeze) || j.Wide != WideList && j.Wide != WideColumns {
		return &runner.OptionError{Option: "Squeeze, Wide", Msg: fmt.Sprintf("squeeze %q, wide %q: want all or none, and columns, or nothing", j.Squeeze, j.Wide)}
	}
	if !toStdout {
		if _, err := compressor(j.Output, form); err != nil {
			return err
		}
	}
	if len(j.Source.Files) == 0 {
		return nil
	}
	_, err = j.Source.files().Find()
	return err
}

// toStdout reports whether results go to standard output, or to an output that is no regular file.
// Such an output cannot be resumed.
func (j Job) toStdout() bool {
	return j.Output == "" || j.Output == "-" || partfile.IsStream(j.Output)
}

// checkStreams returns an error if rows or results would use a stream that is nil.
func (j Job) checkStreams() error {
	switch {
	case j.Stdout == nil && (j.Output == "" || j.Output == "-"):
		return &runner.OptionError{Option: "Output, Stdout", Msg: "name a file, or give what results are to be written to"}
	case j.Source.Stdin == nil && slices.Contains(j.Source.Files, "-"):
		return &runner.OptionError{Option: "Stdin", Msg: "there is no standard input"}
	}
	return nil
}

// outputFormat returns the format of the results.
func (j Job) outputFormat() (source.Format, error) {
	form, err := source.FindFormat(j.Format, j.Output, writable)
	if err != nil && j.toStdout() && j.Format == "" {
		return source.FindFormat("jsonl", "", writable)
	}
	return form, err
}

// Run runs the job with a predictor. If ctx is done, the results written so far are kept for a
// later run with Resume. They are also kept if the output cannot be written any more, and if
// TensorFlow fails after some rows. Any other failure, such as a bad row, leaves nothing behind. If
// the predictor's options leave the size of batches open, the files decide on it, see
// [FileBatchSize].
func (j Job) Run(ctx context.Context, p *runner.Predictor) (Summary, error) {
	start := time.Now()
	if err := j.Source.files().Look(ctx); err != nil {
		return Summary{}, err
	}
	sum, err := j.run(ctx, p)
	sum.Duration = time.Since(start)
	return sum, err
}

func (j Job) run(ctx context.Context, p *runner.Predictor) (sum Summary, err error) {
	if err := errors.Join(j.Validate(), j.checkStreams()); err != nil {
		return sum, err
	}
	if p, _, err = j.Source.suited(p); err != nil {
		return sum, err
	}
	form, err := j.outputFormat()
	if err != nil {
		return sum, err
	}
	if j, err = j.keeping(ctx, p, form); err != nil {
		return sum, err
	}
	j.Source.read, j.Source.ctx = &atomic.Int64{}, ctx
	rows, err := j.Source.Rows(p)
	if err != nil {
		return sum, err
	}
	sum.Missing = map[string]int64{}
	w := &writing{Job: j, p: p, rows: rows, form: form, sum: &sum}
	switch {
	case j.toStdout():
		err = w.toStream(ctx)
	case j.small:
		err = w.toWhole(ctx)
	default:
		err = w.toFile(ctx)
	}
	return sum, err
}

// writing is a running job: it runs rows and writes their results.
type writing struct {
	Job
	p    *runner.Predictor
	rows *dataset.Dataset
	form source.Format // format of the results
	sum  *Summary
}

// toStream writes results to standard output, or to a pipe or a device.
func (w *writing) toStream(ctx context.Context) (err error) {
	if w.Output != "" && w.Output != "-" {
		f, err := partfile.OpenStream(w.Output)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		w.Stdout = f
	}
	out := &stdout{w: bufio.NewWriterSize(w.Stdout, 64<<10)}
	err = w.write(ctx, out)
	// The results so far are of use, whatever went wrong.
	if flushErr := out.flush(); err == nil || errors.Is(err, flushErr) {
		err = flushErr // without a format library's words around it
	}
	return err
}

// toFile writes results to a file that appears when it is whole. It goes on with the file of an
// interrupted run.
func (w *writing) toFile(ctx context.Context) error {
	id, err := w.identity(w.p)
	if err != nil {
		return err
	}
	id["output format"] = w.form.Name
	if w.form.Name == "jsonl" {
		delete(id, "skip bad rows") // rows before the first bad one are the same
	}
	path, err := w.localOutput()
	if err != nil {
		return err
	}
	out, err := partfile.Open(ctx, path, id, w.Resume, w.form.Head)
	if err != nil {
		return w.ofObject(err)
	}
	w.sum.Resumed, w.sum.BadRows = out.Rows(), out.Bad()
	if w.Began != nil && out.Rows() > 0 {
		w.Began(out.Rows())
	}
	if w.p, err = w.p.With(func(o *runner.PredictOptions) { o.From = out.Rows() }); err != nil {
		return errors.Join(err, out.Leave())
	}
	return w.end(ctx, out, w.compressed(ctx, out))
}

// toWhole writes results to a file in one go.
func (w *writing) toWhole(ctx context.Context) error {
	out, err := partfile.Create(w.Output)
	if err != nil {
		return err
	}
	defer out.Abandon()
	if err := w.compressed(ctx, wholeOutput{out}); err != nil {
		if full, ok := errors.AsType[*OutputFileError](err); ok {
			return full // without a format library's words around it
		}
		return err
	}
	return out.CommitUnsynced() // a tree waits for the disk, for many files at once
}

// wholeOutput is a file that is written in one go.
type wholeOutput struct{ *partfile.Whole }

// CheckpointDue returns false.
func (wholeOutput) CheckpointDue(time.Time) bool { return false }

// Checkpoint does nothing.
func (wholeOutput) Checkpoint(int64, []byte) error { return nil }

// Rows returns 0: there are no rows of an interrupted run.
func (wholeOutput) Rows() int64 { return 0 }

// compressed writes results to a file, and compresses them if its name asks for it.
func (w *writing) compressed(ctx context.Context, out fileOutput) error {
	zip, err := compressor(w.Output, w.form)
	if err != nil {
		return err
	}
	if zip == nil {
		return w.write(ctx, out)
	}
	zip.file = out
	if err := w.write(ctx, zip); err != nil {
		return err
	}
	return zip.finish()
}

// end gives the file its name, or keeps the results so far for a later run, or removes them.
func (w *writing) end(ctx context.Context, out *partfile.File, err error) error {
	var full *OutputFileError
	var batch *runner.BatchError
	var row *runner.RowError
	var bad *BadRowsError
	switch {
	case err == nil && store.Is(w.Output):
		return w.publish(ctx, out)
	case err == nil:
		return out.Commit()
	case errors.As(err, &full):
		// If the journal cannot be written either, its last line counts. A format library's words
		// around the error are of no use.
		_ = out.Leave()
		return full
	case ctx.Err() != nil:
		w.sum.Kept = out.Leave() == nil
		return ctx.Err()
	case (errors.As(err, &bad) || errors.As(err, &batch) || errors.As(err, &row)) && out.Rows() > 0:
		// A later run may succeed, for instance if memory was short.
		w.sum.Kept = out.Leave() == nil
		return err
	}
	return errors.Join(err, out.Remove())
}

// write runs the rows and writes their results.
func (w *writing) write(ctx context.Context, out rowOutput) (err error) {
	columns, err := w.columns(w.p, w.form)
	if err != nil {
		return err
	}
	t := newTable(w.p, columns, w.Source.keptNames(), out)
	t.nullNaN = w.NullNaN
	if t.types, err = w.keptTypes(ctx, w.p, w.form); err != nil {
		return err
	}
	to, err := newColumnsWriter(out, w.form, t, columns)
	if err != nil {
		return err
	}
	bad, err := openErrors(w.Errors, w.sum.Resumed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bad.close()) }()
	report := w.progressReport()
	defer func() {
		report(true)
		w.sum.Waste, w.sum.Restarts = w.p.Counters().Waste(), w.p.Function().Session().Restarts()
	}()
	for b, err := range w.p.Batches(ctx, w.rows) {
		if err != nil {
			return err
		}
		if err := w.writeBatch(to, b, bad); err != nil {
			return err
		}
		if (w.form.Lines || t.part != nil) && out.CheckpointDue(time.Now()) {
			if err := w.checkpoint(to, t, out); err != nil {
				return err
			}
		}
		report(false)
	}
	if err := w.checkBad(w.sum.BadRows, w.sum.Resumed+w.sum.Rows, true, w.sum.lastBad); err != nil {
		return err
	}
	if t.part != nil {
		// Completing the file may take long, and no row should be lost if the run is killed
		// meanwhile.
		if err := w.checkpoint(to, t, out); err != nil {
			return err
		}
	}
	return to.close()
}

// checkpoint notes how many rows the output holds so far.
func (w *writing) checkpoint(from rowWriter, t table, out rowOutput) error {
	if t.part != nil {
		t.part.SetBad(w.sum.BadRows)
	}
	state, err := from.checkpoint()
	if err != nil {
		return err
	}
	return out.Checkpoint(w.sum.Resumed+w.sum.Rows, state)
}

// progressReport returns a function that reports the job's progress: now and then, or at once.
func (w *writing) progressReport() (report func(atOnce bool)) {
	size, total := w.Source.files().Size(), rowsLeft(w.p.Options(), w.rows.Cardinality())
	told := time.Now()
	return func(atOnce bool) {
		now := time.Now()
		if w.Progress == nil || !atOnce && now.Sub(told) < flushEvery {
			return
		}
		told = now
		c := w.p.Counters()
		w.Progress(Progress{Rows: w.sum.Rows, Total: total, Bad: w.sum.BadRows, Read: w.Source.read.Load(), Size: size, Real: c.Real, Padded: c.Padded})
	}
}

// writeBatch writes the results of a batch, all at once if the writer can.
func (w *writing) writeBatch(to rowWriter, b *runner.ResultBatch, bad *errorFile) error {
	if done, err := w.writeBlock(to, b); done {
		return err
	}
	sum := w.sum
	for i := range b.Len() {
		r, err := b.Result(i)
		if err != nil {
			return err
		}
		if r.Err == nil {
			missing(sum.Missing).count(w.Source.Keep, r.Extra)
		}
		r.Extra = append(r.Extra[:len(r.Extra):len(r.Extra)], w.Source.Partition...)
		if err := to.write(r); err != nil {
			return err
		}
		sum.Rows++
		if r.Err == nil {
			continue
		}
		sum.BadRows++
		sum.lastBad = r.Err
		rows := sum.Resumed + sum.Rows
		if err := bad.write(rows, &r); err != nil {
			return err
		}
		if err := w.checkBad(sum.BadRows, rows, false, r.Err); err != nil {
			return err
		}
	}
	return nil
}

// writeBlock writes the results of a batch at once. It reports false if they have to be written row
// by row.
func (w *writing) writeBlock(to rowWriter, b *runner.ResultBatch) (done bool, err error) {
	many, ok := to.(blockWriter)
	if !ok || !many.takesBlocks() {
		return false, nil
	}
	block, ok := b.Block()
	if !ok {
		return false, nil
	}
	given := block.Extra
	if given == nil {
		given = make([][]dataset.Field, block.Len())
	}
	if len(w.Source.Partition) > 0 {
		block.Extra = make([][]dataset.Field, block.Len())
		for i, extra := range given {
			block.Extra[i] = slices.Concat(extra, w.Source.Partition)
		}
	}
	if err := many.writeBlock(block); err != nil {
		return true, err
	}
	for _, extra := range given {
		missing(w.sum.Missing).count(w.Source.Keep, extra)
	}
	w.sum.Rows += int64(block.Len())
	b.Recycle()
	return true, nil
}
