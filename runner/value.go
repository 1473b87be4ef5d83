package runner

import (
	"fmt"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Value is one output of a signature, for a row or as a whole: dense, ragged or sparse.
type Value struct {
	// Tensor holds a dense value; the flat values of a ragged one; the values of a sparse one.
	Tensor tensor.Tensor
	// Splits are the row splits of a ragged value, outermost first: int64 or int32 vectors.
	Splits []tensor.Tensor
	// Sparse is set for a sparse value.
	Sparse *Sparse
}

// Sparse says where the values of a sparse tensor are, as tf.SparseTensor does.
type Sparse struct {
	Indices    tensor.Tensor // int64 (values, rank)
	DenseShape tensor.Tensor // int64 (rank,)
}

// AppendJSON appends the value as JSON: nested lists of unequal length for a ragged one; for a
// sparse one {"indices": [[…]], "values": […], "dense_shape": […]}.
func (v Value) AppendJSON(dst []byte) ([]byte, error) {
	if v.Sparse != nil {
		return v.appendSparse(dst)
	}
	if v.Splits != nil {
		if _, err := raggedSplits(v); err != nil {
			return dst, err
		}
	}
	return dataset.AppendJSON(dst, v.Tensor, v.Splits)
}

func (v Value) appendSparse(dst []byte) ([]byte, error) {
	var err error
	for _, part := range []struct {
		key string
		t   tensor.Tensor
	}{{`{"indices":`, v.Sparse.Indices}, {`,"values":`, v.Tensor}, {`,"dense_shape":`, v.Sparse.DenseShape}} {
		if dst, err = dataset.AppendJSON(append(dst, part.key...), part.t, nil); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// raggedSplits returns the row splits as int64. It checks that each begins with 0, never falls, and
// ends at the length of the next level.
func raggedSplits(v Value) ([][]int64, error) {
	splits := make([][]int64, len(v.Splits))
	for i, t := range v.Splits {
		s, ok := tensor.Values[int64](t)
		if narrow, is32 := tensor.Values[int32](t); is32 {
			for _, x := range narrow {
				s = append(s, int64(x))
			}
			ok = true
		}
		if !ok || t.Rank() != 1 || len(s) == 0 || s[0] != 0 {
			return nil, fmt.Errorf("row splits: want a vector of integers that begins with 0, got %v", t)
		}
		splits[i] = s
	}
	if v.Tensor.Rank() == 0 {
		return nil, fmt.Errorf("flat values: want a rank of at least 1, got %v", v.Tensor)
	}
	for i, s := range splits {
		end := v.Tensor.Dims()[0]
		if i+1 < len(splits) {
			end = int64(len(splits[i+1]) - 1)
		}
		for k := 1; k < len(s); k++ {
			if s[k] < s[k-1] {
				return nil, fmt.Errorf("row splits: want numbers that never fall, got %d after %d", s[k], s[k-1])
			}
		}
		if s[len(s)-1] != end {
			return nil, fmt.Errorf("row splits: want %d as the last, the number of entries that they split, got %d", end, s[len(s)-1])
		}
	}
	return splits, nil
}

// rows returns the number of entries along the first axis, and false for a scalar.
func (v Value) rows() (int64, bool) {
	switch {
	case v.Sparse != nil:
		shape, _ := tensor.Values[int64](v.Sparse.DenseShape)
		if len(shape) == 0 {
			return 0, false
		}
		return shape[0], true
	case v.Splits != nil:
		return int64(v.Splits[0].Len() - 1), true
	case v.Tensor.Rank() == 0:
		return 0, false
	}
	return v.Tensor.Dims()[0], true
}

// row returns entry i along the first axis. Dense values share memory with v.
func (v Value) row(i int) (Value, error) {
	switch {
	case v.Sparse != nil:
		return v.sparseRow(int64(i))
	case v.Splits != nil:
		return v.raggedRow(i)
	}
	return Value{Tensor: v.Tensor.Index(i)}, nil
}

// raggedRow returns entry i of the outermost axis: a ragged value with one axis less, or a dense
// one.
func (v Value) raggedRow(i int) (Value, error) {
	splits, err := raggedSplits(v)
	if err != nil {
		return Value{}, err
	}
	lo, hi := splits[0][i], splits[0][i+1]
	var rest []tensor.Tensor
	for _, s := range splits[1:] {
		shifted := make([]int64, 0, hi-lo+1)
		for _, x := range s[lo : hi+1] {
			shifted = append(shifted, x-s[lo])
		}
		rest = append(rest, tensor.Vector(shifted...))
		lo, hi = s[lo], s[hi]
	}
	return Value{Tensor: v.Tensor.Slice(int(lo), int(hi)), Splits: rest}, nil
}

// sparseRow picks the values whose first index is i and drops that axis.
func (v Value) sparseRow(i int64) (Value, error) {
	indices, ok := tensor.Values[int64](v.Sparse.Indices)
	shape, ok2 := tensor.Values[int64](v.Sparse.DenseShape)
	rank := len(shape)
	if !ok || !ok2 || v.Sparse.Indices.Rank() != 2 || v.Tensor.Rank() != 1 || len(indices) != v.Tensor.Len()*rank {
		return Value{}, fmt.Errorf("sparse value: want an index for each value, with a number for each axis, got indices %v, values %v and the dense shape %v", v.Sparse.Indices, v.Tensor, shape)
	}
	var kept []int64
	var at []int
	for k := range v.Tensor.Len() {
		if index := indices[k*rank : (k+1)*rank]; index[0] == i {
			kept = append(kept, index[1:]...)
			at = append(at, k)
		}
	}
	where, err := tensor.FromSlice(kept, int64(len(at)), int64(rank-1))
	if err != nil {
		return Value{}, err
	}
	return Value{Tensor: v.Tensor.Gather(at), Sparse: &Sparse{Indices: where, DenseShape: tensor.Vector(shape[1:]...)}}, nil
}

// assemble puts the tensors of a function's outputs together to values, one for each output of the
// signature.
func assemble(list []Endpoint, tensors []tensor.Tensor) ([]string, []Value) {
	var names []string
	var values []Value
	for i, e := range list {
		if len(names) == 0 || names[len(names)-1] != e.Value || e.Role == "" {
			names, values = append(names, e.Value), append(values, Value{})
		}
		v := &values[len(values)-1]
		switch e.Role {
		case "indices", "dense_shape":
			if v.Sparse == nil {
				v.Sparse = &Sparse{}
			}
			if e.Role == "indices" {
				v.Sparse.Indices = tensors[i]
			} else {
				v.Sparse.DenseShape = tensors[i]
			}
		case "", "values":
			v.Tensor = tensors[i]
		default:
			v.Splits = append(v.Splits, tensors[i])
		}
	}
	return names, values
}
