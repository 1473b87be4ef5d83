// Package block turns columns, read many rows at a time, into the rows of a dataset. Its [Reader]
// is the dataset.RowReader of every format that has columns, and the dataset.BlockReader where rows
// have one shape.
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
	// Extra appends the kept columns of row i to dst. nil: no columns are kept.
	Extra func(i int, dst []dataset.Field) []dataset.Field
	// Bad lists the rows that could not be read, in their order. The columns hold no meaningful
	// values for them.
	Bad []Bad
}

// Bad is a row that could not be read.
type Bad struct {
	Index int // within the block
	Field string
	Msg   string
	Err   error // the cause, if it is of a type that callers look for
}

// Column holds the values of one component of a block's rows.
type Column interface {
	// Row returns row i; for a ragged column, its row splits too. The row's sizes are in the
	// arena's memory. msg is what is wrong with the row, or "".
	Row(i int, a *Arena) (t tensor.Tensor, splits []tensor.Tensor, msg string)
}

// places returns where the rows of the block are in their file.
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

// Dims returns a slice for n sizes, valid as long as the row.
func (a *Arena) Dims(n int) []int64 {
	if len(a.dims)-a.used < n {
		// Rows that were handed out keep the old memory.
		a.dims, a.used = make([]int64, max(arenaDims, n)), 0
	}
	a.used += n
	return a.dims[a.used-n : a.used : a.used]
}
