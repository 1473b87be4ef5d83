package npy

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/tensor"
)

// WriterOptions says how rows are written.
type WriterOptions struct {
	// Names are the names of the components' arrays, in the order of the spec; nil: their paths.
	Names []string
	// Keep lists the keys of [dataset.Element.Extra] that become arrays of an archive. An array has
	// the type that Types or its source has for it, if NumPy has that type, and an element for
	// nulls (NaN or NaT) if there are any. Where the source has no types, as JSON and CSV, an array
	// is of integers, floats or booleans if all its values are. Any other array is of strings.
	Keep []string
	// Types holds types of kept columns, as far as they are known beforehand.
	Types map[string]dataset.FieldType
	// Spool makes a place for values that wait until all rows are written. It is called at most
	// once. nil: a temporary file.
	Spool func() (Spool, error)
	// Resume is what [Writer.State] of an earlier writer of the same spec and options returned. The
	// new writer goes on with the next row. Its w and its spool hold what the earlier writer wrote,
	// and w is positioned at its end.
	Resume []byte
}

// Writer writes rows as arrays whose first axis is the rows. All rows of a component must have the
// shape of the first one.
//
// bfloat16, which NumPy does not have, is written as float32, which holds it exactly. Strings
// become an array of type 'U', or of 'S' if they are not all UTF-8. The longest string decides on
// the type's size, so strings wait in a temporary file until all are known.
//
// A row without values, one that has an error, may be written where columns are kept, one of which
// tells the error. As arrays have no place for a missing row, its elements are NaN, zero, false or
// the empty string.
type Writer struct {
	comps  []dataset.Component
	keep   []string
	arrays []*arrayWriter
	spool  *shared
	finish func() error
	err    error
	closed bool
}

// NewWriter returns a writer of one array, for a spec of one component. The array's header, at the
// beginning of w, tells the number of rows and is written last: where w cannot seek, the values
// wait in a temporary file. The writer must be closed, which does not close w.
func NewWriter(w io.Writer, spec dataset.Spec, o WriterOptions) (*Writer, error) {
	if len(o.Keep) > 0 {
		return nil, fmt.Errorf("write npy: there is no room for column %q beside the one array; use npz", o.Keep[0])
	}
	names, err := columns.Names(spec, o.Names, nil)
	if err == nil && len(names) != 1 {
		err = fmt.Errorf("the file holds one array, there are %d: %s; pick one, or use npz", len(names), strings.Join(names, ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("write npy: %w", err)
	}
	out, err := newWriter(spec, o)
	if err != nil {
		return nil, fmt.Errorf("write npy: %w", err)
	}
	a := out.arrays[0]
	if seeker, ok := w.(io.WriteSeeker); ok && a.strs == nil {
		if at, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			out.finish = a.writeTo(seeker, at-a.written)
			return out, nil
		}
	}
	out.finish = func() error { return a.copyTo(w) }
	return out, out.openSpool(o)
}

// NewZipWriter returns a writer of an archive with an array for each component, named by its path.
// The values wait in a temporary file. It must be closed, which does not close w.
func NewZipWriter(w io.Writer, spec dataset.Spec, o WriterOptions) (*Writer, error) {
	out, err := newWriter(spec, o)
	if err != nil {
		return nil, fmt.Errorf("write npz: %w", err)
	}
	out.finish = func() error {
		z := zip.NewWriter(w)
		for _, a := range out.arrays {
			if err := a.settle(); err != nil {
				return err
			}
			member, err := z.CreateHeader(&zip.FileHeader{Name: a.name + ".npy", Method: zip.Store})
			if err != nil {
				return err
			}
			if err := a.copyTo(member); err != nil {
				return fmt.Errorf("array %q: %w", a.name, err)
			}
		}
		return z.Close()
	}
	return out, out.openSpool(o)
}

// openSpool makes the place for values that wait.
func (w *Writer) openSpool(o WriterOptions) error {
	if o.Spool == nil {
		o.Spool = func() (Spool, error) {
			temp, err := files.Temp()
			return tempSpool{temp}, err
		}
	}
	spool, err := o.Spool()
	if err != nil {
		return err
	}
	if w.spool, err = share(spool, w.arrays); err != nil {
		return errors.Join(err, spool.Close())
	}
	return nil
}

func newWriter(spec dataset.Spec, o WriterOptions) (*Writer, error) {
	names, err := columns.Names(spec, o.Names, o.Keep)
	if err != nil {
		return nil, err
	}
	out := &Writer{comps: spec.Flatten(), keep: o.Keep}
	for i, comp := range out.comps {
		if comp.Ragged {
			return nil, fmt.Errorf("array %q: ragged values are no array; use jsonl, parquet or arrow", names[i])
		}
		a := &arrayWriter{name: names[i], dtype: comp.DType, shape: comp.Shape}
		if comp.DType == tensor.String {
			a.strs = &stringStats{}
		} else if _, ok := descrs[dtypes.Carrier(comp.DType)]; !ok {
			return nil, fmt.Errorf("array %q: values of type %s are not written", names[i], comp.DType)
		}
		out.arrays = append(out.arrays, a)
	}
	for _, key := range o.Keep {
		a := &arrayWriter{name: key, dtype: tensor.String, shape: tensor.MakeShape(), strs: &stringStats{}, kept: true}
		a.strs.Kept.Type, _ = o.Types[key].(*kept.Type)
		out.arrays = append(out.arrays, a)
	}
	return out, out.resume(o.Resume)
}

// arrayState is what another writer has to know of an array's rows so far.
type arrayState struct {
	Rows    int64
	Dims    []int64
	Written int64        `json:",omitempty"`
	Strings *stringStats `json:",omitempty"`
}

// State writes all values so far to the spool and to w, and returns what another writer needs to
// know to go on with the next row.
func (w *Writer) State() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	var states []arrayState
	for _, a := range w.arrays {
		if w.err = a.buf.Flush(); w.err != nil {
			return nil, w.err
		}
		states = append(states, arrayState{Rows: a.rows, Dims: a.dims, Written: a.written, Strings: a.strs})
	}
	return json.Marshal(states)
}

// resume sets the writer to the state that an earlier one returned.
func (w *Writer) resume(state []byte) error {
	if len(state) == 0 {
		return nil
	}
	var states []arrayState
	if err := json.Unmarshal(state, &states); err != nil || len(states) != len(w.arrays) {
		return errState
	}
	for i, s := range states {
		a := w.arrays[i]
		if s.Rows < 0 || (s.Strings == nil) != (a.strs == nil) {
			return errState
		}
		a.rows, a.dims, a.written, a.strs = s.Rows, s.Dims, s.Written, s.Strings
	}
	return nil
}

// Write writes a row. An error of the underlying writer is final.
func (w *Writer) Write(e dataset.Element) error {
	if w.err != nil {
		return w.err
	}
	if err := w.check(e); err != nil {
		return fmt.Errorf("write npy: %w", err)
	}
	for i, a := range w.arrays {
		switch k := i - len(w.comps); {
		case k >= 0:
			w.err = a.writeKept(columns.Extra(e, k, a.name))
		case e.Tensors == nil:
			w.err = a.writeNone()
		default:
			w.err = a.write(e.Tensors[i])
		}
		if w.err != nil {
			return w.err
		}
	}
	return nil
}

// check refuses a row that does not fit before any of it is written.
func (w *Writer) check(e dataset.Element) error {
	if e.Tensors == nil {
		if len(w.keep) == 0 {
			return fmt.Errorf("row %d: it has no values, and an array has no place for a missing row; use jsonl, parquet or arrow", e.Row)
		}
		return nil
	}
	if err := columns.CheckRow(w.comps, e); err != nil {
		return err
	}
	for i, t := range e.Tensors {
		if err := w.arrays[i].check(t); err != nil {
			return fmt.Errorf("row %d: array %q: %w", e.Row, w.arrays[i].name, err)
		}
	}
	return nil
}

// Close completes the file.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	if w.err == nil {
		w.err = w.finish()
	}
	if w.spool != nil {
		// The archive is complete without the spool.
		_ = w.spool.Close()
	}
	return w.err
}

// share makes the arrays write to one spool, after the pieces that it holds of them already.
func share(s Spool, arrays []*arrayWriter) (*shared, error) {
	out := &shared{Spool: s, pieces: make([][]piece, len(arrays))}
	if err := out.scan(); err != nil {
		return nil, err
	}
	size := min(max(spoolMemory/max(len(arrays), 1), 512), arrayBuffer)
	for i, a := range arrays {
		a.spool = &pieces{out, i}
		a.buf = bufio.NewWriterSize(a.spool, size)
	}
	return out, nil
}
