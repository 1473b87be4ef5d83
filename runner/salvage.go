package runner

import (
	"context"
	"errors"
	"slices"

	"github.com/tfrun/tfrun/runner/internal/isolate"
	"github.com/tfrun/tfrun/tensor"
)

// runFeeds runs a set of feeds in a model's process, while nothing else runs there.
type runFeeds func(ctx context.Context, feeds []tensor.Tensor) ([]tensor.Tensor, error)

// salvage finds out which rows of a batch the model's process has died of, and gets the results of
// the others. Each row is run by itself, padded as it was in the batch, while nothing else runs.
// With SkipBadRows the deadly rows get an error; without it the first one ends the run.
func (p *Predictor) salvage(ctx context.Context, j *job, c *isolate.Call, died *ProcessError) error {
	if !p.f.session.enter() {
		return ErrClosed
	}
	defer p.f.session.leave()
	feeds, err := c.Values()
	if err != nil {
		return err
	}
	return c.Alone(func(run func(context.Context, []tensor.Tensor) ([]tensor.Tensor, error)) error {
		return p.salvageAlone(ctx, j, feeds, run, died)
	})
}

func (p *Predictor) salvageAlone(ctx context.Context, j *job, feeds []tensor.Tensor, run runFeeds, died *ProcessError) error {
	// What a model has kept from run to run has died with it.
	if died.Final || p.state.Stateful() {
		return rowsError(j, died)
	}
	// With others under way it may have been one of them.
	if !died.Alone {
		tensors, err := run(ctx, feeds)
		if !errors.As(err, &died) {
			if err != nil {
				return rowsError(j, err)
			}
			return p.splitRows(j, tensors)
		}
	}
	rows := make([]Result, j.Len())
	for i := range rows {
		rows[i], _ = j.result(i) // there is nothing to be dealt yet, and so no error
	}
	if len(rows) == 1 || died.Final || !p.dividable() {
		err := rowsError(j, died)
		if !p.o.SkipBadRows || died.Final {
			return err
		}
		for i := range rows {
			rows[i].Err = err
		}
		j.resultBatch = resultBatch{rows: rows}
		return nil
	}
	for i := range rows {
		row := &job{twin: j.twin, resultBatch: resultBatch{rows: rows[i : i+1]}}
		died, err := p.runAlone(ctx, row, feeds, i, run)
		if err != nil {
			return err
		}
		if died != nil {
			if rows[i].Err = rowsError(row, died); !p.o.SkipBadRows || died.Final {
				return rows[i].Err
			}
		}
	}
	j.resultBatch = resultBatch{rows: rows}
	return nil
}

// runAlone runs row i of what was fed for a batch by itself, and gives its only result the values.
// died says that the process dies of it.
func (p *Predictor) runAlone(ctx context.Context, row *job, batch []tensor.Tensor, i int, run runFeeds) (died *ProcessError, err error) {
	inputs := p.f.inputs
	if row.twin != nil {
		inputs = row.twin.function.inputs
	}
	feeds, err := p.rowFeeds(inputs, batch, i)
	if err != nil {
		return nil, err
	}
	tensors, err := run(ctx, feeds)
	switch {
	case errors.As(err, &died):
		return died, nil
	case err != nil:
		return nil, rowsError(row, err)
	}
	if err := p.splitRows(row, tensors); err != nil {
		return nil, err
	}
	row.rows[0], err = row.result(0)
	return nil, err
}

// dividable reports whether single rows can be taken out of what was fed.
func (p *Predictor) dividable() bool {
	for _, in := range p.f.inputs {
		info := p.f.signature.Inputs[in.Value]
		if in.Role != "" && (p.fixed > 0 || !info.Sparse() && info.Ragged == nil) {
			return false
		}
	}
	return true
}

// rowFeeds takes row i out of the tensors that were fed for a batch: a batch of one row, or of
// copies of it where the signature fixes their number.
func (p *Predictor) rowFeeds(inputs []Endpoint, batch []tensor.Tensor, i int) ([]tensor.Tensor, error) {
	_, values := assemble(inputs, batch)
	feeds := make([]tensor.Tensor, 0, len(batch))
	for _, v := range values {
		one, err := v.batchOfOne(i, int(max(p.fixed, 1)))
		if err != nil {
			return nil, err
		}
		tensors, err := dismantle(inputs[len(feeds):], one)
		if err != nil {
			return nil, err
		}
		feeds = append(feeds, tensors...)
	}
	return feeds, nil
}

// batchOfOne returns entry i along the first axis with that axis; a dense one as often as copies
// says.
func (v Value) batchOfOne(i, copies int) (Value, error) {
	row, err := v.row(i)
	if err != nil {
		return row, err
	}
	t := row.Tensor
	switch {
	case v.Splits != nil:
		n := t.Len()
		if len(row.Splits) > 0 {
			n = row.Splits[0].Len() - 1
		} else if t.Rank() > 0 {
			n = int(t.Dims()[0])
		}
		row.Splits = append([]tensor.Tensor{tensor.Vector(0, int64(n))}, row.Splits...)
		return row, nil
	case v.Sparse != nil:
		at, _ := tensor.Values[int64](row.Sparse.Indices)
		shape, _ := tensor.Values[int64](row.Sparse.DenseShape)
		rank := len(shape)
		indices := make([]int64, 0, t.Len()*(rank+1))
		for k := range t.Len() {
			indices = append(append(indices, 0), at[k*rank:(k+1)*rank]...)
		}
		row.Sparse.DenseShape = tensor.Vector(append([]int64{1}, shape...)...)
		row.Sparse.Indices, err = tensor.FromSlice(indices, int64(t.Len()), int64(rank+1))
		return row, err
	}
	dims := append([]int64{int64(copies)}, t.Dims()...)
	if t.DType() == tensor.String {
		row.Tensor, err = tensor.FromSlice(slices.Repeat(t.Strings(), copies), dims...)
	} else {
		row.Tensor, err = tensor.FromBytes(t.DType(), slices.Repeat(t.Bytes(), copies), dims...)
	}
	return row, err
}

// dismantle is the opposite of assemble for one value, whose endpoints come first in list.
func dismantle(list []Endpoint, v Value) ([]tensor.Tensor, error) {
	var tensors []tensor.Tensor
	for _, in := range list {
		if in.Value != list[0].Value {
			break
		}
		t := v.Tensor
		switch in.Role {
		case "indices":
			t = v.Sparse.Indices
		case "dense_shape":
			t = v.Sparse.DenseShape
		case "", "values":
		default:
			t, v.Splits = v.Splits[0], v.Splits[1:]
			if wide, ok := tensor.Values[int64](t); ok {
				var err error
				if t, err = integers(wide, in.DType); err != nil {
					return nil, err
				}
			}
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}
