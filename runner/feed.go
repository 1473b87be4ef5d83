package runner

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/sequence"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// feedRow loads one row of whole tensors into TensorFlow's memory.
func (p *Predictor) feedRow(row dataset.Element) (*job, error) {
	if row.Row < p.o.From && !p.f.state.Stateful() {
		return &job{ResultBatch: ResultBatch{rows: []Result{resultOf(row)}}}, nil
	}
	feeds := make([]tf.Feed, len(p.feeders))
	for i, fd := range p.feeders {
		t := row.Tensors[fd.component]
		if fd.split >= 0 {
			r, _ := row.Ragged(fd.component)
			t = r.Splits[fd.split]
		}
		feeds[i] = tf.FeedTensor(t)
	}
	j, err := p.loadJob(feeds, ResultBatch{rows: []Result{resultOf(row)}}, p.rowInfo(row), nil)
	if err == nil {
		at := row.Place
		j.places = func(int) dataset.Place { return at }
	}
	return j, err
}

// feedBatch loads a batch into TensorFlow's memory, padding it there.
func (p *Predictor) feedBatch(b *dataset.Batch) (*job, error) {
	results, wanted := make([]Result, b.Len()), p.f.state.Stateful()
	places := make([]dataset.Place, b.Len())
	for i := range results {
		row := b.Row(i)
		results[i], places[i] = resultOf(row), row.Place
		wanted = wanted || results[i].Row >= p.o.From
	}
	if !wanted {
		return &job{ResultBatch: ResultBatch{rows: results}}, nil
	}
	p.count(b)
	feeds := make([]tf.Feed, len(p.feeders))
	for i, fd := range p.feeders {
		var err error
		_, whole := p.f.signature.Defaults[fd.in.Value]
		switch info := p.f.signature.Inputs[fd.in.Value]; {
		case whole:
			feeds[i], err = wholeFeed(fd.component, b)
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
	if p.using != nil {
		feeds = append(feeds, p.lengthFeeds(b)...)
	}
	r := p.fed
	if sizeOf(feeds).bytes > recycledBatch {
		r = nil
	}
	j, err := p.loadJob(feeds, ResultBatch{rows: results}, p.batchInfo(b), r)
	if err == nil {
		j.places = func(i int) dataset.Place { return places[i] }
	}
	return j, err
}

// recycledBatch is how many bytes a batcher's batch holds at most for its memory to be kept.
const recycledBatch = 1 << 20

// count adds the values of a batch to the counters.
func (p *Predictor) count(b *dataset.Batch) {
	values, padded := int64(0), int64(0)
	for c := range p.components {
		own := int64(0)
		for i := range b.Len() {
			own += int64(b.Row(i).Tensors[c].Len())
		}
		fed := own
		if !p.composite(c) {
			fed, _ = tensor.NumElements(b.Dims(c))
		}
		values, padded = values+own, padded+fed
	}
	p.counters.real.Add(values)
	p.counters.padded.Add(padded)
}

// loadJob makes a job of values to be fed. The memory of the values and of the results may come
// from r.
func (p *Predictor) loadJob(feeds []tf.Feed, rows ResultBatch, info *BatchInfo, r *tf.Recycler) (*job, error) {
	f := p.f
	if p.using != nil {
		f = p.using.function
	}
	fed := int64(0)
	if p.o.Room != nil {
		fed = sizeOf(feeds).bytes
		if err := p.o.Room.Feed(fed); err != nil {
			return nil, err
		}
	}
	c, err := f.load(feeds, r)
	if err != nil {
		return nil, err
	}
	c.fit = p.fit
	p.counters.batches.Add(1)
	p.counters.rows.Add(int64(rows.Len()))
	return &job{call: c, fed: fed, twin: p.using, info: info, ResultBatch: rows}, nil
}

// denseFeed pads a component of the batch straight into TensorFlow's memory. Where the signature
// fixes the batch size, a short batch is filled up with copies of its last row: a model that runs
// the row runs its copies.
func (p *Predictor) denseFeed(c int, b *dataset.Batch) (tf.Feed, error) {
	dims := slices.Clone(b.Dims(c))
	f := tf.Feed{DType: p.components[c].DType, Dims: dims}
	rows, _ := tensor.NumElements(dims[1:])
	if p.fixed > 0 {
		dims[0] = p.fixed
	}
	if f.DType == tensor.String {
		f.Strings = make([]string, rows*dims[0])
		have := int(rows) * b.Len()
		err := b.PadStrings(c, f.Strings[:have])
		if p.o.Sequences.PadSide == Pre {
			sequence.PadFirst(f.Strings[:have], b, c)
		}
		fillUp(f.Strings, have, b.Len())
		return f, err
	}
	f.Fill = func(dst []byte) error {
		have := int(b.Size(c))
		if err := b.PadInto(c, dst[:have]); err != nil {
			return err
		}
		if p.o.Sequences.PadSide == Pre {
			sequence.PadFirst(dst[:have], b, c)
		}
		fillUp(dst, have, b.Len())
		return nil
	}
	return f, nil
}

// wholeFeed is the value of an input that has a default: one tensor for the whole batch, as the
// default is. All rows must hold the same value.
func wholeFeed(c int, b *dataset.Batch) (tf.Feed, error) {
	first := b.Row(0).Tensors[c]
	for i := range b.Len() {
		if t := b.Row(i).Tensors[c]; !slices.Equal(t.Dims(), first.Dims()) || !bytes.Equal(t.Bytes(), first.Bytes()) || !slices.Equal(t.Strings(), first.Strings()) {
			return tf.Feed{}, fmt.Errorf("rows %d and %d differ in it; it has a default, and so one value for all rows of a batch: run them one by one with --no-batch", b.Row(0).Row+1, b.Row(i).Row+1)
		}
	}
	return tf.FeedTensor(first), nil
}

// fillUp fills dst to its end with copies of the last row. The rows are in the first have entries.
func fillUp[T any](dst []T, have, rows int) {
	for row := have / rows; have < len(dst); have += row {
		copy(dst[have:], dst[have-row:have])
	}
}
