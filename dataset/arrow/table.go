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
	name  string
	file  io.Closer
	r     *ipc.Reader
	cols  []column // of the file
	kept  []keptColumn
	most  int // bytes of what is kept of a row
	batch ar.RecordBatch
	at    int   // the next row of the batch
	done  int64 // rows of the file
}

// keptColumn is a node that is kept.
type keptColumn struct {
	node
	t      *kept.Type
	values *kept.Reader // of the batch
	nulls  []int        // the next rows for which a structure around the column is null
}

// limited is an allocator that refuses what no honest file asks for. Its panic becomes an error
// where the library is called.
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
