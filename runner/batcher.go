package runner

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel/padding"
)

// BatcherOptions says how rows of many goroutines share batches. The zero value works.
type BatcherOptions struct {
	// MaxBatch is the most rows of a batch. 0 means the predictor's batch size. Where as many
	// goroutines call again and again as a batch has rows, all of them wait for one batch: with
	// half of that, two batches run at a time, and small models a fifth more rows.
	MaxBatch int
	// MaxWait is how long a row waits for others while it could run. 0 means not at all: rows
	// gather while earlier batches run. A row whose context has a deadline waits no longer than
	// leaves twice the time that the slowest of the last batches took, so that it is answered
	// before its deadline where that can be done.
	MaxWait time.Duration
	// Runs is the number of batches that run at the same time. 0 means the predictor's workers.
	Runs int
}

// BatcherStats counts what a [Batcher] has done.
type BatcherStats struct {
	Rows    int64 // that were run
	Batches int64 // in which they were run
	Bad     int64 // rows that failed
	Left    int64 // rows whose callers did not wait for them
}

// Batcher runs single rows of many goroutines in shared batches, for a server whose requests bring
// one row each. A row that TensorFlow refuses fails alone.
//
// Each row gets the answer that the row gets alone. What is known of padding decides which rows
// share a batch: rows of like length where the graph proves that padding changes nothing, or where
// a predictor with [Exact] batching keeps padding out of the answers; else rows of equal shapes.
// Where the graph does not prove that other rows change nothing, each row runs by itself. A
// predictor with [Arrival] batching asks for none of this: any rows share a batch, padded to the
// longest.
//
// All methods may be called from many goroutines. While no row waits, a Batcher has no goroutine.
type Batcher struct {
	p      *Predictor
	o      BatcherOptions
	padder *dataset.Padder // nil where only a predictor's iteration makes batches of the rows

	shares bool // rows may share a batch at all
	padded bool // of unequal length, too
	any    bool // of any length
	alike  bool // all rows have one shape
	// composite: rows hold ragged or sparse values, which are not padded, but a model may do that.
	composite bool
	apart     func(dataset.Element) bool // rows that share with their equals alone; may be nil

	mu      sync.Mutex
	groups  map[string]*waiting // of which none is empty
	free    int                 // runs that may begin
	slowest time.Duration       // that a batch took, with less weight the longer ago; 0: none did
	closed  bool
	timer   *time.Timer
	wake    time.Time // when the timer fires; zero: it is not set
	stats   BatcherStats
	idle    sync.WaitGroup // of batches that run
}

// NewBatcher returns a batcher of the predictor's signature. The caller closes it. Errors are
// *[OptionError].
func (p *Predictor) NewBatcher(o BatcherOptions) (*Batcher, error) {
	switch {
	case o.MaxBatch < 0 || o.Runs < 0 || o.MaxWait < 0:
		return nil, &OptionError{Option: "MaxBatch, MaxWait, Runs", Msg: "want numbers ≥ 0"}
	case p.fixed > 0 && int64(o.MaxBatch) > p.fixed:
		return nil, &OptionError{Option: "MaxBatch", Msg: "the signature fixes the batch to fewer rows"}
	}
	if o.MaxBatch == 0 {
		o.MaxBatch = p.o.BatchSize
	}
	if o.Runs == 0 || p.f.state.Stateful() {
		o.Runs = p.o.Workers
	}
	b := &Batcher{o: o, groups: map[string]*waiting{}, free: o.Runs}
	b.p = p.with(func(po *PredictOptions) {
		po.Batching, po.BatchSize, po.Workers, po.SkipBadRows = Arrival, o.MaxBatch, 1, true
		po.From, po.Shard, po.Shards, po.Stats = 0, 0, 0, nil
	})
	b.alike, b.composite = p.alike(), p.composites()
	if !b.p.f.state.Keeps() && b.p.f.compiler == nil {
		b.p.fed = &tf.Recycler{}
	}
	if !p.o.NoBatch && p.o.MaxTokens == 0 {
		// Shapes that a batch cannot be planned for need a look at the rows first.
		b.padder, _ = dataset.NewPadder(p.spec, b.p.batchOptions(dataset.Arrival))
	}
	switch company, padded := p.proofs(); {
	case p.o.NoBatch || p.f.state.Stateful():
	case p.o.Batching == Arrival:
		b.shares, b.padded, b.any = true, true, true
	case company.Answer != padding.Independent:
	case padded.Answer == padding.Independent:
		b.shares, b.padded = true, true
		b.apart = p.isAlone(padded.Needs)
	case p.twin != nil:
		b.shares, b.padded = true, true
		b.apart = p.isAlone(p.twin.Needs)
		b.p.using = p.twin
	default:
		b.shares = true
	}
	return b, nil
}

// Run runs one row together with rows of other callers, and returns the row's result. The row is
// one that [Predictor.Row] or [Predictor.ParseRow] made, and its tensors must not change until Run
// returns, nor later where it returns the context's error: a batch that has begun reads on. The
// result shares memory with those of the batch's other rows, and nothing else uses that memory: a
// caller that keeps a small part of it for long copies the part.
//
// Errors are those of the row alone: *[FeedError] where the row does not fit the signature,
// *[RowError] where the model does not run it, [ErrClosed], and the context's. When the context is
// done, Run returns at once, and a row that still waits is not run.
func (b *Batcher) Run(ctx context.Context, row dataset.Element) (Result, error) {
	if err := b.p.checkRow(row); err != nil {
		return Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	w := &waiter{row: row, number: row.Row, ctx: ctx, done: make(chan struct{})}
	if err := b.add(w); err != nil {
		return Result{}, err
	}
	select {
	case <-w.done:
		if _, ok := ctx.Deadline(); ok && errors.Is(w.err, context.DeadlineExceeded) {
			<-ctx.Done() // the batch's deadline is the caller's or a later one
			return Result{}, ctx.Err()
		}
		return w.Result, w.err
	case <-ctx.Done():
		b.leave(w)
		return Result{}, ctx.Err()
	}
}

// Close returns when all rows that wait or run have their results. [Batcher.Run] returns
// [ErrClosed] from then on.
func (b *Batcher) Close() {
	b.mu.Lock()
	b.closed = true
	b.dispatch()
	if b.timer != nil {
		b.timer.Stop()
	}
	b.mu.Unlock()
	b.idle.Wait()
}

// Stats returns the counts so far. The row of a [Batcher.Run] that has returned its result is among
// them.
func (b *Batcher) Stats() BatcherStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}
