package runner

import (
	"fmt"

	"github.com/tfrun/tfrun/tensor"
)

// pick returns the entries at the given places along the first axis, with that axis, in that order.
func (v Value) pick(rows []int) (Value, error) {
	switch {
	case v.Sparse != nil:
		return v.pickSparse(rows)
	case v.Splits != nil:
		return v.pickRagged(rows)
	}
	t, err := entries(v.Tensor, runsOf(rows))
	return Value{Tensor: t}, err
}

// pickRagged picks rows of a ragged value, level by level: the rows picked at one level say which
// entries are picked at the next.
func (v Value) pickRagged(rows []int) (Value, error) {
	splits, err := raggedSplits(v)
	if err != nil {
		return Value{}, err
	}
	var out Value
	runs := runsOf(rows)
	for _, s := range splits {
		ends := []int64{0}
		var next []run
		for _, r := range runs {
			for i := r.lo; i < r.hi; i++ {
				ends = append(ends, ends[len(ends)-1]+s[i+1]-s[i])
			}
			next = append(next, run{int(s[r.lo]), int(s[r.hi])})
		}
		out.Splits, runs = append(out.Splits, tensor.Vector(ends...)), next
	}
	out.Tensor, err = entries(v.Tensor, runs)
	return out, err
}

// pickSparse picks rows of a sparse value, whose first index is the row.
func (v Value) pickSparse(rows []int) (Value, error) {
	indices, ok := tensor.Values[int64](v.Sparse.Indices)
	shape, ok2 := tensor.Values[int64](v.Sparse.DenseShape)
	rank := len(shape)
	if !ok || !ok2 || rank == 0 || v.Tensor.Rank() != 1 || len(indices) != v.Tensor.Len()*rank {
		return Value{}, fmt.Errorf("sparse value: want an index for each value, with a number for each axis, got indices %v, values %v and the dense shape %v", v.Sparse.Indices, v.Tensor, shape)
	}
	var at []int
	var kept []int64
	for to, row := range rows {
		for k := range v.Tensor.Len() {
			if index := indices[k*rank : (k+1)*rank]; index[0] == int64(row) {
				at = append(at, k)
				kept = append(append(kept, int64(to)), index[1:]...)
			}
		}
	}
	where, err := tensor.FromSlice(kept, int64(len(at)), int64(rank))
	if err != nil {
		return Value{}, err
	}
	dense := tensor.Vector(append([]int64{int64(len(rows))}, shape[1:]...)...)
	return Value{Tensor: v.Tensor.Gather(at), Sparse: &Sparse{Indices: where, DenseShape: dense}}, nil
}

// run is a run of entries along an axis.
type run struct{ lo, hi int }

// runsOf joins places that follow each other.
func runsOf(rows []int) []run {
	var runs []run
	for _, i := range rows {
		if n := len(runs); n > 0 && runs[n-1].hi == i {
			runs[n-1].hi++
		} else {
			runs = append(runs, run{i, i + 1})
		}
	}
	return runs
}

// entries returns runs of entries along the first axis, one behind the other.
func entries(t tensor.Tensor, runs []run) (tensor.Tensor, error) {
	if len(runs) == 1 {
		return t.Slice(runs[0].lo, runs[0].hi), nil
	}
	if len(runs) == 0 {
		return t.Slice(0, 0), nil
	}
	parts := make([]tensor.Tensor, len(runs))
	for i, r := range runs {
		parts[i] = t.Slice(r.lo, r.hi)
	}
	return concat(parts)
}
