package runner

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/runner/internal/isolate"
	"github.com/tfrun/tfrun/runner/internal/source"
	"github.com/tfrun/tfrun/savedmodel"
)

// Validate checks what can be checked without a model: that the formats are known, and that there
// is something to resume.
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
		return &OptionError{Option: "Squeeze, Wide", Msg: fmt.Sprintf("squeeze %q, wide %q: want all or none, and columns, or nothing", j.Squeeze, j.Wide)}
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

// toStdout reports whether results go to a stream, which has no rows to go on with: standard
// output, or an output that is no regular file.
func (j Job) toStdout() bool {
	return j.Output == "" || j.Output == "-" || partfile.IsStream(j.Output)
}

// outputFormat returns the format of the results.
func (j Job) outputFormat() (source.Format, error) {
	form, err := source.FindFormat(j.Format, j.Output, writable)
	if err != nil && j.toStdout() && j.Format == "" {
		return source.FindFormat("jsonl", "", writable)
	}
	return form, err
}

// Run runs a job. When ctx is done, what is finished is kept for a later run with Resume, as it is
// when the output cannot be written on and when TensorFlow fails after some rows; any other
// failure, such as a bad row, leaves nothing behind.
func (p *Predictor) Run(ctx context.Context, j Job) (Summary, error) {
	start := time.Now()
	sum, err := p.run(ctx, j)
	sum.Duration = time.Since(start)
	return sum, err
}

func (p *Predictor) run(ctx context.Context, j Job) (sum Summary, err error) {
	if err := j.Validate(); err != nil {
		return sum, err
	}
	if p, err = p.sizedFor(j.Source); err != nil {
		return sum, err
	}
	form, err := j.outputFormat()
	if err != nil {
		return sum, err
	}
	if j, err = p.keeping(ctx, j, form); err != nil {
		return sum, err
	}
	sum.Missing = map[string]int64{}
	count := &meter{}
	j.Source.read = &count.read
	p = p.with(func(o *PredictOptions) {
		if o.Window == 0 && slices.Contains(j.Source.Files, "-") {
			o.Window = dataset.DefaultWindow // whoever writes there may wait for answers
		}
	})
	p.meter = count
	rows, err := p.Rows(j.Source)
	if err != nil {
		return sum, err
	}
	if j.toStdout() {
		if j.Output != "" && j.Output != "-" {
			f, err := partfile.OpenStream(j.Output)
			if err != nil {
				return sum, err
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			j.Stdout = f
		}
		out := &stdout{w: bufio.NewWriterSize(j.Stdout, 64<<10)}
		err := p.writeRows(ctx, rows, form, out, j, &sum)
		// What is finished is of use, whatever happened.
		if flushErr := out.flush(); err == nil || errors.Is(err, flushErr) {
			err = flushErr // and not what a format's library says around it
		}
		return sum, err
	}
	id, err := p.identity(j)
	if err != nil {
		return sum, err
	}
	id["output format"] = form.Name
	if form.Name == "jsonl" {
		delete(id, "skip bad rows") // what comes before the first bad row is the same
	}
	out, err := partfile.Open(ctx, j.Output, id, j.Resume, form.Head)
	if err != nil {
		return sum, err
	}
	sum.Resumed, sum.BadRows = out.Rows(), out.Bad()
	if j.Began != nil && out.Rows() > 0 {
		j.Began(out.Rows())
	}
	p.o.From = out.Rows()
	if zip, zipErr := compressor(j.Output, form); zip != nil {
		zip.file = out
		if err = p.writeRows(ctx, rows, form, zip, j, &sum); err == nil {
			err = zip.finish()
		}
	} else if err = zipErr; err == nil {
		err = p.writeRows(ctx, rows, form, out, j, &sum)
	}
	var full *OutputFileError
	var batch *BatchError
	var row *RowError
	var bad *BadRowsError
	switch {
	case err == nil:
		return sum, out.Commit()
	case errors.As(err, &full):
		// The journal may not be writable either; then its last line counts. What a format's
		// library says around the error is of no use.
		_ = out.Leave()
		return sum, full
	case ctx.Err() != nil:
		sum.Kept = out.Leave() == nil
		return sum, ctx.Err()
	case (errors.As(err, &bad) || errors.As(err, &batch) || errors.As(err, &row)) && out.Rows() > 0:
		// It may be a matter of the moment, such as memory that others have taken.
		sum.Kept = out.Leave() == nil
		return sum, err
	}
	return sum, errors.Join(err, out.Remove())
}

// stdout shows results soon, but not every row by itself.
type stdout struct {
	flushed time.Time

	mu    sync.Mutex // of what follows
	w     *bufio.Writer
	timer *time.Timer // will flush what no later result does; nil when nothing waits
}

// Write collects bytes, which are flushed soon.
func (s *stdout) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.w.Write(b)
	if s.timer == nil {
		// the writer keeps its error for the next call
		s.timer = time.AfterFunc(flushEvery, func() { _ = s.flush() })
	}
	return n, err
}

// CheckpointDue reports whether the last flush was long enough ago.
func (s *stdout) CheckpointDue(now time.Time) bool { return now.Sub(s.flushed) >= flushEvery }

// Checkpoint flushes.
func (s *stdout) Checkpoint(int64, []byte) error {
	s.flushed = time.Now()
	return s.flush()
}

// flush hands on what is collected.
func (s *stdout) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	return s.w.Flush()
}

// flushEvery is how long a result may wait before whoever reads stdout sees it.
const flushEvery = 100 * time.Millisecond

func (p *Predictor) writeRows(ctx context.Context, rows *dataset.Dataset, form source.Format, out rowOutput, j Job, sum *Summary) (err error) {
	columns, err := p.columns(j, form)
	if err != nil {
		return err
	}
	t := p.table(columns, j.Source.Keep, out)
	t.nullNaN = j.NullNaN
	if t.types, err = p.keptTypes(ctx, j, form); err != nil {
		return err
	}
	w, err := newColumnsWriter(out, form, t, columns)
	if err != nil {
		return err
	}
	bad, err := openErrors(j.Errors, sum.Resumed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bad.close()) }()
	note := func() error {
		if t.part != nil {
			t.part.SetBad(sum.BadRows)
		}
		state, err := w.checkpoint()
		if err != nil {
			return err
		}
		return out.Checkpoint(sum.Resumed+sum.Rows, state)
	}
	size := j.Source.files().Size()
	total := p.rowsLeft(rows.Cardinality())
	told := time.Now()
	tell := func() {
		if j.Progress != nil {
			m := p.meter
			j.Progress(Progress{Rows: sum.Rows, Total: total, Bad: sum.BadRows, Read: m.read.Load(), Size: size, Real: m.real.Load(), Padded: m.padded.Load()})
		}
	}
	defer func() {
		tell()
		sum.Waste = Progress{Real: p.meter.real.Load(), Padded: p.meter.padded.Load()}.Waste()
		if e, ok := p.f.session.engine.(*isolate.Engine); ok {
			sum.Restarts = e.Restarts()
		}
	}()
	err = p.predict(ctx, rows, func(b *resultBatch) error {
		if err := j.write(w, b, sum, bad); err != nil {
			return err
		}
		now := time.Now()
		if (form.Lines || t.part != nil) && out.CheckpointDue(now) {
			if err := note(); err != nil {
				return err
			}
		}
		if now.Sub(told) >= flushEvery {
			told = now
			tell()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := j.checkBad(sum.BadRows, sum.Resumed+sum.Rows, true, sum.lastBad); err != nil {
		return err
	}
	if t.part != nil {
		// Making the file whole may take its time, in which no row shall be lost.
		if err := note(); err != nil {
			return err
		}
	}
	return w.close()
}

// write writes the results of a batch, all at once where the writer can.
func (j Job) write(w rowWriter, b *resultBatch, sum *Summary, bad *errorFile) error {
	if many, ok := w.(batchWriter); ok && b.rows == nil {
		done, err := many.writeBatch(b)
		if err != nil {
			return err
		}
		if done {
			sum.Rows += int64(b.count)
			b.recycle()
			return nil
		}
	}
	for i := range b.Len() {
		r, err := b.result(i)
		if err != nil {
			return err
		}
		if err := w.write(r); err != nil {
			return err
		}
		sum.Rows++
		missing(sum.Missing).count(j.Source.Keep, &r)
		if r.Err == nil {
			continue
		}
		sum.BadRows++
		sum.lastBad = r.Err
		rows := sum.Resumed + sum.Rows
		if err := bad.write(rows, &r); err != nil {
			return err
		}
		if err := j.checkBad(sum.BadRows, rows, false, r.Err); err != nil {
			return err
		}
	}
	return nil
}

// identity says what a run's output depends on.
func (p *Predictor) identity(j Job) (partfile.Identity, error) {
	o := p.o
	id := partfile.Identity{
		"heads":         fmt.Sprint(o.Heads),
		"signature":     p.f.signature.Name,
		"outputs":       strings.Join(p.outputs, ","),
		"no batch":      fmt.Sprint(o.NoBatch),
		"batch size":    fmt.Sprint(o.BatchSize),
		"batching":      string(o.Batching),
		"token budget":  fmt.Sprint(o.MaxTokens),
		"window":        fmt.Sprint(o.Window, o.WindowMemory),
		"padding":       fmt.Sprint(o.PadTo, o.PaddedShapes, o.PaddingMayChangeResults),
		"skip bad rows": fmt.Sprint(o.SkipBadRows),
		"shard":         fmt.Sprintf("%d of %d", o.Shard, o.Shards),
		"columns":       fmt.Sprint(j.Source.Columns),
		"kept columns":  strings.Join(j.Source.Keep, ","),
		"text column":   j.Source.Text,
		"csv":           fmt.Sprint(j.Source.CSV.Header, j.Source.CSV.Comma, j.Source.CSV.Quote, j.Source.CSV.NoQuotes, j.Source.CSV.Comment, j.Source.CSV.Null),
		"input format":  j.Source.Format,
		"NaN as null":   fmt.Sprint(j.NullNaN),
		"wide, squeeze": strings.TrimSpace(string(j.Squeeze) + " " + string(j.Wide)),
		"xla":           string(cmp.Or(p.f.session.o.XLA, XLAOff)),
		"optimizer":     string(cmp.Or(p.f.session.o.Optimizer, OptimizerFunctions)),
		"batch memory":  fmt.Sprint(o.Limits.BatchBytes),
	}
	if j.Source.Encoder != nil {
		id["vocabulary"] = j.Source.Vocabulary
	}
	if s := o.Sequences; !s.isZero() {
		id["sequences"] = fmt.Sprint(s.PadSide, s.Truncate, s.MaxLen, s.Lengths, s.Masks)
		for name, v := range s.Set {
			text, err := Value{Tensor: v}.AppendJSON(nil)
			if err != nil {
				return nil, err
			}
			id["set "+name] = string(text)
		}
	}
	for name, v := range o.Pad {
		text, err := dataset.AppendJSON(nil, v, nil)
		if err != nil {
			return nil, err
		}
		id["padding value of "+name] = string(text)
	}
	for name, v := range j.Source.Nulls {
		text, err := dataset.AppendJSON(nil, v, nil)
		if err != nil {
			return nil, err
		}
		id["null of "+name] = string(text)
	}
	for i, name := range j.Source.Files {
		if name == "-" {
			id[fmt.Sprintf("input %d", i+1)] = "standard input"
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		id[fmt.Sprintf("input %d", i+1)] = fmt.Sprintf("%s of %d bytes from %s", name, info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
	}
	sum, err := p.f.session.digest()
	if err != nil {
		return nil, err
	}
	id["model"] = sum
	return id, nil
}

// modelSum is a digest of a model's graph, of the index of its variables, which holds the checksum
// of each, and of its assets.
func modelSum(m *savedmodel.Model, mg *savedmodel.MetaGraph) (string, error) {
	h := sha256.New()
	names := []string{m.File, filepath.Join(m.Dir, "variables", "variables.index")}
	for _, a := range mg.Assets {
		names = append(names, filepath.Join(m.Dir, "assets", filepath.FromSlash(a.Filename)))
	}
	for _, name := range names {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = io.Copy(h, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("sha256 %x", h.Sum(nil)[:8]), nil
}
