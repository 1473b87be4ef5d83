package runner

import (
	"context"
	"errors"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/isolate"
	"github.com/tfrun/tfrun/tensor"
)

// runFeeds runs a set of feeds in a model's process, while nothing else runs there.
type runFeeds func(ctx context.Context, feeds []tensor.Tensor) ([]tensor.Tensor, error)

// salvage finds the rows of a batch that the model's process has died of, and gets the results of
// the others. Each row is run by itself, padded as in the batch, while nothing else runs. With
// SkipBadRows a deadly row gets an error; without it the first one ends the run.
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
	if died.Final || p.f.state.Stateful() {
		return rowsError(j, died)
	}
	// Where other batches were under way, the process may have died of one of them.
	if !died.Alone {
		tensors, err := run(ctx, feeds)
		if err == nil {
			return p.splitRows(j, tensors)
		}
		if !errors.As(err, &died) && !ofRow(err) && !exhausted(err) {
			return rowsError(j, err)
		}
	}
	rows := make([]Result, j.Len())
	for i := range rows {
		rows[i], _ = j.Result(i) // no values are split yet, and so there is no error
	}
	if len(rows) == 1 || died.Final || !p.dividable() {
		err := rowsError(j, died)
		if len(rows) == 1 {
			err = &RowError{Row: rows[0].Row, Place: j.place(0), Err: died}
		}
		if !p.o.SkipBadRows || died.Final {
			return err
		}
		for i := range rows {
			rows[i].Err = err
		}
		j.ResultBatch = ResultBatch{rows: rows}
		return nil
	}
	for i := range rows {
		row := &job{twin: j.twin, ResultBatch: ResultBatch{rows: rows[i : i+1]}, places: func(int) dataset.Place { return j.place(i) }}
		bad, err := p.runAlone(ctx, row, feeds, i, run)
		if err != nil {
			return err
		}
		if rows[i] = row.rows[0]; bad == nil {
			continue
		}
		rows[i].Err = &RowError{Row: row.Row(0), Place: row.place(0), Err: bad}
		if !p.o.SkipBadRows || errors.As(bad, &died) && died.Final {
			return rows[i].Err
		}
	}
	j.ResultBatch = ResultBatch{rows: rows}
	return nil
}

// runAlone runs row i of the feeds of a batch by itself, and puts the values into row's only
// result. bad says that the process dies of the row, that TensorFlow refuses it, or has no memory
// for it.
func (p *Predictor) runAlone(ctx context.Context, row *job, batch []tensor.Tensor, i int, run runFeeds) (bad, err error) {
	feeds, err := p.pickFeeds(p.functionOf(row).inputs, batch, []int{i})
	if err != nil {
		return nil, err
	}
	tensors, err := run(ctx, feeds)
	var died *ProcessError
	switch {
	case exhausted(err):
		return &MemoryError{Rows: 1, Err: err}, nil
	case errors.As(err, &died), ofRow(err):
		return err, nil
	case err != nil:
		return nil, rowsError(row, err)
	}
	if err := p.splitRows(row, tensors); err != nil {
		return nil, err
	}
	row.rows[0], err = row.Result(0)
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

// pickFeeds takes rows out of the tensors that were fed for a batch: a smaller batch, filled up
// with copies of its last row where the signature fixes their number.
func (p *Predictor) pickFeeds(inputs []Endpoint, batch []tensor.Tensor, rows []int) ([]tensor.Tensor, error) {
	for int64(len(rows)) < p.fixed {
		rows = append(slices.Clip(rows), rows[len(rows)-1])
	}
	_, values := assemble(inputs, batch)
	feeds := make([]tensor.Tensor, 0, len(batch))
	for _, v := range values {
		picked, err := v.pick(rows)
		if err != nil {
			return nil, err
		}
		tensors, err := dismantle(inputs[len(feeds):], picked)
		if err != nil {
			return nil, err
		}
		feeds = append(feeds, tensors...)
	}
	return feeds, nil
}

// dismantle returns the tensors of a value, in the order of its endpoints, which come first in
// list. It is the opposite of assemble.
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
