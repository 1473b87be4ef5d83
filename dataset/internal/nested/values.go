package nested

import (
	"slices"
	"sort"

	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/tensor"
)

// Values is a run of a column's rows.
type Values struct {
	Type    Type
	Rows    int
	Data    []byte   // fixed-size values, as tensors hold them
	Strings []string // values that are strings
	// Offsets holds, by level, where each list begins among the lists of the next level, and one
	// entry more for the last one's end. At the last level the entries are places of values.
	Offsets [][]int64
	// NullSlots lists the values that are null; each has a place among the values. NullLists lists,
	// by level, the lists that are null; these are empty.
	NullSlots []int
	NullLists [][]int
}

// Len returns the number of values.
func (v *Values) Len() int {
	if v.Type.DType == tensor.String {
		return len(v.Strings)
	}
	return len(v.Data) / v.Type.Size()
}

// flat returns the values as a vector.
func (v *Values) flat() tensor.Tensor { return block.Flat(v.Type.DType, v.Data, v.Strings) }

// row returns the row that list i of a level belongs to. The level below the innermost lists is
// that of the values.
func (v *Values) row(level, i int) int {
	for l := level - 1; l >= 0; l-- {
		off := v.Offsets[l]
		i = sort.Search(len(off), func(k int) bool { return off[k] > int64(i) }) - 1
	}
	return i
}

// end returns where the values of a row end.
func (v *Values) end(row int) int {
	at := int64(row + 1)
	for _, off := range v.Offsets {
		at = off[at]
	}
	return int(at)
}

// nulls returns the rows that hold a null.
func (v *Values) nulls(path string) []block.Bad {
	var rows []int
	for _, s := range v.NullSlots {
		rows = append(rows, v.row(len(v.Offsets), s))
	}
	for level, nulls := range v.NullLists {
		for _, i := range nulls {
			rows = append(rows, v.row(level, i))
		}
	}
	slices.Sort(rows)
	var bad []block.Bad
	for _, r := range slices.Compact(rows) {
		msg := "the value is null"
		if v.Type.Depth > 0 {
			msg = "the list is null, or holds a null"
		}
		bad = append(bad, block.Bad{Index: r, Field: path, Msg: msg})
	}
	return bad
}
