package nested

import (
	"fmt"
	"math"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/tensor"
)

// Type describes a column before it is read.
type Type struct {
	Name  string // type in the file's words
	DType tensor.DType
	Depth int // levels of lists
	// Decimal says how decimals are stored. The DType of a column of decimals is Float64.
	Decimal Decimal
}

// Decimal says how decimals are stored: as integers in two's complement, the lowest byte first,
// that are 10^Scale times the decimal.
type Decimal struct {
	Bytes int // bytes of a value; 0: the column holds no decimals
	Scale int
}

// MaxScale bounds the scale of decimals in both directions.
const MaxScale = 1000

// Size returns the number of bytes of a value in [Values.Data], 0 for strings.
func (t Type) Size() int {
	if t.Decimal.Bytes > 0 {
		return t.Decimal.Bytes
	}
	return t.DType.Size()
}

// Column returns the type as the description of a column, for users.
func (t Type) Column(name string) dataset.Column {
	dims := make([]int64, t.Depth)
	for i := range dims {
		dims[i] = tensor.Unknown
	}
	return dataset.Column{Name: name, Type: t.Name, DType: t.DType, Shape: tensor.MakeShape(dims...)}
}

// quick returns a decimal as a float64, rounded once. ok is false where float64 does not hold its
// integer and its power of ten exactly.
func (d Decimal) quick(value []byte) (f float64, ok bool) {
	if d.Scale < 0 || d.Scale > 22 || len(value) > 8 {
		return 0, false
	}
	n := kept.Signed(value)
	return float64(n) / math.Pow10(d.Scale), n > -1<<53 && n < 1<<53
}

// Check returns the sizes of a component's row if columns of the given types can be read for it,
// otherwise an error message.
func Check(comp dataset.Component, types []Type) (dims []int64, msg string) {
	for _, t := range types {
		switch {
		case t.DType == tensor.Invalid:
			return nil, fmt.Sprintf("values of type %s are not read", t.Name)
		case t.DType != comp.DType && !dtypes.Can(comp.DType, t.DType):
			return nil, fmt.Sprintf("want %s, the column's type is %s", dtypes.Want(comp.DType), t.Name)
		case len(types) > 1 && t.Depth > 0:
			return nil, fmt.Sprintf("want single values to stand side by side, the column's type is %s", t.Name)
		}
	}
	if depth := types[0].Depth; depth > 0 {
		return nil, block.CheckDepth(comp, depth)
	}
	dims, ok := comp.Side(len(types))
	switch {
	case ok:
		return dims, ""
	case len(types) == 1:
		return nil, fmt.Sprintf("want values of shape %v, the column holds single ones of type %s", comp.Shape, types[0].Name)
	}
	return nil, fmt.Sprintf("%d values do not fill the shape %v of a row", len(types), comp.Shape)
}
