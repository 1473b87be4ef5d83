// Package block turns columns, read many rows at a time, into the rows of a dataset: its [Reader]
// is the dataset.RowReader, and where rows have one shape the dataset.BlockReader, of every format
// that has columns.
package block

import (
	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Block is a run of rows.
type Block struct {
	File string
	Rows int
	// FileRow is the number of the first row within the file, from 1, for files that have no lines.
	FileRow int64
	// Lines holds each row's line number, for files that have lines.
	Lines []int64
	// Columns holds one column for each component of the spec.
	Columns []Column
	// Extra appends row i's kept columns. nil: none are kept.
	Extra func(i int, dst []dataset.Field) []dataset.Field
	// Bad lists the rows that could not be read, in their order. Their values mean nothing.
	Bad []Bad
}

// Bad is a row that could not be read.
type Bad struct {
	Index int // within the block
	Field string
	Msg   string
}

// Column holds the values of one component of a block's rows.
type Column interface {
	// Row returns row i, its splits where it is ragged. The sizes are the arena's.
	Row(i int, a *Arena) (t tensor.Tensor, splits []tensor.Tensor, msg string)
}

// places says where the rows of the block stand.
func (b *Block) places() dataset.Places {
	return dataset.Places{File: b.File, Lines: b.Lines, First: b.FileRow}
}

// Arena hands out the sizes of rows, so that a row costs no allocation.
type Arena struct {
	keep bool
	dims []int64
	used int
}

const arenaDims = 1 << 10

func (a *Arena) reset() {
	if !a.keep {
		a.used = 0
	}
}

// Dims returns room for n sizes, which stay valid as long as the row.
func (a *Arena) Dims(n int) []int64 {
	if len(a.dims)-a.used < n {
		// Rows that were handed out keep the old memory.
		a.dims, a.used = make([]int64, max(arenaDims, n)), 0
	}
	a.used += n
	return a.dims[a.used-n : a.used : a.used]
}
