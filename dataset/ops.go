package dataset

import (
	"context"
	"io"
	"math"

	"github.com/tfrun/tfrun/tensor"
)

// Take returns the first count elements: tf.data's take. A negative count takes all.
func (ds *Dataset) Take(count int64) *Dataset {
	if ds.err != nil {
		return ds
	}
	card := ds.card
	switch {
	case card == UnknownCardinality:
	case card == InfiniteCardinality:
		card = count
	case count != InfiniteCardinality:
		card = min(card, count)
	}
	return newDataset(ds.spec, card, func(o openOptions) (iterator, error) {
		if count == 0 {
			return nothing{}, nil
		}
		in, err := ds.open(o)
		if err != nil || count < 0 {
			return in, err
		}
		return &taken{in: in, left: count}, nil
	})
}

// nothing is the iterator of what leaves all elements out. As in TensorFlow, nothing is opened for
// it, not even to find out that it cannot be.
type nothing struct{}

func (nothing) next(context.Context, *Element) error { return io.EOF }
func (nothing) close()                               {}

type taken struct {
	in   iterator
	left int64
}

func (it *taken) next(ctx context.Context, e *Element) error {
	if it.left == 0 {
		return io.EOF
	}
	err := it.in.next(ctx, e)
	if err == nil {
		it.left--
	}
	return err
}

func (it *taken) close() { it.in.close() }

// Skip leaves the first count elements out: tf.data's skip. A negative count skips all.
func (ds *Dataset) Skip(count int64) *Dataset {
	if ds.err != nil {
		return ds
	}
	card := ds.card
	if card != InfiniteCardinality && card != UnknownCardinality {
		card = max(0, card-count)
		if count < 0 {
			card = 0
		}
	}
	return newDataset(ds.spec, card, func(o openOptions) (iterator, error) {
		if count < 0 {
			return nothing{}, nil
		}
		in, err := ds.open(o)
		if err != nil {
			return nil, err
		}
		return &skipped{in: in, count: count}, nil
	})
}

type skipped struct {
	in    iterator
	count int64 // still to skip
}

func (it *skipped) next(ctx context.Context, e *Element) error {
	if it.count > 0 {
		if err := skip(ctx, it.in, it.count, e); err != nil {
			return err
		}
		it.count = 0
	}
	return it.in.next(ctx, e)
}

func (it *skipped) close() { it.in.close() }

// skip reads n elements and drops them; e is scratch memory.
func skip(ctx context.Context, in iterator, n int64, e *Element) error {
	for i := range n {
		if i&1023 == 1023 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := in.next(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// Shard returns every numShards-th element, beginning with element index: tf.data's shard.
// numShards -1 is tf.data's hint for distribution strategies to shard automatically: its iterator
// fails with FailedPrecondition.
func (ds *Dataset) Shard(numShards, index int64) *Dataset {
	const op = "shard"
	if ds.err != nil {
		return ds
	}
	const hint = -1
	if numShards != hint {
		if numShards <= 0 {
			return failed(buildErr(InvalidArgument, op, "number of shards must be greater than zero (currently num_shards = %d)", numShards))
		}
		if index < 0 || index >= numShards {
			return failed(buildErr(InvalidArgument, op, "index must be between 0 and %d (currently index = %d)", numShards-1, index))
		}
	}
	card := ds.card
	if card != InfiniteCardinality && card != UnknownCardinality {
		n := card
		if card = n / numShards; index < n%numShards {
			card++
		}
	}
	return newDataset(ds.spec, card, func(o openOptions) (iterator, error) {
		if numShards == hint {
			return nil, runErr(FailedPrecondition, op, -1, -1, "`shard(SHARD_HINT, ...)` can only be used in distributed mode with auto-sharding: give a number of shards")
		}
		in, err := ds.open(o)
		if err != nil {
			return nil, err
		}
		return &sharded{in: in, shards: numShards, index: index}, nil
	})
}

type sharded struct {
	in            iterator
	shards, index int64
	// at counts the elements read, as tf.data does: those read before an error while skipping do
	// not count
	at int64
}

func (it *sharded) next(ctx context.Context, e *Element) error {
	if n := ((it.index-it.at)%it.shards + it.shards) % it.shards; n > 0 {
		if err := skip(ctx, it.in, n, e); err != nil {
			return err
		}
		it.at += n
	}
	err := it.in.next(ctx, e)
	if err == nil {
		it.at++
	}
	return err
}

func (it *sharded) close() { it.in.close() }

// Repeat iterates over the dataset count times: tf.data's repeat. A negative count repeats for
// ever; a dataset without elements, or with nothing but errors, ends even so.
func (ds *Dataset) Repeat(count int64) *Dataset {
	if ds.err != nil {
		return ds
	}
	card := ds.card
	switch {
	case count == 0 || count < 0 && card == 0:
		card = 0
	case count < 0:
		card = InfiniteCardinality
	case card > 0 && count > math.MaxInt64/card:
		card = math.MaxInt64
	case card != InfiniteCardinality && card != UnknownCardinality:
		card *= count
	}
	return newDataset(ds.spec, card, func(o openOptions) (iterator, error) {
		it := &repeated{ds: ds, opts: o, left: count}
		if count == 0 {
			return it, nil
		}
		// A first pass that cannot be opened is an error before any element, as in TensorFlow.
		return it, it.begin()
	})
}

type repeated struct {
	ds   *Dataset
	opts openOptions
	in   iterator
	left int64 // passes still to begin; negative: no end
	some bool  // the pass has given an element
}

// begin opens the next pass. Where it cannot be opened, the iteration ends, as it would without
// Repeat.
func (it *repeated) begin() error {
	in, err := it.ds.open(it.opts)
	if err != nil {
		it.left = 0
		return err
	}
	it.in, it.some = in, false
	it.left = max(it.left-1, -1)
	return nil
}

func (it *repeated) next(ctx context.Context, e *Element) error {
	for {
		if it.in == nil {
			if it.left == 0 {
				return io.EOF
			}
			if err := it.begin(); err != nil {
				return err
			}
		}
		err := it.in.next(ctx, e)
		if err != io.EOF { //nolint:errorlint // iterators return it bare
			it.some = it.some || err == nil
			return err
		}
		it.in.close()
		it.in = nil
		if it.left < 0 && !it.some {
			// A pass without elements would repeat for ever.
			it.left = 0
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// nextRows reads what is left of the pass in one call.
func (it *repeated) nextRows(ctx context.Context, rows []*Element) (int, error) {
	n := 0
	for n < len(rows) {
		if in, ok := it.in.(rowsIterator); ok {
			k, err := in.nextRows(ctx, rows[n:])
			n += k
			it.some = it.some || k > 0
			if err != nil && err != io.EOF { //nolint:errorlint // iterators return it bare
				return n, err
			}
			if n == len(rows) {
				break
			}
		}
		if err := it.next(ctx, rows[n]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (it *repeated) close() {
	if it.in != nil {
		it.in.close()
	}
}

// Enumerate numbers the elements from start on: tf.data's enumerate. Elements become pairs of an
// int64 scalar and what they were.
func (ds *Dataset) Enumerate(start int64) *Dataset {
	return Zip(Tuple(Leaf(Range(start, math.MaxInt64, 1).endless()), Leaf(ds)))
}

// endless gives a range the infinite cardinality that tf.data reports for enumerate.
func (ds *Dataset) endless() *Dataset {
	ds.card = InfiniteCardinality
	return ds
}

// Zip iterates over datasets side by side and ends with the shortest: tf.data.Dataset.zip. The
// elements have the structure of the datasets; their row numbers are those of the last dataset, so
// that Enumerate keeps them.
func Zip(datasets Nest[*Dataset]) *Dataset {
	flat := datasets.Flatten()
	card := InfiniteCardinality
	for _, ds := range flat {
		if ds.err != nil {
			return ds
		}
		switch {
		case card == UnknownCardinality || ds.card == InfiniteCardinality:
		case ds.card == UnknownCardinality || card == InfiniteCardinality:
			card = ds.card
		default:
			card = min(card, ds.card)
		}
	}
	return newDataset(graft(datasets), card, func(o openOptions) (iterator, error) {
		it := &zipped{rows: make([]Element, len(flat))}
		for _, ds := range flat {
			in, err := ds.open(o)
			if err != nil {
				it.close()
				return nil, err
			}
			it.ins = append(it.ins, in)
		}
		return it, nil
	})
}

// graft returns the structure with each dataset's spec in its place.
func graft(n Nest[*Dataset]) Spec {
	if n.IsLeaf() {
		return n.leaf.spec
	}
	s := Spec{kind: n.kind, keys: n.keys}
	for _, item := range n.items {
		s.items = append(s.items, graft(item))
	}
	return s
}

type zipped struct {
	ins  []iterator
	rows []Element
	done bool
}

func (it *zipped) next(ctx context.Context, e *Element) error {
	if it.done || len(it.ins) == 0 {
		return io.EOF
	}
	var first error
	for i, in := range it.ins {
		err := in.next(ctx, &it.rows[i])
		if err == io.EOF { //nolint:errorlint // iterators return it bare
			it.done = true
			if first == nil {
				first = err
			}
			return first
		}
		if err != nil && first == nil {
			// The other datasets move on all the same, so that the rows stay side by side.
			first = err
		}
	}
	if first != nil {
		return first
	}
	last := &it.rows[len(it.rows)-1]
	e.reset(last.Row)
	e.Rows, e.Extra = last.Rows, last.Extra
	for i := range it.rows {
		r := &it.rows[i]
		if r.Splits != nil && e.Splits == nil {
			e.Splits = make([][]tensor.Tensor, len(e.Tensors))
		}
		if e.Splits != nil {
			e.Splits = append(e.Splits, padSplits(r.Splits, len(r.Tensors))...)
		}
		e.Tensors = append(e.Tensors, r.Tensors...)
	}
	return nil
}

// padSplits returns the splits of n components, none where there are no splits at all.
func padSplits(s [][]tensor.Tensor, n int) [][]tensor.Tensor {
	if s == nil {
		return make([][]tensor.Tensor, n)
	}
	return s
}

func (it *zipped) close() {
	for _, in := range it.ins {
		in.close()
	}
}
