package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/nested"
)

// reader reads the values of one column, one row group after the other.
type reader struct {
	*leaf
	// values says how the column's values are made out of physical ones. For tensors it is the
	// leaf's own; kept columns have another.
	values
	pages pages
	// def and rep are the levels left of the page, where the column has levels; data and strs are
	// the values left that are not null.
	def, rep []byte
	data     []byte
	strs     []string

	dictSize int // values of the chunk's dictionary; -1: there is none
	dictData []byte
	dictStrs []string

	// The fields down to the next blank line are memory that each page uses again.
	defRoom, repRoom []byte
	scratch          []byte
	strings          []string
	ints             []int64
	indexes          []uint32

	limit int64          // most bytes of lists that are read at once
	out   *nested.Values // where read puts the values
}

func newReader(l *leaf, v values) *reader {
	return &reader{leaf: l, values: v, limit: maxBlock}
}

// open sets the reader to a row group's chunk.
func (r *reader) open(f *files.File, c *chunk, always bool) error {
	r.def, r.rep, r.data, r.strs, r.dictSize = nil, nil, nil, nil, -1
	if err := r.pages.open(f, c, always); err != nil {
		return fmt.Errorf("column %q: %w", r.name, err)
	}
	return nil
}

// left returns how many entries, null or not, are left of the page.
func (r *reader) left() int {
	if r.def != nil {
		return len(r.def)
	}
	return r.count()
}

// count returns how many values that are not null are left of the page.
func (r *reader) count() int {
	if r.width == 0 {
		return len(r.strs)
	}
	return len(r.data) / r.width
}

// more reads the next page if no entries are left. It returns io.EOF, bare, at the end of the
// chunk.
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
