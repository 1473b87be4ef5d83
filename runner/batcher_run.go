package runner

import (
	"context"
	"errors"
	"time"

	"github.com/tfrun/tfrun/dataset"
)

// contextOf returns the context of a batch: it is done at the last of its rows' deadlines. A caller
// who leaves before that does not end the batch, since TensorFlow runs it to its end anyway.
func contextOf(rows []*waiter) (context.Context, context.CancelFunc) {
	last := time.Time{}
	for _, w := range rows {
		deadline, ok := w.ctx.Deadline()
		if !ok {
			return context.Background(), func() {}
		}
		if deadline.After(last) {
			last = deadline
		}
	}
	return context.WithDeadline(context.Background(), last)
}

// runRows runs rows as one batch, and sets the result of each.
func (b *Batcher) runRows(rows []*waiter) {
	ctx, cancel := contextOf(rows)
	defer cancel()
	elements := make([]*dataset.Element, len(rows))
	for i, w := range rows {
		w.row.Row = int64(i)
		elements[i] = &w.row
	}
	results, err := b.runElements(ctx, elements)
	for i, w := range rows {
		if w.err = err; err == nil {
			w.Result, w.err = results[i], rowAlone(results[i].Err)
		}
		w.Row = w.number
	}
}

// runElements runs rows as one batch. An error is that of all rows.
func (b *Batcher) runElements(ctx context.Context, rows []*dataset.Element) ([]Result, error) {
	if b.padder != nil {
		if batch, ok := b.padder.Batch(rows); ok {
			results, err := b.p.runBatch(ctx, batch)
			return results, rowAlone(err)
		}
	}
	elements := make([]dataset.Element, len(rows))
	for i, row := range rows {
		elements[i] = *row
	}
	results, err := b.p.collectInOrder(ctx, elements)
	return results, rowAlone(err)
}

// runBatch runs a batch at once, without the stages of [Predictor.Batches].
func (p *Predictor) runBatch(ctx context.Context, b *dataset.Batch) ([]Result, error) {
	j, err := p.feedBatch(b)
	if err != nil {
		return nil, err
	}
	j.unhurried = true
	if err := p.runJob(ctx, j); err != nil {
		return nil, err
	}
	results := make([]Result, b.Len())
	for i := range results {
		if results[i], err = j.Result(i); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// rowAlone returns an error of a run as that of one row whose caller knows no numbers of rows.
func rowAlone(err error) error {
	var row *RowError
	var syntax *dataset.SyntaxError
	var batch *BatchError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &row):
		return &RowError{Row: -1, Input: row.Input, Value: row.Value, Err: row.Err}
	case errors.As(err, &syntax):
		return &dataset.SyntaxError{Row: -1, Field: syntax.Field, Msg: syntax.Msg, Err: syntax.Err}
	case errors.As(err, &batch):
		return batch.Err
	}
	return err
}
