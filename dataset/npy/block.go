package npy

import (
	"fmt"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/tensor"
)

// WriteBlock writes the rows of a block as that many calls of Write would, and returns how many:
// all, where there is no error. An error of the underlying writer is final.
func (w *Writer) WriteBlock(b dataset.RowBlock) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	var e dataset.Element
	err := columns.CheckBlock(w.comps, b)
	if err == nil {
		b.Get(0, &e)
		err = w.check(e)
	}
	if err != nil {
		return 0, fmt.Errorf("write npy: %w", err)
	}
	for i, a := range w.arrays {
		k := i - len(w.comps)
		if k < 0 {
			w.err = a.writeBlock(b.Tensors[i])
		}
		for row := 0; k >= 0 && row < b.Len() && w.err == nil; row++ {
			b.Get(row, &e)
			w.err = a.writeKept(columns.Extra(e, k, a.name))
		}
		if w.err != nil {
			return 0, w.err
		}
	}
	return b.Len(), nil
}

// writeBlock adds rows.
func (a *arrayWriter) writeBlock(t tensor.Tensor) error {
	if a.dims == nil {
		if err := a.fixShape(t.Dims()[1:]); err != nil {
			return err
		}
	}
	a.rows += t.Dims()[0] - 1 // write adds one
	return a.write(t)
}
