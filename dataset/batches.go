package dataset

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"sort"

	"github.com/tfrun/tfrun/tensor"
)

// BatchOptions says how [Dataset.Batches] and [Dataset.GroupBatch] group rows and which sizes the
// groups are padded to.
type BatchOptions struct {
	// Size is the number of rows of a batch. It may be 0, no limit, where MaxTokens bounds a batch.
	Size int64
	// MaxTokens bounds the batch by its size after padding: the number of rows times the length of
	// the longest. As many rows as fit are taken; a row longer than the bound is a batch of its
	// own. 0: no bound.
	MaxTokens int64
	// DropRemainder drops batches of fewer than Size rows: the last one, and those that Exact and
	// Similar make of rows without enough neighbours. It needs a Size.
	DropRemainder bool
	// Grouping says which rows share a batch.
	Grouping Grouping
	// Window is the number of rows that Exact and Similar hold at most. A row leaves at the latest
	// when four times as many rows have come after it. 0: [DefaultWindow].
	Window int
	// WindowBytes bounds, in bytes of memory, the rows that Exact and Similar hold, and the rows
	// that come after a row before it leaves. With Exact and no Window, WindowBytes takes the place
	// of [DefaultWindow]. 0: only the number of rows counts.
	WindowBytes int64
	// Apart, if not nil, picks the rows that Similar groups as Exact does, so that none of them is
	// padded. The element is only valid during the call.
	Apart func(Element) bool
	// Alike, if not nil, appends to a key what rows that Exact groups have to have in common beside
	// their shapes, such as the dense shapes of sparse tensors. The element is only valid during
	// the call.
	Alike func(key []byte, e Element) []byte
	// Length is what Similar compares and MaxTokens counts.
	Length Length
	// PaddedShapes and PaddingValues are those of padded_batch.
	PaddedShapes  Shapes
	PaddingValues Values
	// MaxBytes bounds the memory of one padded component. 0: [DefaultMaxBytes].
	MaxBytes int64
	// Budget bounds the memory of all padded components of a batch together, in bytes, the bytes of
	// strings included. A group of rows that would take more is split, in its order, into batches
	// that keep to the budget; a single row beyond it is a batch of its own. 0: no bound. Budget
	// does not go with DropRemainder.
	Budget int64
	// Kept bounds the bytes that the rows of a group keep beside their tensors, where rows are
	// grouped as they arrive: a group of more ends early. 0: a 32nd of Budget.
	Kept int64
	// Split, if not nil, is called for each group that Budget or Kept splits, with the number of
	// its rows and how many of them make the first batch.
	Split func(rows, first int)
	// RoundUp, if not nil, gives the size that an axis is padded to, from the size of its longest
	// row; it returns that size or a larger one. It serves models for which each new shape of a
	// batch has a cost. Exact, which pads nothing, does not use it.
	RoundUp func(longest int64) int64
	// Stats, if not nil, counts every batch. See [Stats].
	Stats *Stats
}

// Batches groups the rows and yields the groups unpadded, for a consumer that has its own memory to
// pad into. Each is valid until the next one is asked for.
//
// No row is lost to another row's error. After an error of the dataset's the rows read so far wait
// for the next batch, and the consumer may go on. After an error of padding (DataLoss,
// InvalidArgument) the batch at fault is left out, and the consumer may go on too.
func (ds *Dataset) Batches(ctx context.Context, opts BatchOptions) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		plan, newGrouper, err := ds.planBatches("batches", opts)
		if err != nil {
			yield(nil, err)
			return
		}
		in, oerr := ds.open(openOptions{keep: true})
		if oerr != nil {
			yield(nil, positioned(oerr, AtIterator))
			return
		}
		it := newBatcher("batches", in, plan, newGrouper(), opts)
		defer it.close()
		for n := int64(0); ; {
			b, err := it.nextBatch(ctx)
			switch {
			case err == io.EOF: //nolint:errorlint // iterators return it bare
				return
			case err != nil:
				if !yield(nil, positioned(err, n)) || ctx.Err() != nil {
					return
				}
			case !yield(b, nil):
				return
			default:
				n++
			}
		}
	}
}

// GroupBatch is PaddedBatch with all the ways of grouping rows of [BatchOptions].
func (ds *Dataset) GroupBatch(opts BatchOptions) *Dataset {
	const op = "group_batch"
	if ds.err != nil {
		return ds
	}
	plan, newGrouper, err := ds.planBatches(op, opts)
	if err != nil {
		return failed(err)
	}
	return newDataset(plan.out, regrouped(ds.card), func(o openOptions) (iterator, error) {
		in, err := ds.open(openOptions{keep: true})
		if err != nil {
			return nil, err
		}
		return &paddedBatches{batcher: newBatcher(op, in, plan, newGrouper(), opts), keep: o.keep}, nil
	})
}

// planBatches checks the options and returns what they ask for: the padding, and what makes a
// grouper.
func (ds *Dataset) planBatches(op string, opts BatchOptions) (*padPlan, func() grouper, error) {
	if ds.err != nil {
		return nil, nil, ds.err
	}
	mode := padMode{op: op, outRows: -1, ragged: true}
	if opts.DropRemainder {
		mode.outRows = opts.Size
	}
	plan, err := newPadPlan(ds.spec, opts.PaddedShapes, opts.PaddingValues, mode)
	if err != nil {
		return nil, nil, err
	}
	if opts.Size < 0 || opts.MaxTokens < 0 || opts.Window < 0 || opts.MaxBytes < 0 || opts.Budget < 0 || opts.Kept < 0 || opts.WindowBytes < 0 {
		return nil, nil, buildErr(InvalidArgument, op, "Size, MaxTokens, Window, WindowBytes, MaxBytes, Budget and Kept must not be negative")
	}
	if opts.Size == 0 && (opts.MaxTokens == 0 || opts.DropRemainder) {
		return nil, nil, buildErr(InvalidArgument, op, "Size must be greater than zero")
	}
	if opts.Budget > 0 && opts.DropRemainder {
		return nil, nil, buildErr(InvalidArgument, op, "Budget splits batches, DropRemainder drops what is split: one of them")
	}
	length, err := opts.Length.compile(op, ds.spec)
	if err != nil {
		return nil, nil, err
	}
	window := windowSize{rows: opts.Window, bytes: opts.WindowBytes}
	if window.rows == 0 && (opts.Grouping != Exact || window.bytes == 0) {
		window.rows = DefaultWindow
	}
	lim := limits{size: math.MaxInt, maxTokens: opts.MaxTokens}
	if opts.Size > 0 {
		lim.size = int(opts.Size)
	}
	switch opts.Grouping {
	case Arrival:
		if opts.MaxTokens == 0 {
			length = nil
		}
		return plan, func() grouper { return &arrival{limits: lim, length: length} }, nil
	case Exact:
		return plan, func() grouper {
			return newExact(lim, length, window, opts.Alike)
		}, nil
	case Similar:
		return plan, func() grouper {
			g := &similar{limits: lim, length: length, window: window}
			if opts.Apart == nil {
				return g
			}
			return &divided{similar: g, apart: newExact(lim, length, window, opts.Alike), isApart: opts.Apart}
		}, nil
	}
	return nil, nil, buildErr(InvalidArgument, op, "no grouping has the number %d", opts.Grouping)
}

// batcher reads rows, groups them and measures the groups.
type batcher struct {
	in    iterator
	g     grouper
	b     Batch
	size  int          // groups of fewer rows are dropped
	bulk  rowsIterator // in, if it can read many rows at a time
	end   bool
	lossy bool // an error of the input drops the rows read for the batch, as in tf.data
	stats *Stats

	budget int64
	kept   int64 // most bytes that a group of arriving rows keeps; 0: no bound
	keeps  bool  // rows have kept columns
	split  func(rows, first int)
	rest   []*Element // rows of a group that the budget split, for the next batches
}

// overBudget reports whether a batch of rows takes more memory than the budget, or an amount too
// large to compute. Other errors of the rows are left to nextBatch, which reports them.
func (it *batcher) overBudget(rows []*Element) bool {
	if err := it.b.set(rows); err != nil {
		return err.Code == ResourceExhausted || err.Code == InvalidArgument
	}
	return it.b.memory() > it.budget
}

// splitToBudget returns the first rows that fit the budget as one batch, at least one row. The rest
// of the group waits in it.rest for the next batches.
func (it *batcher) splitToBudget(rows []*Element) []*Element {
	if it.budget == 0 || len(rows) == 1 || !it.overBudget(rows) {
		return rows
	}
	n := max(1, sort.Search(len(rows), func(i int) bool { return it.overBudget(rows[:i+1]) }))
	if n == len(rows) {
		return rows // the last row alone breaks a limit: nextBatch reports it
	}
	if it.split != nil {
		it.split(len(rows), n)
	}
	it.rest = rows[n:]
	return rows[:n]
}

// group returns the rows of the next batch, or nil where more rows have to be read.
func (it *batcher) group() []*Element {
	for {
		rows := it.rest
		if it.rest = nil; rows == nil {
			rows = it.g.nextGroup(it.end)
		}
		if rows == nil || len(rows) >= it.size {
			return rows
		}
	}
}

func newBatcher(op string, in iterator, plan *padPlan, g grouper, opts BatchOptions) *batcher {
	it := &batcher{in: in, g: g, b: *newBatch(op, plan, opts), stats: opts.Stats, budget: opts.Budget, kept: cmp.Or(opts.Kept, opts.Budget/keptShare), split: opts.Split}
	if a, ok := g.(*arrival); ok && a.length == nil && a.size <= maxBulk {
		it.bulk, _ = in.(rowsIterator)
	}
	if opts.DropRemainder {
		it.size = int(opts.Size)
	}
	return it
}

// newBatch returns a batch without rows.
func newBatch(op string, plan *padPlan, opts BatchOptions) *Batch {
	b := &Batch{plan: plan, op: op, max: cmp.Or(opts.MaxBytes, DefaultMaxBytes)}
	if opts.Grouping != Exact {
		b.round = opts.RoundUp
	}
	return b
}

// nextBatch returns the next batch, io.EOF after the last.
func (it *batcher) nextBatch(ctx context.Context) (*Batch, error) {
	for {
		if rows := it.group(); rows != nil {
			if err := it.b.set(it.splitToBudget(rows)); err != nil {
				return nil, err
			}
			it.stats.add(&it.b)
			return &it.b, nil
		}
		if it.end {
			return nil, io.EOF
		}
		err := it.read(ctx)
		switch {
		case err == nil:
		case err == io.EOF: //nolint:errorlint // iterators return it bare
			it.end = true
		default:
			if it.lossy {
				it.g.reset()
			}
			return nil, err
		}
	}
}

// maxBulk bounds the elements that are made ahead for one bulk read: a short input may never fill
// them.
const maxBulk = 1 << 14

// read reads one row into the grouper, or, where the input can, all rows that the group lacks.
func (it *batcher) read(ctx context.Context) error {
	if it.bulk != nil {
		g := it.g.(*arrival) //nolint:forcetypeassert // bulk is only set with it
		slots := g.slots()
		if it.keeps { // a single row may keep many bytes
			slots = slots[:min(len(slots), keepingRows)]
		}
		n, err := it.bulk.nextRows(ctx, slots)
		g.n += n
		it.countKept(g, slots[:n])
		return err
	}
	row := it.g.slot()
	if err := it.in.next(ctx, row); err != nil {
		return err
	}
	if err := it.g.commit(); err != nil {
		return err
	}
	if g, ok := it.g.(*arrival); ok && !g.overflows {
		it.countKept(g, []*Element{row})
	}
	return nil
}

// keepingRows is how many rows are read at a time once rows have kept columns.
const keepingRows = 64

// keptShare divides the budget: kept columns of one group may take a 32nd of it. Several batches
// are on their way at a time, and results hold the kept columns once more.
const keptShare = 32

// countKept adds up the bytes that rows of a group keep beside their tensors. A group that keeps
// more than its share of the budget becomes a batch before it is full.
func (it *batcher) countKept(g *arrival, rows []*Element) {
	if it.kept == 0 {
		return
	}
	for _, e := range rows {
		it.keeps = it.keeps || len(e.Extra) > 0
		for _, x := range e.Extra {
			g.kept += int64(len(x.Value))
		}
	}
	if g.n < g.size && g.kept > it.kept && !g.leavesEarly {
		g.leavesEarly = true
		if it.split != nil {
			it.split(g.size, g.n)
		}
	}
}

func (it *batcher) close() { it.in.close() }

// paddedBatches iterates over a batcher's batches in their padded form.
type paddedBatches struct {
	*batcher
	mem  batchMemory
	keep bool
}

func (it *paddedBatches) next(ctx context.Context, e *Element) error {
	b, err := it.nextBatch(ctx)
	if err != nil {
		return err
	}
	if it.keep {
		it.mem = batchMemory{}
	}
	return it.mem.element(b, e)
}

// PaddedBatchOptions are the arguments of padded_batch beside the batch size. The zero value is
// tf.data's default.
type PaddedBatchOptions struct {
	// PaddedShapes says what each component is padded to, see [Shape]; not given, the elements' own
	// static shapes.
	PaddedShapes Shapes
	// PaddingValues are the values to pad with, see [Value]; not given, 0, "" and false.
	PaddingValues Values
	// DropRemainder drops a last batch of fewer rows.
	DropRemainder bool
	// MaxBytes bounds the memory of one padded component of a batch. 0: [DefaultMaxBytes].
	MaxBytes int64
	// Stats, if not nil, counts every batch.
	Stats *Stats
}

// PaddedBatch, tf.data's padded_batch, combines batchSize consecutive elements into one, each
// component padded to the longest of its batch or to the size that its padded shape gives. At most
// one options value may be given.
//
// A component larger than its padded shape is a DataLoss error when its batch is made, a ValueError
// of the dataset where already its static shape is larger. After an error the iteration goes on
// with the following batch; as in tf.data, an error of the input loses the rows that were read for
// the batch it interrupts ([Dataset.Batches] and [Dataset.GroupBatch] keep them).
func (ds *Dataset) PaddedBatch(batchSize int64, options ...PaddedBatchOptions) *Dataset {
	const op = "padded_batch"
	if ds.err != nil {
		return ds
	}
	opts, oerr := one(options)
	if oerr != nil {
		return failed(buildErr(ValueError, op, "%v", oerr))
	}
	return ds.paddedBatch(op, batchSize, opts, false)
}

// paddedBatch is [Dataset.PaddedBatch] under the name of the operation that uses it.
func (ds *Dataset) paddedBatch(op string, batchSize int64, opts PaddedBatchOptions, ragged bool) *Dataset {
	mode := padMode{op: op, outRows: -1, ragged: ragged}
	if opts.DropRemainder {
		mode.outRows = batchSize
	}
	plan, err := newPadPlan(ds.spec, opts.PaddedShapes, opts.PaddingValues, mode)
	if err != nil {
		return failed(err)
	}
	if err := checkBatchSize(op, batchSize, opts.DropRemainder); err != nil {
		return failed(err)
	}
	bo := BatchOptions{Size: batchSize, DropRemainder: opts.DropRemainder, MaxBytes: opts.MaxBytes, Stats: opts.Stats}
	return newDataset(plan.out, batchCardinality(ds.card, batchSize, opts.DropRemainder), func(o openOptions) (iterator, error) {
		in, err := ds.open(openOptions{keep: true})
		if err != nil {
			return nil, err
		}
		g := &arrival{limits: limits{size: int(batchSize)}}
		it := &paddedBatches{batcher: newBatcher(op, in, plan, g, bo), keep: o.keep}
		it.lossy = true
		return it, nil
	})
}

func checkBatchSize(op string, n int64, drop bool) error {
	if n < 0 && drop { // tf.data finds this one out by the static shape of the batch
		return buildErr(ValueError, op, "batch size: dimension %d must be >= 0", n)
	}
	if n <= 0 {
		return buildErr(InvalidArgument, op, "batch size must be greater than zero, got %d", n)
	}
	return nil
}

// regrouped returns the cardinality of batches whose number depends on the rows' lengths.
func regrouped(n int64) int64 {
	if n == InfiniteCardinality {
		return n
	}
	return UnknownCardinality
}

// batchCardinality returns the number of batches of n elements, by tf.data's own formula: it goes
// on computing with the negative numbers that take reports for negative counts.
func batchCardinality(n, size int64, drop bool) int64 {
	if n == InfiniteCardinality || n == UnknownCardinality {
		return n
	}
	if drop || n%size == 0 {
		return n / size
	}
	return n/size + 1
}

// appendRagged adds the batch's component c, a ragged one, to e as one ragged tensor.
func (b *Batch) appendRagged(c int, e *Element) error {
	r, err := b.Ragged(c)
	if err != nil {
		return err
	}
	if e.Splits == nil {
		e.Splits = make([][]tensor.Tensor, len(b.plan.comps))
	}
	e.Tensors = append(e.Tensors, r.Values)
	e.Splits[c] = r.Splits
	return nil
}

// Ragged returns component c, one of ragged tensors, as a ragged tensor with one more row-splits
// vector in front, in new memory.
func (b *Batch) Ragged(c int) (Ragged, error) {
	if !b.plan.comps[c].ragged {
		return Ragged{}, fmt.Errorf("ragged component %d: its rows are dense", c)
	}
	rows := make([]Ragged, len(b.rows))
	for i, r := range b.rows {
		if rg, ok := r.Ragged(c); ok {
			rows[i] = rg
		} else {
			rows[i].Values = r.Tensors[c] // of ragged rank 0
		}
	}
	return stackRagged(rows, b.plan.spec.Flatten()[c])
}
