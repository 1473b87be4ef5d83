package dataset

import (
	"fmt"

	"github.com/tfrun/tfrun/tensor"
)

// Nulls maps the path of a component to the scalar, of the component's dtype, that takes the place
// of a value that is missing in a file. Missing are
//
//   - null in JSON, and a key that a row of JSON lacks,
//   - a cell of CSV that is empty and not quoted, or that is one of the file's words for null,
//   - null in Parquet and Arrow,
//   - a feature that a tf.Example lacks, or that holds no value,
//   - NaN, for components of integers and booleans, which have none: pandas turns a column of
//     integers into floats where one is missing.
//
// A missing value without a replacement is an error of its row. The replacement takes the place of
// the null before anything else is looked at: for a row that is a list, a null is replaced by a
// single value, which stands for a list of one.
type Nulls map[string]tensor.Tensor

// For returns the replacement for each component of a spec; the zero Tensor where there is none.
func (n Nulls) For(spec Spec) ([]tensor.Tensor, error) {
	comps := spec.Flatten()
	fill := make([]tensor.Tensor, len(comps))
	for path, t := range n {
		c := spec.Index(path)
		switch {
		case c < 0:
			return nil, fmt.Errorf("null of %q: there is no such component", path)
		case t.DType() != comps[c].DType || t.Len() != 1:
			return nil, fmt.Errorf("null of %q: want one %s, got %s", path, comps[c].DType, t)
		}
		fill[c] = t
	}
	return fill, nil
}

// Side returns the sizes of a component's row that is made of n single values: the component's
// shape, with its one unknown size worked out. ok is false where no such sizes hold n values. A row
// of one value may so have shape (), (1,) or (1, 1), as the component wants it.
func (c Component) Side(n int) (dims []int64, ok bool) {
	if c.Ragged {
		return nil, false
	}
	if !c.Shape.Ranked() {
		if n == 1 {
			return []int64{}, true
		}
		return []int64{int64(n)}, true
	}
	dims = c.Shape.Dims()
	unknown, product := -1, int64(1)
	for i, d := range dims {
		switch {
		case d == tensor.Unknown && unknown >= 0:
			return nil, false
		case d == tensor.Unknown:
			unknown = i
		case d > int64(n):
			return nil, false
		default:
			product *= d
			if product > int64(n) {
				return nil, false
			}
		}
	}
	if unknown >= 0 && product > 0 && int64(n)%product == 0 {
		dims[unknown] = int64(n) / product
		product = int64(n)
	}
	if product != int64(n) {
		return nil, false
	}
	return dims, true
}

// Fit returns the sizes of a component's row for a value of the given sizes. They are the sizes
// given, but for a single value, bare or in a list: see [Component.Side]. ok is false where the
// component cannot hold the value.
func (c Component) Fit(dims []int64) (fit []int64, ok bool) {
	if c.Shape.Admits(dims) {
		return dims, true
	}
	if len(dims) == 0 || len(dims) == 1 && dims[0] == 1 {
		return c.Side(1)
	}
	return nil, false
}
