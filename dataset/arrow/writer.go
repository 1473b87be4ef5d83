package arrow

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"

	ar "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/message"
	"github.com/tfrun/tfrun/dataset/internal/sample"
	"github.com/tfrun/tfrun/tensor"
)

// WriterOptions says how rows are written.
type WriterOptions struct {
	// Names are the names of the components' columns, in the order of the spec; nil: their paths.
	Names []string
	// Keep lists the keys of [dataset.Element.Extra] that become columns, after those of the
	// components. A kept column has the type that Types has for it, else its source's type. Where
	// the source has no types, as JSON and CSV, it is text; values that are no strings are JSON in
	// it.
	Keep []string
	// Types holds types of kept columns, as far as they are known: those of files that were looked
	// through beforehand, see [TypesOf].
	Types map[string]dataset.FieldType
	// Stream writes a stream, without the footer that a file has.
	Stream bool
	// BatchRows is the number of rows of a record batch. 0: 16,384, or as many as hold about 16
	// MiB.
	BatchRows int
	// Resume, if not nil, is what a writer of the same spec and options has written, up to the end
	// of a batch; w must write after it. The new writer goes on with the row after those that
	// [Writer.Grouped] counts. Resuming takes the time of reading that part of the file.
	Resume *io.SectionReader
}

const (
	defaultBatchRows = 1 << 14
	batchBytes       = 16 << 20
)

// Writer writes rows with a column for each component, named by its path, then one for each kept
// key. bfloat16 is written as float32, which holds it exactly, and a complex number as a list of
// two numbers. Strings are text if those of the first thousand rows are UTF-8, otherwise bytes. An
// element without tensors is a row of nulls.
type Writer struct {
	w      io.Writer
	o      WriterOptions
	sample *sample.Sample
	out    batchWriter
	schema *ar.Schema
	cols   []outColumn
	// all, alike and byRow are places in cols: of all columns, and of those whose values in rows of
	// one shape have one size, and may not.
	all, alike, byRow []int
	rows              int
	bytes             int
	// grouped counts the rows of the batches written so far.
	grouped int64
	err     error
	closed  bool
}

// batchWriter is what the library's writers of files and of streams have in common.
type batchWriter interface {
	Write(ar.RecordBatch) error
	Close() error
}

// outColumn is a column that is being written.
type outColumn struct {
	sample.Column
	kept  *kept.Builder // of a kept column; components have builders of the library's
	root  array.Builder
	lists []*array.ListBuilder // outermost first
	leaf  array.Builder
}

// NewWriter returns a writer to w. It must be closed, which does not close w. Nothing is written
// before the first thousand rows have shown which types columns have.
func NewWriter(w io.Writer, spec dataset.Spec, o WriterOptions) (*Writer, error) {
	s, err := sample.New(spec, o.Names, o.Keep, o.Types)
	if err != nil {
		return nil, fmt.Errorf("write arrow: %w", err)
	}
	if o.BatchRows <= 0 {
		o.BatchRows = defaultBatchRows
	}
	out := &Writer{w: w, o: o, sample: s}
	if o.Resume != nil && o.Resume.Size() > 0 {
		if err := files.GuardWrite("write arrow", func() error { return out.resume(o.Resume) }); err != nil {
			return nil, fmt.Errorf("write arrow: %w", err)
		}
	}
	return out, nil
}

// Grouped returns how many rows the batches written so far hold. The rows after them are in memory.
func (w *Writer) Grouped() int64 { return w.grouped }

// Write writes a row. An error of the underlying writer is final.
func (w *Writer) Write(e dataset.Element) error {
	if w.err != nil {
		return w.err
	}
	if err := columns.CheckRow(w.sample.Comps, e); err != nil {
		return fmt.Errorf("write arrow: %w", err)
	}
	if w.out == nil {
		if w.sample.Add(e) {
			w.err = w.begin()
		}
		return w.err
	}
	return w.row(e)
}

// WriteBlock writes rows of a block as that many calls of Write would, up to the end of a record
// batch, and returns how many: at least one, where there is no error. Rows before one that is wrong
// are written. An error of the underlying writer is final.
func (w *Writer) WriteBlock(b dataset.RowBlock) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if err := columns.CheckBlock(w.sample.Comps, b); err != nil {
		return 0, fmt.Errorf("write arrow: %w", err)
	}
	var e dataset.Element
	b.Get(0, &e)
	if w.out == nil {
		if err := w.Write(e); err != nil {
			return 0, err
		}
		return 1, nil
	}
	return w.block(b, e)
}

// begin makes the schema out of the rows of the sample, and writes these rows.
func (w *Writer) begin() error {
	var fields []ar.Field
	for _, c := range w.sample.Columns() {
		fields = append(fields, fieldOf(c))
		w.cols = append(w.cols, outColumn{Column: c})
	}
	w.schema = ar.NewSchema(fields, nil)
	if err := w.open(); err != nil {
		return err
	}
	for _, e := range w.sample.Take() {
		if err := w.row(e); err != nil {
			return err
		}
	}
	return nil
}

// open makes the builders of the schema's columns, and the library's writer.
func (w *Writer) open() error {
	mem := memory.NewGoAllocator()
	for i := range w.cols {
		c := &w.cols[i]
		w.all = append(w.all, i)
		if c.ByRow() {
			w.byRow = append(w.byRow, i)
		} else {
			w.alike = append(w.alike, i)
		}
		if c.Type != nil {
			c.kept = kept.NewBuilder(c.Type)
			continue
		}
		c.root = array.NewBuilder(mem, w.schema.Field(i).Type)
		c.leaf = c.root
		for range c.Depth {
			list := c.leaf.(*array.ListBuilder) //nolint:forcetypeassert // the schema above says so
			c.lists, c.leaf = append(c.lists, list), list.ValueBuilder()
		}
	}
	if w.o.Stream {
		w.out = ipc.NewWriter(w.w, ipc.WithSchema(w.schema), ipc.WithAllocator(mem))
		return nil
	}
	f, err := ipc.NewFileWriter(w.w, ipc.WithSchema(w.schema), ipc.WithAllocator(mem))
	w.out = f
	return err
}

// fieldOf returns the field of a column.
func fieldOf(c sample.Column) ar.Field {
	f := ar.Field{Type: leafOf(c.DType, c.Text)}
	if c.Type != nil {
		f = c.Type.Written()
	}
	for range c.Depth {
		f.Type = ar.ListOf(f.Type)
	}
	f.Name, f.Nullable = c.Name, true
	return f
}

// leafOf returns the type of the values of a component.
func leafOf(d tensor.DType, isText bool) ar.DataType {
	types := map[tensor.DType]ar.DataType{
		tensor.Bool: ar.FixedWidthTypes.Boolean, tensor.Int8: ar.PrimitiveTypes.Int8, tensor.Int16: ar.PrimitiveTypes.Int16, tensor.Int32: ar.PrimitiveTypes.Int32, tensor.Int64: ar.PrimitiveTypes.Int64,
		tensor.Uint8: ar.PrimitiveTypes.Uint8, tensor.Uint16: ar.PrimitiveTypes.Uint16, tensor.Uint32: ar.PrimitiveTypes.Uint32, tensor.Uint64: ar.PrimitiveTypes.Uint64,
		tensor.Float16: ar.FixedWidthTypes.Float16, tensor.Float64: ar.PrimitiveTypes.Float64, tensor.Complex128: ar.PrimitiveTypes.Float64, tensor.String: ar.BinaryTypes.String,
	}
	if d == tensor.String && !isText {
		return ar.BinaryTypes.Binary
	}
	if t, ok := types[dtypes.Carrier(d)]; ok {
		return t
	}
	return ar.PrimitiveTypes.Float32 // for bfloat16 and complex64 too
}

// row adds a row to the batch. On an error no part of the row is added.
func (w *Writer) row(e dataset.Element) error {
	if err := w.check(e, w.all); err != nil {
		return err
	}
	w.err = files.GuardWrite("write arrow", func() error {
		if err := w.add(e, w.all); err != nil {
			return err
		}
		w.rows++
		return w.flushFull()
	})
	return w.err
}

// block adds rows to the batch, up to its end. e is the first of them.
func (w *Writer) block(b dataset.RowBlock, e dataset.Element) (n int, err error) {
	if err := w.check(e, w.alike); err != nil {
		return 0, err
	}
	size := 0
	for _, i := range w.alike {
		size += len(e.Tensors[i].Bytes())
	}
	w.err = files.GuardWrite("write arrow", func() error {
		for n < b.Len() && !w.full() {
			b.Get(n, &e)
			if err = w.check(e, w.byRow); err != nil {
				break
			}
			if err := w.add(e, w.byRow); err != nil {
				return err
			}
			n, w.rows, w.bytes = n+1, w.rows+1, w.bytes+size
		}
		for _, i := range w.alike {
			if err := w.cols[i].block(b.Tensors[i], n); err != nil {
				return err
			}
		}
		return w.flushFull()
	})
	return n, cmp.Or(w.err, err)
}

// check returns an error if one of the given columns cannot take its value in a row.
func (w *Writer) check(e dataset.Element, cols []int) error {
	for _, i := range cols {
		if err := w.cols[i].Check(e, i); err != nil {
			return fmt.Errorf("write arrow: row %d: column %q: %w", e.Row, w.cols[i].Name, err)
		}
	}
	return nil
}

// add adds a row's values to the given columns.
func (w *Writer) add(e dataset.Element, cols []int) error {
	for _, i := range cols {
		switch c := &w.cols[i]; {
		case c.kept != nil:
			c.kept.Append(c.Value)
			w.bytes += len(c.Value) + 1
		case e.Tensors == nil:
			c.root.AppendNull()
		default:
			if err := c.append(e.Tensors[i], columns.Splits(e, i)); err != nil {
				return err
			}
			w.bytes += len(e.Tensors[i].Bytes())
			for _, s := range e.Tensors[i].Strings() {
				w.bytes += len(s)
			}
		}
	}
	return nil
}

// full reports whether the batch has as many rows, or bytes, as it may have.
func (w *Writer) full() bool { return w.rows >= w.o.BatchRows || w.bytes >= batchBytes }

// flushFull writes the batch if it is full.
func (w *Writer) flushFull() error {
	if !w.full() {
		return nil
	}
	return w.flush()
}

// flush writes the batch, if it has rows.
func (w *Writer) flush() error {
	if w.rows == 0 {
		return nil
	}
	n := int64(w.rows)
	w.grouped += n
	w.rows, w.bytes = 0, 0
	arrays := make([]ar.Array, len(w.cols))
	for i := range w.cols {
		if c := &w.cols[i]; c.kept != nil {
			arrays[i] = c.kept.Array()
		} else {
			arrays[i] = c.root.NewArray()
		}
		defer arrays[i].Release()
	}
	batch := array.NewRecordBatch(w.schema, arrays, n)
	defer batch.Release()
	return w.out.Write(batch)
}

// append adds the value of a component.
func (c *outColumn) append(t tensor.Tensor, splits []tensor.Tensor) error {
	t, err := sample.Parts(t)
	if err != nil {
		return err
	}
	c.level(t, t.Dims(), splits, 0, 0)
	return nil
}

// block adds the values of a component in the first n rows of t.
func (c *outColumn) block(t tensor.Tensor, n int) error {
	t, err := sample.Parts(t)
	if err != nil {
		return err
	}
	if c.Depth == 0 {
		c.values(t, 0, n)
		return nil
	}
	dims := t.Dims()[1:]
	for k := range int64(n) {
		c.level(t, dims, nil, 0, k)
	}
	return nil
}

// level adds entry number at of the lists at a level, or of the values below the innermost lists.
// dims are the sizes of a row.
func (c *outColumn) level(t tensor.Tensor, dims []int64, splits []tensor.Tensor, level int, at int64) {
	if level == c.Depth {
		c.values(t, int(at), int(at)+1)
		return
	}
	c.lists[level].Append(true)
	lo, hi := sample.Entries(dims, splits, level, at)
	if level+1 == c.Depth {
		c.values(t, int(lo), int(hi))
		return
	}
	for k := lo; k < hi; k++ {
		c.level(t, dims, splits, level+1, k)
	}
}

// values adds values lo ≤ i < hi.
func (c *outColumn) values(t tensor.Tensor, lo, hi int) {
	switch b := c.leaf.(type) {
	case *array.StringBuilder:
		// AppendValues makes exactly the room that is missing, each time.
		for _, s := range t.Strings()[lo:hi] {
			b.Append(s)
		}
	case *array.BinaryBuilder:
		for _, s := range t.Strings()[lo:hi] {
			b.AppendString(s)
		}
	case *array.BooleanBuilder:
		appendValues(b, t, lo, hi)
	case *array.Int8Builder:
		appendValues(b, carried(t), lo, hi)
	case *array.Int16Builder:
		appendValues(b, carried(t), lo, hi)
	case *array.Int32Builder:
		appendValues(b, carried(t), lo, hi)
	case *array.Int64Builder:
		appendValues(b, t, lo, hi)
	case *array.Uint8Builder:
		appendValues(b, carried(t), lo, hi)
	case *array.Uint16Builder:
		appendValues(b, carried(t), lo, hi)
	case *array.Uint32Builder:
		appendValues(b, t, lo, hi)
	case *array.Uint64Builder:
		appendValues(b, t, lo, hi)
	case *array.Float64Builder:
		appendValues(b, t, lo, hi)
	case *array.Float16Builder:
		v, _ := tensor.Values[tensor.F16](t)
		for _, h := range v[lo:hi] {
			b.Append(float16.FromBits(uint16(h)))
		}
	case *array.Float32Builder:
		if v, ok := tensor.Values[tensor.BF16](t); ok {
			for _, h := range v[lo:hi] {
				b.Append(h.Float32())
			}
			return
		}
		appendValues(b, t, lo, hi)
	}
}

func appendValues[T tensor.Value](b interface{ AppendValues([]T, []bool) }, t tensor.Tensor, lo, hi int) {
	v, _ := tensor.Values[T](t)
	b.AppendValues(v[lo:hi], nil)
}

// carried returns a quantized tensor as a tensor of the integers that it holds; others as they are.
func carried(t tensor.Tensor) tensor.Tensor {
	if d := dtypes.Carrier(t.DType()); d != t.DType() {
		t, _ = tensor.Share(d, t.Bytes(), t.Dims())
	}
	return t
}

// Flush writes the rows so far as a batch. Before the first thousand rows, the types of columns
// follow from the rows so far.
func (w *Writer) Flush() error {
	if w.err == nil && w.out == nil {
		w.err = w.begin()
	}
	if w.err == nil {
		w.err = files.GuardWrite("write arrow", w.flush)
	}
	return w.err
}

// Close completes the file.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	if err := w.Flush(); err != nil {
		return err
	}
	w.err = files.GuardWrite("write arrow", w.out.Close)
	return w.err
}

// errResume says that a file does not hold what the earlier writer wrote.
var errResume = errors.New("the batches written before are not as they were left")

// resume brings the writer to where an earlier writer of the same spec and options stopped. The
// library can only write a file from its beginning to its end, with a footer that tells where each
// batch is. So resume writes the batches of the earlier writer once more, and compares the bytes
// with those in the file instead of writing them.
func (w *Writer) resume(have *io.SectionReader) error {
	start := int64(0)
	if !w.o.Stream {
		// A file begins with magic bytes and fill.
		start = 8
	}
	rest := bufio.NewReaderSize(io.NewSectionReader(have, start, have.Size()-start), readAhead)
	in := message.NewStream(rest, start, have.Size(), math.MaxInt64, nil)
	r, err := ipc.NewReaderFromMessageReader(in, ipc.WithAllocator(memory.NewGoAllocator()))
	if err != nil {
		return fmt.Errorf("%w: %w", errResume, err)
	}
	defer r.Release()
	if err := w.takeColumns(r.Schema()); err != nil {
		return err
	}
	again := &replay{w: w.w, have: bufio.NewReaderSize(have, readAhead), left: have.Size()}
	w.w = again
	if err := w.open(); err != nil {
		return err
	}
	for r.Next() {
		if err := w.out.Write(r.RecordBatch()); err != nil {
			return err
		}
		w.grouped += r.RecordBatch().NumRows()
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("%w: %w", errResume, err)
	}
	if again.left > 0 {
		return errResume
	}
	return nil
}

const readAhead = 256 << 10

// takeColumns sets the columns' types from the schema that the earlier writer has written.
func (w *Writer) takeColumns(schema *ar.Schema) error {
	if schema.NumFields() != len(w.sample.Names) {
		return errResume
	}
	for i, name := range w.sample.Names {
		f := schema.Field(i)
		if f.Name != name {
			return errResume
		}
		c := sample.Column{Name: name}
		if i >= len(w.sample.Comps) {
			var err error
			if c.Type, err = kept.Of(f); err != nil {
				return fmt.Errorf("%w: %w", errResume, err)
			}
			w.cols = append(w.cols, outColumn{Column: c})
			continue
		}
		t := f.Type
		for list, ok := t.(*ar.ListType); ok; list, ok = t.(*ar.ListType) {
			c.Depth++
			t = list.Elem()
		}
		c.DType, c.Text = w.sample.Comps[i].DType, t.ID() == ar.STRING
		w.cols = append(w.cols, outColumn{Column: c})
	}
	w.schema = schema
	return nil
}

// replay is a writer that compares bytes with those of the earlier writer, as far as there are any,
// and writes the bytes after them.
type replay struct {
	w    io.Writer
	have *bufio.Reader
	left int64
}

// Write compares b with the bytes that are there, and writes the rest of b.
func (r *replay) Write(b []byte) (int, error) {
	same := 0
	for r.left > 0 && same < len(b) {
		n := int(min(r.left, int64(len(b)-same), readAhead))
		have, err := r.have.Peek(n)
		if err != nil {
			return same, err
		}
		if !bytes.Equal(have, b[same:same+n]) {
			return same, errResume
		}
		// Peek has these bytes in the buffer, so there is no error.
		_, _ = r.have.Discard(n)
		same, r.left = same+n, r.left-int64(n)
	}
	if same == len(b) {
		return same, nil
	}
	n, err := r.w.Write(b[same:])
	return same + n, err
}
