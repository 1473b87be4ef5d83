package arrow

import (
	"fmt"
	"io"

	ar "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/nested"
)

// table is an open file with the columns that are read.
type table struct {
	*nested.Table
	name    string
	file    io.Closer
	r       *ipc.Reader
	cols    []column // all columns of the file
	kept    []keptColumn
	maxKept int // most bytes of a row's kept values
	batch   ar.RecordBatch
	at      int   // next row of the batch
	done    int64 // rows of the file that were read
}

// keptColumn is a node that is kept.
type keptColumn struct {
	node
	t      *kept.Type
	values *kept.Reader // values in the current batch
	nulls  []int        // of the next rows, those for which a structure around the column is null
}

// limited is an allocator that panics where a file asks for more memory than the limit. The code
// that calls the library turns the panic into an error.
type limited struct {
	memory.Allocator
	max int64
}

func (l limited) Allocate(size int) []byte {
	l.check(size)
	return l.Allocator.Allocate(size)
}

func (l limited) Reallocate(size int, b []byte) []byte {
	l.check(size)
	return l.Allocator.Reallocate(size, b)
}

func (l limited) check(size int) {
	if int64(size) > l.max || size < 0 {
		panic(fmt.Errorf("a buffer of %d bytes is larger than the limit of %d", size, l.max))
	}
}
