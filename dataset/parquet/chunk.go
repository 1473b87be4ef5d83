package parquet

import (
	"errors"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"

	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/tensor"
)

// reader reads the values of one column of one row group after the other.
type reader struct {
	leaf
	pages pq.Pages
	page  pq.Page
	// What is left of the page: definition and repetition levels, where the column has them, and
	// the values that are there.
	def, rep []byte
	data     []byte
	strs     []string
	dict     pq.Dictionary // the one that dictData and dictStrs are of
	dictData []byte
	dictStrs []string
	scratch  []byte
	strings  []string
	ended    bool  // the chunk has no more pages
	limit    int64 // of the bytes of lists that are read at once

	out *nested.Values // of this read
}

// open begins a row group's chunk.
func (r *reader) open(chunk pq.ColumnChunk) {
	r.close()
	r.pages, r.ended, r.dict = chunk.Pages(), false, nil
}

func (r *reader) close() {
	r.release()
	if r.pages != nil {
		_ = r.pages.Close() // nothing was written
		r.pages = nil
	}
}

func (r *reader) release() {
	if r.page != nil {
		pq.Release(r.page)
		r.page = nil
	}
	r.def, r.rep, r.data, r.strs = nil, nil, nil, nil
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
	if r.DType == tensor.String {
		return len(r.strs)
	}
	return len(r.data) / r.DType.Size()
}

// more makes sure that entries are left, reading pages as needed. It returns io.EOF at the end of
// the chunk.
func (r *reader) more() error {
	for r.left() == 0 {
		r.release()
		if r.ended {
			return io.EOF
		}
		page, err := r.pages.ReadPage()
		if errors.Is(err, io.EOF) {
			r.ended = true
			return io.EOF
		}
		if err != nil {
			return fmt.Errorf("column %q: %w", r.name, err)
		}
		r.page = page
		if err := r.decode(); err != nil {
			return fmt.Errorf("column %q: %w", r.name, err)
		}
	}
	return nil
}
