package runner

import (
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// raggedFeed puts the rows of a ragged input together: their values one after the other, and the
// row splits. Nothing is padded.
func (p *Predictor) raggedFeed(fd feeder, b *dataset.Batch) (tf.Feed, error) {
	var r dataset.Ragged
	var err error
	if p.components[fd.component].Ragged {
		r, err = b.Ragged(fd.component)
	} else {
		r, err = stackDense(fd, b)
	}
	switch {
	case err != nil:
		return tf.Feed{}, err
	case fd.split < 0:
		return tf.FeedTensor(r.Values), nil
	}
	return tf.FeedTensor(r.Splits[fd.split]), nil
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

// sparseFeed puts the rows of a sparse input together, as tf.data's batch does: an index of the row
// in front of each index, and the largest of the dense shapes.
func (p *Predictor) sparseFeed(fd feeder, b *dataset.Batch) (tf.Feed, error) {
	component := func(row dataset.Element, role string) tensor.Tensor {
		return row.Tensors[p.spec.Index(fd.in.Value+"/"+role)]
	}
	if fd.in.Role == "values" {
		parts := make([]tensor.Tensor, b.Len())
		for i := range parts {
			parts[i] = component(b.Row(i), "values")
		}
		t, err := concat(parts)
		return tf.FeedTensor(t), err
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
			return tf.Feed{}, fmt.Errorf("row %d: want an index of %d numbers for each of the %d values, and a dense shape of %d, got %d numbers and a shape of %d",
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
		return tf.FeedTensor(tensor.Vector(append([]int64{int64(b.Len())}, shape...)...)), nil
	}
	t, err := tensor.FromSlice(indices, int64(len(indices)/(rank+1)), int64(rank+1))
	return tf.FeedTensor(t), err
}
