package runner

import (
	"context"
	"encoding/binary"
	"math/bits"
	"slices"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/crash"
)

// waiting are the rows that may share a batch, those that are due first at the front.
type waiting struct {
	key  string
	rows []*waiter
}

// waiter is a row that somebody waits for.
type waiter struct {
	row    dataset.Element // its number is its place in the batch once that has begun
	number int64           // that the caller gave it
	ctx    context.Context //nolint:containedctx // of the call that waits, beside those of the batch's other rows
	due    time.Time       // when its batch is to begin at the latest
	group  *waiting        // nil once the row has left it
	done   chan struct{}   // closed when the result is set
	result
}

type result struct {
	Result
	err error
}

// appendKey appends to key what says which rows may share a batch with this one: those with the
// same key.
func (b *Batcher) appendKey(key []byte, row dataset.Element) []byte {
	if !b.shares || b.alike {
		return key
	}
	if !b.any && (!b.padded || b.composite || b.apart != nil && b.apart(row)) {
		return append(append(key, 'e'), b.p.shapesOf(row)...)
	}
	key = append(key, 'p')
	for c, t := range row.Tensors {
		for axis, d := range t.Dims() {
			switch {
			case b.any:
				d = 0 // rows of one rank
			case b.p.open(c, axis):
				d = int64(bits.Len64(uint64(d))) // lengths of one doubling
			}
			key = binary.AppendVarint(key, d)
		}
		key = append(key, ',')
	}
	return key
}

// alike reports whether rows can have one shape only.
func (p *Predictor) alike() bool {
	return !slices.ContainsFunc(p.components, func(c dataset.Component) bool { return c.Ragged || !c.Shape.FullyKnown() })
}

// dueOf says when the batch of a row is to begin that comes now: after the wait that is allowed, or
// before, if the row has a deadline that a batch could miss. Of a batch that has never run half of
// the time is expected. b.mu is held.
func (b *Batcher) dueOf(ctx context.Context, now time.Time) time.Time {
	due := now.Add(b.o.MaxWait)
	deadline, ok := ctx.Deadline()
	if !ok {
		return due
	}
	takes := 2 * b.slowest
	if takes == 0 {
		takes = deadline.Sub(now) / 2
	}
	if last := deadline.Add(-takes); last.Before(due) {
		return last
	}
	return due
}

// add puts a row into the group of its key, and begins a batch if that makes one.
func (b *Batcher) add(w *waiter) error {
	var room [64]byte
	key := b.appendKey(room[:0], w.row)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	now := time.Now()
	w.due = b.dueOf(w.ctx, now)
	g := b.groups[string(key)]
	if g == nil {
		g = &waiting{key: string(key)}
		b.groups[g.key] = g
	}
	g.insert(w)
	switch {
	case b.free == 0: // the end of a batch looks again
	case b.ready(g, now):
		b.begin(g, now)
	default:
		b.wakeAt(g.rows[0].due)
	}
	return nil
}

// insert puts a row behind those that are due before it.
func (g *waiting) insert(w *waiter) {
	w.group = g
	i := len(g.rows)
	for i > 0 && w.due.Before(g.rows[i-1].due) {
		i--
	}
	g.rows = slices.Insert(g.rows, i, w)
}

// leave takes a row out of its group, if it is still there.
func (b *Batcher) leave(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Left++
	g := w.group
	if g == nil {
		return // a batch has the row
	}
	i := slices.Index(g.rows, w)
	g.rows = slices.Delete(g.rows, i, i+1)
	b.dropEmpty(g)
}

// dropEmpty removes a group that has no rows.
func (b *Batcher) dropEmpty(g *waiting) {
	if len(g.rows) == 0 {
		delete(b.groups, g.key)
	}
}

// ready reports whether a group's batch is to begin.
func (b *Batcher) ready(g *waiting, now time.Time) bool {
	return len(g.rows) >= b.maxRows() || b.closed || !now.Before(g.rows[0].due)
}

// dispatch begins as many batches as may run, and sets the timer for the next. The group whose
// first row is due first goes first. b.mu is held.
func (b *Batcher) dispatch() {
	now := time.Now()
	for b.free > 0 {
		var first *waiting
		next := time.Time{}
		for _, g := range b.groups {
			due := g.rows[0].due
			switch {
			case !b.ready(g, now):
				if next.IsZero() || due.Before(next) {
					next = due
				}
			case first == nil || due.Before(first.rows[0].due):
				first = g
			}
		}
		if first == nil {
			b.wakeAt(next)
			return
		}
		b.begin(first, now)
	}
}

// begin runs the next batch of a group, unless nobody waits for its rows any more. b.mu is held.
func (b *Batcher) begin(g *waiting, now time.Time) {
	rows := b.takeRows(g, now)
	if len(rows) == 0 {
		return
	}
	b.free--
	b.idle.Add(1)
	crash.Go(func() error { b.runRows(rows); return nil }, func(err error) { b.finish(rows, now, err) })
}

// maxRows returns the greatest number of rows of a batch.
func (b *Batcher) maxRows() int {
	if !b.shares {
		return 1
	}
	return b.o.MaxBatch
}

// wakeAt has dispatch look again at a time, unless that is zero or the timer fires before.
func (b *Batcher) wakeAt(at time.Time) {
	if at.IsZero() || !b.wake.IsZero() && !at.Before(b.wake) {
		return
	}
	b.wake = at
	if b.timer != nil {
		b.timer.Reset(time.Until(at))
		return
	}
	b.timer = time.AfterFunc(time.Until(at), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.wake = time.Time{}
		b.dispatch()
	})
}

// takeRows removes the rows of the next batch from a group, without those whose callers have
// stopped waiting. It may return no rows.
func (b *Batcher) takeRows(g *waiting, now time.Time) []*waiter {
	g.rows = slices.DeleteFunc(g.rows, func(w *waiter) bool {
		if w.late(now) {
			w.group = nil
		}
		return w.group == nil
	})
	n := min(len(g.rows), b.maxRows())
	rows := g.rows[:n:n]
	g.rows = slices.Clone(g.rows[n:])
	for _, w := range rows {
		w.group = nil
	}
	b.dropEmpty(g)
	return rows
}

// late reports whether the row's caller has stopped waiting, or is about to.
func (w *waiter) late(now time.Time) bool {
	deadline, ok := w.ctx.Deadline()
	return w.ctx.Err() != nil || ok && !now.Before(deadline)
}

// finish counts a batch that was run since a time, lets the next one begin, and wakes those who
// wait for the rows. If the run panicked, panicked is the error of the batch's rows.
func (b *Batcher) finish(rows []*waiter, since time.Time, panicked error) {
	defer b.idle.Done()
	bad := int64(0)
	for _, w := range rows {
		if panicked != nil {
			w.err = panicked
		}
		if w.err != nil {
			bad++
		}
	}
	b.mu.Lock()
	b.slowest = max(time.Since(since), b.slowest-b.slowest/8)
	b.stats.Batches++
	b.stats.Rows += int64(len(rows))
	b.stats.Bad += bad
	b.free++
	b.dispatch()
	b.mu.Unlock()
	for _, w := range rows {
		close(w.done)
	}
}
