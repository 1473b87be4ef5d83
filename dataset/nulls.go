package dataset

import (
	"fmt"

	"github.com/tfrun/tfrun/tensor"
)

// Nulls holds, by the path of a component, what stands in for a value that is missing in a file: a
// scalar of the component's dtype. Missing are
//
//   - null in JSON, and a key that a row of JSON lacks,
//   - a cell of CSV that is empty and not quoted, or that says so in the file's own words,
//   - null in Parquet and Arrow,
//   - a feature that a tf.Example lacks, or that holds no value,
//   - NaN, where the component has none: for integers and booleans, as pandas turns a column of
//     integers into floats where one is missing.
//
// Where no value stands in for it a missing value is an error of its row. The value is put into the
// place of the null before anything else is looked at: for a row that is a list, it is a single
// value that stands for a list of one.
type Nulls map[string]tensor.Tensor

// For returns what stands in for nulls, by the components of a spec: the zero Tensor where nothing
// does.
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

// Side returns the sizes of a component's row that is made of n single values: those of its shape,
// with the one size that is unknown worked out; ok is false where n values do not fill it. So a row
// of one value is of shape (), (1,) or (1, 1), whichever is wanted.
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

// Fit returns the sizes of a component's row whose value has the given sizes: the same, or, of one
// value, bare or in a list, those that a row of one value has; see [Component.Side]. ok is false
// where the component does not take it.
func (c Component) Fit(dims []int64) (fit []int64, ok bool) {
	if c.Shape.Admits(dims) {
		return dims, true
	}
	if len(dims) == 0 || len(dims) == 1 && dims[0] == 1 {
		return c.Side(1)
	}
	return nil, false
}
