package runner

import (
	"fmt"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// ResultBatch holds the results of rows that were run together, in the order of the rows, or a part
// of them; see [Predictor.Batches].
type ResultBatch struct {
	// rows says which rows these are. Where it is nil, they are count rows from first on, and extra
	// has their extra fields, if there are any.
	rows  []Result // each with Row, Extra and, for bad rows, Err
	first int64
	count int
	extra [][]dataset.Field

	names []string
	// values are those of all rows, one behind the other along the first axis; nil for a row that
	// was not run.
	values    []Value
	whole     bool    // values are those of the only row as they are
	rowValues []Value // room for the values of single rows

	recycler *tf.Recycler // that the values' memory came from
}

// Recycle hands the values' memory back, for the results of a later batch. The caller must no
// longer use the values of the batch or of its rows.
func (b *ResultBatch) Recycle() {
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
func (b *ResultBatch) Len() int {
	if b.rows != nil {
		return len(b.rows)
	}
	return b.count
}

// extend adds the count rows from first on, which come after those of b.
func (b *ResultBatch) extend(first int64, count int, extra [][]dataset.Field) {
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
func (b *ResultBatch) apart() {
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

// Row returns the number of row i.
func (b *ResultBatch) Row(i int) int64 {
	if b.rows != nil {
		return b.rows[i].Row
	}
	return b.first + int64(i)
}

// Result returns the result of row i. Its values share memory with the batch's.
func (b *ResultBatch) Result(i int) (Result, error) {
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
	if len(b.rowValues) < n {
		b.rowValues = make([]Value, n*(b.Len()-i))
	}
	r.Values, b.rowValues = b.rowValues[:n:n], b.rowValues[n:]
	for k, v := range b.values {
		var err error
		if r.Values[k], err = v.row(i); err != nil {
			return r, fmt.Errorf("output %q: %w", b.names[k], err)
		}
	}
	return r, nil
}

// Block returns the results as they left TensorFlow: for each output a tensor with the rows one
// behind the other along its first axis, and each row's extra fields, nil where there are none.
// They share the batch's memory.
//
// ok is false where results have another form: for rows that do not follow each other or that could
// not be run, and for whole, ragged and sparse tensors.
// [ResultBatch.Result] returns those row by row.
func (b *ResultBatch) Block() (block dataset.RowBlock, ok bool) {
	if b.rows != nil || b.whole || b.values == nil {
		return block, false
	}
	block = dataset.RowBlock{Row: b.first, Extra: b.extra, Tensors: make([]tensor.Tensor, len(b.values))}
	for i, v := range b.values {
		if v.Splits != nil || v.Sparse != nil {
			return block, false
		}
		block.Tensors[i] = v.Tensor
		if v.Tensor.Dims()[0] != int64(b.count) {
			block.Tensors[i] = v.Tensor.Slice(0, b.count) // a fixed batch size: the rest is filling
		}
	}
	return block, true
}

// from returns the rows whose number is at least first. The rows of b must be in order.
func (b *ResultBatch) from(first int64) (*ResultBatch, error) {
	n := b.Len()
	if n == 0 || b.Row(0) >= first {
		return b, nil
	}
	rest := &ResultBatch{rows: make([]Result, 0, n)}
	for i := range n {
		if b.Row(i) < first {
			continue
		}
		r, err := b.Result(i)
		if err != nil {
			return nil, err
		}
		rest.rows = append(rest.rows, r)
	}
	return rest, nil
}
