package npy

import (
	"slices"

	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/tensor"
)

// component is a component of the spec with the arrays that it is read from. Several arrays give
// the component several values, side by side in a row of sizes dims.
type component struct {
	arrays []*array
	dims   []int64
	room   []byte
	strs   []string
}

// row returns the number of bytes of a row in the file.
func (c *component) row() int64 {
	n := int64(0)
	for _, a := range c.arrays {
		n += a.row
	}
	return n
}

// next reads n rows; see [array.next].
func (c *component) next(n int, keep bool) (block.Column, []block.Bad, error) {
	if len(c.arrays) == 1 {
		return c.arrays[0].next(n, keep)
	}
	if keep {
		c.room, c.strs = nil, nil
	}
	k, dtype := len(c.arrays), c.arrays[0].comp.DType
	size := dtype.Size()
	c.room = slices.Grow(c.room[:0], n*k*size)[:n*k*size]
	if dtype == tensor.String {
		c.strs = slices.Grow(c.strs[:0], n*k)[:n*k]
	}
	var bad []block.Bad
	for i, a := range c.arrays {
		flat, here, err := a.values(n, keep)
		if err != nil {
			return nil, nil, err
		}
		bad = block.MergeBad(bad, here)
		if dtype != tensor.String {
			nested.Scatter(c.room, flat.Bytes(), size, k, i)
		}
		for row, s := range flat.Strings() {
			c.strs[row*k+i] = s
		}
	}
	return block.NewFixed(block.Flat(dtype, c.room, c.strs), c.dims), bad, nil
}
