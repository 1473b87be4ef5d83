package runner

import (
	"fmt"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// resultBatch holds the results of the rows of a batch, as yet undealt: for whoever writes many
// rows at a time there is nothing to deal.
type resultBatch struct {
	// Which rows these are. Where rows is nil they are count rows from first on, with their extra
	// fields in extra, if they have any.
	rows  []Result // each with Row, Extra and, for bad rows, Err
	first int64
	count int
	extra [][]dataset.Field

	names []string
	// of all rows, one behind the other along the first axis; nil for a row that was not run
	values []Value
	whole  bool    // values are those of the only row as they are
	dealt  []Value // room for those of single rows

	recycler *tf.Recycler // that the values' memory came from
}

// recycle hands the values' memory back. Nobody may hold on to it, or to a row's values.
func (b *resultBatch) recycle() {
	var dense []tensor.Tensor
	for _, v := range b.values {
		if v.Splits == nil && v.Sparse == nil {
			dense = append(dense, v.Tensor)
		}
	}
	b.recycler.GiveOutputs(dense)
	b.values = nil
}

// Len is the number of rows.
func (b *resultBatch) Len() int {
	if b.rows != nil {
		return len(b.rows)
	}
	return b.count
}

// extend adds the count rows from first on, which come after those of b.
func (b *resultBatch) extend(first int64, count int, extra [][]dataset.Field) {
	if b.rows == nil && first == b.first+int64(b.count) {
		b.count += count
		b.extra = append(b.extra, extra...)
		return
	}
	b.apart()
	for i := range count {
		r := Result{Row: first + int64(i)}
		if extra != nil {
			r.Extra = extra[i]
		}
		b.rows = append(b.rows, r)
	}
}

// apart gives each row a result of its own.
func (b *resultBatch) apart() {
	if b.rows != nil {
		return
	}
	b.rows = make([]Result, b.count)
	for i := range b.rows {
		b.rows[i].Row = b.first + int64(i)
		if b.extra != nil {
			b.rows[i].Extra = b.extra[i]
		}
	}
	b.extra = nil
}

// row returns the number of row i.
func (b *resultBatch) row(i int) int64 {
	if b.rows != nil {
		return b.rows[i].Row
	}
	return b.first + int64(i)
}

// result returns the result of row i. Its values share memory with the batch's.
func (b *resultBatch) result(i int) (Result, error) {
	var r Result
	if b.rows != nil {
		r = b.rows[i]
	} else {
		r.Row = b.first + int64(i)
		if b.extra != nil {
			r.Extra = b.extra[i]
		}
	}
	switch {
	case r.Values != nil || b.values == nil:
		return r, nil
	case b.whole:
		r.Values = b.values
		return r, nil
	}
	n := len(b.values)
	if len(b.dealt) < n {
		b.dealt = make([]Value, n*(b.Len()-i))
	}
	r.Values, b.dealt = b.dealt[:n:n], b.dealt[n:]
	for k, v := range b.values {
		var err error
		if r.Values[k], err = v.row(i); err != nil {
			return r, fmt.Errorf("output %q: %w", b.names[k], err)
		}
	}
	return r, nil
}

// from returns the rows whose number is at least first, where all of b's rows are in order.
func (b *resultBatch) from(first int64) (*resultBatch, error) {
	n := b.Len()
	if n == 0 || b.row(0) >= first {
		return b, nil
	}
	rest := &resultBatch{rows: make([]Result, 0, n)}
	for i := range n {
		if b.row(i) < first {
			continue
		}
		r, err := b.result(i)
		if err != nil {
			return nil, err
		}
		rest.rows = append(rest.rows, r)
	}
	return rest, nil
}
