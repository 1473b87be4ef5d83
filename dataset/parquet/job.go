package parquet

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/internal/crash"
)

// stripe is how many rows are read of one column before those of the next, where columns stand side
// by side in a component. The rows' memory then stays in the processor's caches.
const stripe = 1 << 11

// job is a block of rows: first as columns of the file, then as components.
type job struct {
	t     *table
	first int64 // the first row's number in the file, from 1
	rows  int
	comps []jobColumn
	kept  []nested.Kept
	bad   []block.Bad
	block block.Block
	err   error
}

type jobColumn struct {
	data  []byte  // values of a direct component
	nulls [][]int // by column
	vals  []nested.Values
	room  []byte
}

// Read reads the columns of the next rows.
func (t *table) Read(j *job) error {
	if err := files.Guard(t.name, t.next); err != nil {
		return err
	}
	n := int(min(t.left, int64(t.rows)))
	j.t, j.first, j.rows, j.err, j.bad = t, t.done+1, n, nil, nil
	if len(j.comps) != len(t.comps) {
		j.comps = make([]jobColumn, len(t.comps))
	}
	n, err := j.readKept(n)
	if err != nil {
		return err
	}
	j.rows = n
	g := crash.NewGroup()
	g.SetLimit(t.o.Workers)
	for c := range t.comps {
		j.comps[c].fill(g, t.name, &t.comps[c], n, t.o.Workers)
	}
	if err := g.Wait(); err != nil {
		return err
	}
	t.left -= int64(n)
	t.done += int64(n)
	return nil
}

// readKept reads the kept columns of n rows, or of fewer where their values are large. It returns
// the number of rows.
func (j *job) readKept(n int) (int, error) {
	g := crash.NewGroup()
	g.SetLimit(j.t.o.Workers)
	var sum atomic.Int64
	j.kept = slices.Grow(j.kept[:0], len(j.t.kept))[:len(j.t.kept)]
	for k, r := range j.t.kept {
		g.Go(func() error {
			return guarded(j.t.name, func() error {
				values, err := r.read(n, keptBytes/len(j.t.kept), &sum)
				j.kept[k] = nested.Kept{Type: r.t, Values: values}
				return err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	for _, c := range j.kept {
		n = min(n, len(c.Values))
	}
	for k, r := range j.t.kept {
		values := j.kept[k].Values
		j.kept[k].Values = values[:n:n]
		if len(values) > n {
			r.pending = append(slices.Clone(values[n:]), r.pending...)
		}
	}
	j.dropTooLong(n)
	return n, nil
}

// dropTooLong drops what rows keep that keep too much, and notes them as bad.
func (j *job) dropTooLong(n int) {
	for row := range n {
		for k, r := range j.t.kept {
			if !isTooLong(j.kept[k].Values[row]) {
				continue
			}
			for i := range j.kept {
				j.kept[i].Values[row] = nil
			}
			err := kept.TooLong(r.maxSize)
			j.bad = append(j.bad, block.Bad{Index: row, Msg: fmt.Sprintf("column %q: %v", r.name, err), Err: err})
		}
	}
}

// guarded is files.Guard for errors that do not name the file yet.
func guarded(name string, f func() error) error {
	return files.Guard(name, func() error {
		if err := f(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// fill reads the columns of a component, shared out among goroutines.
func (j *jobColumn) fill(g crash.Group, name string, col *tableColumn, n, workers int) {
	k := len(col.readers)
	j.nulls = slices.Grow(j.nulls[:0], k)[:k]
	j.vals = slices.Grow(j.vals[:0], k)[:k]
	if !col.direct {
		for i, r := range col.readers {
			g.Go(func() error { return guarded(name, func() error { return r.read(n, &j.vals[i]) }) })
		}
		return
	}
	size := col.DType.Size()
	j.data = slices.Grow(j.data[:0], n*k*size)[:n*k*size]
	share := (k + workers - 1) / workers
	for lo := 0; lo < k; lo += share {
		hi := min(lo+share, k)
		g.Go(func() error {
			return guarded(name, func() error { return j.stripes(col, n, lo, hi) })
		})
	}
}

// stripes reads columns lo ≤ i < hi of a component.
func (j *jobColumn) stripes(col *tableColumn, n, lo, hi int) error {
	k, size := len(col.readers), col.DType.Size()
	for i := lo; i < hi; i++ {
		j.nulls[i] = j.nulls[i][:0]
	}
	for from := 0; from < n; from += stripe {
		part := min(stripe, n-from)
		dst := j.data[from*k*size : (from+part)*k*size]
		for i := lo; i < hi; i++ {
			var err error
			if j.nulls[i], err = col.readers[i].scatter(dst, part, k, i, j.nulls[i], from); err != nil {
				return err
			}
		}
	}
	return nil
}

// work makes the block out of the columns.
func (j *job) work() {
	j.block = block.Block{File: j.t.name, Rows: j.rows, FileRow: j.first, Columns: j.block.Columns[:0]}
	for c := range j.comps {
		col, bad := j.comps[c].column(&j.t.comps[c], j.rows)
		j.block.Columns = append(j.block.Columns, col)
		j.bad = block.MergeBad(j.bad, bad)
	}
	j.block.Bad = j.bad
	j.block.Extra = j.t.Extra(j.kept)
}

// result returns the block.
func (j *job) result() (*block.Block, error) { return &j.block, j.err }

// column returns the rows of a component.
func (j *jobColumn) column(col *tableColumn, n int) (out block.Column, bad []block.Bad) {
	if col.direct {
		return j.directColumn(col, n)
	}
	out, j.room, bad = col.Column(j.vals, j.room)
	return out, bad
}

// directColumn returns the rows of a component whose values were read straight to their places.
func (j *jobColumn) directColumn(col *tableColumn, n int) (block.Column, []block.Bad) {
	k := len(col.readers)
	flat := block.Flat(col.DType, j.data[:n*k*col.DType.Size()], nil)
	var bad []block.Bad
	for i, nulls := range j.nulls {
		var here []block.Bad
		for _, row := range nulls {
			if col.Fill.DType() == col.DType {
				block.Put(flat, row*k+i, col.Fill)
				continue
			}
			here = append(here, block.Bad{Index: row, Field: col.readers[i].name, Msg: "the value is null"})
		}
		bad = block.MergeBad(bad, here)
	}
	return block.NewFixed(flat, col.Dims), bad
}
