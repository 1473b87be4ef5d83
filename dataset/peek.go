package dataset

import (
	"context"
	"io"
	"sync/atomic"
)

// Peek reads the first n elements, or all if there are fewer, and returns copies of them, and a
// dataset that begins with these elements and goes on with the rest. It serves a consumer that has
// to look at its rows before it can say what to do with them, and whose source, a pipe say, cannot
// be read twice.
//
// The returned dataset can be iterated once. It must be iterated, or [Dataset.Iterator] closed on
// it, for the source to be closed. An error met while peeking is not returned here; the iteration
// yields it in its place.
//
// Fewer than n elements come back where most rows are bad, or where the elements with their Extra
// take more than 64 MiB. The copies have no Extra.
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

// badRowsFor is how many rows, good and bad, Peek reads at most for each row that is wanted: a file
// may hold billions of bad rows and nothing else.
const badRowsFor = 4

// peekBytes bounds the memory of the rows that Peek reads.
const peekBytes = 64 << 20

type peek struct {
	e   Element
	err error
}

// peeked is the iterator of Peek's dataset: the rows read beforehand, then the rest.
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
