package runner

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/runner/internal/isolate"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// PredictOptions says how rows are run through a signature. The zero value runs serving_default in
// padded batches of 64 rows.
type PredictOptions struct {
	// Signature is the signature to run; "" is serving_default, or the only one.
	Signature string
	// Outputs picks and orders the outputs, and may rename them: "score=output_0", also what heads
	// make of them, "class=output_0_labels"; nil takes all, by name.
	Outputs []string
	// Heads are computed from outputs inside the graph, and take their places.
	Heads []Head

	// NoBatch runs one row at a time: each row holds whole tensors as the signature takes them,
	// batch axis included, and each result holds whole outputs. Of a signature without inputs it is
	// always set.
	NoBatch bool
	// BatchSize is the number of rows of a batch. 0 means the size that the signature fixes, or 64;
	// [Predictor.Run] takes more rows of a file where each is little work, see
	// [Predictor.FileBatchSize]. A size that the signature does not fix is an error.
	BatchSize int
	// Batching says which rows share a batch; "" is [Arrival].
	Batching Batching
	// PaddingMayChangeResults lets [Bucket] and [Auto] go ahead without trials.
	PaddingMayChangeResults bool
	// Measured, if not nil, is told what was found before a run with [Exact], [Bucket] or [Auto],
	// and which of them it is. It is called before the first result, from another goroutine.
	Measured func(found Verdict, chosen Batching)
	// MaxTokens bounds a batch by its rows times its longest row; 0: no bound.
	MaxTokens int64
	// Window is how many rows a batching other than arrival may hold back; 0 means
	// [dataset.DefaultWindow], or for [Exact] as many as take WindowMemory bytes.
	Window int
	// WindowMemory bounds the rows that [Exact] holds back where there is no Window, so that those
	// of one length meet. 0 means [DefaultWindowMemory]; of standard input, the default Window
	// counts.
	WindowMemory int64

	// Pad gives the padding value of an input, in its dtype; 0, "" or false for the others.
	Pad map[string]tensor.Tensor
	// PadTo is the least size that the first unknown axis of an input's rows is padded to: the
	// tutorial's pad_to_size. Longer rows stay as they are.
	PadTo map[string]int64
	// PaddedShapes gives the padded shape of an input's rows, as padded_batch takes it: a size is
	// exact, [dataset.None] the longest row's.
	PaddedShapes map[string]dataset.Dims

	// Sequences says how rows are brought to a length, and what inputs get beside what rows hold.
	Sequences Sequences

	// Limits bounds what rows may ask for.
	Limits dataset.Limits
	// Split, if not nil, is told once that a batch was split to keep within
	// [dataset.Limits].BatchBytes: how many rows it would have had, and how many the first part
	// has. It is called from another goroutine.
	Split func(rows, first int)

	// Shard, of Shards, runs only the rows whose number leaves that remainder; 0 Shards means all
	// rows. Result rows are then numbered anew.
	Shard, Shards int64
	// From leaves out the results of lower rows, which an earlier run has delivered. Batches that
	// hold no other rows are not run, unless the signature keeps state: then what comes later
	// depends on them.
	From int64

	// Workers is the number of batches that run at the same time, on each device where there are
	// several. 0 means [DefaultWorkers], or 1 where the order of the runs shows in the answers: a
	// signature that keeps state ([Predictor.State]), which takes no more, or draws random numbers.
	Workers int
	// Halved, if not nil, is told once that a batch of so many rows does not fit the device's
	// memory; such batches are run in halves from then on, and the results are the same. It is
	// called from another goroutine. A row that does not fit by itself is a *[MemoryError].
	Halved func(rows int64, err error)
	// SkipBadRows turns rows that cannot be read into results with an error, and goes on.
	SkipBadRows bool
	// Stats, if not nil, is told of every batch. It must not be read before the iteration ends.
	Stats *dataset.Stats
	// Batch, if not nil, is told of every batch that has run, by the worker that ran it: with
	// several workers, by several goroutines at a time.
	Batch func(BatchInfo)
}

// DefaultBatchSize is the number of rows of a batch unless told otherwise: the tutorial's. See
// [Predictor.FileBatchSize], too.
const DefaultBatchSize = 64

// DefaultWindowMemory is how much the rows may take that [Exact] holds back, unless told otherwise.
const DefaultWindowMemory = 256 << 20

// DefaultWorkers is the number of batches that run at the same time unless told otherwise. A second
// one fills the gaps that the operations of one leave on the processors: of a recurrent model's
// steps each waits for the one before. On 2 cores it gave the tutorial's model 1.1 to 1.2 times the
// rows a second, and a small dense model 1.3 times; a third gave nothing more and takes the memory
// of one more batch.
const DefaultWorkers = 2

// Result is what a signature gave for one row.
type Result struct {
	// Row is the row's number in its source, counted from 0.
	Row int64
	// Values are the outputs in the order of [Predictor.OutputNames]; nil where Err is set.
	Values []Value
	// Extra is what the source kept beside the inputs.
	Extra []dataset.Field
	// Err says why a row has no values; only with SkipBadRows.
	Err error
}

// Predictor runs rows through a signature. It may be used for several iterations at once.
type Predictor struct {
	f          *Function
	o          PredictOptions
	spec       dataset.Spec
	components []dataset.Component // spec, flattened
	feeders    []feeder
	fixed      int64 // the batch size that the signature fixes, or 0
	outputs    []string
	state      savedmodel.State
	features   []savedmodel.ExampleFeature // that the only input's tf.Examples hold
	records    bool                        // the only input is a serialized message
	sized      bool                        // options or signature fix the batch size
	meter      *meter                      // nil where nobody counts
	fit        *fitter
	proven     *proven
	made       map[string]string // inputs made of the length of another
	lengths    map[string]int64  // that inputs' rows get, see [Sequences]
	parsers    *sync.Pool        // of *dataset.RowParser
	twin       *exactTwin        // that Exact may use; nil where there is none
	using      *exactTwin        // that batches are fed to; nil: f
}

// NewPredictor checks the options against the model. Errors are *[OptionError], *[NameError],
// *[BatchAxisError] and those of [Session.Function].
func (s *Session) NewPredictor(o PredictOptions) (*Predictor, error) {
	f, err := s.functionWith(o.Signature, o.Outputs, o.Heads)
	if err != nil {
		return nil, err
	}
	if err := f.withSet(o.Sequences.Set, o.NoBatch); err != nil {
		return nil, err
	}
	p := &Predictor{f: f, o: o, proven: &proven{}, parsers: &sync.Pool{}}
	p.outputs, _ = assemble(f.outputs, make([]tensor.Tensor, len(f.outputs)))
	if err := p.plan(); err != nil {
		return nil, err
	}
	p.fit = newFitter(p)
	return p, p.findTwin(o.Heads)
}

// with returns a copy of the predictor with other options.
func (p *Predictor) with(change func(o *PredictOptions)) *Predictor {
	q := *p
	change(&q.o)
	return &q
}

// Function returns the signature that is run.
func (p *Predictor) Function() *Function { return p.f }

// RowSpec is what rows must look like: a dictionary with a component for each input of the
// signature, without the batch axis unless NoBatch is set. A sparse input is a dictionary of its
// indices, values and dense_shape.
func (p *Predictor) RowSpec() dataset.Spec { return p.spec }

// OutputNames lists the outputs in the order of [Result.Values]. The slice is the Predictor's own.
func (p *Predictor) OutputNames() []string { return p.outputs }

// plan works out the rows' spec, the batch size and how inputs are fed.
func (p *Predictor) plan() error {
	if err := p.o.Limits.Validate(); err != nil {
		return &OptionError{Option: "Limits", Msg: err.Error()}
	}
	p.o.Limits = p.o.Limits.OrDefaults()
	if len(p.f.signature.Inputs) == 0 {
		p.o.NoBatch = true // there is one answer, and no rows
	}
	for _, check := range []func() error{p.checkNames, p.checkState, p.fixBatchSize, p.checkOutputs, p.buildSpec, p.findFeatures, p.checkSequences} {
		if err := check(); err != nil {
			return err
		}
	}
	if p.o.WindowMemory == 0 {
		p.o.WindowMemory = DefaultWindowMemory
	}
	if p.sized = p.o.BatchSize != 0; !p.sized {
		p.o.BatchSize = DefaultBatchSize
	}
	if p.o.Workers == 0 {
		p.o.Workers = defaultWorkers(p.state)
	}
	return nil
}

// checkNames makes sure that options speak of inputs that there are.
func (p *Predictor) checkNames() error {
	if p.o.BatchSize < 0 || p.o.Workers < 0 || p.o.MaxTokens < 0 || p.o.Window < 0 || p.o.WindowMemory < 0 {
		return &OptionError{Option: "BatchSize, Workers, MaxTokens, Window, WindowMemory", Msg: "want numbers ≥ 0"}
	}
	if p.o.From < 0 || p.o.Shards < 0 || p.o.Shard < 0 || p.o.Shards > 0 && p.o.Shard >= p.o.Shards {
		return &OptionError{Option: "Shard", Msg: fmt.Sprintf("%d of %d: want a number from 0 to one below the count", p.o.Shard, p.o.Shards)}
	}
	if err := p.o.Batching.check(); err != nil {
		return err
	}
	have := p.f.signature.InputNames()
	known := func(name string) error {
		if _, ok := p.f.signature.Inputs[name]; !ok {
			return &NameError{Kind: "input", Name: name, Have: have}
		}
		return nil
	}
	for name, v := range p.o.Pad {
		if err := known(name); err != nil {
			return err
		}
		if in := p.f.signature.Inputs[name]; v.DType() != in.DType || v.Rank() != 0 {
			return &OptionError{Option: "Pad", Msg: fmt.Sprintf("input %q: want a scalar of %s, got %v", name, in.DType, v)}
		}
	}
	for name := range p.o.PadTo {
		if err := known(name); err != nil {
			return err
		}
	}
	for name := range p.o.PaddedShapes {
		if err := known(name); err != nil {
			return err
		}
	}
	return nil
}

// BatchAxisError says that rows cannot be batched for a signature: an input has no batch axis, or
// its inputs fix different sizes of it.
type BatchAxisError struct {
	Input string
	Shape tensor.Shape
	Msg   string
}

// Error names the input, its shape and the reason.
func (e *BatchAxisError) Error() string {
	return fmt.Sprintf("input %q of shape %s: %s", e.Input, e.Shape, e.Msg)
}

// Hints says what to type instead.
func (e *BatchAxisError) Hints() []string {
	return []string{"run one row at a time, each holding whole tensors: --no-batch"}
}

// fixBatchSize finds the batch size that the signature fixes, if it does.
func (p *Predictor) fixBatchSize() error {
	if p.o.NoBatch {
		return nil
	}
	for _, in := range p.f.inputs {
		if _, whole := p.f.signature.Defaults[in.Name]; whole || in.Role != "" || !in.Shape.Ranked() {
			continue
		}
		if in.Shape.Rank() == 0 {
			return &BatchAxisError{Input: in.Name, Shape: in.Shape, Msg: "a scalar has no batch axis"}
		}
		n := in.Shape.Dim(0)
		switch {
		case n == tensor.Unknown:
		case n == 0 || p.fixed != 0 && n != p.fixed:
			return &BatchAxisError{Input: in.Name, Shape: in.Shape, Msg: "its first axis is not the batch"}
		default:
			p.fixed = n
		}
	}
	if p.fixed == 0 {
		return nil
	}
	if p.fixed > math.MaxInt32 || p.o.BatchSize != 0 && int64(p.o.BatchSize) != p.fixed {
		return &OptionError{Option: "BatchSize", Msg: fmt.Sprintf("the signature fixes it to %d, got %d", p.fixed, p.o.BatchSize)}
	}
	p.o.BatchSize = int(p.fixed)
	return nil
}

// checkOutputs makes sure that no output has the same number of entries whatever the batch: such a
// one, as the names of the classes, holds nothing of a row, also where there are as many rows.
func (p *Predictor) checkOutputs() error {
	if p.o.NoBatch || p.fixed != 0 {
		return nil
	}
	for _, out := range p.f.outputs {
		if out.Role != "" || !out.Shape.Ranked() {
			continue
		}
		n := int64(-1)
		if out.Shape.Rank() > 0 {
			n = out.Shape.Dim(0)
		}
		if n != tensor.Unknown && n != int64(p.o.BatchSize) || out.Shape.Rank() == 0 {
			return &OutputError{Output: out.Name, Got: n, Always: true}
		}
	}
	return nil
}

// Predict runs the rows and yields one result for each, in the order of their row numbers, as
// batches finish. The rows must be as [Predictor.RowSpec] says; where a batching other than arrival
// is used, their numbers must be without gaps for results to flow before the end.
//
// An error ends the iteration, unless it is a row's own and SkipBadRows is set. A bad row is
// whatever error the dataset has for it, such as a *[dataset.SyntaxError]. When ctx is done,
// batches that have begun are finished and dropped, and the context's error is yielded.
func (p *Predictor) Predict(ctx context.Context, rows *dataset.Dataset) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		more := true
		err := p.predict(ctx, rows, func(b *resultBatch) error {
			for i := range b.Len() {
				r, err := b.result(i)
				if err != nil {
					return err
				}
				if more = yield(r, nil); !more {
					return errEnough
				}
			}
			return nil
		})
		if more && err != nil {
			yield(Result{}, err)
		}
	}
}

// errEnough ends an iteration whose consumer wants no more.
var errEnough = errors.New("enough")

// predict runs the rows and hands on the results in their order, many at a time where they come so.
// An error of emit's ends it and is returned.
func (p *Predictor) predict(ctx context.Context, rows *dataset.Dataset, emit func(*resultBatch) error) error {
	workCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	var reader, workers errgroup.Group
	jobs, done := make(chan *job, 1), make(chan *job, 1)
	var fault atomic.Pointer[crash.Error]
	guard := func(f func() error) error {
		err := crash.Guard(f)
		if e, ok := err.(*crash.Error); ok { //nolint:errorlint // Guard's own
			fault.CompareAndSwap(nil, e)
			cancel()
		}
		return err
	}
	reader.Go(func() error {
		defer close(jobs)
		return guard(func() error { return p.read(workCtx, rows, jobs) })
	})
	for range p.o.Workers * tf.Width(p.f.program) {
		workers.Go(func() error {
			return guard(func() error { return p.work(workCtx, jobs, done) })
		})
	}
	go func() {
		_ = workers.Wait() // the context's error, which is looked at below
		close(done)
	}()
	err := deliver(done, p.o.From, emit)
	cancel()
	for range done { //nolint:revive // the workers have to end before this function does
	}
	_ = reader.Wait()
	if e := fault.Load(); e != nil {
		return e
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// job is a batch on its way: read, then fed, run, and delivered. One without a call carries a row
// that could not be read, or the error that ends the iteration.
type job struct {
	seq     int64 // the order of reading
	inOrder bool  // no lower row comes in a later job, but for bad ones
	call    *call
	twin    *exactTwin // that the call is of, or was; nil: the signature itself
	info    *BatchInfo // nil where nobody asked
	resultBatch
	err error

	places func(i int) dataset.Place // where row i stands; nil: nobody knows
}

// place says where row i stands.
func (j *job) place(i int) (at dataset.Place) {
	if j.places != nil {
		at = j.places(i)
	}
	if at.File == "-" {
		at.File = "stdin"
	}
	return at
}

// send passes j on unless ctx is done.
func send(ctx context.Context, to chan<- *job, j *job) error {
	select {
	case to <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work runs jobs until there are no more.
func (p *Predictor) work(ctx context.Context, jobs <-chan *job, done chan<- *job) error {
	for j := range jobs {
		if j.call != nil {
			j.err = p.runJob(ctx, j)
		}
		if err := send(ctx, done, j); err != nil {
			return err
		}
	}
	return nil
}

// runJob runs a batch and checks that its outputs can be dealt to its rows.
func (p *Predictor) runJob(ctx context.Context, j *job) error {
	started := time.Now()
	c := j.call
	j.call = nil // its memory may go
	tensors, err := c.run(ctx)
	var died *ProcessError
	if errors.As(err, &died) {
		return p.salvage(ctx, j, c.loaded.(*isolate.Call), died)
	}
	if err != nil {
		return p.refused(ctx, j, c, err)
	}
	p.reportBatch(j.info, started)
	c.recycle()
	j.recycler = c.recycler
	return p.splitRows(j, tensors)
}

// splitRows gives the rows of a batch their values.
func (p *Predictor) splitRows(j *job, tensors []tensor.Tensor) (err error) {
	for i, out := range p.f.outputs {
		if out.labels != nil {
			if tensors[i], err = labelled(tensors[i], out.labels); err != nil {
				return fmt.Errorf("output %q: %w", out.Name, err)
			}
		}
	}
	j.names, j.values = assemble(p.f.outputs, tensors[:len(p.f.outputs)])
	if p.o.NoBatch {
		j.whole = true
		return nil
	}
	for k, v := range j.values {
		if err := p.checkRows(j.names[k], v, j.Len()); err != nil {
			return err
		}
	}
	if j.twin != nil {
		return j.twin.cut(&j.resultBatch, tensors)
	}
	return nil
}

// rowsError says which rows an error of a run concerns.
func rowsError(j *job, err error) error {
	var tfErr *Error
	var died *ProcessError
	if !errors.As(err, &tfErr) && !errors.As(err, &died) {
		return err
	}
	first, last := j.row(0), j.row(0)
	for i := range j.Len() {
		first, last = min(first, j.row(i)), max(last, j.row(i))
	}
	return &BatchError{First: first, Last: last, Err: err}
}

// BatchError is an error of TensorFlow's with the rows that were being run.
type BatchError struct {
	First, Last int64 // the lowest and the highest row number of the batch, counted from 0
	Err         error
}

// Error counts rows from 1, as people and editors do.
func (e *BatchError) Error() string {
	if e.First == e.Last {
		return fmt.Sprintf("row %d: %v", e.First+1, e.Err)
	}
	return fmt.Sprintf("rows %d to %d: %v", e.First+1, e.Last+1, e.Err)
}

// Unwrap returns TensorFlow's error.
func (e *BatchError) Unwrap() error { return e.Err }

// OutputError says that an output does not hold one entry for each row of the batch.
type OutputError struct {
	Output string
	Got    int64 // entries along the first axis, or -1 for a scalar
	Want   int64 // rows of the batch
	Always bool  // the signature says so, for any number of rows: Want is not set
}

// Error says what came and what was wanted.
func (e *OutputError) Error() string {
	switch {
	case e.Always && e.Got < 0:
		return fmt.Sprintf("output %q: a scalar, not one value for each row", e.Output)
	case e.Always:
		return fmt.Sprintf("output %q: has %d entries along its first axis whatever the number of rows, not one for each", e.Output, e.Got)
	}
	if e.Got < 0 {
		return fmt.Sprintf("output %q: a scalar, not one value for each of the batch's %d rows", e.Output, e.Want)
	}
	return fmt.Sprintf("output %q: %d entries along its first axis, not one for each of the batch's %d rows", e.Output, e.Got, e.Want)
}

// Hints says what to type instead.
func (e *OutputError) Hints() []string {
	if e.Always && e.Got == 1 {
		return []string{
			"if the model takes one row at a time: --batch-size 1",
			"or run one row at a time, each holding whole tensors: --no-batch",
		}
	}
	return []string{
		"leave this output out with --outputs, which names the ones to keep",
		"or run one row at a time, each holding whole tensors: --no-batch",
	}
}

// checkRows makes sure that an output has an entry for each row.
func (p *Predictor) checkRows(name string, v Value, rows int) error {
	want := int64(rows)
	if p.fixed > 0 {
		want = p.fixed
	}
	got, ok := v.rows()
	if !ok {
		got = -1
	}
	if got != want {
		return &OutputError{Output: name, Got: got, Want: want}
	}
	return nil
}
