package sequence

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Plan says how rows are completed.
type Plan struct {
	Spec    dataset.Spec     // of the completed rows, a dictionary of inputs
	Lengths map[string]int64 // by input: the length of its first axis
	// Made maps inputs that are made to the input whose lengths, before padding, they get. Those in
	// Counts get the number; the others get a mask, with ones for entries and zeros for padding.
	Made, Counts map[string]string
	Set          map[string]tensor.Tensor // by input: its value in all rows
	Pad          map[string]tensor.Tensor // by input: the value for padding; otherwise 0

	PadFirst bool // padding comes before the row's entries
	Cut      bool // longer rows are cut
	CutFirst bool // they are cut at their beginning
}

// Given returns the spec of the rows that [Plan.Complete] takes: Spec without the inputs that are
// set or made, and with any length where rows get one.
func (p *Plan) Given() dataset.Spec {
	items := map[string]dataset.Spec{}
	for i, key := range p.Spec.Keys() {
		_, made := p.Made[key]
		if _, set := p.Set[key]; made || set {
			continue
		}
		items[key] = p.Spec.Items()[i]
		if p.Lengths[key] > 0 {
			c := p.Spec.Flatten()[p.Spec.Index(key)]
			dims := c.Shape.Dims()
			dims[0] = tensor.Unknown
			c.Shape = tensor.MakeShape(dims...)
			items[key] = dataset.Leaf(c)
		}
	}
	return dataset.Dict(items)
}

// Complete gives rows of [Plan.Given] their lengths, and adds the inputs that they do not have. If
// nothing is cut, a row that is too long is an error of that row.
func (p *Plan) Complete(rows *dataset.Dataset) *dataset.Dataset {
	given, paths, components := p.Given(), p.Spec.Paths(), p.Spec.Flatten()
	names := slices.Sorted(maps.Keys(p.Lengths))
	rows = rows.Check(func(e dataset.Element) (string, error) {
		for _, name := range names {
			if n := e.Tensors[given.Index(name)].Dims()[0]; n > p.Lengths[name] && !p.Cut {
				return name, fmt.Errorf("%d entries are more than %d; --truncate pre or post cuts them", n, p.Lengths[name])
			}
		}
		return "", nil
	})
	return rows.Map(p.Spec, func(e dataset.Element) (dataset.Element, error) {
		row := e
		row.Tensors, row.Splits = make([]tensor.Tensor, len(paths)), nil
		before := map[string]int64{} // lengths after cutting, before padding
		for i, path := range paths {
			k := given.Index(path)
			if k < 0 {
				continue
			}
			t := e.Tensors[k]
			if e.Splits != nil {
				row.Splits = append(row.Splits, make([][]tensor.Tensor, i+1-len(row.Splits))...)
				row.Splits[i] = e.Splits[k]
			}
			var err error
			if row.Tensors[i], before[path], err = p.fitted(path, t); err != nil {
				return row, err
			}
		}
		return row, p.complete(row, components, before)
	})
}

// fitted pads or cuts an input's value. n is the length before padding.
func (p *Plan) fitted(name string, t tensor.Tensor) (_ tensor.Tensor, n int64, err error) {
	want := p.Lengths[name]
	if t.Rank() > 0 {
		n = t.Dims()[0]
	}
	if want == 0 {
		return t, n, nil
	}
	switch {
	case n > want && p.CutFirst:
		t, n = t.Slice(int(n-want), int(n)), want
	case n > want:
		t, n = t.Slice(0, int(want)), want
	}
	if n == want {
		return t, n, nil
	}
	long, err := extend(t, want, p.Pad[name])
	if err == nil && p.PadFirst {
		toEnd(long, int(n))
	}
	return long, n, err
}

// complete adds the inputs that are set or made. components are those of the rows.
func (p *Plan) complete(row dataset.Element, components []dataset.Component, lengths map[string]int64) error {
	for name, v := range p.Set {
		row.Tensors[p.Spec.Index(name)] = v
	}
	for name, of := range p.Made {
		c := components[p.Spec.Index(name)]
		n := lengths[of]
		if _, isLength := p.Counts[name]; isLength {
			dims, ok := oneElement(c.Shape)
			t, err := filled(c.DType, 1, float64(n))
			if !ok || err != nil {
				return fmt.Errorf("input %q: a length is one number, want %s %s", name, c.DType, c.Shape)
			}
			if row.Tensors[p.Spec.Index(name)], err = t.Reshape(dims...); err != nil {
				return err
			}
			continue
		}
		t, err := filled(c.DType, n, 1)
		if err != nil {
			return fmt.Errorf("input %q: %w", name, err)
		}
		if total := p.Lengths[of]; total > n {
			if t, err = extend(t, total, tensor.Tensor{}); err != nil {
				return err
			}
			if p.PadFirst {
				toEnd(t, int(n))
			}
		}
		row.Tensors[p.Spec.Index(name)] = t
	}
	return nil
}
