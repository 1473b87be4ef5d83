package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/nested"
)

// reader reads the values of one column of one row group after the other.
type reader struct {
	*leaf
	// values are what the reader makes of the physical ones; the leaf's own are a tensor's.
	values
	pages pages
	// What is left of the page: definition and repetition levels, where the column has them, and
	// the values that are there: strings, or bytes.
	def, rep []byte
	data     []byte
	strs     []string

	dictSize int // of the chunk's dictionary; -1: there is none
	dictData []byte
	dictStrs []string

	// memory that is used again
	defRoom, repRoom []byte
	scratch          []byte
	strings          []string
	ints             []int64
	places           []uint32

	limit int64          // of the bytes of lists that are read at once
	out   *nested.Values // of this read
}

func newReader(l *leaf, v values) *reader {
	return &reader{leaf: l, values: v, limit: maxBlock}
}

// open begins a row group's chunk.
func (r *reader) open(f *files.File, c *chunk, always bool) error {
	r.def, r.rep, r.data, r.strs, r.dictSize = nil, nil, nil, nil, -1
	if err := r.pages.open(f, c, always); err != nil {
		return fmt.Errorf("column %q: %w", r.name, err)
	}
	return nil
}

// left returns the number of entries, null or not, that are left of the page.
func (r *reader) left() int {
	if r.def != nil {
		return len(r.def)
	}
	return r.count()
}

// count returns the number of values that are left of the page.
func (r *reader) count() int {
	if r.width == 0 {
		return len(r.strs)
	}
	return len(r.data) / r.width
}

// more makes sure that entries are left, reading pages as needed. It returns io.EOF, bare, at the
// end of the chunk.
func (r *reader) more() error {
	for r.left() == 0 {
		p, err := r.pages.next()
		switch {
		case errors.Is(err, io.EOF):
			return io.EOF
		case err == nil && p.kind == kindDictionary:
			err = r.dictionaryPage(p)
		case err == nil:
			err = r.dataPage(p)
		}
		if err != nil {
			return fmt.Errorf("column %q: %w", r.name, err)
		}
	}
	return nil
}
