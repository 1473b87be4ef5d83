package dataset

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/tfrun/tfrun/tensor"
)

// Batch is a group of rows that will be padded together. Nothing is padded yet: the consumer says
// where the padded values go, which may be memory of another library. A Batch belongs to the
// iteration that yielded it and is valid until the next one is asked for.
type Batch struct {
	plan *padPlan
	op   string
	rows []*Element
	dims []int64 // of all components, one after the other
	off  []int   // where a component's sizes start in dims
	max  int64   // most bytes a padded component may have
	// round gives the size that an axis is padded to, from the size of its longest row. nil: the
	// size of the longest row.
	round func(longest int64) int64
}

// DefaultMaxBytes bounds one padded component of a batch unless the options say otherwise. One
// long row among many short ones would ask for far more memory than the rows take.
const DefaultMaxBytes int64 = 16 << 30

// set makes b the batch of rows. Its slices are reused.
func (b *Batch) set(rows []*Element) *Error {
	b.rows = rows
	b.dims, b.off = b.dims[:0], b.off[:0]
	for c := range b.plan.comps {
		p := &b.plan.comps[c]
		b.off = append(b.off, len(b.dims))
		var err *Error
		if b.plan.exact {
			b.dims, err = p.measureExact(b.op, c, rows, b.dims)
		} else {
			b.dims, err = p.measure(b.op, c, rows, b.dims)
		}
		if err != nil {
			return err
		}
		if p.ragged {
			continue
		}
		for i, d := range p.shape {
			if at := b.off[c] + 1 + i; d < 0 && b.round != nil {
				b.dims[at] = max(b.round(b.dims[at]), b.dims[at])
			}
		}
		size := int64(max(p.size, stringHeader*btoi(p.size == 0)))
		n, ok := tensor.NumElements(b.Dims(c))
		switch {
		case !ok:
			return runErr(InvalidArgument, b.op, c, rows[0].Row, "component %d: encountered overflow when multiplying the sizes of the shape %v",
				c, tensor.MakeShape(b.Dims(c)...))
		case n > b.max/size:
			return runErr(ResourceExhausted, b.op, c, rows[0].Row, "component %d: a padded batch of shape %v is larger than the limit of %d bytes",
				c, tensor.MakeShape(b.Dims(c)...), b.max)
		}
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Len returns the number of rows.
func (b *Batch) Len() int { return len(b.rows) }

// Row returns row i as it came, unpadded.
func (b *Batch) Row(i int) Element { return *b.rows[i] }

// Spec returns the static spec of the padded batch.
func (b *Batch) Spec() Spec { return b.plan.out }

// Dims returns the sizes of component c of the padded batch, the number of rows first. The slice is
// the batch's own. It is empty for a ragged component.
func (b *Batch) Dims(c int) []int64 {
	lo, hi := b.off[c], len(b.dims)
	if c+1 < len(b.off) {
		hi = b.off[c+1]
	}
	return b.dims[lo:hi:hi]
}

// Size returns the number of bytes of component c of the padded batch, 0 for strings.
func (b *Batch) Size(c int) int64 {
	n, _ := tensor.NumElements(b.Dims(c))
	return n * int64(b.plan.comps[c].size)
}

// memory returns the bytes of all components of the padded batch: of the tensors, of the strings in
// them, and of ragged values.
func (b *Batch) memory() int64 {
	total := int64(0)
	for c := range b.plan.comps {
		p := &b.plan.comps[c]
		if !p.ragged && p.size > 0 {
			total = addUp(total, b.Size(c))
			continue
		}
		if n, _ := tensor.NumElements(b.Dims(c)); !p.ragged {
			total = addUp(total, n*stringHeader)
		}
		for _, r := range b.rows {
			t := r.Tensors[c]
			total = addUp(total, int64(len(t.Bytes())))
			for _, s := range t.Strings() {
				total = addUp(total, int64(len(s)))
			}
		}
	}
	return total
}

// addUp returns a + b, or the largest int64 where the sum does not fit.
func addUp(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// PadInto writes component c of the padded batch, in row-major order as TensorFlow's tensors have
// it, to dst, which must have [Batch.Size] bytes. Strings are written with [Batch.PadStrings].
func (b *Batch) PadInto(c int, dst []byte) error {
	p := &b.plan.comps[c]
	if p.size == 0 || p.ragged {
		return fmt.Errorf("pad component %d: %v values are not padded as bytes", c, b.plan.spec.Flatten()[c])
	}
	if int64(len(dst)) != b.Size(c) {
		return fmt.Errorf("pad component %d: want %d bytes, got %d", c, b.Size(c), len(dst))
	}
	b.padRows(c, dst)
	return nil
}

// shortRow is the size of a padded row, in bytes, up to which one clearing of the whole batch is
// quicker than clearing the end of each row.
const shortRow = 1 << 10

func (b *Batch) padRows(c int, dst []byte) {
	p := &b.plan.comps[c]
	dims := b.Dims(c)[1:]
	if len(dims) > 1 {
		for _, r := range b.rows {
			dst = dst[p.padRow(dst, r.Tensors[c], dims):]
		}
		return
	}
	size := p.size
	for _, d := range dims {
		size *= int(d)
	}
	if p.fill == nil && size <= shortRow {
		clear(dst)
		for _, r := range b.rows {
			copy(dst, r.Tensors[c].Bytes())
			dst = dst[size:]
		}
		return
	}
	for _, r := range b.rows {
		p.pad(dst[copy(dst[:size], r.Tensors[c].Bytes()):size])
		dst = dst[size:]
	}
}

// PadStrings writes component c of the padded batch, one of strings, to dst, which must have as
// many strings as the padded batch.
func (b *Batch) PadStrings(c int, dst []string) error {
	p := &b.plan.comps[c]
	if p.dtype != tensor.String || p.ragged {
		return fmt.Errorf("pad component %d: %v values are no strings", c, b.plan.spec.Flatten()[c])
	}
	dims := b.Dims(c)
	if n, _ := tensor.NumElements(dims); int64(len(dst)) != n {
		return fmt.Errorf("pad component %d: want room for %d strings, got %d", c, n, len(dst))
	}
	for _, r := range b.rows {
		t := r.Tensors[c]
		dst = dst[p.padStrings(dst, t.Strings(), t.Dims(), dims[1:]):]
	}
	return nil
}

// Reader returns a reader of component c of the padded batch's bytes. It pads straight into the
// slices it is given, in whole rows; a slice shorter than a row makes it fail with
// io.ErrShortBuffer. It is meant for a reader of tensors such as tf.ReadTensor, which hands it the
// tensor's own memory.
func (b *Batch) Reader(c int) io.Reader { return &batchReader{b: b, c: c} }

type batchReader struct {
	b *Batch
	c int
	i int // next row
}

// Read fills dst with whole padded rows.
func (r *batchReader) Read(dst []byte) (int, error) {
	p := &r.b.plan.comps[r.c]
	if p.size == 0 || p.ragged {
		return 0, fmt.Errorf("read component %d: %v values are not padded as bytes", r.c, r.b.plan.spec.Flatten()[r.c])
	}
	rows := len(r.b.rows)
	if r.i == rows {
		return 0, io.EOF
	}
	size := int(r.b.Size(r.c)) / rows
	dims := r.b.Dims(r.c)[1:]
	n := 0
	for r.i < rows && len(dst)-n >= size {
		n += p.padRow(dst[n:], r.b.rows[r.i].Tensors[r.c], dims)
		r.i++
	}
	if n == 0 && r.i < rows && len(dst) > 0 {
		return 0, io.ErrShortBuffer
	}
	return n, nil
}

// Tensor returns component c of the padded batch in new memory.
func (b *Batch) Tensor(c int) (tensor.Tensor, error) {
	var m batchMemory
	return m.tensor(b, c)
}

// Element returns the padded batch in new memory. Its Rows are the rows' numbers.
func (b *Batch) Element() (Element, error) {
	var e Element
	var m batchMemory
	err := m.element(b, &e)
	return e, err
}

// RowNumbers appends the original numbers of the batch's rows to dst, to bring results back into
// order.
func (b *Batch) RowNumbers(dst []int64) []int64 {
	for _, r := range b.rows {
		if r.Rows != nil {
			dst = append(dst, r.Rows...)
		} else {
			dst = append(dst, r.Row)
		}
	}
	return dst
}

// batchMemory is the memory that padded batches are written to. It is used again for each batch,
// and allocates nothing once it has grown to the largest one.
type batchMemory struct {
	data [][]byte
	strs [][]string
	dims []int64
	rows []int64
}

// element sets e to the padded batch.
func (m *batchMemory) element(b *Batch, e *Element) error {
	e.reset(b.rows[0].Row)
	m.dims = m.dims[:0]
	for c := range b.plan.comps {
		if b.plan.comps[c].ragged {
			if err := b.appendRagged(c, e); err != nil {
				return err
			}
			continue
		}
		t, err := m.tensor(b, c)
		if err != nil {
			return err
		}
		e.Tensors = append(e.Tensors, t)
	}
	m.rows = b.RowNumbers(m.rows[:0])
	e.Rows = m.rows
	return nil
}

// tensor pads component c into m's memory.
func (m *batchMemory) tensor(b *Batch, c int) (tensor.Tensor, error) {
	if m.data == nil {
		m.data, m.strs = make([][]byte, len(b.plan.comps)), make([][]string, len(b.plan.comps))
	}
	// Growing m.dims would not harm the tensors that refer to its old memory.
	m.dims = append(m.dims, b.Dims(c)...)
	dims := slices.Clip(m.dims[len(m.dims)-len(b.Dims(c)):])
	if b.plan.comps[c].dtype == tensor.String {
		n, _ := tensor.NumElements(dims)
		m.strs[c] = slices.Grow(m.strs[c][:0], int(n))[:n]
		if err := b.PadStrings(c, m.strs[c]); err != nil {
			return tensor.Tensor{}, err
		}
		return tensor.ShareSlice(m.strs[c], dims)
	}
	n := int(b.Size(c))
	if cap(m.data[c]) < n {
		m.data[c] = make([]byte, n)
	}
	m.data[c] = m.data[c][:n]
	if err := b.PadInto(c, m.data[c]); err != nil {
		return tensor.Tensor{}, err
	}
	return tensor.Share(b.plan.comps[c].dtype, m.data[c], dims)
}
