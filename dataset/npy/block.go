package npy

import (
	"fmt"

	"github.com/tfrun/tfrun/dataset"
)

// WriteBlock writes many rows at once, as that many calls of Write would. An error of the
// underlying writer is final.
func (w *Writer) WriteBlock(b dataset.RowBlock) error {
	if w.err != nil {
		return w.err
	}
	if b.Extra != nil || len(w.keep) > 0 || len(b.Tensors) != len(w.comps) {
		return fmt.Errorf("write npy: row %d: want a block of %d components without kept columns, got %d", b.Row, len(w.comps), len(b.Tensors))
	}
	for i, t := range b.Tensors {
		a := w.arrays[i]
		switch {
		case t.DType() != w.comps[i].DType || t.Rank() == 0 || !w.comps[i].Shape.Admits(t.Dims()[1:]):
			return fmt.Errorf("write npy: row %d: array %q: want %v, got rows of %v", b.Row, a.name, w.comps[i], t)
		case t.Dims()[0] != b.Tensors[0].Dims()[0]:
			return fmt.Errorf("write npy: row %d: array %q: %d rows beside %d", b.Row, a.name, t.Dims()[0], b.Tensors[0].Dims()[0])
		case t.Dims()[0] == 0:
			return nil
		}
		if err := a.check(t.Index(0)); err != nil {
			return fmt.Errorf("write npy: row %d: array %q: %w", b.Row, a.name, err)
		}
	}
	for i, t := range b.Tensors {
		a := w.arrays[i]
		if w.err = a.write(t); w.err != nil {
			return w.err
		}
		if a.rows == 1 {
			a.dims = a.dims[1:]
		}
		a.rows += t.Dims()[0] - 1
	}
	return nil
}
