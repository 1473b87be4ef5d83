package dataset

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"

	"github.com/tfrun/tfrun/tensor"
)

// FromTensorSlices returns a dataset whose elements are the slices of the tensors along their first
// axis: tf.data.Dataset.from_tensor_slices. All tensors must have the same size there. The elements
// share the tensors' memory.
func FromTensorSlices(tensors Nest[tensor.Tensor]) *Dataset {
	const op = "from_tensor_slices"
	flat := tensors.Flatten()
	n := int64(-1)
	for i, t := range flat {
		switch {
		case t.Rank() == 0:
			return failed(buildErr(ValueError, op, "component %d is a scalar: it has no first axis to slice", i))
		case n >= 0 && t.Dims()[0] != n:
			return failed(buildErr(ValueError, op, "the components' first axes differ: %d and %d", n, t.Dims()[0]))
		}
		n = t.Dims()[0]
	}
	spec := mapNest(tensors, func(_ int, t tensor.Tensor) Component {
		return Component{DType: t.DType(), Shape: t.Shape().Drop(1)}
	})
	return newDataset(spec, max(n, 0), func(openOptions) (iterator, error) {
		return &indexed{n: n, at: func(i int64, e *Element) {
			for _, t := range flat {
				e.Tensors = append(e.Tensors, t.Index(int(i)))
			}
		}}, nil
	})
}

// FromElements returns a dataset of the given elements. Their row numbers become 0, 1, 2, …; their
// memory is shared. An element whose components do not fit spec is an InvalidArgument error of the
// dataset.
func FromElements(spec Spec, elements ...Element) *Dataset {
	comps := spec.Flatten()
	for i := range elements {
		if err := checkElement("from_elements", comps, &elements[i]); err != nil {
			// checkElement returns no other type.
			e := *err.(*Error) //nolint:errorlint,forcetypeassert
			e.At, e.Row = AtBuild, int64(i)
			return failed(&e)
		}
	}
	return newDataset(spec, int64(len(elements)), func(openOptions) (iterator, error) {
		return &indexed{n: int64(len(elements)), at: func(i int64, e *Element) {
			row := e.Row
			e.set(&elements[i])
			e.Row = row
		}}, nil
	})
}

// FromRows returns a dataset of vectors of any lengths, one per row, as tf.data makes of the rows
// of a ragged tensor. The rows' memory is shared.
func FromRows[T tensor.Value](rows [][]T) *Dataset {
	dtype := tensor.DTypeOf[T]()
	dims, data := make([]int64, len(rows)), make([][]byte, len(rows))
	for i, r := range rows {
		dims[i] = int64(len(r))
		data[i] = must(tensor.ShareSlice(r, dims[i:i+1])).Bytes()
	}
	return newDataset(TensorSpec(dtype, -1), int64(len(rows)), func(openOptions) (iterator, error) {
		if dtype == tensor.String {
			return &indexed{n: int64(len(rows)), at: func(i int64, e *Element) {
				e.Tensors = append(e.Tensors, must(tensor.ShareSlice(rows[i], dims[i:i+1:i+1])))
			}}, nil
		}
		return &vectors{dtype: dtype, data: data, dims: dims}, nil
	})
}

// vectors iterates over the rows of [FromRows], of which there may be many small ones.
type vectors struct {
	dtype tensor.DType
	i     int
	data  [][]byte
	dims  []int64
}

func (it *vectors) next(ctx context.Context, e *Element) error {
	_, err := it.nextRows(ctx, []*Element{e})
	return err
}

func (it *vectors) nextRows(_ context.Context, rows []*Element) (int, error) {
	data, dims := it.data[it.i:], it.dims[it.i:]
	n := min(len(rows), len(data))
	for k, e := range rows[:n] {
		e.reset(int64(it.i + k))
		e.Tensors = slices.Grow(e.Tensors, 1)[:1]
		// It cannot fail: data and dims are of one slice.
		_ = e.Tensors[0].SetShared(it.dtype, data[k], dims[k:k+1:k+1])
	}
	it.i += n
	if n < len(rows) {
		return n, io.EOF
	}
	return n, nil
}

func (it *vectors) close() {}

// Range returns a dataset of the int64 scalars start, start+step, … before stop. A step of 0 is an
// InvalidArgument error. Its cardinality is at most the largest int64, however many numbers there
// are.
func Range(start, stop, step int64) *Dataset {
	if step == 0 {
		return failed(buildErr(InvalidArgument, "range", "step cannot be zero"))
	}
	// The numbers are counted as unsigned ones: there may be more of them than an int64 holds.
	var n uint64
	switch {
	case step > 0 && stop > start:
		n = (uint64(stop)-uint64(start)-1)/uint64(step) + 1
	case step < 0 && stop < start:
		n = (uint64(start)-uint64(stop)-1)/uint64(-step) + 1
	}
	most := int64(min(n, math.MaxInt64))
	return newDataset(TensorSpec(tensor.Int64), most, func(openOptions) (iterator, error) {
		return &indexed{n: most, at: func(i int64, e *Element) {
			e.Tensors = append(e.Tensors, tensor.Scalar(start+i*step))
		}}, nil
	})
}

// indexed iterates over n elements, each made from its number.
type indexed struct {
	i, n int64
	at   func(i int64, e *Element)
}

func (it *indexed) next(_ context.Context, e *Element) error {
	if it.i >= it.n {
		return io.EOF
	}
	e.reset(it.i)
	it.at(it.i, e)
	it.i++
	return nil
}

// nextRows makes many elements in one call.
func (it *indexed) nextRows(_ context.Context, rows []*Element) (int, error) {
	n := int(min(int64(len(rows)), it.n-it.i))
	for _, e := range rows[:n] {
		e.reset(it.i)
		it.at(it.i, e)
		it.i++
	}
	if n < len(rows) {
		return n, io.EOF
	}
	return n, nil
}

func (it *indexed) close() {}

// FromGenerator returns a dataset of what gen yields, of unknown cardinality:
// tf.data.Dataset.from_generator. gen is called anew for every iteration. An element that does not
// fit spec is an InvalidArgument error, after which the iteration may go on; an error that gen
// yields is passed on. Elements that gen yields must stay valid. Their row numbers become 0, 1, 2,
// ….
func FromGenerator(spec Spec, gen func(ctx context.Context) iter.Seq2[Element, error]) *Dataset {
	comps := spec.Flatten()
	return newDataset(spec, UnknownCardinality, func(openOptions) (iterator, error) {
		return &generated{comps: comps, gen: gen}, nil
	})
}

type generated struct {
	comps  []Component
	gen    func(ctx context.Context) iter.Seq2[Element, error]
	pull   func() (Element, error, bool)
	stop   func()
	cancel context.CancelFunc
	row    int64
}

func (it *generated) next(ctx context.Context, e *Element) error {
	if it.pull == nil {
		// The sequence outlives this call, so its context ends with the iterator; each call's own
		// context is watched besides.
		seqCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		it.cancel = cancel
		it.pull, it.stop = iter.Pull2(it.gen(seqCtx))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	src, err, ok := it.pull()
	if !ok {
		return io.EOF
	}
	row := it.row
	it.row++
	if err != nil {
		return fmt.Errorf("from_generator: row %d: %w", row, err)
	}
	src.Row = row
	if err := checkElement("from_generator", it.comps, &src); err != nil {
		return err
	}
	e.set(&src)
	return nil
}

func (it *generated) close() {
	if it.pull != nil {
		it.cancel()
		it.stop()
	}
}

// must returns t. It is for tensors whose values and sizes are known to fit each other.
func must(t tensor.Tensor, err error) tensor.Tensor {
	if err != nil {
		panic(err)
	}
	return t
}
