package arrow

import (
	"errors"
	"fmt"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/nested"
)

// keptBytes is roughly how many bytes of kept columns are read at a time: a text of a megabyte in a
// dictionary may stand in every row of a batch.
var keptBytes = 16 << 20

// openKept finds the kept columns in a new batch.
func (t *table) openKept() error {
	for i := range t.kept {
		c := &t.kept[i]
		arr, _, err := descend(t.batch, c.path, 0, 0)
		if err == nil {
			c.values, err = c.t.Read(arr, t.maxKept)
		}
		if err != nil {
			return fmt.Errorf("%s: column %q: the file is damaged: %w", t.name, c.name, err)
		}
	}
	return nil
}

// readKept returns the kept values of the batch's next n rows, nil for null, and the number of rows
// they are of: fewer than n where the values are large. A row that keeps too much keeps nothing,
// and is bad.
func (t *table) readKept(out []nested.Kept, n int) (_ []nested.Kept, bad []block.Bad, rows int, err error) {
	if len(t.kept) == 0 {
		return out, nil, n, nil
	}
	for i := range t.kept {
		c := &t.kept[i]
		_, nulls, err := descend(t.batch, c.path, t.at, n)
		if err != nil {
			return out, nil, 0, fmt.Errorf("%s: column %q: the file is damaged: %w", t.name, c.name, err)
		}
		c.nulls = merged(nulls, nil)
		out = append(out, nested.Kept{Type: c.t, Values: make([][]byte, 0, min(n, 1<<10))})
	}
	sum := 0
	for ; rows < n && sum <= keptBytes; rows++ {
		size, err := t.keptRow(out, rows)
		if long, ok := errors.AsType[*dataset.LimitError](err); ok {
			for i := range out {
				out[i].Values = append(out[i].Values[:rows], nil)
			}
			bad = append(bad, block.Bad{Index: rows, Msg: err.Error(), Err: long})
			continue
		}
		if err != nil {
			return out, nil, 0, fmt.Errorf("%s: row %d: %w", t.name, t.done+int64(rows)+1, err)
		}
		sum += size
	}
	return out, bad, rows, nil
}

// keptRow appends the kept values of one of the batch's next rows, and returns their size in bytes.
func (t *table) keptRow(out []nested.Kept, row int) (size int, err error) {
	for i := range t.kept {
		c := &t.kept[i]
		for len(c.nulls) > 0 && c.nulls[0] < row {
			c.nulls = c.nulls[1:]
		}
		var v []byte
		if len(c.nulls) == 0 || c.nulls[0] != row {
			v, err = c.values.Value(t.at + row)
		}
		if size += len(v); err == nil && size > t.maxKept {
			err = kept.TooLong(t.maxKept)
		}
		if long, ok := errors.AsType[*dataset.LimitError](err); ok {
			return size, fmt.Errorf("column %q: %w", c.name, long)
		}
		if err != nil {
			return size, fmt.Errorf("column %q: the file is damaged: %w", c.name, err)
		}
		out[i].Values = append(out[i].Values, v)
	}
	return size, nil
}
