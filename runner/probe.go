package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Batching says which rows share a batch.
type Batching string

const (
	// Arrival takes rows as they come and pads each batch to its longest row: padded_batch.
	Arrival Batching = "arrival"
	// Exact lets only rows of equal shapes share a batch: nothing is padded, and each row gets the
	// answer that it would get alone.
	Exact Batching = "exact"
	// Bucket lets rows of like length share a batch, for speed. It is refused with a
	// *[PaddingError] when the model's answers depend on padding, as measured on the first rows.
	Bucket Batching = "bucket"
	// Auto is Bucket where that measurement allows it, otherwise Arrival.
	Auto Batching = "auto"
)

// grouping returns how the dataset groups rows, and whether that has to be measured first. "" is
// arrival.
func (b Batching) grouping() (g dataset.Grouping, measured bool, err error) {
	switch b {
	case "", Arrival:
		return dataset.Arrival, false, nil
	case Exact:
		return dataset.Exact, false, nil
	case Bucket, Auto:
		return dataset.Similar, true, nil
	}
	return 0, false, &OptionError{Option: "Batching", Msg: fmt.Sprintf("%q: want arrival, exact, bucket or auto", string(b))}
}

// PaddingReport says whether a signature's answers depend on how far its rows are padded, as
// measured.
type PaddingReport struct {
	// Rows were run, each alone and unpadded, then all of them padded to PaddedTo entries.
	Rows     int
	PaddedTo int64
	// Effects has an entry for each output, in their order. It is empty where nothing can be
	// padded: no input has an open axis.
	Effects []PaddingEffect
}

// PaddingEffect is what padding did to one output.
type PaddingEffect struct {
	Output string
	// MaxAbs is the largest absolute difference that padding made to a number; infinite where an
	// integer, a string, a bool, an infinity or a NaN changed. Scale is the largest finite number,
	// without its sign, among the answers that were compared, to set it beside.
	MaxAbs, Scale float64
	// Rows are the numbers of the rows whose answers depend on padding; Worst is the one with the
	// largest difference, or -1.
	Rows  []int64
	Worst int64
	// Shape says that the output's own shape grew with the padding, as that of an answer for each
	// time step does.
	Shape bool
	// Depends says that the difference is more than rounding: above 1e-5 + 1e-4 of the value, or
	// 1e-2 of it for 16-bit floats.
	Depends bool
}

// Depends reports whether any output depends on padding.
func (r PaddingReport) Depends() bool {
	for _, e := range r.Effects {
		if e.Depends {
			return true
		}
	}
	return false
}

// String says it in a sentence.
func (r PaddingReport) String() string {
	if len(r.Effects) == 0 {
		return "nothing is ever padded: every row has the same shape"
	}
	worst := r.Effects[0]
	for _, e := range r.Effects {
		if e.Depends && !worst.Depends || e.Depends == worst.Depends && e.MaxAbs > worst.MaxAbs {
			worst = e
		}
	}
	switch {
	case worst.Shape:
		return fmt.Sprintf("output %q has an entry for each padded step", worst.Output)
	case worst.Depends:
		return fmt.Sprintf("padding changes output %q by up to %.2g (%d rows alone, then padded to %d)", worst.Output, worst.MaxAbs, r.Rows, r.PaddedTo)
	}
	return fmt.Sprintf("padding does not change the answers (%d rows alone, then padded to %d: within %.1g)", r.Rows, r.PaddedTo, worst.MaxAbs)
}

// PaddingError says that rows of like length may not share batches, because the model's answers
// depend on padding.
type PaddingError struct {
	Report PaddingReport
}

// Error gives the measurement.
func (e *PaddingError) Error() string { return "batching bucket: " + e.Report.String() }

// Hints says what to type instead.
func (e *PaddingError) Hints() []string {
	return []string{
		"--batching exact gives what each row gives alone; --batching arrival what padded_batch gives",
		"to take the difference for the speed: --padding-may-change-results",
	}
}

// A measurement before a run takes probeRows of the first probeOf rows, out of the shorter half:
// running rows by themselves takes long for long ones, and a short row's answer is the one that
// padding changes most.
const (
	probeRows = 16
	probeOf   = 64
)

// probed picks the rows to be measured, in their order.
func (p *Predictor) probed(first []dataset.Element) []dataset.Element {
	if len(first) <= probeRows {
		return first
	}
	order := make([]int, len(first))
	sizes := make([]int64, len(first))
	for i, row := range first {
		order[i] = i
		for c, t := range row.Tensors {
			sizes[i] = plus(sizes[i], p.padded(c, t))
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sizes[a], sizes[b]) })
	half := order[:max(len(order)/2, probeRows)]
	var picked []int
	for i := range probeRows {
		picked = append(picked, half[i*len(half)/probeRows])
	}
	slices.Sort(picked)
	rows := make([]dataset.Element, probeRows)
	for i, k := range picked {
		rows[i] = first[k]
	}
	return rows
}

// ProbePadding measures whether the signature's answers depend on padding: it runs each of the rows
// alone, and then all of them padded beyond the longest. It needs a row at least, and a signature
// that keeps no state: else it returns an *[OptionError].
func (p *Predictor) ProbePadding(ctx context.Context, rows []dataset.Element) (PaddingReport, error) {
	report := PaddingReport{Rows: len(rows)}
	if p.state.Stateful() {
		return report, p.refuse("Batching", "answers for one row twice cannot be compared")
	}
	q := *p
	q.o.Batching, q.o.SkipBadRows, q.o.Stats, q.o.Batch, q.o.Workers, q.o.MaxTokens = Arrival, false, nil, nil, 1, 0
	q.o.From, q.o.Shard, q.o.Shards, q.meter = 0, 0, 0, nil // these rows are none of the run's
	q.o.PadTo = map[string]int64{}
	for i, c := range p.spec.Flatten() {
		scalar := c.Shape.Rank() == 0 || !c.Shape.Ranked() && len(rows) > 0 && rows[0].Tensors[i].Rank() == 0
		if scalar || c.Ragged || c.Shape.Ranked() && c.Shape.Dim(0) != tensor.Unknown {
			continue
		}
		longest := int64(0)
		for _, r := range rows {
			longest = max(longest, r.Tensors[i].Dims()[0])
		}
		// A quarter more than the longest: it is to be padded too.
		longest += 4 + longest/4
		q.o.PadTo[p.spec.Paths()[i]] = longest
		report.PaddedTo = max(report.PaddedTo, longest)
	}
	if len(q.o.PadTo) == 0 || len(rows) == 0 {
		return report, nil
	}
	report.Effects = p.noEffects()
	padded, err := q.collect(ctx, q.padTo(dataset.FromElements(p.spec, rows...)))
	if err != nil {
		return report, fmt.Errorf("padding probe: %w", err)
	}
	alone, err := q.oneByOne(ctx, rows)
	if err != nil {
		return report, fmt.Errorf("padding probe: %w", err)
	}
	for i, row := range rows {
		for k := range report.Effects {
			report.Effects[k].compare(row.Row, alone[i].Values[k], padded[i].Values[k])
		}
	}
	return report, nil
}

// oneByOne runs each row by itself, two at a time where a batch may be one row.
func (p *Predictor) oneByOne(ctx context.Context, rows []dataset.Element) ([]Result, error) {
	if p.fixed == 0 {
		q := *p
		q.o.BatchSize, q.o.Workers = 1, DefaultWorkers
		return q.collect(ctx, dataset.FromElements(p.spec, rows...))
	}
	all := make([]Result, 0, len(rows))
	for _, row := range rows {
		r, err := p.collect(ctx, dataset.FromElements(p.spec, row))
		if err != nil {
			return nil, err
		}
		all = append(all, r...)
	}
	return all, nil
}

// collect runs rows and returns their results.
func (p *Predictor) collect(ctx context.Context, rows *dataset.Dataset) ([]Result, error) {
	var all []Result
	for r, err := range p.Predict(ctx, rows) {
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, errors.New("no results")
	}
	return all, nil
}

// noEffects has an effect for each output, of nothing so far.
func (p *Predictor) noEffects() []PaddingEffect {
	effects := make([]PaddingEffect, len(p.outputs))
	for i, name := range p.outputs {
		effects[i] = PaddingEffect{Output: name, Worst: -1}
	}
	return effects
}

// compare takes the difference between two answers for one row.
func (e *PaddingEffect) compare(row int64, alone, padded Value) {
	d := distance(alone, padded)
	if d.abs > e.MaxAbs || d.depends && !e.Depends {
		e.Worst = row
	}
	if d.depends {
		e.Rows = append(e.Rows, row)
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
