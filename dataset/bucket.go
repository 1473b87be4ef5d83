package dataset

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
)

// BucketOptions are the arguments of bucket_by_sequence_length.
type BucketOptions struct {
	// Length is element_length_func.
	Length Length
	// Boundaries are the buckets' upper ends, exclusive. A length equal to a boundary goes to the
	// bucket above.
	Boundaries []int64
	// BatchSizes holds one batch size per bucket, one more than there are boundaries.
	BatchSizes []int64
	// PaddedShapes says what each component is padded to; not given, the elements' own static
	// shapes. Unknown sizes are [None] here: -1 is a ValueError, as in tf.data.
	PaddedShapes Shapes
	// PaddingValues are the values to pad with; not given, 0, "" and false.
	PaddingValues Values
	// PadToBucketBoundary pads unknown sizes to the bucket's boundary less 1 instead of the longest
	// of the batch. An element beyond the last boundary is then an Internal error when its batch is
	// made. As in tf.data, once the input has ended, each further call returns this error again.
	PadToBucketBoundary bool
	// NoPadding batches without padding; elements of unequal shapes are an InvalidArgument error.
	NoPadding bool
	// DropRemainder drops batches of fewer elements than the bucket's size.
	DropRemainder bool
	// MaxBytes bounds the memory of one padded component of a batch. 0: [DefaultMaxBytes].
	MaxBytes int64
	// Stats, if not nil, counts every batch.
	Stats *Stats
}

// BucketBySequenceLength, tf.data's bucket_by_sequence_length, puts elements of like length into a
// batch. A bucket's batch is made when the bucket holds as many elements as its batch size; what is
// left at the end follows from the lowest bucket up.
//
// A batch size that is not positive fails when the first element comes to its bucket.
func (ds *Dataset) BucketBySequenceLength(opts BucketOptions) *Dataset {
	const op = "bucket_by_sequence_length"
	if ds.err != nil {
		return ds
	}
	if len(opts.BatchSizes) != len(opts.Boundaries)+1 {
		return failed(buildErr(ValueError, op, "`len(bucket_batch_sizes)` must equal `len(bucket_boundaries) + 1` but `len(bucket_batch_sizes)=%d` and `len(bucket_boundaries)=%d`",
			len(opts.BatchSizes), len(opts.Boundaries)))
	}
	opts.Boundaries, opts.BatchSizes = slices.Clone(opts.Boundaries), slices.Clone(opts.BatchSizes)
	length, err := opts.Length.compile(op, ds.spec)
	if err != nil {
		return failed(err)
	}
	for _, b := range opts.Boundaries {
		if b != int64(int32(b)) {
			return failed(buildErr(TypeError, op, "boundary %d is of type int64, the lengths are of type int32", b))
		}
	}
	plan, err := ds.bucketPlan(op, opts)
	if err != nil {
		return failed(err)
	}
	return newDataset(plan.out, regrouped(ds.card), func(o openOptions) (iterator, error) {
		in, err := ds.open(openOptions{keep: true})
		if err != nil {
			return nil, err
		}
		it := &bucketed{op: op, in: in, opts: opts, length: length, keep: o.keep, base: plan, buckets: make([][]*Element, len(opts.BatchSizes))}
		it.b = Batch{op: op, max: opts.MaxBytes}
		if it.b.max == 0 {
			it.b.max = DefaultMaxBytes
		}
		return it, nil
	})
}

// bucketPlan returns the plan of the batches, before unknown sizes give way to boundaries.
func (ds *Dataset) bucketPlan(op string, opts BucketOptions) (*padPlan, *Error) {
	if opts.NoPadding {
		return exactPlan(ds.spec, -1), nil
	}
	return newPadPlan(ds.spec, opts.PaddedShapes, opts.PaddingValues, padMode{op: op, bucket: true, boundary: opts.PadToBucketBoundary, outRows: -1})
}

// bucketed is the iterator of BucketBySequenceLength. It does what group_by_window does with the
// three functions that bucket_by_sequence_length gives it.
type bucketed struct {
	op      string
	in      iterator
	opts    BucketOptions
	length  lengthFunc
	keep    bool
	pool    rowPool
	buckets [][]*Element
	plans   []*padPlan // by bucket; only with PadToBucketBoundary
	base    *padPlan
	end     bool
	b       Batch
	mem     batchMemory
}

func (it *bucketed) next(ctx context.Context, e *Element) error {
	for {
		k, err := it.nextFull(ctx)
		if err != nil {
			return err
		}
		plan, err := it.plan(k)
		if err != nil {
			// The bucket keeps its rows, as a group of tf.data does whose reduce_func fails.
			return err
		}
		rows := it.buckets[k]
		it.pool.taken = append(it.pool.taken, rows...)
		it.buckets[k] = rows[:0]
		if it.opts.DropRemainder && int64(len(rows)) < it.opts.BatchSizes[k] {
			continue
		}
		it.b.plan = plan
		if err := it.b.set(rows); err != nil {
			return err
		}
		it.opts.Stats.add(&it.b)
		if it.keep {
			it.mem = batchMemory{}
		}
		return it.mem.element(&it.b, e)
	}
}

// nextFull reads elements until a bucket is full and returns that bucket. After the last element it
// returns the lowest bucket that holds any.
func (it *bucketed) nextFull(ctx context.Context) (int, error) {
	for !it.end {
		e := it.pool.get()
		err := it.in.next(ctx, e)
		if err == io.EOF { //nolint:errorlint // iterators return it bare
			it.end = true
			break
		}
		k := 0
		if err == nil {
			k, err = it.bucketOf(e)
		}
		if err != nil {
			it.pool.free = append(it.pool.free, e)
			return 0, err
		}
		it.buckets[k] = append(it.buckets[k], e)
		if int64(len(it.buckets[k])) == it.opts.BatchSizes[k] {
			return k, nil
		}
	}
	for k, rows := range it.buckets {
		if len(rows) > 0 {
			return k, nil
		}
	}
	return 0, io.EOF
}

// bucketOf returns the lowest bucket whose bounds hold the element's length. The buckets begin at
// the least int32 and end below the greatest.
func (it *bucketed) bucketOf(e *Element) (int, error) {
	n, err := it.length(e)
	if err != nil {
		return 0, err
	}
	lo := int64(math.MinInt32)
	for k, size := range it.opts.BatchSizes {
		hi := int64(math.MaxInt32)
		if k < len(it.opts.Boundaries) {
			hi = it.opts.Boundaries[k]
		}
		if lo > n || n >= hi {
			lo = hi
			continue
		}
		if size <= 0 {
			return 0, runErr(InvalidArgument, it.op, -1, e.Row, "window size must be greater than zero, but got %d: it is the batch size of bucket %d", size, k)
		}
		return k, nil
	}
	return 0, runErr(InvalidArgument, it.op, -1, e.Row, "no bucket takes the length %d: slice index %d of dimension 0 out of bounds", n, int64(math.MaxInt64))
}

// plan returns how bucket k is padded.
func (it *bucketed) plan(k int) (*padPlan, error) {
	if !it.opts.PadToBucketBoundary || it.opts.NoPadding {
		return it.base, nil
	}
	if k == len(it.opts.Boundaries) {
		return nil, runErr(Internal, it.op, -1, it.buckets[k][0].Row, "got error code INVALID_ARGUMENT and message: with pad_to_bucket_boundary=True, elements must have "+
			"length < max(bucket_boundaries); a batch of the last bucket is due")
	}
	if it.plans == nil {
		it.plans = make([]*padPlan, len(it.opts.Boundaries))
	}
	if it.plans[k] == nil {
		p := *it.base
		p.comps = slices.Clone(p.comps)
		for c := range p.comps {
			shape := slices.Clone(p.comps[c].shape)
			for i, d := range shape {
				if d < 0 {
					shape[i] = it.opts.Boundaries[k] - 1
				}
				if shape[i] < -1 {
					return nil, runErr(Internal, it.op, c, it.buckets[k][0].Row, "got error code INVALID_ARGUMENT and message: dimension %d must be >= -1", shape[i])
				}
			}
			p.comps[c].shape = shape
		}
		it.plans[k] = &p
	}
	return it.plans[k], nil
}

func (it *bucketed) close() { it.in.close() }

// exactPlan is the plan of batches without padding. rows is the static batch size, or -1.
func exactPlan(spec Spec, rows int64) *padPlan {
	comps := spec.Flatten()
	plan := &padPlan{spec: spec, exact: true, comps: make([]padComp, len(comps))}
	for i, c := range comps {
		plan.comps[i] = padComp{dtype: c.DType, size: c.DType.Size(), ragged: c.Ragged && c.RaggedRank >= 0, stacked: c.stacked}
	}
	plan.out = mapNest(spec, func(_ int, c Component) Component {
		c = c.batched(rows)
		c.stacked = c.Ragged
		return c
	})
	return plan
}

// measureExact is [padComp.measure] for a batch without padding: all rows must have the first one's
// shape.
func (p *padComp) measureExact(op string, c int, rows []*Element, dims []int64) ([]int64, *Error) {
	if p.ragged && !p.stacked {
		return dims, nil
	}
	first := p.shapeOf(rows[0], c)
	for i, r := range rows[1:] {
		if d := p.shapeOf(r, c); !slices.Equal(d, first) {
			return dims, runErr(InvalidArgument, op, c, r.Row, "cannot batch tensors with different shapes in component %d. First element had shape %s and element %d had shape %s",
				c, listText(first), i+1, listText(d))
		}
	}
	if p.ragged {
		return dims, nil
	}
	return append(append(dims, int64(len(rows))), first...), nil
}

// shapeOf returns the sizes of a row's component; for a ragged one, only the number of its rows.
func (p *padComp) shapeOf(e *Element, c int) []int64 {
	if r, ok := e.Ragged(c); ok {
		return []int64{int64(r.Splits[0].Len() - 1)}
	}
	if p.ragged {
		return e.Tensors[c].Dims()[:1]
	}
	return e.Tensors[c].Dims()
}

// listText writes sizes as TensorFlow's kernels do: "[2,3]".
func listText(dims []int64) string {
	s := []byte{'['}
	for i, d := range dims {
		if i > 0 {
			s = append(s, ',')
		}
		s = fmt.Append(s, d)
	}
	return string(append(s, ']'))
}
