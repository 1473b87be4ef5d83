package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// feeder makes the feed of one endpoint from the rows of a batch, or from one row of whole tensors.
type feeder struct {
	in        Endpoint
	component int // of the rows' spec
	split     int // of a ragged component: -1 for its values, else the number of the row splits
}

// buildSpec works out the rows' spec and, for each endpoint, the component of it that it is fed from.
func (p *Predictor) buildSpec() error {
	items := map[string]dataset.Spec{}
	for name, info := range p.f.signature.Inputs {
		spec, err := p.inputSpec(name, info)
		if err != nil {
			return err
		}
		items[name] = spec
	}
	p.spec = dataset.Dict(items)
	p.components = p.spec.Flatten()
	splits := map[string]int{}
	for _, in := range p.f.inputs {
		fd := feeder{in: in, split: -1}
		path := in.Value
		switch info := p.f.signature.Inputs[in.Value]; {
		case info.Sparse():
			path = in.Value + "/" + in.Role
		case info.Ragged != nil && in.Role != "values":
			fd.split = splits[in.Value]
			splits[in.Value]++
		}
		if fd.component = p.spec.Index(path); fd.component < 0 {
			return fmt.Errorf("input %q: its rows have no component %q", in.Name, path)
		}
		p.feeders = append(p.feeders, fd)
	}
	return nil
}

// inputSpec returns the spec of an input's value in a row.
func (p *Predictor) inputSpec(name string, info savedmodel.TensorInfo) (dataset.Spec, error) {
	drop := 1
	if p.o.NoBatch {
		drop = 0
	}
	dense := func(dtype tensor.DType, shape tensor.Shape) dataset.Spec {
		return dataset.Leaf(dataset.Component{DType: dtype, Shape: shape})
	}
	switch {
	case info.Encoding == savedmodel.Dense:
		return dense(info.DType, info.Shape.Drop(drop)), nil
	case info.Sparse():
		return p.sparseSpec(info, drop), nil
	case info.Ragged == nil:
		return dataset.Spec{}, fmt.Errorf("input %q: the file does not say how the %d tensors of its %s belong together", name, len(info.Components), info.Class)
	case info.Ragged.RaggedRank == drop:
		return dense(info.Ragged.DType, info.Ragged.Shape.Drop(drop)), nil
	}
	r := info.Ragged
	return dataset.Leaf(dataset.Component{
		DType: r.DType, Shape: r.Shape.Drop(drop), Ragged: true, RaggedRank: r.RaggedRank - drop, SplitsDType: r.RowSplitsDType,
	}), nil
}

// sparseSpec is a dictionary of the three tensors of a sparse value, those of a row without the batch axis.
func (p *Predictor) sparseSpec(info savedmodel.TensorInfo, drop int) dataset.Spec {
	rank := tensor.Unknown
	if info.Shape.Ranked() && info.Shape.Rank() >= drop {
		rank = int64(info.Shape.Rank() - drop)
	}
	dtype := info.DType
	for _, c := range info.Components {
		if c.Role == "values" {
			dtype = c.DType
		}
	}
	return dataset.Dict(map[string]dataset.Spec{
		"indices":     dataset.TensorSpec(tensor.Int64, tensor.Unknown, rank),
		"values":      dataset.TensorSpec(dtype, tensor.Unknown),
		"dense_shape": dataset.TensorSpec(tensor.Int64, rank),
	})
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
		Budget: budget, Split: p.o.Split, Size: int64(p.o.BatchSize), MaxTokens: p.o.MaxTokens, Grouping: grouping, Window: p.o.Window, Stats: p.o.Stats,
		PaddedShapes: dataset.Dict(shapes), PaddingValues: dataset.Dict(values),
	}
}

// paddingOf returns the padding values of an input's components: v for a dense input, the default for the rest.
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

// paddedShapeOf returns the padded shape of an input's components: the one given, or the component's own.
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

// read groups the rows, feeds each group to TensorFlow's memory and sends it on. It returns the context's error alone: others travel as jobs.
func (p *Predictor) read(ctx context.Context, rows *dataset.Dataset, jobs chan<- *job) error {
	seq := int64(0)
	put := func(j *job) error {
		j.seq = seq
		seq++
		return send(ctx, jobs, j)
	}
	if err := p.f.checkRowSpec(rows.ElementSpec(), p.spec); err != nil && rows.Err() == nil {
		return put(&job{err: err})
	}
	if p.o.Shards > 1 {
		n := p.o.Shards
		rows = rows.Shard(n, p.o.Shard).Map(dataset.Spec{}, func(e dataset.Element) (dataset.Element, error) {
			e.Row /= n // without gaps
			return e, nil
		})
	}
	if p.o.NoBatch {
		for row, err := range rows.All(ctx) {
			if p.notOurs(err) {
				continue
			}
			j, fatal := p.jobOf(err, func() (*job, error) { return p.feedRow(row) })
			j.inOrder = true
			if err := put(j); err != nil || fatal {
				return err
			}
		}
		return ctx.Err()
	}
	if blocks, err := p.blocks(rows); err != nil {
		return put(&job{err: err})
	} else if blocks != nil {
		return blocks.read(ctx, put)
	}
	p, rows = p.inferRanks(ctx, rows)
	grouping, rows, err := p.chooseGrouping(ctx, rows)
	if err != nil {
		return put(&job{err: err})
	}
	o := p.batchOptions(grouping)
	if grouping == dataset.Similar && p.f.compiler != nil {
		o.RoundUp = fewLengths // the answers do not depend on padding, and each shape has to be compiled
	}
	for b, err := range rows.Batches(ctx, o) {
		if p.notOurs(err) {
			continue
		}
		j, fatal := p.jobOf(err, func() (*job, error) { return p.feedBatch(b) })
		j.inOrder = err == nil && grouping == dataset.Arrival
		if err := put(j); err != nil || fatal {
			return err
		}
	}
	return ctx.Err()
}

// jobOf returns the job that feed makes, or that of an error of reading. fatal says that it ends the iteration.
func (p *Predictor) jobOf(err error, feed func() (*job, error)) (j *job, fatal bool) {
	if err != nil {
		return p.badRow(err)
	}
	if j, err = feed(); err != nil {
		return &job{err: err}, true
	}
	return j, false
}

// inferRanks takes the rank of inputs whose rank the signature leaves open from the first row: the rows of a batch have to share one.
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

// chooseGrouping decides how rows are grouped, after a measurement on the first of them where the batching asks for one. The dataset that it
// returns takes the place of rows.
func (p *Predictor) chooseGrouping(ctx context.Context, rows *dataset.Dataset) (dataset.Grouping, *dataset.Dataset, error) {
	grouping, measured, err := p.o.Batching.grouping()
	if p.state.Stateful() {
		grouping, measured = dataset.Arrival, false
	}
	if err != nil || !measured || p.o.PaddingMayChangeResults {
		return grouping, rows, err
	}
	first, rows := rows.Peek(ctx, probeRows)
	report, err := p.ProbePadding(ctx, first)
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

// checkRowSpec makes sure that the rows have the components that will be fed.
func (f *Function) checkRowSpec(got, want dataset.Spec) error {
	g, w := got.Flatten(), want.Flatten()
	if len(g) != len(w) {
		return fmt.Errorf("signature %q: want rows of %v, got %v", f.signature.Name, want, got)
	}
	for i := range w {
		if g[i].DType != w[i].DType || g[i].Ragged != w[i].Ragged {
			return fmt.Errorf("signature %q: want rows of %v, got %v", f.signature.Name, want, got)
		}
	}
	return nil
}

// notOurs reports whether an error is that of a row of another shard.
func (p *Predictor) notOurs(err error) bool {
	var syntax *dataset.SyntaxError
	return p.o.Shards > 1 && errors.As(err, &syntax) && syntax.Row%p.o.Shards != p.o.Shard
}

// badRow makes a job of an error of reading. fatal says that it ends the iteration.
func (p *Predictor) badRow(err error) (j *job, fatal bool) {
	var syntax *dataset.SyntaxError
	if errors.As(err, &syntax) {
		named := *syntax // without the steps that it came through
		if named.File == "-" {
			named.File = "stdin"
		}
		err = &named
		if p.o.SkipBadRows && syntax.Row >= 0 {
			return &job{resultBatch: resultBatch{rows: []Result{{Row: syntax.Row / max(p.o.Shards, 1), Err: err}}}}, false
		}
	}
	return &job{err: err}, true
}

// resultOf begins the result of a row: the number and the extra fields, in memory of their own.
func resultOf(row dataset.Element) Result {
	r := Result{Row: row.Row}
	for _, x := range row.Extra {
		r.Extra = append(r.Extra, dataset.Field{Key: x.Key, JSON: slices.Clone(x.JSON)})
	}
	return r
}

// feedRow loads one row of whole tensors into TensorFlow's memory.
func (p *Predictor) feedRow(row dataset.Element) (*job, error) {
	if row.Row < p.o.From && !p.state.Stateful() {
		return &job{resultBatch: resultBatch{rows: []Result{resultOf(row)}}}, nil
	}
	feeds := make([]Feed, len(p.feeders))
	for i, fd := range p.feeders {
		t := row.Tensors[fd.component]
		if fd.split >= 0 {
			r, _ := row.Ragged(fd.component)
			t = r.Splits[fd.split]
		}
		feeds[i] = FeedTensor(t)
	}
	return p.loadJob(feeds, resultBatch{rows: []Result{resultOf(row)}}, p.rowInfo(row))
}

// feedBatch loads a batch into TensorFlow's memory, padding it there.
func (p *Predictor) feedBatch(b *dataset.Batch) (*job, error) {
	results, wanted := make([]Result, b.Len()), p.state.Stateful()
	for i := range results {
		results[i] = resultOf(b.Row(i))
		wanted = wanted || results[i].Row >= p.o.From
	}
	if !wanted {
		return &job{resultBatch: resultBatch{rows: results}}, nil
	}
	p.count(b)
	feeds := make([]Feed, len(p.feeders))
	for i, fd := range p.feeders {
		var err error
		switch info := p.f.signature.Inputs[fd.in.Value]; {
		case info.Sparse():
			feeds[i], err = p.sparseFeed(fd, b)
		case info.Ragged != nil:
			feeds[i], err = p.raggedFeed(fd, b)
		default:
			feeds[i], err = p.denseFeed(fd.component, b)
		}
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", fd.in.Name, err)
		}
	}
	return p.loadJob(feeds, resultBatch{rows: results}, p.batchInfo(b))
}

// count adds a batch to the meter.
func (p *Predictor) count(b *dataset.Batch) {
	if p.meter == nil {
		return
	}
	values, padded := int64(0), int64(0)
	for c := range p.components {
		for i := range b.Len() {
			values += int64(b.Row(i).Tensors[c].Len())
		}
		n, _ := tensor.NumElements(b.Dims(c))
		padded += n
	}
	p.meter.real.Add(values)
	p.meter.padded.Add(padded)
}

func (p *Predictor) loadJob(feeds []Feed, rows resultBatch, info *BatchInfo) (*job, error) {
	c, err := p.f.load(feeds)
	if err != nil {
		return nil, err
	}
	c.fit = p.fit
	return &job{call: c, info: info, resultBatch: rows}, nil
}

// denseFeed pads a component of the batch straight into TensorFlow's memory. Where the signature fixes the batch size, a short batch is filled up with
// copies of its last row, which no model can dislike more than the row itself.
func (p *Predictor) denseFeed(c int, b *dataset.Batch) (Feed, error) {
	dims := slices.Clone(b.Dims(c))
	f := Feed{DType: p.components[c].DType, Dims: dims}
	rows, _ := tensor.NumElements(dims[1:])
	if p.fixed > 0 {
		dims[0] = p.fixed
	}
	if f.DType == tensor.String {
		f.Strings = make([]string, rows*dims[0])
		have := int(rows) * b.Len()
		err := b.PadStrings(c, f.Strings[:have])
		fillUp(f.Strings, have, b.Len())
		return f, err
	}
	f.Fill = func(dst []byte) error {
		have := int(b.Size(c))
		if err := b.PadInto(c, dst[:have]); err != nil {
			return err
		}
		fillUp(dst, have, b.Len())
		return nil
	}
	return f, nil
}

// fillUp repeats the last of the rows that take up have entries of dst to the end of dst.
func fillUp[T any](dst []T, have, rows int) {
	for row := have / rows; have < len(dst); have += row {
		copy(dst[have:], dst[have-row:have])
	}
}

// raggedFeed puts the rows of a ragged input together: their values one after the other, and the row splits. Nothing is padded.
func (p *Predictor) raggedFeed(fd feeder, b *dataset.Batch) (Feed, error) {
	var r dataset.Ragged
	var err error
	if p.components[fd.component].Ragged {
		r, err = b.Ragged(fd.component)
	} else {
		r, err = stackDense(fd, b)
	}
	switch {
	case err != nil:
		return Feed{}, err
	case fd.split < 0:
		return FeedTensor(r.Values), nil
	}
	return FeedTensor(r.Splits[fd.split]), nil
}

// stackDense makes a ragged tensor with one ragged axis of dense rows.
func stackDense(fd feeder, b *dataset.Batch) (dataset.Ragged, error) {
	parts := make([]tensor.Tensor, b.Len())
	splits := make([]int64, 1, b.Len()+1)
	for i := range parts {
		parts[i] = b.Row(i).Tensors[fd.component]
		splits = append(splits, splits[i]+parts[i].Dims()[0])
	}
	values, err := concat(parts)
	if err != nil {
		return dataset.Ragged{}, err
	}
	rowSplits, err := integers(splits, fd.in.DType)
	return dataset.Ragged{Values: values, Splits: []tensor.Tensor{rowSplits}}, err
}

// integers returns a vector of int64, or of int32 where dtype asks for it and the values allow it.
func integers(v []int64, dtype tensor.DType) (tensor.Tensor, error) {
	if dtype != tensor.Int32 {
		return tensor.Vector(v...), nil
	}
	narrow := make([]int32, len(v))
	for i, x := range v {
		if narrow[i] = int32(x); int64(narrow[i]) != x {
			return tensor.Tensor{}, fmt.Errorf("row splits: %d does not fit int32; take smaller batches", x)
		}
	}
	return tensor.Vector(narrow...), nil
}

// concat joins tensors along the first axis. The other axes must agree.
func concat(parts []tensor.Tensor) (tensor.Tensor, error) {
	dims := slices.Clone(parts[0].Dims())
	var data []byte
	var strs []string
	dims[0] = 0
	for _, t := range parts {
		if !slices.Equal(t.Dims()[1:], dims[1:]) {
			return tensor.Tensor{}, fmt.Errorf("rows of shapes %v and %v cannot be joined", parts[0].Shape(), t.Shape())
		}
		dims[0] += t.Dims()[0]
		data, strs = append(data, t.Bytes()...), append(strs, t.Strings()...)
	}
	if parts[0].DType() == tensor.String {
		return tensor.FromSlice(strs, dims...)
	}
	return tensor.FromBytes(parts[0].DType(), data, dims...)
}

// sparseFeed puts the rows of a sparse input together, as tf.data's batch does: an index of the row in front of each index, and
// the largest of the dense shapes.
func (p *Predictor) sparseFeed(fd feeder, b *dataset.Batch) (Feed, error) {
	component := func(row dataset.Element, role string) tensor.Tensor {
		return row.Tensors[p.spec.Index(fd.in.Value+"/"+role)]
	}
	if fd.in.Role == "values" {
		parts := make([]tensor.Tensor, b.Len())
		for i := range parts {
			parts[i] = component(b.Row(i), "values")
		}
		t, err := concat(parts)
		return FeedTensor(t), err
	}
	var indices, shape []int64
	rank := 0
	for i := range b.Len() {
		row := b.Row(i)
		at, _ := tensor.Values[int64](component(row, "indices"))
		size, _ := tensor.Values[int64](component(row, "dense_shape"))
		if i == 0 {
			rank, shape = len(size), slices.Clone(size)
		}
		if n := component(row, "values").Len(); len(size) != rank || len(at) != n*rank {
			return Feed{}, fmt.Errorf("row %d: want an index of %d numbers for each of the %d values, and a dense shape of %d, got %d numbers and a shape of %d",
				row.Row+1, rank, n, rank, len(at), len(size))
		}
		for k := range component(row, "values").Len() {
			indices = append(append(indices, int64(i)), at[k*rank:(k+1)*rank]...)
		}
		for k, n := range size {
			shape[k] = max(shape[k], n)
		}
	}
	if fd.in.Role == "dense_shape" {
		return FeedTensor(tensor.Vector(append([]int64{int64(b.Len())}, shape...)...)), nil
	}
	t, err := tensor.FromSlice(indices, int64(len(indices)/(rank+1)), int64(rank+1))
	return FeedTensor(t), err
}
