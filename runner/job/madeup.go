package job

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// MadeUp is a set of rows made up from a signature, for lack of real ones.
type MadeUp struct {
	Rows []dataset.Element
	// Lengths are the sizes along the rows' open axes, in turn; nil if the signature has no open
	// axes. Below is the limit of the whole numbers in the rows: ids of an embedding must be small.
	Lengths []int64
	Below   int64
	// Refused are lengths that the model could not run: a convolution needs as many steps as its
	// kernel has.
	Refused []int64
	// FirstRun is how long the very first row took, with TensorFlow's preparations.
	FirstRun time.Duration
}

// MadeUpError says that the model runs none of the rows that were made up: it needs values that its
// signature does not show.
type MadeUpError struct {
	Err error // of the last attempt
}

// Error returns the error of the last attempt, without the number of the made-up row.
func (e *MadeUpError) Error() string {
	reason := e.Err
	if batch, ok := errors.AsType[*runner.BatchError](e.Err); ok {
		reason = batch.Err
	} else if row, ok := errors.AsType[*runner.RowError](e.Err); ok {
		reason = row.Err
	}
	return "made-up rows: " + reason.Error()
}

// Unwrap returns the last attempt's error.
func (e *MadeUpError) Unwrap() error { return e.Err }

// Hints returns what the user can type instead.
func (e *MadeUpError) Hints() []string {
	return []string{"what the model takes cannot be guessed from its signature: name a file of real rows after it"}
}

// MakeUpRows makes up n rows that the signature runs. Whole numbers are random, at least 1 and
// below a limit, which is lowered until the model takes them; so are floats of an input that is a
// list of any length, which may hold ids. Other floats are between 0 and 1. A text has as many
// words as the row is long. lengths, in ascending order, are tried for open axes, and kept if the
// model runs them in good time; nil tries usual lengths that make no large rows. An error is a
// *[MadeUpError]. Equal calls make equal rows.
func MakeUpRows(ctx context.Context, p *runner.Predictor, n int, lengths []int64) (MadeUp, error) {
	p, err := p.With(func(o *runner.PredictOptions) {
		o.Batch, o.Stats, o.Batching, o.SkipBadRows = nil, nil, runner.Arrival, false
	})
	if err != nil {
		return MadeUp{}, err
	}
	f := &fiction{reader: newReader(p), components: p.RowSpec().Flatten()}
	if len(lengths) == 0 {
		lengths = f.affordable(f.usualLengths())
	}
	var best MadeUp
	start, firstRun := time.Now(), time.Duration(0)
	err = errors.New("make up rows: no length to try")
	for _, below := range []int64{100, 10, 3, 2, 1} {
		m := MadeUp{Below: below}
		for i, length := range lengths {
			began := time.Now()
			if err2 := f.tryLength(ctx, below, length); err2 != nil {
				err = err2
				m.Refused = append(m.Refused, length)
				continue
			}
			m.Lengths = append(m.Lengths, length)
			if firstRun == 0 {
				firstRun = time.Since(start)
			} else if time.Since(began) > madeUpTime {
				lengths = lengths[:i+1] // longer rows would take longer
				break
			}
		}
		if len(m.Lengths) > len(best.Lengths) {
			best = m
		}
		if len(best.Lengths) == len(lengths) || ctx.Err() != nil {
			break
		}
	}
	if len(best.Lengths) == 0 {
		if ctx.Err() != nil {
			return best, ctx.Err()
		}
		var e *runner.Error
		if errors.As(err, &e) && e.OfGraph() {
			return best, err
		}
		return best, &MadeUpError{Err: err}
	}
	best.FirstRun = firstRun
	best.Rows, err = f.rows(n, best.Below, best.Lengths)
	if f.openMost() == 0 {
		best.Lengths = nil
	}
	return best, err
}

// fiction makes up rows for a predictor.
type fiction struct {
	*reader
	components []dataset.Component // of rows as the predictor runs them
}

// tryLength runs one row.
func (f *fiction) tryLength(ctx context.Context, below, length int64) error {
	rows, err := f.rows(1, below, []int64{length})
	if err != nil {
		return err
	}
	results := 0
	for _, err := range f.p.Predict(ctx, dataset.FromElements(f.p.RowSpec(), rows...)) {
		if err != nil {
			return err
		}
		results++
	}
	if results == 0 {
		return errors.New("no results")
	}
	return nil
}

// usualLengths returns the lengths of sentences and short texts; those of images if two axes are
// open; one length if no axis is.
func (f *fiction) usualLengths() []int64 {
	switch most := f.openMost(); {
	case most == 0:
		return []int64{1}
	case most > 1:
		return []int64{32, 64, 96}
	}
	return []int64{16, 32, 64, 128, 256}
}

// openMost returns the largest number of open axes that a row of an input has; a text counts as
// one.
func (f *fiction) openMost() int {
	most := 0
	for _, x := range f.p.Features() {
		most = max(most, min(openAxes(x.Shape), 1))
	}
	if len(f.p.Features()) > 0 {
		return most
	}
	for _, info := range f.p.Function().Signature().Inputs {
		shape := info.Shape
		if info.Ragged != nil {
			shape = info.Ragged.Shape
		}
		if shape.Ranked() && shape.Rank() > 0 && !f.vectors() {
			// With NoBatch, too, one row at a time is made up.
			shape = shape.Drop(1)
		}
		n := openAxes(shape)
		if !shape.Ranked() || info.DType == tensor.String {
			n = max(n, 1)
		}
		most = max(most, n)
	}
	return most
}

// vectors reports whether rows are whole tensors of one axis each, such as a sound: that axis is
// then no batch.
func (f *fiction) vectors() bool {
	if !f.noBatch {
		return false
	}
	for _, c := range f.components {
		if !c.Shape.Ranked() || c.Shape.Rank() > 1 || c.Ragged {
			return false
		}
	}
	return true
}

// madeUpSize bounds the values of all made-up rows, openSize those of one row with open axes. No
// row is longer than one that takes madeUpTime.
const (
	madeUpSize = 8 << 20
	openSize   = 1 << 16
	madeUpTime = 2 * time.Second
)

// affordable leaves out lengths that make large rows, except the smallest: a model may compute
// hundreds of values for each value of a row. lengths are sorted.
func (f *fiction) affordable(lengths []int64) []int64 {
	for i, length := range lengths {
		for _, c := range f.components {
			values, open := int64(1), false
			for _, d := range c.Shape.Dims() {
				if d == tensor.Unknown {
					d, open = length, true
				}
				values = min(values*min(max(d, 1), openSize+1), openSize+1)
			}
			if open && values > openSize {
				return lengths[:max(i, 1)]
			}
		}
	}
	return lengths
}

// tooLarge reports whether a value of such sizes has more values than are made up for a row; empty
// lists count too.
func tooLarge(sizes []int64) bool {
	n := int64(1)
	for _, d := range sizes {
		if d = max(d, 1); d > madeUpSize/n {
			return true
		}
		n *= d
	}
	return false
}

// rows makes up rows as JSON, which can hold every dtype and form, and reads them.
func (f *fiction) rows(n int, below int64, lengths []int64) ([]dataset.Element, error) {
	w := &rowMaker{rng: rand.New(rand.NewPCG(1, 2)), below: below, noBatch: f.noBatch && !f.vectors()} //nolint:gosec // the same rows every time are wanted
	if len(f.p.Features()) > 0 {
		return f.examples(w, n, lengths)
	}
	sig := f.p.Function().Signature()
	for i := range n {
		w.length = lengths[i%len(lengths)]
		w.out.WriteByte('{')
		for k, name := range sig.InputNames() {
			if k > 0 {
				w.out.WriteByte(',')
			}
			w.out.Write(dataset.AppendJSONString(nil, name))
			w.out.WriteByte(':')
			if value, ok := sig.Defaults[name]; ok {
				text, err := runner.Value{Tensor: value}.AppendJSON(nil)
				if err != nil {
					return nil, fmt.Errorf("make up rows: input %q: %w", name, err)
				}
				w.out.Write(text)
				continue
			}
			info := sig.Inputs[name]
			if info.Sparse() {
				w.sparse(info)
				continue
			}
			c := f.components[f.p.RowSpec().Index(name)]
			w.dims(c)
			if tooLarge(w.sizes) {
				return nil, fmt.Errorf("make up rows: input %q: a value of shape %v has more values than the %d that are made up", name, w.sizes, madeUpSize)
			}
			w.value(c, w.sizes, i)
		}
		w.out.WriteString("}\n")
		if w.values > madeUpSize {
			break
		}
	}
	rows, err := dataset.JSONL(&w.out, f.p.RowSpec()).Collect(context.Background())
	if err != nil {
		return nil, fmt.Errorf("make up rows: %w", err)
	}
	return rows, nil
}

// examples makes up rows of a signature that takes serialized tf.Examples, from the features that
// it parses.
func (f *fiction) examples(w *rowMaker, n int, lengths []int64) ([]dataset.Element, error) {
	for i := range n {
		for k, x := range f.p.Features() {
			w.length = lengths[i%len(lengths)]
			w.out.WriteByte("{,"[min(k, 1)])
			w.out.Write(dataset.AppendJSONString(nil, x.Name))
			w.out.WriteByte(':')
			c := dataset.Component{DType: x.DType, Shape: x.Shape}
			w.dims(c)
			if x.DType == tensor.String && openAxes(x.Shape) == 0 {
				c.Shape, w.length = tensor.MakeShape(tensor.Unknown), 1 // a word, not a text
			}
			w.value(c, w.sizes, i)
		}
		w.out.WriteString("}\n")
	}
	rows, err := Source{Files: []string{"-"}, Stdin: &w.out, Format: "jsonl"}.Rows(f.p)
	if err != nil {
		return nil, fmt.Errorf("make up rows: %w", err)
	}
	return rows.Collect(context.Background())
}
