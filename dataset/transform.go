package dataset

import (
	"context"
	"fmt"
	"io"

	"github.com/tfrun/tfrun/internal/crash"
)

// Map calls fn with each element and returns a dataset of the results, which must fit spec:
// tf.data's map. The zero spec stands for the dataset's own. fn may change the element it is given,
// but not the values of its tensors. Row and Extra stay unless fn sets them. An error of fn is
// yielded with the row's number, and the iteration may go on.
func (ds *Dataset) Map(spec Spec, fn func(Element) (Element, error)) *Dataset {
	if ds.err != nil {
		return ds
	}
	if spec.IsZero() {
		spec = ds.spec
	}
	spec = mapNest(spec, func(_ int, c Component) Component { c.stacked, c.undecodable = false, false; return c })
	comps := spec.Flatten()
	return ds.mapped(spec, func(e *Element) error {
		row := e.Row
		out, err := fn(*e)
		if err != nil {
			return fmt.Errorf("map: row %d: %w", row, err)
		}
		*e = out
		return checkElement("map", comps, e)
	})
}

// mapped returns a dataset of elements that were changed by change.
func (ds *Dataset) mapped(spec Spec, change func(*Element) error) *Dataset {
	return newDataset(spec, ds.card, func(o openOptions) (iterator, error) {
		in, err := ds.open(o)
		if err != nil {
			return nil, err
		}
		return &mapped{in: in, fn: func(e *Element) error {
			if err := ds.decodable(e); err != nil {
				return err
			}
			return change(e)
		}}, nil
	})
}

// mapped is the iterator of [Dataset.mapped].
type mapped struct {
	in iterator
	fn func(*Element) error
}

func (it *mapped) next(ctx context.Context, e *Element) error {
	if err := it.in.next(ctx, e); err != nil {
		return err
	}
	return it.fn(e)
}

func (it *mapped) close() { it.in.close() }

// Filter keeps the elements for which keep returns true: tf.data's filter. The element is valid
// during the call. An error of keep is yielded with the row's number, and the iteration may go on.
func (ds *Dataset) Filter(keep func(Element) (bool, error)) *Dataset {
	if ds.err != nil {
		return ds
	}
	return newDataset(ds.spec, UnknownCardinality, func(o openOptions) (iterator, error) {
		in, err := ds.open(o)
		if err != nil {
			return nil, err
		}
		return &filtered{ds: ds, in: in, keep: keep}, nil
	})
}

type filtered struct {
	ds   *Dataset // the input's
	in   iterator
	keep func(Element) (bool, error)
}

func (it *filtered) next(ctx context.Context, e *Element) error {
	for {
		if err := it.in.next(ctx, e); err != nil {
			return err
		}
		if err := it.ds.decodable(e); err != nil {
			return err
		}
		ok, err := it.keep(*e)
		if err != nil {
			return fmt.Errorf("filter: row %d: %w", e.Row, err)
		}
		if ok {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func (it *filtered) close() { it.in.close() }

// Prefetch reads up to bufferSize elements ahead in a goroutine of its own, while the consumer
// works on what it has: tf.data's prefetch. -1 lets the library choose, as tf.data.AUTOTUNE does; 0
// reads nothing ahead. Closing the iteration ends the goroutine and waits for it.
func (ds *Dataset) Prefetch(bufferSize int64) *Dataset {
	const op = "prefetch"
	const autotune, autotuned = -1, 2
	switch {
	case ds.err != nil:
		return ds
	case bufferSize < autotune:
		return failed(buildErr(InvalidArgument, op, "buffer_size must be >= 0 or set buffer_size to be -1 for auto-tuning, got %d", bufferSize))
	case bufferSize == autotune:
		bufferSize = autotuned
	case bufferSize == 0:
		return newDataset(ds.spec, ds.card, ds.open)
	}
	return newDataset(ds.spec, ds.card, func(openOptions) (iterator, error) {
		in, err := ds.open(openOptions{keep: true})
		if err != nil {
			return nil, err
		}
		return &prefetched{in: in, size: int(min(bufferSize, maxPrefetch))}, nil
	})
}

// maxPrefetch bounds the channel that prefetched elements wait in.
const maxPrefetch = 1 << 16

type prefetched struct {
	in     iterator
	size   int
	items  chan prefetchItem
	cancel context.CancelFunc
	done   chan struct{}
	ended  bool
}

type prefetchItem struct {
	e   Element
	err error
}

func (it *prefetched) next(ctx context.Context, e *Element) error {
	if it.ended {
		return io.EOF
	}
	if it.items == nil {
		it.start(ctx)
	}
	select {
	case item, ok := <-it.items:
		if !ok {
			it.ended = true
			return io.EOF
		}
		if item.err != nil {
			return item.err
		}
		e.set(&item.e)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start starts the reading goroutine. The goroutine outlives this call of next, so it has a context
// of its own, which close ends.
func (it *prefetched) start(ctx context.Context) {
	ctx, it.cancel = context.WithCancel(context.WithoutCancel(ctx))
	it.items = make(chan prefetchItem, it.size)
	it.done = make(chan struct{})
	crash.Go(func() error { return it.read(ctx) }, func(err error) {
		if err != nil { // a panic
			it.hand(ctx, prefetchItem{err: err})
		}
		close(it.items)
		close(it.done)
	})
}

// read reads elements until there are none left, or until the iteration is closed.
func (it *prefetched) read(ctx context.Context) error {
	for {
		var item prefetchItem
		item.err = it.in.next(ctx, &item.e)
		if item.err == io.EOF || !it.hand(ctx, item) { //nolint:errorlint // iterators return it bare
			return nil
		}
	}
}

// hand sends an item to the consumer. It reports false if the iteration was closed meanwhile.
func (it *prefetched) hand(ctx context.Context, item prefetchItem) bool {
	select {
	case it.items <- item:
		return true
	case <-ctx.Done():
		return false
	}
}

func (it *prefetched) close() {
	if it.cancel != nil {
		it.cancel()
		<-it.done
	}
	it.in.close()
}

// InterleaveOptions are the arguments of interleave beside the function.
type InterleaveOptions struct {
	// CycleLength is the number of inputs that are open at a time. 0: 16.
	CycleLength int
	// BlockLength is the number of elements taken from one input before the next one has its turn.
	// 0: 1.
	BlockLength int
}

// Interleave calls fn with each element, a file's name say, and takes elements from the returned
// datasets in turn: tf.data's interleave. spec is the spec of those datasets. Rows are numbered
// anew, in the order of the result. An input that cannot be opened is an error, after which the
// iteration goes on with the others.
func (ds *Dataset) Interleave(spec Spec, fn func(Element) *Dataset, opts InterleaveOptions) *Dataset {
	const op = "interleave"
	if ds.err != nil {
		return ds
	}
	if opts.CycleLength < 0 || opts.BlockLength < 0 {
		return failed(buildErr(InvalidArgument, op, "`cycle_length` and `block_length` must be greater than zero"))
	}
	if opts.CycleLength == 0 {
		opts.CycleLength = 16
	}
	opts.BlockLength = max(opts.BlockLength, 1)
	return newDataset(spec, UnknownCardinality, func(o openOptions) (iterator, error) {
		in, err := ds.open(openOptions{})
		if err != nil {
			return nil, err
		}
		return &interleaved{in: in, spec: spec, fn: fn, o: o, block: opts.BlockLength, cycle: make([]iterator, opts.CycleLength)}, nil
	})
}

type interleaved struct {
	in    iterator
	spec  Spec
	fn    func(Element) *Dataset
	o     openOptions
	block int
	cycle []iterator // nil entries: no input is open there
	at    int        // index of the input whose turn it is
	given int        // elements taken in this turn
	open  int
	end   bool // the outer input has ended
	row   int64
	e     Element
}

func (it *interleaved) next(ctx context.Context, e *Element) error {
	for !it.end || it.open > 0 {
		if it.cycle[it.at] == nil {
			if it.end {
				it.turn()
				continue
			}
			if err := it.openNext(ctx); err != nil {
				return err
			}
			continue
		}
		err := it.cycle[it.at].next(ctx, e)
		switch {
		case err == io.EOF: //nolint:errorlint // iterators return it bare
			it.cycle[it.at].close()
			it.cycle[it.at] = nil
			it.open--
			it.turn()
			continue
		case err != nil:
			return err
		}
		e.Row, e.Rows = it.row, nil
		it.row++
		if it.given++; it.given == it.block {
			it.turn()
		}
		return nil
	}
	return io.EOF
}

// turn moves on to the next input.
func (it *interleaved) turn() {
	it.at, it.given = (it.at+1)%len(it.cycle), 0
}

// openNext opens an input for a place of the cycle that has none.
func (it *interleaved) openNext(ctx context.Context) error {
	err := it.in.next(ctx, &it.e)
	if err == io.EOF { //nolint:errorlint // iterators return it bare
		it.end = true
		return nil
	}
	if err != nil {
		return err
	}
	ds := it.fn(it.e)
	if ds.err != nil {
		return ds.err
	}
	if !equalSpecs(ds.spec, it.spec) {
		return runErr(InvalidArgument, "interleave", -1, it.e.Row, "the function's dataset has the spec %v, want %v", ds.spec, it.spec)
	}
	in, err := ds.open(it.o)
	if err != nil {
		return err
	}
	it.cycle[it.at] = in
	it.open++
	return nil
}

func (it *interleaved) close() {
	for _, in := range it.cycle {
		if in != nil {
			in.close()
		}
	}
	it.in.close()
}
