package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Cardinalities of datasets that have no count.
const (
	InfiniteCardinality int64 = -1
	UnknownCardinality  int64 = -2
)

// Dataset is a lazy sequence of elements of one [Spec]: tf.data.Dataset. Nothing is read before it
// is iterated, and each iteration starts anew. A Dataset is immutable and may be used from many
// goroutines.
//
// A method that cannot build what it is asked for returns a Dataset that holds the error: see
// [Dataset.Err].
type Dataset struct {
	spec  Spec
	comps []Component // spec, flattened
	card  int64
	err   error
	open  func(openOptions) (iterator, error)
}

// openOptions says how the consumer of an iterator uses its elements.
type openOptions struct {
	// keep: elements must stay valid after the following call of next. Without it an iterator may
	// reuse their memory.
	keep bool
}

// iterator is the pull side of a dataset.
type iterator interface {
	// next sets e to the next element, reusing e's Tensors slice but not what its tensors refer to.
	// It returns io.EOF at the end; after any other error it may be called again and goes on where
	// tf.data does.
	next(ctx context.Context, e *Element) error
	// close ends the iterator and waits for what it started. It may be called once.
	close()
}

// rowsIterator is an iterator that can give many elements in one call, which spares the calls where
// elements are small.
type rowsIterator interface {
	// nextRows sets elements from the first on and returns their number. If it is less than asked
	// for, the error says why; as with next, the call after an error goes on.
	nextRows(ctx context.Context, rows []*Element) (int, error)
}

// newDataset returns a dataset with the given spec.
func newDataset(spec Spec, card int64, open func(openOptions) (iterator, error)) *Dataset {
	return &Dataset{spec: spec, comps: spec.Flatten(), card: card, open: open}
}

// Failed returns a dataset that holds nothing but the error. Functions outside the package that
// make datasets report their errors with it, as the package's own functions do.
func Failed(err error) *Dataset { return failed(err) }

func failed(err error) *Dataset { return &Dataset{err: err, card: UnknownCardinality} }

// Err returns the error met while the dataset was built, or nil. It is also what iterating the
// dataset yields.
func (ds *Dataset) Err() error { return ds.err }

// ElementSpec returns the structure of the elements. It is the zero Spec when the dataset has an
// error.
func (ds *Dataset) ElementSpec() Spec { return ds.spec }

// Cardinality returns the number of elements if it is known beforehand, otherwise
// [InfiniteCardinality] or [UnknownCardinality], by the same static rules as tf.data's
// cardinality(). As there, take of a negative count other than -1 reports that count.
func (ds *Dataset) Cardinality() int64 { return ds.card }

// All iterates over the elements. Each is valid until the next one is asked for: use
// [Element.Clone] to keep it, or [Dataset.Collect].
//
// A failure is yielded as an error with a zero Element. A consumer that goes on after it gets what
// follows, as far as tf.data can go on too; one that only wants whole passes returns at the first
// error. When ctx is done its error is yielded and the iteration ends.
func (ds *Dataset) All(ctx context.Context) iter.Seq2[Element, error] {
	return func(yield func(Element, error) bool) {
		it := ds.Iterator()
		defer it.Close()
		for {
			e, err := it.Next(ctx)
			if err == io.EOF { //nolint:errorlint // Next returns it bare
				return
			}
			if !yield(e, err) || it.done {
				return
			}
		}
	}
}

// Collect returns all elements, each in memory of its own, up to the first error.
func (ds *Dataset) Collect(ctx context.Context) ([]Element, error) {
	it := ds.iterator(openOptions{keep: true})
	defer it.Close()
	var out []Element
	for {
		it.e = Element{}
		e, err := it.Next(ctx)
		switch {
		case err == io.EOF: //nolint:errorlint // Next returns it bare
			return out, nil
		case err != nil:
			return out, err
		}
		out = append(out, e)
	}
}

// Iterator is [Dataset.All] as an object, for a consumer that cannot be the body of a loop. It must
// be closed, and used by one goroutine at a time.
type Iterator struct {
	ds     *Dataset
	opts   openOptions
	it     iterator
	e      Element
	n      int64 // elements returned
	done   bool
	closed bool
}

// Iterator returns an iterator at the first element. An error of creating it is returned by the
// first Next.
func (ds *Dataset) Iterator() *Iterator { return ds.iterator(openOptions{}) }

func (ds *Dataset) iterator(opts openOptions) *Iterator { return &Iterator{ds: ds, opts: opts} }

// Next returns the next element, valid until Next is called again, or io.EOF after the last. After
// another error Next may be called again to go on where tf.data can; an error of building the
// dataset, of creating the iterator or of ctx is final, and io.EOF follows it.
func (it *Iterator) Next(ctx context.Context) (Element, error) {
	if it.done || it.closed {
		return Element{}, io.EOF
	}
	if err := ctx.Err(); err != nil {
		it.done = true
		return Element{}, err
	}
	if it.it == nil {
		if err := it.start(); err != nil {
			it.done = true
			return Element{}, err
		}
	}
	err := it.it.next(ctx, &it.e)
	switch {
	case err == nil:
		if err = it.ds.decodable(&it.e); err == nil {
			it.n++
			return it.e, nil
		}
	case err == io.EOF: //nolint:errorlint // iterators return it bare
		it.done = true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		it.done = true
	}
	return Element{}, positioned(err, it.n)
}

func (it *Iterator) start() error {
	if it.ds.err != nil {
		return it.ds.err
	}
	in, err := it.ds.open(it.opts)
	if err != nil {
		return positioned(err, AtIterator)
	}
	it.it = in
	return nil
}

// Close releases what the iterator holds, its goroutines included. It may be called more than once.
func (it *Iterator) Close() {
	if it.it != nil && !it.closed {
		it.it.close()
	}
	it.closed = true
}

// decodable says whether tf.data can hand the element to Python code.
func (ds *Dataset) decodable(e *Element) error {
	for i, c := range ds.comps {
		if c.undecodable && c.RaggedRank > 0 {
			return runErr(InvalidArgument, "ragged_batch", i, e.Row, "component %d: expected row_splits Tensor dtype: int32, found: int64", i)
		}
	}
	return nil
}

// checkElement says what is wrong with an element for the components, or nil.
func checkElement(op string, comps []Component, e *Element) error {
	if len(e.Tensors) != len(comps) {
		return runErr(InvalidArgument, op, -1, e.Row, "the element has %d components, its spec %d", len(e.Tensors), len(comps))
	}
	for i, c := range comps {
		if err := c.check(e.Tensors[i]); err != nil {
			return runErr(InvalidArgument, op, i, e.Row, "component %d: %v", i, err)
		}
		// A ragged component of which unbatching left a single list has ragged rank 0, and no
		// splits.
		r, _ := e.Ragged(i)
		if c.Ragged && len(r.Splits) != c.RaggedRank {
			return runErr(InvalidArgument, op, i, e.Row, "component %d: want %d nested row splits", i, c.RaggedRank)
		}
	}
	return nil
}

// stringHeader is the size of a Go string in bytes, without its text.
const stringHeader = 16

var errOneOptions = fmt.Errorf("want at most one options value")

// one returns the single options value of a variadic list, or the zero value.
func one[T any](opts []T) (T, error) {
	var zero T
	switch len(opts) {
	case 0:
		return zero, nil
	case 1:
		return opts[0], nil
	}
	return zero, errOneOptions
}
