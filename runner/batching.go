package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/savedmodel/padding"
	"github.com/tfrun/tfrun/tensor"
)

// ArrivalBatches returns the options with which [dataset.Dataset.Batches] makes the batches that
// [Predictor.Predict] makes of rows as they arrive: for a look at these batches, without a run.
//
// The dataset that it returns takes the place of rows. Where the signature leaves the rank of an
// input open, the first row fixes it, and the dataset refuses rows of another rank.
func (p *Predictor) ArrivalBatches(ctx context.Context, rows *dataset.Dataset) (dataset.BatchOptions, *dataset.Dataset) {
	p, rows = p.inferRanks(ctx, rows)
	return p.batchOptions(dataset.Arrival), p.padded(rows)
}

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
		Alike:  p.alikeSparse(),
		Budget: budget, Kept: p.mostKept(), Split: p.o.Split, Size: int64(p.o.BatchSize), MaxTokens: p.o.MaxTokens, Grouping: grouping, Window: p.o.Window, WindowBytes: p.o.WindowMemory, Stats: p.o.Stats,
		PaddedShapes: dataset.Dict(shapes), PaddingValues: dataset.Dict(values),
	}
}

// alikeSparse returns what [dataset.BatchOptions].Alike wants of rows of the signature: that the
// dense shapes of sparse inputs are equal. A batch has the largest of its rows' shapes, and a model
// that makes a dense tensor of it pads the others. It returns nil where no input is sparse.
func (p *Predictor) alikeSparse() func(key []byte, row dataset.Element) []byte {
	var at []int
	for _, fd := range p.feeders {
		if fd.in.Role == "dense_shape" {
			at = append(at, fd.component)
		}
	}
	if at == nil {
		return nil
	}
	return func(key []byte, row dataset.Element) []byte {
		for _, c := range at {
			key = append(key, row.Tensors[c].Bytes()...)
		}
		return key
	}
}

// composites reports whether rows hold ragged or sparse values. Those are not padded, but differ in
// shape, and a model may pad them itself.
func (p *Predictor) composites() bool {
	for c := range p.components {
		if p.composite(c) {
			return true
		}
	}
	return false
}

// shapesOf is a key of a row: rows with the same key are padded in no batch of each other.
func (p *Predictor) shapesOf(row dataset.Element) string {
	key := row.AppendShapes(nil)
	if alike := p.alikeSparse(); alike != nil {
		key = alike(key, row)
	}
	return string(key)
}

// paddingOf returns the padding values of an input's components: v for a dense input, zero values
// for the components of a ragged or sparse one.
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

// inferRanks gives inputs whose rank the signature leaves open the rank that they have in the first
// row, since the rows of a batch must have the same rank.
func (p *Predictor) inferRanks(ctx context.Context, rows *dataset.Dataset) (*Predictor, *dataset.Dataset) {
	open := func(i int) bool {
		return !p.components[i].Shape.Ranked() && p.o.PaddedShapes[p.spec.Paths()[i]] == nil
	}
	for i := range p.components {
		if !open(i) {
			continue
		}
		first, rows := rows.Peek(ctx, 1)
		shapes := maps.Clone(p.o.PaddedShapes)
		if shapes == nil {
			shapes = map[string]dataset.Dims{}
		}
		for k := range p.components {
			if open(k) {
				rank := 0 // of no rows, or of a bad one, whose error comes next
				if len(first) > 0 {
					rank = first[0].Tensors[k].Rank()
				}
				shapes[p.spec.Paths()[k]] = slices.Repeat(dataset.Dims{dataset.None}, rank)
			}
		}
		return p.with(func(o *PredictOptions) { o.PaddedShapes = shapes }), rows
	}
	return p, rows
}

// padded refuses rows that cannot be padded to the shapes that the options give, and rows whose
// rank is not the first row's where the signature leaves the rank open. Each is refused by itself,
// with its place: in a batch it would fail the rows beside it too.
func (p *Predictor) padded(rows *dataset.Dataset) *dataset.Dataset {
	if len(p.o.PaddedShapes) == 0 {
		return rows
	}
	paths := p.spec.Paths()
	return rows.Check(func(e dataset.Element) (string, error) {
		for c, t := range e.Tensors {
			want := p.o.PaddedShapes[paths[c]]
			if want == nil || p.components[c].Ragged {
				continue
			}
			if t.Rank() != len(want) {
				return paths[c], fmt.Errorf("got a value of shape %v: the rows of a batch have one rank, here %d", t.Shape(), len(want))
			}
			for i, n := range t.Dims() {
				if want[i] >= 0 && n > want[i] {
					return paths[c], fmt.Errorf("shape %v is larger than the padded shape %v", t.Shape(), tensor.MakeShape(want...))
				}
			}
		}
		return "", nil
	})
}

// probeOf is how many of the first rows are looked at before a run.
const probeOf = 64

// chooseGrouping decides how rows are grouped and padded. Where the batching asks for trials, it
// runs the first rows to find out. The dataset that it returns takes the place of rows, and the
// predictor, which may feed the signature's twin, the place of p.
func (p *Predictor) chooseGrouping(ctx context.Context, rows *dataset.Dataset) (*Predictor, dataset.BatchOptions, *dataset.Dataset, error) {
	batching := p.o.Batching
	switch {
	case batching == "", batching == Arrival, p.f.state.Stateful(), p.o.BatchSize == 1:
		return p, p.batchOptions(dataset.Arrival), rows, nil
	case batching != Exact && p.o.PaddingMayChangeResults:
		return p, p.batchOptions(dataset.Similar), rows, nil
	}
	var first []dataset.Element
	if !p.oneShapeProven() {
		if first, rows = rows.Peek(ctx, probeOf); len(first) == 0 {
			return p, p.batchOptions(dataset.Arrival), rows, nil
		}
	}
	verdict, err := p.find(ctx, first, wanted{padding: batching != Exact, twin: batching == Exact})
	if err != nil {
		return p, dataset.BatchOptions{}, rows, err
	}
	options, chosen, err := p.choose(batching, verdict)
	if err == nil {
		p.tell(verdict, chosen)
	}
	if verdict.Twin {
		p = p.byTwin()
	}
	return p, options, rows, err
}

// tell says what was found, and how rows are batched.
func (p *Predictor) tell(v Verdict, chosen Batching) {
	if p.o.Measured != nil {
		p.o.Measured(v, chosen)
	}
}

// tellProven says how rows of one shape are batched, where the options ask for more than that.
func (p *Predictor) tellProven() {
	if p.o.Batching == "" || p.o.Batching == Arrival || p.o.PaddingMayChangeResults && p.o.Batching != Exact {
		return
	}
	v := Verdict{Fixed: true}
	v.Company.Proof, v.Padding.Proof = p.proofs()
	if _, chosen, err := p.choose(p.o.Batching, v); err == nil {
		p.tell(v, chosen)
	}
}

// oneShapeProven reports whether the signature alone decides on the grouping: its rows have one
// shape, and their answers are proven to be their own.
func (p *Predictor) oneShapeProven() bool {
	for c, spec := range p.components {
		if spec.Ragged || p.composite(c) || !spec.Shape.FullyKnown() {
			return false
		}
	}
	company, _ := p.proofs()
	return company.Answer == padding.Independent
}

// choose returns how rows are grouped under a batching, given the verdict on the signature. Rows
// that may share a batch with any others, and are never padded, stay in their order: another order
// would gain nothing.
func (p *Predictor) choose(batching Batching, v Verdict) (dataset.BatchOptions, Batching, error) {
	similar := func(needs []padding.Need) dataset.BatchOptions {
		o := p.batchOptions(dataset.Similar)
		o.Apart = p.isAlone(needs)
		return o
	}
	switch {
	case batching == Exact && v.Twin:
		return similar(p.twin.Needs), Exact, nil
	case batching == Exact && !v.Fixed && v.Padding.Proof.Answer == padding.Independent && v.Alone():
		return similar(v.Padding.Proof.Needs), Exact, nil
	case batching == Exact && v.Fixed && v.Alone() && !p.composites():
		return p.batchOptions(dataset.Arrival), Exact, nil
	case batching == Exact && v.Alone():
		return p.batchOptions(dataset.Exact), Exact, nil
	case batching == Exact:
		single := p.batchOptions(dataset.Arrival)
		single.Size = 1
		return single, Exact, nil
	case v.Paddable() && !v.Fixed:
		bucket := p.batchOptions(dataset.Similar)
		// rows of no steps come together, and many models run none
		bucket.RoundUp = func(longest int64) int64 { return max(longest, 1) }
		bucket.Apart = p.isApart(v.Padding.Proof.Needs)
		return bucket, Bucket, nil
	case batching == Bucket && !v.Paddable():
		return dataset.BatchOptions{}, "", &PaddingError{Verdict: v}
	}
	return p.batchOptions(dataset.Arrival), Arrival, nil
}

// Batching says which rows share a batch.
type Batching string

const (
	// Arrival takes rows as they come and pads each batch to its longest row: padded_batch.
	Arrival Batching = "arrival"
	// Exact gives each row the answer that the row gets alone. Rows of like length share a batch
	// where the graph proves that padding changes no answer, or where padding can be kept out of
	// the answers ([Options.Exact]). Elsewhere only rows of equal shapes share a batch, so that
	// nothing is padded. Where other rows may change an answer, each row runs by itself: they may
	// unless the graph proves that they do not, or trials on as many of the first rows of this run,
	// or of an earlier one, showed no effect.
	Exact Batching = "exact"
	// Bucket lets rows of like length share a batch, for speed. Where the graph or trials on the
	// first rows show that answers depend on padding or on other rows, it is refused with a
	// *[PaddingError].
	Bucket Batching = "bucket"
	// Auto is Bucket where the graph proves that answers depend on neither, or trials on the first
	// rows show no effect; otherwise Arrival. Rows that are never padded stay in their order.
	Auto Batching = "auto"
)

// check reports whether there is such a batching.
func (b Batching) check() error {
	switch b {
	case "", Arrival, Exact, Bucket, Auto:
		return nil
	}
	return &OptionError{Option: "Batching", Msg: fmt.Sprintf("%q: want arrival, exact, bucket or auto", string(b))}
}
