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

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/runner/internal/isolate"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// NewPredictor checks the options against the model. Errors are *[OptionError], *[NameError],
// *[BatchAxisError] and those of [Session.Function].
func (s *Session) NewPredictor(o PredictOptions) (*Predictor, error) {
	f, err := s.functionWith(o.Signature, o.Outputs, o.Heads, !o.NoBatch)
	if err != nil {
		return nil, err
	}
	if err := f.withSet(o.Sequences.Set, o.NoBatch); err != nil {
		return nil, err
	}
	p := &Predictor{f: f, given: o, o: o, counters: &counters{}, proven: &proven{}, parsers: &sync.Pool{}}
	p.outputs, _ = assemble(f.outputs, make([]tensor.Tensor, len(f.outputs)))
	if err := p.plan(); err != nil {
		return nil, err
	}
	p.fit = newFitter(p)
	return p, p.findTwin()
}

// plan works out the rows' spec, and how inputs are fed.
func (p *Predictor) plan() error {
	for _, step := range []func() error{p.settle, p.buildSpec, p.findFeatures, p.checkSequences, p.checkJSON} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// settle checks options, and fills in what they leave open.
func (p *Predictor) settle() error {
	if err := p.o.Limits.Validate(); err != nil {
		return &OptionError{Option: "Limits", Msg: err.Error()}
	}
	p.o.Limits = p.o.Limits.OrDefaults()
	if len(p.f.signature.Inputs) == 0 {
		p.o.NoBatch = true // there is one answer, and no rows
	}
	for _, check := range []func() error{p.checkNames, p.checkState, p.fixBatchSize, p.checkOutputs} {
		if err := check(); err != nil {
			return err
		}
	}
	if p.o.WindowMemory == 0 {
		p.o.WindowMemory = DefaultWindowMemory
	}
	if p.o.BatchSize == 0 {
		p.o.BatchSize = DefaultBatchSize
	}
	if p.o.Workers == 0 {
		p.o.Workers = DefaultWorkers
		if p.f.state.OrderShows() {
			p.o.Workers = 1
		}
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

// fixBatchSize finds the batch size that the signature fixes, if it does.
func (p *Predictor) fixBatchSize() error {
	p.fixed = 0
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
	if p.fixed == 0 && p.o.BatchSize == 0 && p.f.state.Stateful() {
		p.fixed = p.outputRows()
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

// outputRows returns the number of rows that the outputs fix, 0 where they fix none. For a model
// that keeps state this is the batch size even where the inputs leave it open: Keras 3 writes
// stateful layers so.
func (p *Predictor) outputRows() (n int64) {
	for _, out := range p.f.outputs {
		if out.Role == "" && out.Shape.Ranked() && out.Shape.Rank() > 0 && out.Shape.Dim(0) > 0 {
			n = out.Shape.Dim(0)
		}
	}
	return n
}

// checkOutputs refuses outputs that have the same number of entries whatever the batch. Such an
// output, the names of the classes for instance, has no entry for each row, even where a batch
// happens to have as many rows as it has entries.
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
// An error ends the iteration, unless it is a row's own and SkipBadRows is set. For a row that
// cannot be read it is the dataset's error, such as a *[dataset.SyntaxError]. When ctx is done,
// batches that have begun are finished and dropped, and the context's error is yielded.
func (p *Predictor) Predict(ctx context.Context, rows *dataset.Dataset) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		for b, err := range p.Batches(ctx, rows) {
			if err != nil {
				yield(Result{}, err)
				return
			}
			for i := range b.Len() {
				r, err := b.Result(i)
				if err != nil {
					yield(Result{}, err)
					return
				}
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// Batches is [Predictor.Predict] for callers that take many results at a time, such as writers of
// columns. It yields results in the order of the rows, a batch of rows or a part of one at a time.
func (p *Predictor) Batches(ctx context.Context, rows *dataset.Dataset) iter.Seq2[*ResultBatch, error] {
	return func(yield func(*ResultBatch, error) bool) {
		more := true
		err := p.predict(ctx, rows, func(b *ResultBatch) error {
			if more = yield(b, nil); !more {
				return errEnough
			}
			return nil
		})
		if more && err != nil {
			yield(nil, err)
		}
	}
}

// errEnough ends an iteration whose consumer wants no more.
var errEnough = errors.New("enough")

// predict runs the rows and hands their results to emit in order, a batch or a part of one at a
// time. It ends with the first error of emit, and returns that.
func (p *Predictor) predict(ctx context.Context, rows *dataset.Dataset, emit func(*ResultBatch) error) error {
	workCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	reader, workers := crash.NewGroup(), crash.NewGroup()
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
	width := p.o.Workers * tf.Width(p.f.program)
	flight := newInFlight(width, p.o.Limits.BatchBytes)
	reader.Go(func() error {
		defer close(jobs)
		return guard(func() error { return p.read(workCtx, rows, jobs, flight) })
	})
	for range width {
		workers.Go(func() error {
			return guard(func() error { return p.work(workCtx, jobs, done) })
		})
	}
	// an error is the context's, which is looked at below
	crash.Go(workers.Wait, func(error) { close(done) })
	err := deliver(done, p.o.From, p.delivered(emit), flight.leave)
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

// delivered returns emit, which tells the room of the results that it took.
func (p *Predictor) delivered(emit func(*ResultBatch) error) func(*ResultBatch) error {
	if p.o.Room == nil {
		return emit
	}
	return func(b *ResultBatch) error {
		rows := b.Len()
		err := emit(b)
		p.o.Room.Delivered(rows)
		return err
	}
}

// work runs jobs until there are no more.
func (p *Predictor) work(ctx context.Context, jobs <-chan *job, done chan<- *job) error {
	for j := range jobs {
		if j.call != nil {
			j.err = p.runJob(ctx, j)
			if p.o.Room != nil {
				p.o.Room.Fed(j.fed)
			}
		}
		if err := send(ctx, done, j); err != nil {
			return err
		}
	}
	return nil
}

// runJob runs a batch and checks that its outputs can be split among its rows.
func (p *Predictor) runJob(ctx context.Context, j *job) error {
	started := time.Now()
	c := j.call
	j.call = nil // its memory may go
	run := c.run
	if j.unhurried && p.f.session.o.Timeout == 0 {
		run = c.wait
	}
	tensors, err := run(ctx)
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
