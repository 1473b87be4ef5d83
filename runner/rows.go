package runner

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Row makes a row of the values of the signature's inputs, without the batch axis unless NoBatch is
// set. The row shares the values' memory. Errors are *[NameError] and *[FeedError].
func (p *Predictor) Row(values map[string]tensor.Tensor) (dataset.Element, error) {
	paths := p.spec.Paths()
	row := dataset.Element{Tensors: make([]tensor.Tensor, len(paths))}
	for i, path := range paths {
		t, ok := values[path]
		if !ok {
			return row, &NameError{Kind: "input", Name: path, Missing: true, Have: paths}
		}
		row.Tensors[i] = t
	}
	for name := range values {
		if p.spec.Index(name) < 0 {
			return row, &NameError{Kind: "input", Name: name, Have: paths}
		}
	}
	return row, p.checkRow(row)
}

// Rows runs rows that are in memory, and yields a result for each, in order. A row holds the values
// of the signature's inputs without the batch axis, which must not change until the row's result is
// there. Rows of unequal length are padded as the predictor's options say. Errors are those of
// [Predictor.Row] and [Predictor.Predict].
func (p *Predictor) Rows(ctx context.Context, rows iter.Seq[map[string]tensor.Tensor]) iter.Seq2[Result, error] {
	return p.Predict(ctx, dataset.FromGenerator(p.spec, func(context.Context) iter.Seq2[dataset.Element, error] {
		return func(yield func(dataset.Element, error) bool) {
			for values := range rows {
				if !yield(p.Row(values)) {
					return
				}
			}
		}
	}))
}

// ParseRow reads a row from JSON, by the rules of [dataset.JSONL]: {"input": value, …}, or the bare
// value where there is one input; see PredictOptions.JSON. Errors are *[dataset.SyntaxError] and
// name the field.
func (p *Predictor) ParseRow(text []byte) (dataset.Element, error) {
	parser, ok := p.parsers.Get().(*dataset.RowParser)
	if !ok {
		var err error
		if parser, err = p.newParser(); err != nil {
			return dataset.Element{}, err
		}
	}
	defer p.parsers.Put(parser)
	return parser.Parse(text)
}

// newParser returns a parser of the predictor's rows.
func (p *Predictor) newParser() (*dataset.RowParser, error) {
	o := p.o.JSON
	o.MaxDepth, o.MaxValues, o.MaxLength = p.o.Limits.Depth, p.o.Limits.Elements, p.o.Limits.Length
	return dataset.NewRowParser(p.spec, o)
}

// checkJSON checks how rows of JSON are to be read, where the options say so.
func (p *Predictor) checkJSON() error {
	o := p.o.JSON
	if len(o.Keys)+len(o.Keep)+len(o.Nulls) == 0 {
		return nil
	}
	have := p.spec.Paths()
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(o.Keys)), slices.Sorted(maps.Keys(o.Nulls))) {
		if !slices.Contains(have, name) {
			return &NameError{Kind: "input", Name: name, Have: have}
		}
	}
	parser, err := p.newParser()
	if err != nil {
		return &OptionError{Option: "JSON", Msg: err.Error()}
	}
	p.parsers.Put(parser)
	return nil
}

// checkRow makes sure that a row has the components of the spec.
func (p *Predictor) checkRow(row dataset.Element) error {
	if len(row.Tensors) != len(p.components) {
		return fmt.Errorf("signature %q: want rows of %d components, got %d", p.f.signature.Name, len(p.components), len(row.Tensors))
	}
	for i, c := range p.components {
		t := row.Tensors[i]
		if _, ragged := row.Ragged(i); ragged != c.Ragged || t.DType() != c.DType || !c.Ragged && !c.Shape.Admits(t.Dims()) {
			return &FeedError{
				Input: p.spec.Paths()[i], WantDType: c.DType, WantShape: c.Shape, GotDType: t.DType(), GotShape: tensor.MakeShape(t.Dims()...),
			}
		}
	}
	return nil
}
