package nested

import (
	"fmt"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/tensor"
)

// Table says which columns of a file its rows are made of.
type Table struct {
	File       string
	Components []Component
	// Keep holds the indices of the columns to keep.
	Keep []int
	keys []string
}

// Component is a component of the spec with the columns that it is read from.
type Component struct {
	dataset.Component
	// Columns holds the indices of the columns, Names their names.
	Columns []int
	Names   []string
	// Dims are the sizes of a row whose columns hold no lists.
	Dims []int64
}

// Match finds the columns of a file, which has columns of the given names and types. Errors are of
// type *[dataset.ColumnError].
func Match(file string, spec dataset.Spec, names []string, types []Type, o columns.Options) (*Table, error) {
	pick, err := columns.Match(file, spec, names, o)
	if err != nil {
		return nil, err
	}
	t := &Table{File: file, Keep: pick.Keep, keys: o.Keep}
	for c, comp := range spec.Flatten() {
		out := Component{Component: comp, Columns: pick.Components[c]}
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
	for _, i := range t.Keep {
		if types[i].DType == tensor.Invalid {
			return nil, &dataset.ColumnError{File: file, Column: names[i], Msg: fmt.Sprintf("values of type %s are not read", types[i].Name)}
		}
	}
	return t, nil
}

// Column returns the values of the component's columns as its rows, and the rows that are none; see
// [Values.Flat].
func (c *Component) Column(vals []Values, room []byte, nullIsNaN bool) (block.Column, []byte, []block.Bad) {
	if len(vals) == 1 {
		return vals[0].Column(c.Component, c.Names[0], c.Dims, room, nullIsNaN)
	}
	return Stack(c.DType, vals, c.Names, c.Dims, room, nullIsNaN)
}

// Extra returns the function of a block that appends a row's kept columns, whose values are given;
// nil where none are kept.
func (t *Table) Extra(kept []Values) (func(i int, dst []dataset.Field) []dataset.Field, error) {
	if len(kept) == 0 {
		return nil, nil
	}
	rows := make([]func([]byte, int) []byte, len(kept))
	for k := range kept {
		var err error
		if rows[k], err = kept[k].JSON(); err != nil {
			return nil, fmt.Errorf("%s: column %q: %w", t.File, t.keys[k], err)
		}
	}
	return func(i int, dst []dataset.Field) []dataset.Field {
		for k, row := range rows {
			dst = append(dst, dataset.Field{Key: t.keys[k], Value: row(nil, i)})
		}
		return dst
	}, nil
}
