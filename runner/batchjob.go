package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// job is a batch on its way from reading to delivery. A job without a call carries a row that could
// not be read, or the error that ends the iteration.
type job struct {
	seq     int64 // the order of reading
	weight  int64 // see inFlight
	fed     int64 // bytes taken from PredictOptions.Room
	inOrder bool  // later jobs hold higher row numbers only, bad rows excepted
	call    *call
	twin    *exactTwin // whose call this is, or was; nil: the signature's own
	info    *BatchInfo // nil where nobody asked
	ResultBatch
	err error

	// unhurried: others see to it that nobody waits for the run beyond the context's end.
	unhurried bool

	places func(i int) dataset.Place // where row i stands; nil: nobody knows
}

// place says where row i stands.
func (j *job) place(i int) (at dataset.Place) {
	if j.places != nil {
		at = j.places(i)
	}
	if at.File == "-" {
		at.File = "stdin"
	}
	return at
}

// send passes j on unless ctx is done.
func send(ctx context.Context, to chan<- *job, j *job) error {
	select {
	case to <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// splitRows gives the rows of a batch their values.
func (p *Predictor) splitRows(j *job, tensors []tensor.Tensor) (err error) {
	for i, out := range p.f.outputs {
		if out.Labels != nil {
			if tensors[i], err = labelled(tensors[i], out.Labels); err != nil {
				return fmt.Errorf("output %q: %w", out.Name, err)
			}
		}
	}
	j.names, j.values = assemble(p.f.outputs, tensors[:len(p.f.outputs)])
	if p.o.NoBatch {
		j.whole = true
		return nil
	}
	for k, v := range j.values {
		if err := p.checkRows(j.names[k], v, j.Len()); err != nil {
			return err
		}
	}
	if j.twin != nil {
		return j.twin.cutPadding(&j.ResultBatch, tensors)
	}
	return nil
}

// rowsError says which rows an error of a run concerns.
func rowsError(j *job, err error) error {
	var tfErr *Error
	var died *ProcessError
	if !errors.As(err, &tfErr) && !errors.As(err, &died) {
		return err
	}
	first, last := j.Row(0), j.Row(0)
	for i := range j.Len() {
		first, last = min(first, j.Row(i)), max(last, j.Row(i))
	}
	return &BatchError{First: first, Last: last, Err: err}
}
