package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// MadeUp are rows that were made up from a signature, for want of real ones.
type MadeUp struct {
	Rows []dataset.Element
	// Lengths are the sizes of the rows' open axes, in turn; nil where a signature leaves none
	// open. Below is the bound of the whole numbers in them: ids of an embedding must be small.
	Lengths []int64
	Below   int64
	// Refused are lengths that the model could not run, as a convolution cannot run fewer steps
	// than its kernel has.
	Refused []int64
	// FirstRun is how long the very first row took, TensorFlow's preparations included.
	FirstRun time.Duration
}

// MadeUpError says that the model runs none of the rows that were made up: it takes what cannot be
// guessed from its signature.
type MadeUpError struct {
	Err error // of the last attempt
}

// Error gives the last attempt's error.
func (e *MadeUpError) Error() string { return "made-up rows: " + reasonOf(e.Err).Error() }

// Unwrap returns the last attempt's error.
func (e *MadeUpError) Unwrap() error { return e.Err }

// Hints says what to type instead.
func (e *MadeUpError) Hints() []string {
	return []string{"what the model takes cannot be guessed from its signature: name a file of real rows after it"}
}

// MakeUpRows makes up n rows that the signature runs. Whole numbers, and floats where an input is a
// list of any length and so may hold ids, are random numbers of at least 1 below a bound, which is
// lowered until the model takes them; other floats lie between 0 and 1. A text has as many words as
// the row is long. lengths, in ascending order, are tried for open axes, and kept where the model
// runs them in good time; nil tries usual ones that do not make large rows. The error is a
// *[MadeUpError]. The same call makes the same rows.
func (p *Predictor) MakeUpRows(ctx context.Context, n int, lengths []int64) (MadeUp, error) {
	if len(lengths) == 0 {
		lengths = p.affordable(p.usualLengths())
	}
	quiet := p.with(func(o *PredictOptions) { o.Batch, o.Stats, o.Batching, o.SkipBadRows = nil, nil, Arrival, false })
	var best MadeUp
	start, firstRun := time.Now(), time.Duration(0)
	err := errors.New("make up rows: no length to try")
	for _, below := range []int64{100, 10, 3, 2, 1} {
		m := MadeUp{Below: below}
		for i, length := range lengths {
			began := time.Now()
			if err2 := quiet.tryLength(ctx, below, length); err2 != nil {
				err = err2
				m.Refused = append(m.Refused, length)
				continue
			}
			m.Lengths = append(m.Lengths, length)
			if firstRun == 0 {
				firstRun = time.Since(start)
			} else if time.Since(began) > madeUpTime {
				lengths = lengths[:i+1] // longer ones take longer
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
		return best, &MadeUpError{Err: err}
	}
	best.FirstRun = firstRun
	best.Rows, err = p.madeUpRows(n, best.Below, best.Lengths)
	if p.openMost() == 0 {
		best.Lengths = nil
	}
	return best, err
}

// tryLength runs one row.
func (p *Predictor) tryLength(ctx context.Context, below, length int64) error {
	rows, err := p.madeUpRows(1, below, []int64{length})
	if err == nil {
		_, err = p.collect(ctx, dataset.FromElements(p.spec, rows...))
	}
	return err
}

// usualLengths are those of sentences and short texts; of pictures, where two axes are open; the
// only one where nothing is.
func (p *Predictor) usualLengths() []int64 {
	switch most := p.openMost(); {
	case most == 0:
		return []int64{1}
	case most > 1:
		return []int64{32, 64, 96}
	}
	return []int64{16, 32, 64, 128, 256}
}

// openMost is the largest number of axes along which the rows of an input can be longer or shorter;
// a text counts for one.
func (p *Predictor) openMost() int {
	most := 0
	for _, x := range p.features {
		most = max(most, min(openAxes(x.Shape), 1))
	}
	if len(p.features) > 0 {
		return most
	}
	for _, info := range p.f.signature.Inputs {
		shape := info.Shape
		if info.Ragged != nil {
			shape = info.Ragged.Shape
		}
		if shape.Ranked() && shape.Rank() > 0 && !p.vectors() {
			// with NoBatch too: one row at a time is made up
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

// vectors reports whether rows are whole tensors of one axis each, such as a sound: that axis is no
// batch then.
func (p *Predictor) vectors() bool {
	if !p.o.NoBatch {
		return false
	}
	for _, c := range p.components {
		if !c.Shape.Ranked() || c.Shape.Rank() > 1 || c.Ragged {
			return false
		}
	}
	return true
}

func openAxes(s tensor.Shape) int {
	n := 0
	for _, d := range s.Dims() {
		if d == tensor.Unknown {
			n++
		}
	}
	return n
}

// madeUpSize bounds the values of all rows that are made up, and openSize those of one that has
// open axes. A row that takes longer than madeUpTime is the longest that is made up.
const (
	madeUpSize = 8 << 20
	openSize   = 1 << 16
	madeUpTime = 2 * time.Second
)

// affordable leaves out lengths that make large rows, but for the smallest: a model may make
// hundreds of values of each. They are sorted.
func (p *Predictor) affordable(lengths []int64) []int64 {
	for i, length := range lengths {
		for _, c := range p.components {
			values, open := int64(1), false
			for _, d := range c.Shape.Dims() {
				if d == tensor.Unknown {
					d, open = length, true
				}
				values = times(values, max(d, 1))
			}
			if open && values > openSize {
				return lengths[:max(i, 1)]
			}
		}
	}
	return lengths
}

// tooLarge reports whether sizes come to more values than are made up for a row; empty lists count
// too.
func tooLarge(sizes []int64) bool {
	n := int64(1)
	for _, d := range sizes {
		n = times(n, max(d, 1))
	}
	return n > madeUpSize
}

// madeUpRows writes rows as JSON, which has every dtype and form there is, and reads them.
func (p *Predictor) madeUpRows(n int, below int64, lengths []int64) ([]dataset.Element, error) {
	w := &rowMaker{rng: rand.New(rand.NewPCG(1, 2)), below: below, noBatch: p.o.NoBatch && !p.vectors()} //nolint:gosec // the same rows every time are wanted
	if len(p.features) > 0 {
		return p.madeUpExamples(w, n, lengths)
	}
	for i := range n {
		w.length = lengths[i%len(lengths)]
		w.out.WriteByte('{')
		for k, name := range p.f.signature.InputNames() {
			if k > 0 {
				w.out.WriteByte(',')
			}
			w.out.Write(dataset.AppendJSONString(nil, name))
			w.out.WriteByte(':')
			if value, ok := p.f.signature.Defaults[name]; ok {
				text, err := Value{Tensor: value}.AppendJSON(nil)
				if err != nil {
					return nil, fmt.Errorf("make up rows: input %q: %w", name, err)
				}
				w.out.Write(text)
				continue
			}
			info := p.f.signature.Inputs[name]
			if info.Sparse() {
				w.sparse(info)
				continue
			}
			c := p.components[p.spec.Index(name)]
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
	rows, err := dataset.JSONL(&w.out, p.spec).Collect(context.Background())
	if err != nil {
		return nil, fmt.Errorf("make up rows: %w", err)
	}
	return rows, nil
}

// madeUpExamples makes up rows of a signature that takes serialized tf.Examples: values of the
// features that it parses out of them.
func (p *Predictor) madeUpExamples(w *rowMaker, n int, lengths []int64) ([]dataset.Element, error) {
	for i := range n {
		for k, x := range p.features {
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
	rows, err := p.Rows(Source{Files: []string{"-"}, Stdin: &w.out, Format: "jsonl"})
	if err != nil {
		return nil, fmt.Errorf("make up rows: %w", err)
	}
	return rows.Collect(context.Background())
}

// rowMaker writes made-up rows.
type rowMaker struct {
	out     bytes.Buffer
	rng     *rand.Rand
	below   int64
	length  int64
	noBatch bool
	sizes   []int64
	ids     bool // floats hold whole numbers
	values  int
}

// dims sets sizes to those of a row's value: length along every open axis.
func (w *rowMaker) dims(c dataset.Component) {
	if !c.Shape.Ranked() {
		w.sizes, w.ids = []int64{w.length}, true
		if w.noBatch {
			w.sizes = []int64{1, w.length}
		}
		return
	}
	w.sizes = slices.Clone(c.Shape.Dims())
	open := 0
	for i, d := range w.sizes {
		if d == tensor.Unknown {
			w.sizes[i] = w.length
			open++
			if w.noBatch && i == 0 {
				w.sizes[i], open = 1, open-1
			}
		}
	}
	axes := len(w.sizes)
	if w.noBatch {
		axes--
	}
	w.ids = open == 1 && axes == 1
}

// value writes nested lists of the sizes. Lists along a ragged axis below the first are of unequal
// lengths.
func (w *rowMaker) value(c dataset.Component, sizes []int64, seed int) {
	if len(sizes) == 0 {
		w.scalar(c)
		return
	}
	n := sizes[0]
	if depth := len(w.sizes) - len(sizes); c.Ragged && depth > 0 && depth <= c.RaggedRank {
		n = min(n, int64(1+seed%4))
	}
	w.out.WriteByte('[')
	for i := range n {
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.value(c, sizes[1:], seed+int(i))
	}
	w.out.WriteByte(']')
}

// scalar writes one value.
func (w *rowMaker) scalar(c dataset.Component) {
	w.values++
	switch {
	case c.DType == tensor.Bool:
		w.out.WriteString(strconv.FormatBool(w.rng.IntN(2) == 1))
	case c.DType == tensor.String:
		words := int64(1)
		if openAxes(c.Shape) == 0 || w.noBatch && c.Shape.Rank() == 1 {
			words = min(w.length, 1024) // a text, not a list of words
		}
		w.out.WriteByte('"')
		for i := range words {
			if i > 0 {
				w.out.WriteByte(' ')
			}
			w.out.WriteString(madeUpWords[w.rng.IntN(len(madeUpWords))])
		}
		w.out.WriteByte('"')
	case c.DType == tensor.Complex64, c.DType == tensor.Complex128:
		fmt.Fprintf(&w.out, "[%.3f,%.3f]", w.rng.Float64(), w.rng.Float64())
	case isFloat(c.DType) && !w.ids:
		fmt.Fprintf(&w.out, "%.3f", w.rng.Float64())
	case w.below <= 1:
		w.out.WriteByte('0')
	default:
		w.out.WriteString(strconv.FormatInt(1+w.rng.Int64N(w.below-1), 10))
	}
}

var madeUpWords = []string{"the", "a", "film", "was", "good", "bad", "and", "not", "very", "story", "with", "of", "it", "music", "we", "saw"}

func isFloat(d tensor.DType) bool {
	return d == tensor.Float32 || d == tensor.Float64 || d == tensor.Float16 || d == tensor.Bfloat16
}

// sparse writes a sparse value with up to 16 entries along its last axis, at the beginning of the
// others.
func (w *rowMaker) sparse(info savedmodel.TensorInfo) {
	dims := w.sparseDims(info.Shape)
	n := int64(1)
	if len(dims) > 0 {
		n = min(dims[len(dims)-1], 16)
	}
	c := dataset.Component{DType: info.DType, Shape: tensor.MakeShape(n)}
	w.out.WriteString(`{"indices":[`)
	at := make([]int64, len(dims))
	for i := range n {
		if len(at) > 0 {
			at[len(at)-1] = i
		}
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.integers(at)
	}
	w.out.WriteString(`],"values":[`)
	for i := range n {
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.scalar(c)
	}
	w.out.WriteString(`],"dense_shape":`)
	w.integers(dims)
	w.out.WriteByte('}')
}

// sparseDims are the sizes of a sparse value in a row.
func (w *rowMaker) sparseDims(s tensor.Shape) []int64 {
	if !s.Ranked() {
		s = tensor.MakeShape(tensor.Unknown, tensor.Unknown)
	}
	dims := slices.Clone(s.Dims())
	for i, d := range dims {
		if d == tensor.Unknown {
			dims[i] = w.length
		}
	}
	if len(dims) == 0 {
		return nil
	}
	if !w.noBatch {
		return dims[1:]
	}
	if s.Dim(0) == tensor.Unknown {
		dims[0] = 1
	}
	return dims
}

func (w *rowMaker) integers(v []int64) {
	w.out.WriteByte('[')
	for i, x := range v {
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.out.WriteString(strconv.FormatInt(x, 10))
	}
	w.out.WriteByte(']')
}
