package parquet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/tensor"
)

// leaf is a column of a file.
type leaf struct {
	nested.Type
	name  string // its path without the groups that lists are made of
	index int    // in a row group's chunks
	max   int    // the definition level of a value that is there
	lists []int  // the definition level of an entry of each list
	scale int    // of a decimal: how many digits stand behind the point
	code  code
}

// code says how pages hold the values.
type code uint8

const (
	plain   code = iota // as tensors do
	bitmap              // booleans
	text                // byte arrays
	fixed               // byte arrays of one length
	decimal             // unscaled integers in any of these
	none                // there are none: all is null
)

// leaves lists the columns of a file.
func leaves(f *pq.File) []leaf {
	var out []leaf
	var elements []format.SchemaElement // of the leaves, in the order of their indices
	for _, e := range f.Metadata().Schema[1:] {
		if !e.NumChildren.Valid || e.NumChildren.V == 0 {
			elements = append(elements, e)
		}
	}
	var walk func(c *pq.Column, path []string, l leaf)
	walk = func(c *pq.Column, path []string, l leaf) {
		if c.Optional() || c.Repeated() {
			l.max++
		}
		if c.Repeated() {
			l.lists = append(slices.Clone(l.lists), l.max)
		}
		if c.Leaf() {
			l.name, l.index, l.Depth = strings.Join(path, "."), c.Index(), len(l.lists)
			l.describe(c.Type(), elements[c.Index()].LogicalType)
			out = append(out, l)
			return
		}
		for _, child := range c.Columns() {
			walk(child, names(c, child, path), l)
		}
	}
	for _, c := range f.Root().Columns() {
		walk(c, []string{c.Name()}, leaf{})
	}
	return out
}

// names returns the path of a child. The repeated group of a list, and what is in it, have names
// that say nothing.
func names(c, child *pq.Column, path []string) []string {
	if isList(c) && child.Repeated() || c.Repeated() && len(c.Columns()) == 1 && (child.Name() == "element" || child.Name() == "item" || child.Name() == "array" || child.Name() == "array_element") {
		return path
	}
	return append(slices.Clone(path), child.Name())
}

func isList(c *pq.Column) bool {
	if len(c.Columns()) != 1 {
		return false
	}
	if t := c.Type(); t != nil && t.LogicalType() != nil {
		if _, ok := t.LogicalType().Value.(*format.ListType); ok {
			return true
		}
	}
	name := c.Columns()[0].Name()
	return c.Columns()[0].Repeated() && (name == "list" || name == "bag" || name == "array")
}

// describe works out the type of the values.
func (l *leaf) describe(t pq.Type, logical format.LogicalType) {
	l.Name = strings.Repeat("list<", l.Depth) + strings.ToLower(t.String()) + strings.Repeat(">", l.Depth)
	switch t.Kind() {
	case pq.Boolean:
		l.DType, l.code = tensor.Bool, bitmap
	case pq.Int32:
		l.DType = tensor.Int32
	case pq.Int64:
		l.DType = tensor.Int64
	case pq.Float:
		l.DType = tensor.Float32
	case pq.Double:
		l.DType = tensor.Float64
	case pq.ByteArray:
		l.DType, l.code = tensor.String, text
	case pq.FixedLenByteArray:
		l.DType, l.code = tensor.String, fixed
	}
	// The library makes no type of its own of half precision, and makes logical types of some, but
	// not all, of the older ones.
	if logical.Value == nil && t.LogicalType() != nil {
		logical = *t.LogicalType()
	}
	if logical.Value == nil {
		l.converted(t)
		return
	}
	switch v := logical.Value.(type) {
	case *format.IntType:
		if !v.IsSigned {
			l.unsigned()
		}
	case *format.DecimalType:
		l.DType, l.code, l.scale = tensor.Float64, decimal, int(v.Scale)
	case *format.Float16Type:
		if t.Length() == 2 {
			l.DType, l.code = tensor.Float16, plain
			l.Name = strings.Replace(l.Name, "fixed_len_byte_array(2)", "float16", 1)
		}
	case *format.NullType: // a column without any value
		l.DType, l.code, l.Name = tensor.Int32, none, "null"
	case *format.DateType:
		l.Text.Kind = nested.Date
	case *format.TimeType:
		l.Text = nested.Text{Kind: nested.Time, Unit: unit(v.Unit)}
	case *format.TimestampType:
		l.Text = nested.Text{Kind: nested.Timestamp, Unit: unit(v.Unit)}
		if v.IsAdjustedToUTC {
			l.Text.Kind = nested.TimestampUTC
		}
	}
}

func (l *leaf) unsigned() {
	switch l.DType {
	case tensor.Int32:
		l.DType = tensor.Uint32
	case tensor.Int64:
		l.DType = tensor.Uint64
	}
}

// converted reads the older way to say what a type means.
func (l *leaf) converted(t pq.Type) {
	c := t.ConvertedType()
	if c == nil {
		return
	}
	switch *c {
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		l.unsigned()
	case deprecated.Date:
		l.Text.Kind = nested.Date
	case deprecated.TimestampMillis:
		l.Text = nested.Text{Kind: nested.TimestampUTC, Unit: time.Millisecond}
	case deprecated.TimestampMicros:
		l.Text = nested.Text{Kind: nested.TimestampUTC, Unit: time.Microsecond}
	}
}

func unit(u format.TimeUnit) time.Duration {
	switch u.Value.(type) {
	case *format.MilliSeconds:
		return time.Millisecond
	case *format.MicroSeconds:
		return time.Microsecond
	}
	return time.Nanosecond
}

// find returns the leaves of a file by their names.
func find(f *pq.File) (byName []leaf, have []string, err error) {
	byName = leaves(f)
	for _, l := range byName {
		have = append(have, l.name)
	}
	if len(byName) == 0 {
		return nil, nil, fmt.Errorf("the file has no columns")
	}
	return byName, have, nil
}
