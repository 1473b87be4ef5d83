package runner

import (
	"context"
	"maps"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// batchOptions says how rows are grouped and padded.
func (p *Predictor) batchOptions(grouping dataset.Grouping) dataset.BatchOptions {
	values := map[string]dataset.Values{}
	shapes := map[string]dataset.Shapes{}
	for i, key := range p.spec.Keys() {
		item := p.spec.Items()[i]
		values[key] = paddingOf(item, p.o.Pad[key])
		shapes[key] = paddedShapeOf(item, p.o.PaddedShapes[key])
	}
	budget := p.o.Limits.BatchBytes
	if p.fixed > 0 {
		budget = 0 // a batch is always as large as a whole one
	}
	return dataset.BatchOptions{
		Budget: budget, Split: p.o.Split, Size: int64(p.o.BatchSize), MaxTokens: p.o.MaxTokens, Grouping: grouping, Window: p.o.Window, Stats: p.o.Stats,
		PaddedShapes: dataset.Dict(shapes), PaddingValues: dataset.Dict(values),
	}
}

// paddingOf returns the padding values of an input's components: v for a dense input, the default
// for the rest.
func paddingOf(spec dataset.Spec, v tensor.Tensor) dataset.Values {
	if spec.IsLeaf() {
		return dataset.Leaf(v)
	}
	items := map[string]dataset.Values{}
	for i, key := range spec.Keys() {
		items[key] = paddingOf(spec.Items()[i], tensor.Tensor{})
	}
	return dataset.Dict(items)
}

// paddedShapeOf returns the padded shape of an input's components: the one given, or the
// component's own.
func paddedShapeOf(spec dataset.Spec, given dataset.Dims) dataset.Shapes {
	if spec.IsLeaf() {
		if given != nil {
			return dataset.Leaf(given)
		}
		shape := spec.Leaf().Shape
		if !shape.Ranked() {
			return dataset.Leaf[dataset.Dims](nil)
		}
		dims := dataset.Dims(shape.Dims())
		for i, d := range dims {
			if d == tensor.Unknown {
				dims[i] = dataset.None
			}
		}
		return dataset.Leaf(dims)
	}
	items := map[string]dataset.Shapes{}
	for i, key := range spec.Keys() {
		items[key] = paddedShapeOf(spec.Items()[i], nil)
	}
	return dataset.Dict(items)
}

// inferRanks takes the rank of inputs whose rank the signature leaves open from the first row: the
// rows of a batch have to share one.
func (p *Predictor) inferRanks(ctx context.Context, rows *dataset.Dataset) (*Predictor, *dataset.Dataset) {
	open := func(i int) bool {
		return !p.components[i].Shape.Ranked() && p.o.PaddedShapes[p.spec.Paths()[i]] == nil
	}
	for i := range p.components {
		if !open(i) {
			continue
		}
		first, rows := rows.Peek(ctx, 1)
		q := *p
		q.o.PaddedShapes = maps.Clone(p.o.PaddedShapes)
		if q.o.PaddedShapes == nil {
			q.o.PaddedShapes = map[string]dataset.Dims{}
		}
		for k := range p.components {
			if open(k) {
				rank := 0 // of no rows, or of a bad one, whose error comes next
				if len(first) > 0 {
					rank = first[0].Tensors[k].Rank()
				}
				q.o.PaddedShapes[p.spec.Paths()[k]] = slices.Repeat(dataset.Dims{dataset.None}, rank)
			}
		}
		return &q, rows
	}
	return p, rows
}

// chooseGrouping decides how rows are grouped, after a measurement on the first of them where the
// batching asks for one. The dataset that it returns takes the place of rows.
func (p *Predictor) chooseGrouping(ctx context.Context, rows *dataset.Dataset) (dataset.Grouping, *dataset.Dataset, error) {
	grouping, measured, err := p.o.Batching.grouping()
	if p.state.Stateful() {
		grouping, measured = dataset.Arrival, false
	}
	if err != nil || !measured || p.o.PaddingMayChangeResults {
		return grouping, rows, err
	}
	first, rows := rows.Peek(ctx, probeOf)
	report, err := p.ProbePadding(ctx, p.probed(first))
	chosen := Bucket
	switch {
	case err != nil:
		return grouping, rows, err
	case report.Depends() && p.o.Batching == Bucket:
		return grouping, rows, &PaddingError{Report: report}
	case report.Depends():
		grouping, chosen = dataset.Arrival, Arrival
	}
	if p.o.Measured != nil {
		p.o.Measured(report, chosen)
	}
	return grouping, rows, nil
}
