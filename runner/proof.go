package runner

import (
	"slices"
	"sync"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/savedmodel/padding"
	"github.com/tfrun/tfrun/tensor"
)

// Proof is what follows from a signature's graph about all outputs that are asked for: that their
// answers depend on something, that they do not, or that the graph does not tell.
type Proof struct {
	padding.Result
	// Output is the output that the chain of reasons is about; "" where all are independent.
	Output string
}

// proven is what is proven of a predictor's signature, once it was asked for, and what trials have
// shown where nothing is.
type proven struct {
	once             sync.Once
	company, padding Proof

	mu    sync.Mutex
	tried Finding // the effect of other rows in a batch
}

// found returns what trials of as many rows have shown of the effect of other rows.
func (p *proven) found(rows int) (f Finding, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tried, p.tried.Trials > 0 && (p.tried.Depends() || p.tried.Rows >= min(rows, trialRows))
}

// keep holds what trials have shown of the effect of other rows, for later runs: a service, or one
// that takes many streams, would make them for each.
func (p *proven) keep(f Finding) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried = f
}

// proofs looks for proofs about the outputs in the graph. What holds for an output holds for its
// heads: they work on its last axis, within a row.
func (p *Predictor) proofs() (company, padded Proof) {
	p.proven.once.Do(func() {
		unknown := func(why string) Proof {
			return Proof{Result: padding.Result{Chain: []string{why}}}
		}
		list, err := padding.Of(p.f.session.graph, p.f.signature, p.o.Pad)
		if err != nil {
			p.proven.company, p.proven.padding = unknown(lineOf(err)), unknown(lineOf(err))
			return
		}
		p.proven.company = Proof{Result: padding.Result{Answer: padding.Independent}}
		p.proven.padding = p.proven.company
		for _, e := range p.f.outputs {
			i := slices.IndexFunc(list, func(o padding.Output) bool { return o.Name == e.from() })
			if base := p.f.signature.Outputs[e.from()].Shape; i < 0 || e.head != "" && base.Rank() < 2 {
				p.proven.company.also(e.Name, unknown("the graph does not say what it is computed from").Result)
				p.proven.padding.also(e.Name, unknown("the graph does not say what it is computed from").Result)
				continue
			}
			p.proven.company.also(e.Name, list[i].Company)
			p.proven.padding.also(e.Name, list[i].Padding)
		}
		if p.o.Sequences.PadSide == Pre {
			p.proven.padding = unknown("proofs are about padding behind a row, not before it")
		}
	})
	return p.proven.company, p.proven.padding
}

// also adds what is proven of one more output. All outputs together depend where one of them does,
// and are unknown where one of them is.
func (p *Proof) also(output string, r padding.Result) {
	switch {
	case p.Answer == padding.Depends:
	case r.Answer == padding.Independent && p.Answer == padding.Independent:
		for _, n := range r.Needs {
			if !slices.Contains(p.Needs, n) {
				p.Needs = append(p.Needs, n)
			}
		}
	case r.Answer == padding.Depends || p.Answer == padding.Independent:
		p.Result, p.Output = r, output
	}
}

// isApart returns a function that reports whether a row does not meet the needs of a proof, so that
// the proof does not hold for the row. It is nil where there are no needs.
func (p *Predictor) isApart(needs []padding.Need) func(dataset.Element) bool {
	if len(needs) == 0 {
		return nil
	}
	return func(row dataset.Element) bool {
		return slices.ContainsFunc(needs, func(n padding.Need) bool { return !p.meets(row, n) })
	}
}

// meets reports whether a row meets a need of a proof.
func (p *Predictor) meets(row dataset.Element, n padding.Need) bool {
	c := p.spec.Index(n.Input)
	if c < 0 {
		return false
	}
	t := row.Tensors[c]
	if n.Least > 0 {
		return n.Axis < t.Rank() && t.Dims()[n.Axis] >= n.Least
	}
	if n.Other != "" {
		other := p.spec.Index(n.Other)
		if other < 0 || n.Axis >= t.Rank() || n.OtherAxis >= row.Tensors[other].Rank() {
			return false
		}
		return t.Dims()[n.Axis] == row.Tensors[other].Dims()[n.OtherAxis]
	}
	open := p.openAxes(c, t)
	if len(open) == 0 {
		return true
	}
	step := 1 // values of one
	for _, d := range t.Dims()[open[len(open)-1]+1:] {
		step *= int(d)
	}
	pad := p.o.Pad[n.Input]
	switch t.DType() {
	case tensor.Int64:
		return stepsMeet[int64](t, pad, step, n, true)
	case tensor.Int32:
		return stepsMeet[int32](t, pad, step, n, true)
	case tensor.Int16:
		return stepsMeet[int16](t, pad, step, n, true)
	case tensor.Int8:
		return stepsMeet[int8](t, pad, step, n, true)
	case tensor.Uint8:
		return stepsMeet[uint8](t, pad, step, n, true)
	case tensor.Float32:
		return stepsMeet[float32](t, pad, step, n, false)
	case tensor.Float64:
		return stepsMeet[float64](t, pad, step, n, false)
	case tensor.Bool:
		values, _ := tensor.Values[bool](t)
		return !slices.Contains(values, false)
	}
	return false
}

// stepsMeet reports whether the steps of a row, of so many values each, meet a need of a proof.
func stepsMeet[T interface {
	tensor.Value
	int8 | int16 | int32 | int64 | uint8 | float32 | float64
}](t, pad tensor.Tensor, step int, n padding.Need, whole bool,
) bool {
	values, _ := tensor.Values[T](t)
	var fill T
	if p, ok := tensor.Values[T](pad); ok && len(p) == 1 {
		fill = p[0]
	}
	if n.Ones {
		return !slices.ContainsFunc(values, func(v T) bool { return v != 1 })
	}
	if step == 1 && whole && fill == 0 {
		return !slices.ContainsFunc(values, func(v T) bool { return v <= 0 })
	}
	for ; step > 0 && len(values) >= step; values = values[step:] {
		if !slices.ContainsFunc(values[:step], func(v T) bool { return v != fill }) {
			return false
		}
	}
	return true
}
