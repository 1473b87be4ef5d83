package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// keptShare bounds the memory of a batch's kept columns: a 32nd of what the batch may take. Several
// batches are on their way at a time, and their results hold these columns once more.
const keptShare = 32

// mostKept returns how many bytes of kept columns a batch may hold before it is full; 0 for any
// number. Copies of its last row fill up a batch of a fixed size that ends early: where a model
// keeps state, each row of a batch has its own, so that no batch may.
func (p *Predictor) mostKept() int64 {
	if p.fixed > 0 && p.f.state.Stateful() {
		return 0
	}
	return max(p.o.Limits.BatchBytes/keptShare, 1)
}

// blockFeeder makes batches of rows that arrive in blocks, all of one shape. Nothing is padded, and
// no row is handled by itself, which makes small rows several times as quick.
type blockFeeder struct {
	p    *Predictor
	in   dataset.BlockReader
	size int // rows of a batch

	// Rows that wait for the rest of their batch.
	data  [][]byte // by component
	strs  [][]string
	n     int
	kept  int64 // bytes of their kept columns
	which ResultBatch
	parts []placedRows // where they stand

	recycler *tf.Recycler
}

// blocks returns a feeder for rows that arrive in blocks. It returns nil where the rows do not
// arrive so, and where the options need each row's number or length.
func (p *Predictor) blocks(rows *dataset.Dataset) (*blockFeeder, error) {
	o := p.o
	if o.NoBatch || o.MaxTokens > 0 || o.Stats != nil || len(p.f.signature.Defaults) > 0 {
		return nil, nil
	}
	if o.Batching != "" && o.Batching != Arrival && !p.oneShapeProven() {
		return nil, nil
	}
	for _, fd := range p.feeders {
		if fd.in.Role != "" {
			return nil, nil
		}
	}
	if n, ok := p.RowBytes(); !ok || n > o.Limits.BatchBytes/int64(o.BatchSize) {
		return nil, nil
	}
	in, ok, err := rows.Blocks()
	if err != nil || !ok {
		return nil, err
	}
	n := len(p.components)
	f := &blockFeeder{p: p, in: in, size: o.BatchSize, data: make([][]byte, n), strs: make([][]string, n)}
	if !p.f.state.Keeps() {
		f.recycler = &tf.Recycler{}
	}
	return f, nil
}

// read feeds the blocks batch by batch.
func (f *blockFeeder) read(ctx context.Context, put func(*job) error) error {
	defer f.in.Close()
	for {
		b, err := f.in.NextBlock(ctx, f.size-f.n)
		switch {
		case err == nil:
			err = f.add(b, put)
		case errors.Is(err, io.EOF):
			return errors.Join(f.flush(put), ctx.Err())
		default:
			j, fatal := f.p.badRow(err)
			if err := put(j); err != nil || fatal {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
	}
}

// add takes a block, and sends the batch on if that makes it full.
func (f *blockFeeder) add(b dataset.RowBlock, put func(*job) error) error {
	n := int(b.Tensors[0].Dims()[0])
	if f.n == 0 {
		f.kept = 0
		f.which = ResultBatch{first: b.Row, count: n, extra: ownExtra(b.Extra)}
		f.parts = nil // earlier jobs keep the slice
		f.notePlaces(b.Places, n)
		if n == f.size {
			return f.send(b.Tensors, put)
		}
	} else {
		f.which.extend(b.Row, n, ownExtra(b.Extra))
		f.notePlaces(b.Places, n)
	}
	for c, t := range b.Tensors {
		f.data[c] = append(f.data[c], t.Bytes()...)
		f.strs[c] = append(f.strs[c], t.Strings()...)
	}
	for _, row := range b.Extra {
		for _, x := range row {
			f.kept += int64(len(x.Value))
		}
	}
	f.n += n
	if most := f.p.mostKept(); f.n == f.size || most > 0 && f.kept > most {
		return f.flush(put)
	}
	return nil
}

// placedRows says where rows lo to hi of a batch stand, hi excluded.
type placedRows struct {
	dataset.Places
	lo, hi int
}

// notePlaces notes the places in the files of the next n rows of the batch.
func (f *blockFeeder) notePlaces(at dataset.Places, n int) {
	lo := 0
	if len(f.parts) > 0 {
		lo = f.parts[len(f.parts)-1].hi
	}
	at.Lines = slices.Clone(at.Lines)
	f.parts = append(f.parts, placedRows{Places: at, lo: lo, hi: lo + n})
}

// placeOf finds the place of row i of a batch.
func placeOf(parts []placedRows, i int) dataset.Place {
	for _, part := range parts {
		if i < part.hi {
			return part.Of(i - part.lo)
		}
	}
	return dataset.Place{}
}

// flush sends the rows that wait as a batch.
func (f *blockFeeder) flush(put func(*job) error) error {
	if f.n == 0 {
		return nil
	}
	tensors := make([]tensor.Tensor, len(f.data))
	for c, comp := range f.p.components {
		dims := append([]int64{int64(f.n)}, comp.Shape.Dims()...)
		var err error
		if comp.DType == tensor.String {
			tensors[c], err = tensor.ShareSlice(f.strs[c], dims)
		} else {
			tensors[c], err = tensor.Share(comp.DType, f.data[c], dims)
		}
		if err != nil {
			return fmt.Errorf("input %q: %w", f.p.spec.Paths()[c], err)
		}
	}
	f.n = 0
	for c := range f.data {
		f.data[c], f.strs[c] = f.data[c][:0], f.strs[c][:0]
	}
	return f.send(tensors, put)
}

// send loads a batch into TensorFlow's memory and passes it on. A batch whose results an earlier
// run has delivered is left out.
func (f *blockFeeder) send(tensors []tensor.Tensor, put func(*job) error) error {
	p := f.p
	n := f.which.Len()
	if f.which.Row(n-1) < p.o.From && !p.f.state.Stateful() {
		return put(&job{ResultBatch: f.which, inOrder: true})
	}
	feeds := make([]tf.Feed, len(p.feeders))
	values := int64(0)
	for i, fd := range p.feeders {
		t := tensors[fd.component]
		feeds[i] = tf.FeedTensor(t)
		if p.fixed > int64(n) {
			feeds[i] = filledUp(t, p.fixed)
		}
		values += int64(t.Len())
	}
	p.counters.real.Add(values)
	p.counters.padded.Add(values)
	j, err := p.loadJob(feeds, f.which, p.blockInfo(n, values), f.recycler)
	if err != nil {
		j = &job{err: err}
	}
	j.inOrder = true
	parts := f.parts
	j.places = func(i int) dataset.Place { return placeOf(parts, i) }
	if putErr := put(j); putErr != nil {
		return putErr
	}
	return err
}

// blockInfo is batchInfo for rows of one shape.
func (p *Predictor) blockInfo(rows int, values int64) *BatchInfo {
	if p.o.Batch == nil {
		return nil
	}
	length := min(values, 1) // a step, unless rows are empty
	return &BatchInfo{Rows: rows, Lengths: slices.Repeat([]int64{length}, rows), PaddedTo: length, Real: values, Padded: values}
}

// ownExtra copies the kept columns of rows, which are the block's, to memory of their own.
func ownExtra(extra [][]dataset.Field) [][]dataset.Field {
	if extra == nil {
		return nil
	}
	fields, size := 0, 0
	for _, list := range extra {
		fields += len(list)
		for _, x := range list {
			size += len(x.Value)
		}
	}
	own, room, text := make([][]dataset.Field, len(extra)), make([]dataset.Field, 0, fields), make([]byte, 0, size)
	for i, list := range extra {
		at := len(room)
		for _, x := range list {
			if x.Value != nil {
				start := len(text)
				text = append(text, x.Value...)
				x.Value = text[start:len(text):len(text)]
			}
			room = append(room, x)
		}
		own[i] = room[at:len(room):len(room)]
	}
	return own
}

// filledUp is the feed of a batch with copies of its last row up to size rows.
func filledUp(t tensor.Tensor, size int64) Feed {
	f := tf.FeedTensor(t)
	rows := t.Dims()[0]
	f.Dims = append([]int64{size}, t.Dims()[1:]...)
	if t.DType() == tensor.String {
		f.Strings = make([]string, int64(t.Len())/rows*size)
		fillUp(f.Strings, copy(f.Strings, t.Strings()), int(rows))
		return f
	}
	f.Fill = func(dst []byte) error {
		fillUp(dst, copy(dst, t.Bytes()), int(rows))
		return nil
	}
	return f
}
