package dataset

import (
	"context"
	"io"
	"sync/atomic"
)

// Peek reads the first n elements, or all if there are fewer, and returns them in memory of their
// own, with a dataset that begins with them and goes on with the rest. It serves a consumer that
// has to look at its rows before it can say what to do with them, and whose source (a pipe) cannot
// be read twice. The returned dataset is iterated once at most; it must be iterated, or
// [Dataset.Iterator] closed on it, for the source to be closed. An error met while peeking is not
// returned here but yielded in its place by the iteration. Where most rows are bad, or come to more
// than 64 MiB with what they carry, fewer elements are returned than there are; what they carry
// (Extra) is not returned.
func (ds *Dataset) Peek(ctx context.Context, n int) ([]Element, *Dataset) {
	if ds.err != nil {
		return nil, ds
	}
	in, err := ds.open(openOptions{keep: true})
	if err != nil {
		return nil, failed(positioned(err, AtIterator))
	}
	p := &peeked{in: in}
	var first []Element
	size := 0
	for len(first) < n && len(p.queue)/badRowsFor < n && size <= peekBytes {
		var e Element
		err := in.next(ctx, &e)
		if err == io.EOF { //nolint:errorlint // iterators return it bare
			break
		}
		p.queue = append(p.queue, peek{e: e, err: err})
		if err != nil && ctx.Err() != nil {
			break
		}
		if err == nil {
			size += e.Size()
			e.Extra = nil
			first = append(first, e.Clone())
		}
	}
	var used atomic.Bool
	return first, newDataset(ds.spec, ds.card, func(openOptions) (iterator, error) {
		if used.Swap(true) {
			return nil, runErr(FailedPrecondition, "peek", -1, -1, "a dataset that was peeked into can be iterated only once")
		}
		return p, nil
	})
}

// badRowsFor is how many rows are looked at, good and bad, for each that is wanted. A file may hold
// billions of bad rows and nothing else.
const badRowsFor = 4

// peekBytes is how much the rows may come to that are looked at.
const peekBytes = 64 << 20

type peek struct {
	e   Element
	err error
}

// peeked yields what was read beforehand, then the rest of the iterator.
type peeked struct {
	in    iterator
	queue []peek
}

func (p *peeked) next(ctx context.Context, e *Element) error {
	if len(p.queue) == 0 {
		return p.in.next(ctx, e)
	}
	head := p.queue[0]
	p.queue = p.queue[1:]
	if head.err != nil {
		return head.err
	}
	e.set(&head.e)
	return nil
}

func (p *peeked) close() { p.in.close() }
