package tfrecord

import (
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/tensor"
)

type span struct{ lo, hi int }

// store holds the values of one component.
type store struct {
	seen   bool // the row has the feature
	data   []byte
	text   []byte
	spans  []span
	starts []int   // index of the first value of each row, and of the end
	dims   []int64 // sizes of all rows, one after the other
	dimsAt []int   // where each row's sizes begin in dims
	splits [][]tensor.Tensor
	slots  []int // slot of each value of this row, if several features give them
	strs   []string
	values []tensor.Tensor
}

func (s *store) len(size int) int {
	if size == 0 {
		return len(s.spans)
	}
	return len(s.data) / size
}

// truncate drops the values from value n on.
func (s *store) truncate(n, size int) {
	if size == 0 {
		s.spans = s.spans[:n]
	} else {
		s.data = s.data[:n*size]
	}
}

// putString adds a string.
func (s *store) putString(v []byte) {
	lo := len(s.text)
	s.text = append(s.text, v...)
	s.spans = append(s.spans, span{lo, len(s.text)})
}

// arrange puts the last values, of which value i belongs to slots[i], into the order of their
// slots.
func (s *store) arrange(slots []int, size int) {
	n := len(slots)
	if size == 0 {
		last := s.spans[len(s.spans)-n:]
		for i, v := range slices.Clone(last) {
			last[slots[i]] = v
		}
		return
	}
	last := s.data[len(s.data)-n*size:]
	for i, v := range slices.Collect(slices.Chunk(slices.Clone(last), size)) {
		copy(last[slots[i]*size:], v)
	}
}

// column returns the rows of a component.
func (s *store) column(comp *dataset.Component) block.Column {
	size := comp.DType.Size()
	if size == 0 {
		s.strs = s.strs[:0]
		all := string(s.text)
		for _, at := range s.spans {
			s.strs = append(s.strs, all[at.lo:at.hi])
		}
	}
	if n, ok := comp.Shape.NumElements(); ok && !comp.Ragged && int64(s.len(size)) == n*int64(len(s.starts)) {
		flat := s.view(comp.DType, 0, s.len(size), []int64{int64(s.len(size))})
		return block.NewFixed(flat, comp.Shape.Dims())
	}
	s.values = s.values[:0]
	for i, from := range s.starts {
		end, dimsEnd := s.len(size), len(s.dims)
		if i+1 < len(s.starts) {
			end, dimsEnd = s.starts[i+1], s.dimsAt[i+1]
		}
		dims := s.dims[s.dimsAt[i]:dimsEnd:dimsEnd]
		s.values = append(s.values, s.view(comp.DType, from, end, dims))
	}
	if comp.Ragged {
		return &block.Tensors{Values: s.values, Splits: s.splits}
	}
	return &block.Tensors{Values: s.values}
}

func (s *store) view(dtype tensor.DType, from, end int, dims []int64) tensor.Tensor {
	var t tensor.Tensor
	var err error
	if size := dtype.Size(); size == 0 {
		t, err = tensor.ShareSlice(s.strs[from:end:end], dims)
	} else {
		t, err = tensor.Share(dtype, s.data[from*size:end*size:end*size], dims)
	}
	if err != nil {
		panic(err) // unreachable: the sizes were worked out from the number of values
	}
	return t
}
