package sample

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/tensor"
)

// Column describes what a column of a written file holds. A Parquet writer's log keeps it as JSON.
type Column struct {
	Name string `json:"-"`
	// Depth is the number of lists around the values; complex numbers count as lists of two.
	Depth int
	Text  bool // the strings are UTF-8
	DType tensor.DType
	// Type is the type of a kept column, nil for components.
	Type *kept.Type `json:",omitempty"`
	// Value is the kept value of the row that Check was called with last.
	Value []byte     `json:"-"`
	like  *kept.Type // the last type of a source that was found to be Type
}

// Check returns an error if the value of component i of e, or e's kept value, cannot go to the
// column. A row without values, and a null, can always.
func (c *Column) Check(e dataset.Element, i int) error {
	if c.Type != nil {
		return c.take(columns.Extra(e, i-len(e.Tensors), c.Name))
	}
	if e.Tensors == nil {
		return nil
	}
	t := e.Tensors[i]
	rank := t.Rank() + len(columns.Splits(e, i))
	if t.DType().IsComplex() {
		rank++
	}
	if rank != c.Depth {
		return fmt.Errorf("want a value of %d dimensions, as in the rows before, got one of %d", c.Depth, rank)
	}
	if c.DType == tensor.String && c.Text {
		for _, s := range t.Strings() {
			if !utf8.ValidString(s) {
				return errors.New("a string that is not UTF-8, after rows of text; write jsonl")
			}
		}
	}
	return nil
}

// take sets Value to a kept value.
func (c *Column) take(f dataset.Field) (err error) {
	own, typed := f.Type.(*kept.Type)
	if typed && own != c.like && c.Type.Equal(own) {
		c.like = own
	}
	if typed && own == c.like {
		c.Value = f.Value
		return nil
	}
	c.Value, err = c.Type.Take(f)
	return err
}

// ByRow reports whether values of one shape may differ in size, or in whether they are right: those
// of strings and of kept columns. Of other columns Check says the same of all rows of one shape.
func (c *Column) ByRow() bool { return c.Type != nil || c.DType == tensor.String }

// Parts returns a complex tensor as a tensor of its parts, real and imaginary, along one more axis;
// any other tensor as it is.
func Parts(t tensor.Tensor) (tensor.Tensor, error) {
	switch t.DType() {
	case tensor.Complex64:
		return tensor.FromBytes(tensor.Float32, t.Bytes(), append(slices.Clone(t.Dims()), 2)...)
	case tensor.Complex128:
		return tensor.FromBytes(tensor.Float64, t.Bytes(), append(slices.Clone(t.Dims()), 2)...)
	}
	return t, nil
}

// Entries returns which entries list number at of a level has: of the lists of the next level, or
// of the values. The first levels are those of the row splits, the others those of the values'
// sizes.
func Entries(dims []int64, splits []tensor.Tensor, level int, at int64) (lo, hi int64) {
	switch {
	case level == 0 && len(splits) > 0:
		return 0, int64(splits[0].Len() - 1)
	case level > 0 && level <= len(splits):
		return jsontext.Split(splits[level-1], at)
	}
	d := dims[level-len(splits)]
	return at * d, (at + 1) * d
}
