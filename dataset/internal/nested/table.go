package nested

import (
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/tensor"
)

// Table says which columns of a file the rows are made of.
type Table struct {
	File       string
	Components []Component
	// Keep holds the indices of the columns to keep, among what can be kept.
	Keep []int
	keys []string
}

// Component is a component of the spec with the columns that it is read from.
type Component struct {
	dataset.Component
	// Columns holds the indices of the columns, Names their names.
	Columns []int
	Names   []string
	// Dims are the sizes of a row if its columns hold no lists.
	Dims []int64
	// Fill takes the place of nulls; with the zero Tensor a null is an error.
	Fill tensor.Tensor
}

// Match finds the columns of the components in a file with columns of the given names and types.
// Errors are of type *[dataset.ColumnError].
func Match(file string, spec dataset.Spec, names []string, types []Type, o columns.Options) (*Table, error) {
	pick, err := columns.Match(file, spec, names, o)
	if err != nil {
		return nil, err
	}
	fill, err := o.Nulls.For(spec)
	if err != nil {
		return nil, err
	}
	t := &Table{File: file, Keep: pick.Keep, keys: o.Keep}
	for c, comp := range spec.Flatten() {
		out := Component{Component: comp, Columns: pick.Components[c], Fill: fill[c]}
		var own []Type
		for _, i := range out.Columns {
			out.Names, own = append(out.Names, names[i]), append(own, types[i])
		}
		var msg string
		if out.Dims, msg = Check(comp, own); msg != "" {
			e := &dataset.ColumnError{File: file, Component: spec.Paths()[c], Msg: msg}
			if len(own) == 1 {
				e.Column = out.Names[0]
			}
			return nil, e
		}
		t.Components = append(t.Components, out)
	}
	return t, nil
}

// Column returns the values of the component's columns as rows, and the rows that do not fit; see
// [Values.Flat].
func (c *Component) Column(vals []Values, room []byte) (block.Column, []byte, []block.Bad) {
	if len(vals) == 1 {
		return vals[0].Column(c.Component, c.Fill, c.Names[0], c.Dims, room)
	}
	return Stack(c.DType, c.Fill, vals, c.Names, c.Dims, room)
}

// Kept is the part of a kept column in a block: its type, and its values by row, nil for null.
type Kept struct {
	Type   dataset.FieldType
	Values [][]byte
}

// Extra returns the function of a block that appends a row's kept columns; nil if no columns are
// kept.
func (t *Table) Extra(kept []Kept) func(i int, dst []dataset.Field) []dataset.Field {
	if len(kept) == 0 {
		return nil
	}
	kept = slices.Clone(kept)
	return func(i int, dst []dataset.Field) []dataset.Field {
		for k, c := range kept {
			dst = append(dst, dataset.Field{Key: t.keys[k], Type: c.Type, Value: c.Values[i]})
		}
		return dst
	}
}
