package dataset

import (
	"slices"

	"github.com/tfrun/tfrun/tensor"
)

// splits collects row splits of either dtype.
type splits struct {
	narrow bool
	v      []int64
}

func (s *splits) add(n int64) { s.v = append(s.v, s.v[len(s.v)-1]+n) }

func (s *splits) tensor() tensor.Tensor {
	if !s.narrow {
		return tensor.Vector(s.v...)
	}
	v := make([]int32, len(s.v))
	for i, x := range s.v {
		v[i] = int32(x)
	}
	return tensor.Vector(v...)
}

// splitValues returns row splits as int64 numbers, for either dtype.
func splitValues(t tensor.Tensor) []int64 {
	if v, ok := tensor.Values[int64](t); ok {
		return v
	}
	narrow, _ := tensor.Values[int32](t)
	v := make([]int64, len(narrow))
	for i, x := range narrow {
		v[i] = int64(x)
	}
	return v
}

// stackRagged returns the ragged tensor whose rows are the given ragged tensors of the given spec.
func stackRagged(rows []Ragged, c Component) (Ragged, error) {
	level := make([]splits, c.RaggedRank+1)
	for i := range level {
		level[i] = splits{narrow: c.SplitsDType == tensor.Int32, v: []int64{0}}
	}
	values := make([]tensor.Tensor, len(rows))
	for i, r := range rows {
		values[i] = r.Values
		if len(r.Splits) == 0 {
			level[0].add(firstDim(r.Values))
			continue
		}
		level[0].add(int64(r.Splits[0].Len() - 1))
		for j, s := range r.Splits {
			v := splitValues(s)
			for k := 1; k < len(v); k++ {
				level[j+1].add(v[k] - v[k-1])
			}
		}
	}
	flat, err := concat(values, c)
	if err != nil {
		return Ragged{}, err
	}
	out := Ragged{Values: flat}
	for i := range level {
		out.Splits = append(out.Splits, level[i].tensor())
	}
	return out, nil
}

func firstDim(t tensor.Tensor) int64 {
	if t.Rank() == 0 {
		return 1
	}
	return t.Dims()[0]
}

// concat joins tensors along their first axis. Their other sizes, those inside the ragged part,
// must be equal.
func concat(ts []tensor.Tensor, c Component) (tensor.Tensor, error) {
	inner := append([]int64{}, c.Shape.Dims()...)
	inner = inner[min(c.RaggedRank+1, len(inner)):]
	if len(ts) > 0 && ts[0].Rank() > 0 {
		inner = slices.Clone(ts[0].Dims()[1:])
	}
	for i, d := range inner {
		inner[i] = max(d, 0)
	}
	dims := append([]int64{0}, inner...)
	var data []byte
	var strs []string
	for i, t := range ts {
		if t.Rank() > 0 && !slices.Equal(t.Dims()[1:], inner) {
			return tensor.Tensor{}, runErr(InvalidArgument, "ragged_batch", -1, -1, "element %d has inner sizes %v, the first one %v", i, t.Dims()[1:], inner)
		}
		dims[0] += firstDim(t)
		data, strs = append(data, t.Bytes()...), append(strs, t.Strings()...)
	}
	if c.DType == tensor.String {
		return tensor.ShareSlice(strs, dims)
	}
	return tensor.Share(c.DType, data, dims)
}
