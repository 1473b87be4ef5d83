package runner

import (
	"context"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/savedmodel/padding"
)

// BatcherOptions says how rows of many goroutines share batches. The zero value works.
type BatcherOptions struct {
	// MaxBatch is the most rows of a batch. 0 means the predictor's batch size.
	MaxBatch int
	// MaxWait is how long a row waits for others while it could run. 0 means not at all: rows
	// gather while earlier batches run.
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
	p *Predictor
	o BatcherOptions

	shares bool                       // rows may share a batch at all
	padded bool                       // of unequal length, too
	any    bool                       // of any length
	apart  func(dataset.Element) bool // rows that share with their equals alone; may be nil

	mu     sync.Mutex
	groups map[string]*waiting // of which none is empty
	free   int                 // runs that may begin
	closed bool
	timer  *time.Timer // set for the first row that will have waited long enough
	stats  BatcherStats
	idle   sync.WaitGroup // of batches that run
}

// waiting are the rows that may share a batch, in the order in which they came.
type waiting struct {
	key  string
	rows []*waiter
}

// waiter is a row that somebody waits for.
type waiter struct {
	row   dataset.Element
	ctx   context.Context //nolint:containedctx // of the call that waits, beside those of the batch's other rows
	since time.Time
	done  chan struct{} // closed when result and err are set
	result
}

type result struct {
	Result
	err error
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
// returns.
//
// Errors are those of the row alone: *[FeedError] where the row does not fit the signature,
// *[RowError] where the model does not run it, [ErrClosed], and the context's. When the context is
// done, Run returns at once, and a row that still waits is not run.
func (b *Batcher) Run(ctx context.Context, row dataset.Element) (Result, error) {
	if err := b.p.checkRow(row); err != nil {
		return Result{}, err
	}
	w := &waiter{row: row, ctx: ctx, since: time.Now(), done: make(chan struct{})}
	key := b.key(row)
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	if err := b.add(key, w); err != nil {
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
		b.leave(key, w)
		return Result{}, ctx.Err()
	}
}

// Close returns when all rows that wait or run have their results. [Batcher.Run] returns
// [ErrClosed] from then on.
func (b *Batcher) Close() {
	b.mu.Lock()
	b.closed = true
	b.dispatch()
	b.mu.Unlock()
	b.idle.Wait()
}

// Stats returns the counts so far.
func (b *Batcher) Stats() BatcherStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}

// key says which rows may share a batch with this one: those with the same key.
func (b *Batcher) key(row dataset.Element) string {
	if !b.shares {
		return ""
	}
	exact := !b.padded || b.apart != nil && b.apart(row)
	key := []byte{'p'}
	if exact {
		key[0] = 'e'
	}
	for c, t := range row.Tensors {
		open := b.p.openAxes(c, t)
		for axis, d := range t.Dims() {
			switch {
			case b.any:
				d = 0 // rows of one rank
			case !exact && slices.Contains(open, axis):
				d = int64(bits.Len64(uint64(d))) // lengths of one doubling
			}
			key = binary.AppendVarint(key, d)
		}
		key = append(key, ',')
	}
	return string(key)
}

// add puts a row into the group of its key.
func (b *Batcher) add(key string, w *waiter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	g := b.groups[key]
	if g == nil {
		g = &waiting{key: key}
		b.groups[key] = g
	}
	g.rows = append(g.rows, w)
	b.dispatch()
	return nil
}

// leave takes a row out of its group, if it is still there.
func (b *Batcher) leave(key string, w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Left++
	g := b.groups[key]
	if g == nil {
		return
	}
	if i := slices.Index(g.rows, w); i >= 0 {
		g.rows = slices.Delete(g.rows, i, i+1)
		b.dropEmpty(g)
	}
}

// dropEmpty removes a group that has no rows.
func (b *Batcher) dropEmpty(g *waiting) {
	if len(g.rows) == 0 {
		delete(b.groups, g.key)
	}
}

// dispatch begins as many batches as may run, and sets the timer for the next. The group whose
// first row has waited longest goes first. b.mu is held.
func (b *Batcher) dispatch() {
	for b.free > 0 {
		next := time.Duration(-1)
		var first *waiting
		for _, g := range b.groups {
			left := b.o.MaxWait - time.Since(g.rows[0].since)
			switch {
			case left > 0 && len(g.rows) < b.maxRows() && !b.closed:
				if next < 0 || left < next {
					next = left
				}
			case first == nil || g.rows[0].since.Before(first.rows[0].since):
				first = g
			}
		}
		if first == nil {
			b.wake(next)
			return
		}
		if rows := b.takeRows(first); len(rows) > 0 {
			b.free--
			b.idle.Add(1)
			var bad int64
			crash.Go(func() error {
				bad = b.runRows(rows)
				return nil
			}, func(err error) { b.finish(rows, bad, err) })
		}
	}
}

// maxRows returns the greatest number of rows of a batch.
func (b *Batcher) maxRows() int {
	if !b.shares {
		return 1
	}
	return b.o.MaxBatch
}

// wake has dispatch look again after d, where d is not negative.
func (b *Batcher) wake(d time.Duration) {
	switch {
	case d < 0:
	case b.timer == nil:
		b.timer = time.AfterFunc(d, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.dispatch()
		})
	default:
		b.timer.Reset(d)
	}
}

// takeRows removes the rows of the next batch from a group, without those whose callers have
// stopped waiting. It may return no rows.
func (b *Batcher) takeRows(g *waiting) (rows []*waiter) {
	g.rows = slices.DeleteFunc(g.rows, (*waiter).late)
	n := min(len(g.rows), b.maxRows())
	rows = slices.Clone(g.rows[:n])
	g.rows = slices.Delete(g.rows, 0, n)
	b.dropEmpty(g)
	return rows
}

// late reports whether the row's caller has stopped waiting, or is about to.
func (w *waiter) late() bool {
	deadline, ok := w.ctx.Deadline()
	return w.ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// fail ends the wait for a row with an error, unless the row has its result already.
func (w *waiter) fail(err error) {
	select {
	case <-w.done:
	default:
		w.err = err
		close(w.done)
	}
}

// finish counts a batch that was run, and lets the next one begin. If the run panicked, panicked is
// the error of the batch's rows.
func (b *Batcher) finish(rows []*waiter, bad int64, panicked error) {
	defer b.idle.Done()
	if panicked != nil {
		bad = int64(len(rows))
		for _, w := range rows {
			w.fail(panicked)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Batches++
	b.stats.Rows += int64(len(rows))
	b.stats.Bad += bad
	b.free++
	b.dispatch()
}

// contextOf returns the context of a batch: it is done at the last of its rows' deadlines. A caller
// who leaves before that does not end the batch, since TensorFlow runs it to its end anyway.
func contextOf(rows []*waiter) (context.Context, context.CancelFunc) {
	last := time.Time{}
	for _, w := range rows {
		deadline, ok := w.ctx.Deadline()
		if !ok {
			last = time.Time{}
			break
		}
		if deadline.After(last) {
			last = deadline
		}
	}
	if last.IsZero() {
		return context.WithCancel(context.Background())
	}
	return context.WithDeadline(context.Background(), last)
}

// runRows runs rows as one batch and wakes those who wait for them. It returns how many failed.
func (b *Batcher) runRows(rows []*waiter) (bad int64) {
	ctx, cancel := contextOf(rows)
	defer cancel()
	elements := make([]dataset.Element, len(rows))
	for i, w := range rows {
		elements[i] = w.row
	}
	results, err := b.p.collectInOrder(ctx, elements)
	for i, w := range rows {
		if w.err = err; err == nil {
			w.Result, w.err = results[i], results[i].Err
		}
		w.Row = w.row.Row
		var row *RowError
		var syntax *dataset.SyntaxError
		var batch *BatchError
		switch { // the caller knows no row's number
		case errors.As(w.err, &row):
			w.err = &RowError{Row: -1, Input: row.Input, Value: row.Value, Err: row.Err}
		case errors.As(w.err, &syntax):
			w.err = &dataset.SyntaxError{Row: -1, Field: syntax.Field, Msg: syntax.Msg, Err: syntax.Err}
		case errors.As(w.err, &batch):
			w.err = batch.Err
		}
		if w.err != nil {
			bad++
		}
		close(w.done)
	}
	return bad
}
