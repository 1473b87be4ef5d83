package arrow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	ar "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/tensor"
)

// column is a column of a file: a field of its schema, or a field of a structure.
type column struct {
	nested.Type
	name string
	path []int // indices of fields, from the batch down
}

// node is a field of a schema, or of a structure in it.
type node struct {
	name  string // with the names of the structures around it
	path  []int  // indices of fields, from the batch down
	field ar.Field
}

// isGroup reports whether the node is a structure, whose fields are nodes too.
func (n node) isGroup() bool {
	_, ok := storage(n.field.Type).(*ar.StructType)
	return ok
}

// schemaNodes lists the nodes of a schema.
func schemaNodes(s *ar.Schema) []node {
	var out []node
	var walk func(n node)
	walk = func(n node) {
		out = append(out, n)
		if st, ok := storage(n.field.Type).(*ar.StructType); ok {
			for i, child := range st.Fields() {
				walk(node{name: n.name + "." + child.Name, path: append(slices.Clone(n.path), i), field: child})
			}
		}
	}
	for i, f := range s.Fields() {
		walk(node{name: f.Name, path: []int{i}, field: f})
	}
	return out
}

// schemaColumns lists the columns among nodes: all nodes but structures.
func schemaColumns(nodes []node) []column {
	var out []column
	for _, n := range nodes {
		if !n.isGroup() {
			out = append(out, column{Type: typeOf(n.field.Type), name: n.name, path: n.path})
		}
	}
	return out
}

// descend returns the array of the field at a path. nulls are the rows, counted from row from, for
// which a structure around the field is null.
func descend(batch ar.RecordBatch, path []int, from, n int) (arr ar.Array, nulls []int, err error) {
	arr = batch.Column(path[0])
	for _, i := range path[1:] {
		nulls = appendNulls(nulls, arr, from, n)
		st, ok := underlying(arr).(*array.Struct)
		if !ok || i >= st.NumField() {
			return nil, nil, errors.New("an array that is no structure")
		}
		arr = st.Field(i)
	}
	if arr.Len() < from+n {
		return nil, nil, fmt.Errorf("an array of %d values, for %d rows", arr.Len(), from+n)
	}
	return arr, nulls, nil
}

// typeOf describes a type of Arrow's. The DType is Invalid where tensors cannot hold its values.
func typeOf(t ar.DataType) nested.Type {
	out := nested.Type{Name: strings.ReplaceAll(t.String(), ", nullable", "")}
	for {
		t = storage(t)
		switch l := t.(type) {
		case *ar.ListType, *ar.LargeListType, *ar.FixedSizeListType, *ar.ListViewType, *ar.LargeListViewType:
			out.Depth++
			t = l.(ar.ListLikeType).Elem()
			continue
		case *ar.DictionaryType:
			t = l.ValueType
			continue
		case *ar.RunEndEncodedType:
			t = l.Encoded()
			continue
		}
		break
	}
	out.DType = leafTypes[t.ID()]
	if d, ok := t.(ar.DecimalType); ok {
		out.Decimal = nested.Decimal{Bytes: d.(ar.FixedWidthDataType).Bytes(), Scale: int(d.GetScale())} //nolint:forcetypeassert // all decimals are
		if max(d.GetScale(), -d.GetScale()) > nested.MaxScale {
			out.DType = tensor.Invalid
		}
	}
	return out
}

// leafTypes maps types of Arrow's to the dtypes of tensors that hold their values. Dates and times
// are the integers that they are stored as.
var leafTypes = map[ar.Type]tensor.DType{
	ar.BOOL: tensor.Bool, ar.INT8: tensor.Int8, ar.INT16: tensor.Int16, ar.INT32: tensor.Int32, ar.INT64: tensor.Int64, ar.UINT8: tensor.Uint8, ar.UINT16: tensor.Uint16,
	ar.UINT32: tensor.Uint32, ar.UINT64: tensor.Uint64, ar.FLOAT16: tensor.Float16, ar.FLOAT32: tensor.Float32, ar.FLOAT64: tensor.Float64,
	ar.STRING: tensor.String, ar.LARGE_STRING: tensor.String, ar.STRING_VIEW: tensor.String,
	ar.BINARY: tensor.String, ar.LARGE_BINARY: tensor.String, ar.BINARY_VIEW: tensor.String, ar.FIXED_SIZE_BINARY: tensor.String,
	ar.DECIMAL32: tensor.Float64, ar.DECIMAL64: tensor.Float64, ar.DECIMAL128: tensor.Float64, ar.DECIMAL256: tensor.Float64,
	ar.DATE32: tensor.Int32, ar.TIME32: tensor.Int32, ar.DATE64: tensor.Int64, ar.TIME64: tensor.Int64, ar.TIMESTAMP: tensor.Int64, ar.DURATION: tensor.Int64,
	ar.NULL: tensor.Int32,
}

// extract reads rows from ≤ i < from+n of a column of a batch into out, without a copy where the
// layout allows it.
func (c *column) extract(batch ar.RecordBatch, from, n int, out *nested.Values) error {
	*out = nested.Values{Type: c.Type, Rows: n}
	arr, nulls, err := descend(batch, c.path, from, n)
	if err != nil {
		return err
	}
	if err := values(arr, from, n, out); err != nil {
		return err
	}
	if len(nulls) > 0 && c.Depth == 0 {
		out.NullSlots = merged(out.NullSlots, nulls)
	} else if len(nulls) > 0 {
		out.NullLists[0] = merged(out.NullLists[0], nulls)
	}
	return nil
}
