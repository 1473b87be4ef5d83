package dataset

import (
	"slices"

	"github.com/tfrun/tfrun/tensor"
)

// measure appends to dims the sizes of the padded batch of component c of the rows, the number of
// rows first. It fails as tf.data does: row by row, the rank before the sizes.
func (p *padComp) measure(op string, c int, rows []*Element, dims []int64) ([]int64, *Error) {
	if p.ragged {
		return dims, nil
	}
	base := len(dims)
	dims = append(dims, int64(len(rows)))
	for _, s := range p.shape {
		dims = append(dims, max(s, 0))
	}
	longest := dims[base+1:]
	if len(p.shape) == 1 && p.shape[0] < 0 && p.longestVector(rows, c, &longest[0]) {
		return dims, nil
	}
	for _, r := range rows {
		d := r.Tensors[c].Dims()
		if len(d) != len(p.shape) {
			return dims, runErr(InvalidArgument, op, c, r.Row, "all elements in a batch must have the same rank as the padded shape for component%d: "+
				"expected rank %d but got element with rank %d", c, len(p.shape), len(d))
		}
		for j, n := range d {
			if n <= longest[j] {
				continue
			}
			if p.shape[j] >= 0 {
				return dims, runErr(DataLoss, op, c, r.Row, "component %d: attempted to pad to a smaller size than the input element: shape %v to %v",
					c, r.Tensors[c].Shape(), tensor.MakeShape(p.shape...))
			}
			longest[j] = n
		}
	}
	return dims, nil
}

// longestVector is the loop of measure for rows that are vectors of any length. It reports whether
// all rows are such vectors, and sets longest.
func (p *padComp) longestVector(rows []*Element, c int, longest *int64) bool {
	n := int64(0)
	for _, r := range rows {
		d := r.Tensors[c].Dims()
		if len(d) != 1 {
			return false
		}
		n = max(n, d[0])
	}
	*longest = n
	return true
}

// padRow writes one row of component c, padded to dims, to the start of dst and returns the number
// of bytes written.
func (p *padComp) padRow(dst []byte, row tensor.Tensor, dims []int64) int {
	return p.copyBytes(dst, row.Bytes(), row.Dims(), dims)
}

// copyBytes writes values of the given sizes, padded to dims.
func (p *padComp) copyBytes(dst, src []byte, sizes, dims []int64) int {
	total := p.size
	for _, d := range dims {
		total *= int(d)
	}
	dst = dst[:total]
	if len(dims) < 2 || slices.Equal(sizes[1:], dims[1:]) {
		n := copy(dst, src)
		p.pad(dst[n:])
		return total
	}
	if len(src) == 0 {
		p.pad(dst)
		return total
	}
	inner := len(src) / int(sizes[0])
	n := 0
	for i := range int(sizes[0]) {
		n += p.copyBytes(dst[n:], src[i*inner:(i+1)*inner], sizes[1:], dims[1:])
	}
	p.pad(dst[n:])
	return total
}

// pad fills dst with the padding value.
func (p *padComp) pad(dst []byte) {
	if p.fill == nil {
		clear(dst)
		return
	}
	for len(dst) > 0 {
		dst = dst[copy(dst, p.fill):]
	}
}

// padStrings writes one row of a string component, padded to dims, to the start of dst and returns
// the number of strings written.
func (p *padComp) padStrings(dst, src []string, sizes, dims []int64) int {
	total := 1
	for _, d := range dims {
		total *= int(d)
	}
	dst = dst[:total]
	n := 0
	switch {
	case len(dims) < 2 || slices.Equal(sizes[1:], dims[1:]):
		n = copy(dst, src)
	case len(src) > 0:
		inner := len(src) / int(sizes[0])
		for i := range int(sizes[0]) {
			n += p.padStrings(dst[n:], src[i*inner:(i+1)*inner], sizes[1:], dims[1:])
		}
	}
	for i := n; i < total; i++ {
		dst[i] = p.str
	}
	return total
}
