package runner

import (
	"math"
	"slices"

	"github.com/tfrun/tfrun/tensor"
)

// trial is one comparison of two answers: for a whole row, or for the beginning of a row.
type trial struct {
	row          int64 // its number in the file
	steps, whole int64 // of what was run, and of the row
	paddedTo     int64 // steps
}

// noEffects has an effect for each output, of nothing so far.
func (p *Predictor) noEffects() []Effect {
	effects := make([]Effect, len(p.outputs))
	for i, name := range p.outputs {
		effects[i] = Effect{Output: name, Worst: -1}
	}
	return effects
}

// compareAll takes the differences between two results for one row.
func compareAll(effects []Effect, t trial, a, b []Value) {
	for k := range effects {
		effects[k].compare(t, a[k], b[k])
	}
}

// compare takes the difference between two answers for one row.
func (e *Effect) compare(t trial, alone, other Value) {
	d := distance(alone, other)
	if d.abs > e.MaxAbs || d.depends && !e.Depends {
		e.Worst, e.Steps, e.WorstSteps, e.PaddedTo = t.row, t.steps, t.whole, t.paddedTo
	}
	if at, found := slices.BinarySearch(e.Rows, t.row); d.depends && !found {
		e.Rows = slices.Insert(e.Rows, at, t.row)
	}
	e.MaxAbs, e.Scale = max(e.MaxAbs, d.abs), max(e.Scale, d.scale)
	e.Shape, e.Depends = e.Shape || d.shape, e.Depends || d.depends
}

// gap is how far two answers are apart.
type gap struct {
	abs, scale     float64
	shape, depends bool
}

func distance(alone, padded Value) gap {
	parts := func(v Value) []tensor.Tensor {
		list := append([]tensor.Tensor{v.Tensor}, v.Splits...)
		if v.Sparse != nil {
			list = append(list, v.Sparse.Indices, v.Sparse.DenseShape)
		}
		return list
	}
	var d gap
	a, b := parts(alone), parts(padded)
	for i := range a {
		if !a[i].Shape().Equal(b[i].Shape()) {
			return gap{shape: true, depends: true}
		}
		tolerance := 1e-4
		if a[i].DType().Size() == 2 {
			tolerance = 1e-2
		}
		x, ok := numbers(a[i])
		if !ok {
			if !a[i].Equal(b[i]) {
				d.abs, d.depends = math.Inf(1), true
			}
			continue
		}
		y, _ := numbers(b[i])
		for k := range x {
			d.number(x[k], y[k], tolerance)
		}
	}
	return d
}

func (d *gap) number(x, y, tolerance float64) {
	if !math.IsInf(x, 0) && !math.IsNaN(x) {
		d.scale = max(d.scale, math.Abs(x))
	}
	if x == y || math.IsNaN(x) && math.IsNaN(y) {
		return
	}
	abs := math.Abs(x - y)
	if math.IsNaN(abs) {
		abs = math.Inf(1)
	}
	d.abs = max(d.abs, abs)
	if abs > 1e-5+tolerance*math.Abs(x) {
		d.depends = true
	}
}

// numbers returns floating-point values as float64; ok is false for dtypes that are compared bit
// for bit.
func numbers(t tensor.Tensor) (values []float64, ok bool) {
	switch t.DType() {
	case tensor.Float64:
		return tensor.Values[float64](t)
	case tensor.Float32:
		return widened(t, func(v float32) float64 { return float64(v) }), true
	case tensor.Float16:
		return widened(t, func(v tensor.F16) float64 { return float64(v.Float32()) }), true
	case tensor.Bfloat16:
		return widened(t, func(v tensor.BF16) float64 { return float64(v.Float32()) }), true
	}
	return nil, false
}

func widened[T tensor.Value](t tensor.Tensor, to func(T) float64) []float64 {
	values, _ := tensor.Values[T](t)
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = to(v)
	}
	return out
}
