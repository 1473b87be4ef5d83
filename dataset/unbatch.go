package dataset

import (
	"context"
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/tensor"
)

// BatchOnlyOptions are the arguments of batch beside the batch size.
type BatchOnlyOptions struct {
	// DropRemainder drops a last batch of fewer elements.
	DropRemainder bool
}

// Batch combines batchSize consecutive elements of equal shapes into one, as tf.data's batch does.
// Elements of unequal shapes are an InvalidArgument error, after which the iteration goes on with
// the following batch. At most one options value may be given.
func (ds *Dataset) Batch(batchSize int64, options ...BatchOnlyOptions) *Dataset {
	const op = "batch"
	if ds.err != nil {
		return ds
	}
	opts, err := one(options)
	if err != nil {
		return failed(buildErr(ValueError, op, "%v", err))
	}
	return ds.plainBatch(op, batchSize, opts.DropRemainder)
}

// RaggedBatchOptions are the arguments of ragged_batch beside the batch size.
type RaggedBatchOptions struct {
	// DropRemainder drops a last batch of fewer elements.
	DropRemainder bool
	// RowSplitsDType is int64, the default, or int32.
	RowSplitsDType tensor.DType
}

// RaggedBatch combines batchSize consecutive elements into one without padding, as tf.data's
// ragged_batch does: components whose shape is not fully known become ragged tensors, see
// [Element.Ragged]. At most one options value may be given.
//
// As in TensorFlow, int32 row splits work only for components with a single ragged dimension. The
// inner splits are made as int64, and an element with splits of both types is an InvalidArgument
// error when it is handed over.
func (ds *Dataset) RaggedBatch(batchSize int64, options ...RaggedBatchOptions) *Dataset {
	const op = "ragged_batch"
	if ds.err != nil {
		return ds
	}
	opts, err := one(options)
	if err != nil {
		return failed(buildErr(ValueError, op, "%v", err))
	}
	switch opts.RowSplitsDType {
	case tensor.Invalid:
		opts.RowSplitsDType = tensor.Int64
	case tensor.Int32, tensor.Int64:
	default:
		return failed(buildErr(ValueError, op, "row splits are int32 or int64, not %v", opts.RowSplitsDType))
	}
	return ds.toRagged(opts.RowSplitsDType).plainBatch(op, batchSize, opts.DropRemainder)
}

// toRagged makes each component whose shape is not fully known ragged, with the ragged rank of the
// last unknown dimension, as TensorFlow's dense_to_ragged does.
func (ds *Dataset) toRagged(splitsDType tensor.DType) *Dataset {
	spec := mapNest(ds.spec, func(_ int, c Component) Component {
		c.stacked = false
		if c.Ragged || !c.Shape.Ranked() || c.Shape.FullyKnown() {
			return c
		}
		c.Ragged, c.SplitsDType = true, splitsDType
		for i := range c.Shape.Rank() {
			if c.Shape.Dim(i) < 0 {
				c.RaggedRank = i
			}
		}
		c.undecodable = splitsDType == tensor.Int32 && c.RaggedRank > 0
		return c
	})
	was := ds.comps
	return ds.mapped(spec, func(e *Element) error {
		for i, c := range spec.Flatten() {
			if c.Ragged && !was[i].Ragged && c.RaggedRank > 0 {
				e.makeRagged(i, c)
			}
		}
		return nil
	})
}

// makeRagged turns dense component i into a ragged tensor of the given ragged rank.
func (e *Element) makeRagged(i int, c Component) {
	t := e.Tensors[i]
	dims := t.Dims()
	rows := dims[0]
	var nested []tensor.Tensor
	for _, d := range dims[1 : c.RaggedRank+1] {
		s := splits{narrow: c.SplitsDType == tensor.Int32, v: []int64{0}}
		for range rows {
			s.add(d)
		}
		nested = append(nested, s.tensor())
		rows *= d
	}
	s := make([][]tensor.Tensor, len(e.Tensors))
	copy(s, e.Splits)
	s[i] = nested
	e.Splits = s
	e.Tensors[i] = must(t.Reshape(append([]int64{rows}, dims[c.RaggedRank+1:]...)...))
}

// plainBatch is tf.data's batch, of dense and ragged components, under the name op.
func (ds *Dataset) plainBatch(op string, batchSize int64, drop bool) *Dataset {
	rows := int64(-1)
	if drop {
		rows = batchSize
	}
	if err := checkBatchSize(op, batchSize, drop); err != nil {
		return failed(err)
	}
	plan := exactPlan(ds.spec, rows)
	return newDataset(plan.out, batchCardinality(ds.card, batchSize, drop), func(o openOptions) (iterator, error) {
		in, err := ds.open(openOptions{keep: true})
		if err != nil {
			return nil, err
		}
		g := &arrival{limits: limits{size: int(batchSize)}}
		b := newBatcher(op, in, plan, g, BatchOptions{Size: batchSize, DropRemainder: drop})
		b.lossy = true
		return &paddedBatches{batcher: b, keep: o.keep}, nil
	})
}

// Unbatch splits elements into their slices along the first axis, as tf.data's unbatch does. All
// components of an element must have the same size there. Where already the spec says that they do
// not, it is a ValueError of the dataset; where only an element's shapes do, an InvalidArgument
// error of the element, after which the iteration may go on. A batch of ragged batches, which
// TensorFlow 2.21 cannot take apart unless it is a batch of one, is taken apart as any other.
func (ds *Dataset) Unbatch() *Dataset {
	const op = "unbatch"
	if ds.err != nil {
		return ds
	}
	if slices.ContainsFunc(ds.comps, func(c Component) bool { return c.Shape.Rank() == 0 }) {
		return failed(buildErr(ValueError, op, "cannot unbatch an input with scalar components"))
	}
	known := int64(-1)
	for _, c := range ds.comps {
		if !c.Shape.Ranked() || c.Shape.Dim(0) < 0 {
			continue
		}
		if d := c.Shape.Dim(0); known >= 0 && d != known {
			return failed(buildErr(ValueError, op, "components must have a matching leading dimension: encountered both %d and %d", known, d))
		}
		known = c.Shape.Dim(0)
	}
	spec := mapNest(ds.spec, func(_ int, c Component) Component {
		c.Shape = c.Shape.Drop(1)
		if c.Ragged {
			c.RaggedRank--
		}
		c.stacked = c.stacked && c.RaggedRank > 0
		return c
	})
	card := ds.card
	switch {
	case card == InfiniteCardinality, card == UnknownCardinality:
	case known > 0:
		card *= known
	default:
		card = UnknownCardinality
	}
	return newDataset(spec, card, func(o openOptions) (iterator, error) {
		in, err := ds.open(o)
		if err != nil {
			return nil, err
		}
		return &unbatched{in: in}, nil
	})
}

type unbatched struct {
	in   iterator
	e    Element
	i, n int // number of the next slice, number of slices
}

func (it *unbatched) next(ctx context.Context, e *Element) error {
	for it.i == it.n {
		if err := it.in.next(ctx, &it.e); err != nil {
			return err
		}
		it.i, it.n = 0, 0
		n, err := leading(&it.e)
		if err != nil {
			return err
		}
		it.n = n
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	row := it.e.Row
	if len(it.e.Rows) == it.n {
		row = it.e.Rows[it.i]
	}
	e.reset(row)
	e.Extra = it.e.Extra
	for c, t := range it.e.Tensors {
		r, ok := it.e.Ragged(c)
		if !ok {
			e.Tensors = append(e.Tensors, t.Index(it.i))
			continue
		}
		r = r.row(it.i)
		e.Tensors = append(e.Tensors, r.Values)
		if len(r.Splits) > 0 {
			if e.Splits == nil {
				e.Splits = make([][]tensor.Tensor, len(it.e.Tensors))
			}
			e.Splits[c] = r.Splits
		}
	}
	it.i++
	return nil
}

func (it *unbatched) close() { it.in.close() }

// leading returns the size along the first axis that all components share.
func leading(e *Element) (int, error) {
	const op = "unbatch"
	n := 0
	for c, t := range e.Tensors {
		if t.Rank() == 0 {
			return 0, runErr(InvalidArgument, op, c, e.Row, "input element must have a non-scalar value in each component: component %d is a scalar", c)
		}
		size := int(t.Dims()[0])
		if r, ok := e.Ragged(c); ok {
			size = r.Splits[0].Len() - 1
		}
		if c > 0 && size != n {
			return 0, runErr(InvalidArgument, op, c, e.Row,
				"input element must have the same batch size in each component. Component 0 had size %d but component %d had size, %d", n, c, size)
		}
		n = size
	}
	return n, nil
}

// row returns row i, which has one row-splits vector less; of a ragged tensor with one vector, a
// dense row.
func (r Ragged) row(i int) Ragged {
	narrow := r.Splits[0].DType() == tensor.Int32
	v := splitValues(r.Splits[0])
	lo, hi := v[i], v[i+1]
	var out Ragged
	for _, s := range r.Splits[1:] {
		v := splitValues(s)
		n := splits{narrow: narrow, v: []int64{0}}
		for k := lo; k < hi; k++ {
			n.add(v[k+1] - v[k])
		}
		out.Splits = append(out.Splits, n.tensor())
		lo, hi = v[lo], v[hi]
	}
	out.Values = r.Values.Slice(int(lo), int(hi))
	return out
}

// String describes the ragged tensor without its values.
func (r Ragged) String() string {
	return fmt.Sprintf("ragged(%d) %v", len(r.Splits), r.Values)
}
