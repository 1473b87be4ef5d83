package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/isolate"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// RowError says that the model does not run a row: a token beyond the vocabulary, bytes that are no
// image.
type RowError struct {
	// Place is where the row stands in a file, zero where rows come from no file. Row is the row's
	// number over all files, from 0, or -1 for a row of a [Batcher].
	Place dataset.Place
	Row   int64
	// Input is the input at fault, and Value the row's value of it, as JSON, shortened. Where no
	// input alone is at fault, Input is "" and Value has all of them by name.
	Input, Value string
	// Err is what TensorFlow says, an *[Error], or that the model's process died of the row, a
	// *[ProcessError].
	Err error
}

// Error names the row, the input and its value: `rows.jsonl:3: input "x": [1,9]: run: indices[0,1]
// = 9 is not in [0, 5)`.
func (e *RowError) Error() string {
	var parts []string
	switch {
	case e.Place.File != "":
		parts = append(parts, e.Place.String())
	case e.Row >= 0:
		parts = append(parts, fmt.Sprintf("row %d", e.Row+1))
	}
	if e.Input != "" {
		parts = append(parts, fmt.Sprintf("input %q", e.Input))
	}
	if e.Value != "" {
		parts = append(parts, e.Value)
	}
	return strings.Join(append(parts, e.Err.Error()), ": ")
}

// Unwrap returns TensorFlow's error.
func (e *RowError) Unwrap() error { return e.Err }

// ofRow reports whether an error of a run may be the fault of a row: TensorFlow says it of values,
// or has no memory for a row alone, which may ask for any size. Other errors are about the model's
// graph, the device or the moment, and no row is to blame.
func ofRow(err error) bool {
	var memory *MemoryError
	if errors.As(err, &memory) {
		return memory.Rows == 1
	}
	var e *Error
	if !errors.As(err, &e) || e.OfGraph() {
		return false
	}
	switch e.Code {
	case Canceled, DeadlineExceeded, ResourceExhausted, FailedPrecondition, Aborted, Unimplemented, Unavailable:
		return false
	}
	return true
}

// refused finds the rows of a batch that TensorFlow refuses, and gets the results of the others.
// With SkipBadRows a refused row gets an error; without it the first one ends the run.
//
// It runs halves of the batch, and halves of these, padded as the rows were in the batch. The rows
// that run are then run as one batch, so that their answers do not depend on the search. Batches of
// a signature that keeps state are run once, as a second run would see what the first has
// changed.
func (p *Predictor) refused(ctx context.Context, j *job, c *call, err error) error {
	var e *Error
	if errors.As(err, &e) && e.OfGraph() {
		return fmt.Errorf("model %q: %w", p.f.session.model.Dir, err)
	}
	if !ofRow(err) || p.f.state.Stateful() {
		return rowsError(j, err)
	}
	if p.o.NoBatch {
		return p.skip(j, 0, &RowError{Row: j.Row(0), Place: j.place(0), Err: err})
	}
	if !p.dividable() {
		return rowsError(j, err)
	}
	feeds, taken := c.takeValues()
	if taken != nil {
		return rowsError(j, errors.Join(err, taken))
	}
	s := &search{p: p, f: p.functionOf(j), feeds: feeds, bad: map[int]error{}}
	all := make([]int, j.Len())
	for i := range all {
		all[i] = i
	}
	var died *ProcessError
	found, fatal := s.narrow(ctx, all, err)
	switch {
	case errors.As(fatal, &died):
		return p.salvage(ctx, j, c.loaded.(*isolate.Call), died)
	case fatal != nil:
		return rowsError(j, fatal)
	case !found:
		return rowsError(j, fmt.Errorf("these rows do not run together, although parts of them do: %w", err))
	}
	return s.giveResults(ctx, j)
}

// takeValues copies the fed values out of TensorFlow's memory, and gives that memory back.
func (c *call) takeValues() ([]tensor.Tensor, error) {
	if !c.function.session.enter() {
		return nil, ErrClosed
	}
	defer c.function.session.leave()
	values, err := c.loaded.Values()
	c.taken = true
	c.recycle()
	return values, err
}

// skip makes a row's error its result, or ends the run with it.
func (p *Predictor) skip(j *job, i int, err *RowError) error {
	if !p.o.SkipBadRows {
		return err
	}
	j.apart()
	j.rows[i].Err = err
	return nil
}

// functionOf is what runs a job: the signature, or its twin.
func (p *Predictor) functionOf(j *job) *Function {
	if j.twin != nil {
		return j.twin.function
	}
	return p.f
}

// search looks for the rows of a batch that are refused.
type search struct {
	p     *Predictor
	f     *Function       // that runs the batch
	feeds []tensor.Tensor // of the batch
	bad   map[int]error   // what TensorFlow says of a row
}

// run runs some rows of the batch.
func (s *search) run(ctx context.Context, rows []int) ([]tensor.Tensor, error) {
	values, err := s.p.pickFeeds(s.f.inputs, s.feeds, rows)
	if err != nil {
		return nil, err
	}
	return s.runTensors(ctx, values)
}

// runTensors runs what is to be fed as a batch.
func (s *search) runTensors(ctx context.Context, values []tensor.Tensor) ([]tensor.Tensor, error) {
	feeds := make([]tf.Feed, len(values))
	for i, v := range values {
		feeds[i] = tf.FeedTensor(v)
	}
	c, err := s.f.load(feeds, nil)
	if err != nil {
		return nil, err
	}
	c.fit = s.p.fit
	out, err := c.run(ctx)
	if err == nil {
		c.recycle()
	}
	return out, err
}

// narrow finds the bad rows among rows that TensorFlow refuses as a batch, with err. Without
// SkipBadRows it stops at the first. found is false where rows run apart that do not run together:
// then none is to blame.
func (s *search) narrow(ctx context.Context, rows []int, err error) (found bool, fatal error) {
	if len(rows) == 1 {
		s.bad[rows[0]] = err
		return true, nil
	}
	half := len(rows) / 2
	for _, part := range [][]int{rows[:half], rows[half:]} {
		_, err := s.run(ctx, part)
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return false, ctx.Err()
		case !ofRow(err):
			return false, err
		}
		found = true
		if inner, fatal := s.narrow(ctx, part, err); fatal != nil || !inner || !s.p.o.SkipBadRows {
			return inner, fatal
		}
	}
	return found, nil
}

// giveResults gives each row of the batch its result: a bad row its error, and the good rows what
// they give as one batch.
func (s *search) giveResults(ctx context.Context, j *job) error {
	var good []int
	for i := range j.Len() {
		if s.bad[i] == nil {
			good = append(good, i)
		}
	}
	for i := range j.Len() {
		if s.bad[i] == nil {
			continue
		}
		e := &RowError{Row: j.Row(i), Place: j.place(i), Err: s.bad[i]}
		s.explain(ctx, e, i, good)
		if err := s.p.skip(j, i, e); err != nil {
			return err
		}
	}
	if len(good) == 0 {
		return nil
	}
	tensors, err := s.run(ctx, good)
	if err != nil {
		return rowsError(j, err)
	}
	j.apart()
	part := &job{twin: j.twin, ResultBatch: ResultBatch{rows: make([]Result, len(good))}}
	for k, i := range good {
		part.rows[k] = j.rows[i]
	}
	if err := s.p.splitRows(part, tensors); err != nil {
		return err
	}
	for k, i := range good {
		if j.rows[i], err = part.Result(k); err != nil {
			return err
		}
	}
	return nil
}

// explain names the input at fault and its value. Of several inputs, the one at fault is the one
// that lets the row run when it is replaced by a good row's; it is looked for by halves.
func (s *search) explain(ctx context.Context, e *RowError, row int, good []int) {
	names := s.p.f.signature.InputNames()
	suspects := slices.Clone(names)
	if len(names) > 1 && len(good) > 0 {
		for len(suspects) > 1 {
			half := suspects[:len(suspects)/2]
			if s.runsWith(ctx, row, good[0], half) {
				suspects = half
			} else {
				suspects = suspects[len(half):]
			}
		}
		if !s.runsWith(ctx, row, good[0], suspects) {
			suspects = names // it takes more than one
		}
	}
	values, err := s.p.pickFeeds(s.f.inputs, s.feeds, []int{row})
	if err != nil {
		return
	}
	if len(suspects) == 1 {
		e.Input = suspects[0]
	}
	e.Value = shown(s.f.inputs, values, suspects)
}

// runsWith reports whether a row runs with some of its inputs taken from another.
func (s *search) runsWith(ctx context.Context, row, other int, inputs []string) bool {
	mine, err := s.p.pickFeeds(s.f.inputs, s.feeds, []int{row})
	if err != nil {
		return false
	}
	theirs, err := s.p.pickFeeds(s.f.inputs, s.feeds, []int{other})
	if err != nil {
		return false
	}
	for i, in := range s.f.inputs {
		if slices.Contains(inputs, in.Value) {
			mine[i] = theirs[i]
		}
	}
	_, err = s.runTensors(ctx, mine)
	return err == nil
}
