package runner

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// inFlight bounds the batches that are on their way: read, run, or run and waiting for one that was
// read before them. Without it one slow batch lets those of the other workers pile up behind it,
// with their results and all that their rows keep.
type inFlight struct {
	room *semaphore.Weighted
	all  int64 // the room
	each int64 // what a batch takes that keeps nothing
}

// flightShare is the part of a batch's memory that the kept columns of all batches on their way may
// come to.
const flightShare = 4

// newInFlight returns the bounds for so many workers: some batches for each, that none has to wait,
// and a share of the memory of a batch for what they keep.
func newInFlight(workers int, batchBytes int64) *inFlight {
	batches := 4 * int64(workers+1)
	all := max(batchBytes/flightShare, batches)
	return &inFlight{room: semaphore.NewWeighted(all), all: all, each: all / batches}
}

// enter waits until there is room for a batch. One that needs more than there is goes alone.
func (f *inFlight) enter(ctx context.Context, j *job) error {
	j.weight = min(max(f.each, j.kept()), f.all)
	return f.room.Acquire(ctx, j.weight)
}

// leave says that a batch's results were delivered.
func (f *inFlight) leave(j *job) { f.room.Release(j.weight) }

// kept returns the bytes of what the rows of a batch keep.
func (b *ResultBatch) kept() (n int64) {
	for _, row := range b.extra {
		for _, x := range row {
			n += int64(len(x.Value))
		}
	}
	for i := range b.rows {
		for _, x := range b.rows[i].Extra {
			n += int64(len(x.Value))
		}
	}
	return n
}
