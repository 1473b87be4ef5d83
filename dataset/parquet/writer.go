package parquet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"

	ar "github.com/apache/arrow-go/v18/arrow"
	pq "github.com/parquet-go/parquet-go"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/lossless"
	"github.com/tfrun/tfrun/dataset/internal/sample"
	"github.com/tfrun/tfrun/tensor"
)

// WriterOptions says how rows are written.
type WriterOptions struct {
	// Names are those of the components' columns, in the order of the spec; nil: their paths.
	Names []string
	// Keep lists the keys of [dataset.Element.Extra] that become columns, after those of the
	// components. Their types follow from the first thousand rows: integers, floats, booleans, or
	// text for all else, which is JSON where it is no string.
	Keep []string
	// GroupBytes is about how many bytes of values a row group holds, which are held in memory. 0:
	// 64 MiB.
	GroupBytes int
	// GroupRows is the most rows of a row group, so that readers that share a file out have groups
	// to share. 0: 131,072.
	GroupRows int
	// Log, if not nil, is given what a later writer needs to go on after the row groups that are
	// written: a little for each.
	Log io.Writer
	// Resume is what the Log of a writer of the same spec and options was given, whose groups are
	// in the file already. The new writer goes on with the row after those that [Writer.Grouped]
	// counts, and its w stands behind their bytes.
	Resume []byte
}

const (
	defaultGroup     = 64 << 20
	defaultGroupRows = 1 << 17
)

// Writer writes rows with a column for each component, named by its path, then one for each kept
// key. Half precision and bfloat16 are written as float32, which holds them, and a complex number
// as a list of two. Strings are text if those of the first thousand rows are, otherwise bytes. An
// element without tensors is a row of nulls.
type Writer struct {
	o      WriterOptions
	sample *sample.Sample
	groups groups
	group  bytes.Buffer // the row group that is being written, a file of its own
	schema *pq.Schema
	pw     *pq.GenericWriter[any]
	cols   []outColumn
	rows   []pq.Row
	bytes  int // of the row group
	size   int // its rows
	err    error
	closed bool
}

// outColumn is a column that is written.
type outColumn struct{ sample.Column }

// NewWriter returns a writer to w. It must be closed, which does not close w. Nothing is written
// before the first thousand rows have shown what types columns have.
func NewWriter(w io.Writer, spec dataset.Spec, o WriterOptions) (*Writer, error) {
	s, err := sample.New(spec, o.Names, o.Keep)
	if err != nil {
		return nil, fmt.Errorf("write parquet: %w", err)
	}
	if o.GroupBytes <= 0 {
		o.GroupBytes = defaultGroup
	}
	if o.GroupRows <= 0 {
		o.GroupRows = defaultGroupRows
	}
	out := &Writer{o: o, sample: s, groups: groups{w: w, log: o.Log}}
	if len(o.Resume) > 0 {
		if err := out.resume(o.Resume); err != nil {
			return nil, fmt.Errorf("write parquet: %w", err)
		}
	}
	return out, nil
}

// resume takes up the columns and groups of an earlier writer.
func (w *Writer) resume(log []byte) error {
	columns, rest, ok := bytes.Cut(log, []byte("\n"))
	if !ok || json.Unmarshal(columns, &w.cols) != nil || len(w.cols) != len(w.sample.Names) {
		return errLog
	}
	for i, name := range w.sample.Names {
		w.cols[i].Name = name
	}
	if err := w.groups.recall(rest); err != nil {
		return err
	}
	return w.open()
}

// Grouped returns how many rows the row groups hold that are written. The rows after them wait in
// memory.
func (w *Writer) Grouped() int64 { return w.groups.rows }

// Write writes a row. An error of the underlying writer is final.
func (w *Writer) Write(e dataset.Element) error {
	if w.err != nil {
		return w.err
	}
	if err := columns.CheckRow(w.sample.Comps, e); err != nil {
		return fmt.Errorf("write parquet: %w", err)
	}
	if w.pw == nil {
		if w.sample.Add(e) {
			w.err = w.begin()
		}
		return w.err
	}
	return w.row(e)
}

// begin makes the schema, and writes the rows of the sample.
func (w *Writer) begin() error {
	for _, c := range w.sample.Columns() {
		if c.Type != nil && !c.Type.Equal(kept.Bool) && !c.Type.Equal(kept.Int64) && !c.Type.Equal(kept.Float64) {
			c.Type = kept.Text
		}
		w.cols = append(w.cols, outColumn{c})
	}
	err := w.open()
	if err == nil && w.o.Log != nil {
		var columns []byte
		if columns, err = json.Marshal(w.cols); err == nil {
			_, err = w.o.Log.Write(append(columns, '\n'))
		}
	}
	for _, e := range w.sample.Take() {
		if err == nil {
			err = w.row(e)
		}
	}
	return err
}

// open makes the schema, and a writer of row groups.
func (w *Writer) open() error {
	group := pq.Group{}
	for _, c := range w.cols {
		var node pq.Node
		if c.Type != nil {
			node = keptLeaf(c.Type)
		} else {
			node = leafNode(c.DType, c.Text)
			for range c.Depth {
				node = pq.List(node)
			}
		}
		group[c.Name] = pq.Optional(node)
	}
	return files.GuardWrite("write parquet", func() error {
		w.schema = pq.NewSchema("rows", ordered(group, w.sample.Names))
		w.beginGroup()
		return nil
	})
}

// beginGroup makes the library's writer of the next row group.
func (w *Writer) beginGroup() {
	w.pw = pq.NewGenericWriter[any](&w.group, w.schema, pq.Compression(&pq.Snappy), pq.CreatedBy("tfrun", "", ""))
}

// orderedGroup is a group whose fields stand in the order they were given, not in that of their
// names.
type orderedGroup struct {
	pq.Group
	fields []pq.Field
}

// Fields returns the fields in their order.
func (g orderedGroup) Fields() []pq.Field { return g.fields }

func ordered(g pq.Group, names []string) pq.Node {
	out := orderedGroup{Group: g}
	byName := map[string]pq.Field{}
	for _, f := range g.Fields() {
		byName[f.Name()] = f
	}
	for _, name := range names {
		out.fields = append(out.fields, byName[name])
	}
	return out
}

// keptLeaf returns the type of a kept column.
func keptLeaf(t *kept.Type) pq.Node {
	switch t.Field().Type.ID() {
	case ar.BOOL:
		return pq.Leaf(pq.BooleanType)
	case ar.INT64:
		return pq.Int(64)
	case ar.FLOAT64:
		return pq.Leaf(pq.DoubleType)
	}
	return pq.String()
}

// leafNode returns the type of the values of a component.
func leafNode(d tensor.DType, isText bool) pq.Node {
	switch lossless.Carrier(d) {
	case tensor.Bool:
		return pq.Leaf(pq.BooleanType)
	case tensor.Int8:
		return pq.Int(8)
	case tensor.Int16:
		return pq.Int(16)
	case tensor.Int32:
		return pq.Int(32)
	case tensor.Int64:
		return pq.Int(64)
	case tensor.Uint8:
		return pq.Uint(8)
	case tensor.Uint16:
		return pq.Uint(16)
	case tensor.Uint32:
		return pq.Uint(32)
	case tensor.Uint64:
		return pq.Uint(64)
	case tensor.Float64, tensor.Complex128:
		return pq.Leaf(pq.DoubleType)
	case tensor.String:
		if isText {
			return pq.String()
		}
		return pq.Leaf(pq.ByteArrayType)
	}
	return pq.Leaf(pq.FloatType)
}

// row adds a row, all of it or none.
func (w *Writer) row(e dataset.Element) error {
	var row pq.Row
	for i := range w.cols {
		c := &w.cols[i]
		err := c.Check(e, i)
		if err == nil {
			row, err = c.add(row, i, e)
		}
		if err != nil {
			return fmt.Errorf("write parquet: row %d: column %q: %w", e.Row, c.Name, err)
		}
	}
	const valueBytes = 24
	for _, v := range row {
		if v.Kind() == pq.ByteArray {
			w.bytes += len(v.ByteArray())
		}
	}
	w.bytes += valueBytes * len(row)
	w.rows = append(w.rows, row)
	w.size++
	if len(w.rows) >= batchRows || w.full() {
		w.err = w.flush()
	}
	return w.err
}

// batchRows is how many rows are handed to the library at a time.
const batchRows = 256

// full reports whether the row group is.
func (w *Writer) full() bool { return w.bytes >= w.o.GroupBytes || w.size >= w.o.GroupRows }

func (w *Writer) flush() error {
	return files.GuardWrite("write parquet", func() error {
		if _, err := w.pw.WriteRows(w.rows); err != nil {
			return err
		}
		w.rows = w.rows[:0]
		if !w.full() {
			return nil
		}
		return w.endGroup()
	})
}

// endGroup writes the row group, and begins the next one.
func (w *Writer) endGroup() error {
	w.bytes, w.size = 0, 0
	if err := w.pw.Close(); err != nil {
		return err
	}
	err := w.groups.add(w.group.Bytes())
	w.group.Reset()
	// Not Reset, which forgets the columns' paths.
	w.beginGroup()
	return err
}

// add adds column i of an element, which has been checked.
func (c *outColumn) add(row pq.Row, i int, e dataset.Element) (pq.Row, error) {
	switch {
	case c.Type != nil:
		return c.appendKept(row, i), nil
	case e.Tensors == nil:
		return append(row, pq.NullValue().Level(0, 0, i)), nil
	}
	return c.append(row, i, e.Tensors[i], columns.Splits(e, i))
}

// appendKept adds the value of a kept column.
func (c *outColumn) appendKept(row pq.Row, i int) pq.Row {
	if c.Value == nil {
		return append(row, pq.NullValue().Level(0, 0, i))
	}
	var v pq.Value
	switch c.Type.Field().Type.ID() {
	case ar.BOOL:
		v = pq.BooleanValue(c.Value[0] != 0)
	case ar.INT64:
		v = pq.Int64Value(int64(binary.LittleEndian.Uint64(c.Value)))
	case ar.FLOAT64:
		v = pq.DoubleValue(math.Float64frombits(binary.LittleEndian.Uint64(c.Value)))
	default:
		v = pq.ByteArrayValue(append([]byte{}, c.Value...))
	}
	return append(row, v.Level(0, 1, i))
}

// append adds the value of a component. Its lists all lie within an optional column: a list that is
// empty has the definition level of its depth, counted from 1, a value one more than the depth.
func (c *outColumn) append(row pq.Row, i int, t tensor.Tensor, splits []tensor.Tensor) (pq.Row, error) {
	t, err := sample.Parts(t)
	if err != nil {
		return row, err
	}
	value, err := valuer(t)
	if err != nil {
		return row, err
	}
	dims := t.Dims()
	var list func(level, rep int, at int64)
	list = func(level, rep int, at int64) {
		if level == c.Depth {
			row = append(row, value(int(at)).Level(rep, c.Depth+1, i))
			return
		}
		lo, hi := sample.Entries(dims, splits, level, at)
		if lo == hi {
			row = append(row, pq.NullValue().Level(rep, level+1, i))
			return
		}
		for k := lo; k < hi; k++ {
			list(level+1, rep, k)
			rep = level + 1
		}
	}
	list(0, 0, 0)
	return row, nil
}

// valuer returns a function that gives value i of a tensor, which is not complex.
func valuer(t tensor.Tensor) (value func(int) pq.Value, err error) {
	switch lossless.Carrier(t.DType()) {
	case tensor.String:
		return func(i int) pq.Value { return pq.ByteArrayValue([]byte(t.Strings()[i])) }, nil
	case tensor.Bool:
		return func(i int) pq.Value { return pq.BooleanValue(t.Bytes()[i] != 0) }, nil
	case tensor.Int64:
		v, _ := tensor.Values[int64](t)
		return func(i int) pq.Value { return pq.Int64Value(v[i]) }, nil
	case tensor.Uint64:
		v, _ := tensor.Values[uint64](t)
		return func(i int) pq.Value { return pq.Int64Value(int64(v[i])) }, nil //nolint:gosec // the bits are meant
	case tensor.Uint32:
		v, _ := tensor.Values[uint32](t)
		return func(i int) pq.Value { return pq.Int32Value(int32(v[i])) }, nil //nolint:gosec // the bits are meant
	case tensor.Float64:
		v, _ := tensor.Values[float64](t)
		return func(i int) pq.Value { return pq.DoubleValue(v[i]) }, nil
	case tensor.Float16, tensor.Bfloat16, tensor.Float32:
		return widened(t, tensor.Float32, func(v float32) pq.Value { return pq.FloatValue(v) })
	}
	return widened(t, tensor.Int32, func(v int32) pq.Value { return pq.Int32Value(v) })
}

// widened gives the values of a narrower type.
func widened[T tensor.Value](t tensor.Tensor, d tensor.DType, value func(T) pq.Value) (func(int) pq.Value, error) {
	wide := t
	if t.DType() != d {
		var err error
		if wide, err = tensor.New(d, int64(t.Len())); err != nil {
			return nil, err
		}
		lossless.Convert(wide, t) // a wider type takes all
	}
	v, _ := tensor.Values[T](wide)
	return func(i int) pq.Value { return value(v[i]) }, nil
}

// Close completes the file.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	if w.err == nil && w.pw == nil {
		w.err = w.begin()
	}
	if w.err == nil {
		w.err = w.flush()
	}
	if w.err == nil && (w.size > 0 || w.groups.size == 0) {
		w.err = files.GuardWrite("write parquet", w.endGroup)
	}
	if w.err == nil {
		w.err = files.GuardWrite("write parquet", w.groups.finish)
	}
	return w.err
}
