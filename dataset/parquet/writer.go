package parquet

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	ar "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/sample"
	"github.com/tfrun/tfrun/dataset/internal/thrift"
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
	// through beforehand, see package arrow.
	Types map[string]dataset.FieldType
	// GroupBytes is about how many bytes of values make a row group, which waits in memory. 0: 64
	// MiB.
	GroupBytes int
	// GroupRows is the most rows of a row group. Readers that share a file out share out its row
	// groups. 0: 131,072.
	GroupRows int
	// Log, if not nil, is written what a later writer needs to go on after the row groups so far: a
	// few bytes for each group.
	Log io.Writer
	// Resume is what an earlier writer of the same spec and options wrote to its Log. The file
	// holds the earlier writer's row groups already. The new writer goes on with the row after
	// those that [Writer.Grouped] counts, and its w must write after these groups.
	Resume []byte
}

const (
	defaultGroup     = 64 << 20
	defaultGroupRows = 1 << 17
)

// Writer writes rows with a column for each component, named by its path, then one for each kept
// key. Half precision and bfloat16 are written as float32, which holds them exactly, and a complex
// number as a list of two numbers. Strings are text if those of the first thousand rows are UTF-8,
// otherwise bytes. An element without tensors is a row of nulls.
//
// Pages are of the first version, compressed by Snappy, with values in the encoding PLAIN. A schema
// of Arrow's in the file says of kept columns what Parquet's types cannot say: time zones,
// durations, categories.
type Writer struct {
	w      io.Writer
	o      WriterOptions
	sample *sample.Sample
	schema []element
	cols   []outColumn
	leaves []*leafWriter
	all    part // all columns
	// alike are the columns whose values in rows of one shape have one size, byRow the others.
	alike, byRow part
	groups       [][]byte // row groups written so far, as the footer lists them
	at           int64    // place in the file
	done         int64    // rows of the groups written so far
	size         int      // rows of the group that is being filled
	bytes        int      // bytes of its values
	err          error
	closed       bool
}

// part is some of the columns.
type part struct {
	cols   []int // places in the writer's
	leaves []*leafWriter
}

// outColumn is a column that is written.
type outColumn struct {
	sample.Column
	leaf *leafWriter // of a component
	kept shredder
}

// NewWriter returns a writer to w. It must be closed, which does not close w. Nothing is written
// before the first thousand rows have shown which types columns have.
func NewWriter(w io.Writer, spec dataset.Spec, o WriterOptions) (*Writer, error) {
	s, err := sample.New(spec, o.Names, o.Keep, o.Types)
	if err != nil {
		return nil, fmt.Errorf("write parquet: %w", err)
	}
	if o.GroupBytes <= 0 {
		o.GroupBytes = defaultGroup
	}
	if o.GroupRows <= 0 {
		o.GroupRows = defaultGroupRows
	}
	out := &Writer{w: w, o: o, sample: s}
	if len(o.Resume) > 0 {
		if err := out.resume(o.Resume); err != nil {
			return nil, fmt.Errorf("write parquet: %w", err)
		}
	}
	return out, nil
}

// errLog says that a Log is not what an earlier writer of the same kind wrote.
var errLog = errors.New("the groups written before are not as they were left")

// resume restores the columns and groups of an earlier writer.
func (w *Writer) resume(log []byte) error {
	columns, rest, ok := bytes.Cut(log, []byte("\n"))
	if !ok || json.Unmarshal(columns, &w.cols) != nil || len(w.cols) != len(w.sample.Names) {
		return errLog
	}
	for i, name := range w.sample.Names {
		w.cols[i].Name = name
		if (w.cols[i].Type != nil) != (i >= len(w.sample.Comps)) {
			return errLog
		}
	}
	for len(rest) > 0 {
		end, n := binary.Uvarint(rest)
		size, m := binary.Uvarint(rest[max(n, 0):])
		if n <= 0 || m <= 0 || size > uint64(len(rest)-n-m) || end < uint64(w.at) || end > 1<<62 { //nolint:gosec // a place is not negative
			return errLog
		}
		group := rest[n+m : n+m+int(size)] //nolint:gosec // bounded above
		rest = rest[n+m+int(size):]        //nolint:gosec // bounded above
		r := thrift.NewReader(group)
		g := readGroup(r)
		if r.Err != nil || r.At() != len(group) || g.rows < 0 {
			return errLog
		}
		w.groups, w.done, w.at = append(w.groups, group), w.done+g.rows, int64(end)
	}
	return w.open()
}

// Grouped returns how many rows the row groups written so far hold. The rows after them are in
// memory.
func (w *Writer) Grouped() int64 { return w.done }

// Write writes a row. An error of the underlying writer is final.
func (w *Writer) Write(e dataset.Element) error {
	if w.err != nil {
		return w.err
	}
	if err := columns.CheckRow(w.sample.Comps, e); err != nil {
		return fmt.Errorf("write parquet: %w", err)
	}
	if w.leaves == nil {
		if w.sample.Add(e) {
			w.err = w.begin()
		}
		return w.err
	}
	return w.row(e)
}

// WriteBlock writes rows of a block as that many calls of Write would, up to the end of a row
// group, and returns how many: at least one, where there is no error. Rows before one that is wrong
// are written. An error of the underlying writer is final.
func (w *Writer) WriteBlock(b dataset.RowBlock) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if err := columns.CheckBlock(w.sample.Comps, b); err != nil {
		return 0, fmt.Errorf("write parquet: %w", err)
	}
	var e dataset.Element
	b.Get(0, &e)
	if w.leaves == nil {
		if err := w.Write(e); err != nil {
			return 0, err
		}
		return 1, nil
	}
	return w.block(b, e)
}

// begin makes the schema out of the rows of the sample, and writes these rows.
func (w *Writer) begin() error {
	for _, c := range w.sample.Columns() {
		w.cols = append(w.cols, outColumn{Column: c})
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

// open makes the schema and the writers of its columns.
func (w *Writer) open() error {
	w.schema = []element{{physical: noPhysical, converted: -1, name: "rows", children: int32(len(w.cols))}} //nolint:gosec // far fewer
	for _, c := range w.cols {
		var err error
		if w.schema, err = elements(w.schema, fieldOf(c.Column)); err != nil {
			return fmt.Errorf("write parquet: column %q: %w", c.Name, err)
		}
	}
	root, leaves, err := tree(w.schema)
	if err != nil {
		return fmt.Errorf("write parquet: %w", err)
	}
	w.leaves = make([]*leafWriter, len(leaves))
	for i, l := range leaves {
		w.leaves[i] = &leafWriter{leaf: l, stats: newExtremes(l.element)}
	}
	for i, n := range root.parts {
		c := &w.cols[i]
		own := w.leaves[firstLeaf(n).index:]
		if i+1 < len(root.parts) {
			own = own[:firstLeaf(root.parts[i+1]).index-firstLeaf(n).index]
		}
		w.all.add(i, own)
		if c.ByRow() {
			w.byRow.add(i, own)
		} else {
			w.alike.add(i, own)
		}
		if c.Type == nil {
			c.leaf = own[0]
			continue
		}
		if c.kept, err = newShredder(n.shape(), c.Type, w.leaves); err != nil {
			return fmt.Errorf("write parquet: column %q: %w", c.Name, err)
		}
	}
	return nil
}

// add adds column i, whose values are in leaves.
func (p *part) add(i int, leaves []*leafWriter) {
	p.cols, p.leaves = append(p.cols, i), append(p.leaves, leaves...)
}

// firstLeaf returns the first column of a node.
func firstLeaf(n *node) *leaf {
	for n.leaf == nil {
		n = n.parts[0]
	}
	return n.leaf
}

// row adds a row. On an error no part of the row is added.
func (w *Writer) row(e dataset.Element) error {
	if err := w.check(e, w.all); err != nil {
		return err
	}
	if err := w.add(e, w.all); err != nil {
		return err
	}
	w.size++
	w.err = w.endFull()
	return w.err
}

// block adds rows, up to the end of the row group. e is the first of them.
func (w *Writer) block(b dataset.RowBlock, e dataset.Element) (n int, err error) {
	if err := w.check(e, w.alike); err != nil {
		return 0, err
	}
	rows, size := make([]leafWriter, len(w.alike.cols)), 0
	for k, i := range w.alike.cols {
		rows[k].leaf = w.cols[i].leaf.leaf
		if err := rows[k].tensor(e.Tensors[i], nil, w.cols[i].Depth); err != nil {
			return 0, err
		}
		size += rows[k].size()
	}
	for n < b.Len() && !w.full() {
		b.Get(n, &e)
		if err = w.check(e, w.byRow); err != nil {
			break
		}
		if err = w.add(e, w.byRow); err != nil {
			break
		}
		n, w.size, w.bytes = n+1, w.size+1, w.bytes+size
	}
	for k, i := range w.alike.cols {
		if w.err = w.cols[i].leaf.block(b.Tensors[i].Slice(0, n), &rows[k]); w.err != nil {
			return n, w.err
		}
	}
	w.err = w.endFull()
	return n, cmp.Or(w.err, err)
}

// check returns an error if one of the columns cannot take its value in a row.
func (w *Writer) check(e dataset.Element, p part) error {
	for _, i := range p.cols {
		if err := w.cols[i].Check(e, i); err != nil {
			return fmt.Errorf("write parquet: row %d: column %q: %w", e.Row, w.cols[i].Name, err)
		}
	}
	return nil
}

// add adds a row's values to the columns. On an error none is added.
func (w *Writer) add(e dataset.Element, p part) error {
	for _, l := range p.leaves {
		l.beginRow()
	}
	for _, i := range p.cols {
		if err := w.cols[i].add(e, i); err != nil {
			for _, l := range p.leaves {
				l.dropRow()
			}
			return fmt.Errorf("write parquet: row %d: column %q: %w", e.Row, w.cols[i].Name, err)
		}
	}
	for _, l := range p.leaves {
		w.bytes += l.endRow()
	}
	return nil
}

// full reports whether the row group has as many rows, or bytes, as it may have.
func (w *Writer) full() bool { return w.bytes >= w.o.GroupBytes || w.size >= w.o.GroupRows }

// endFull ends the row group if it is full.
func (w *Writer) endFull() error {
	if !w.full() {
		return nil
	}
	return w.endGroup()
}

// add adds the column's value of a row: a kept value, or the value of component i.
func (c *outColumn) add(e dataset.Element, i int) error {
	switch {
	case c.Type != nil:
		return c.kept.add(c.Value, 0)
	case e.Tensors == nil:
		c.leaf.entry(0, 0)
		return nil
	}
	return c.leaf.tensor(e.Tensors[i], columns.Splits(e, i), c.Depth)
}

// write writes bytes to the file.
func (w *Writer) write(b []byte) error {
	n, err := w.w.Write(b)
	w.at += int64(n)
	return err
}

// endGroup writes the row group, and begins the next one.
func (w *Writer) endGroup() error {
	if w.at == 0 {
		if err := w.write([]byte(magic)); err != nil {
			return err
		}
	}
	start := w.at
	var group thrift.Writer
	var unpacked int64
	var metas []func(*thrift.Writer)
	for _, l := range w.leaves {
		unpacked += l.unpacked
		at := w.at
		pages, meta := l.takeChunk()
		if err := w.write(pages); err != nil {
			return err
		}
		metas = append(metas, func(t *thrift.Writer) { meta(t, at) })
	}
	group.ListStruct(func() {
		group.List(1, thrift.Struct, len(metas))
		for _, meta := range metas {
			group.ListStruct(func() { meta(&group) })
		}
		group.Int(2, thrift.I64, unpacked)
		group.Int(3, thrift.I64, int64(w.size))
		group.Int(5, thrift.I64, start)
		group.Int(6, thrift.I64, w.at-start)
		if n := len(w.groups); n <= maxOrdinal {
			group.Int(7, thrift.I16, int64(n))
		}
	})
	w.groups = append(w.groups, group.Bytes)
	w.done += int64(w.size)
	w.size, w.bytes = 0, 0
	if w.o.Log == nil {
		return nil
	}
	record := binary.AppendUvarint(nil, uint64(w.at))               //nolint:gosec // a place is not negative
	record = binary.AppendUvarint(record, uint64(len(group.Bytes))) //nolint:gosec // a length is not negative
	_, err := w.o.Log.Write(append(record, group.Bytes...))
	return err
}

// maxOrdinal is the largest number of a row group that the format can store.
const maxOrdinal = 1<<15 - 1

// footer writes the file's metadata and its end.
func (w *Writer) footer() error {
	arrow, err := w.arrowSchema()
	if err != nil {
		return err
	}
	if w.at == 0 {
		if err := w.write([]byte(magic)); err != nil {
			return err
		}
	}
	var t thrift.Writer
	t.ListStruct(func() {
		t.Int(1, thrift.I32, 2)
		t.List(2, thrift.Struct, len(w.schema))
		for i := range w.schema {
			t.ListStruct(func() { w.schema[i].write(&t) })
		}
		t.Int(3, thrift.I64, w.done)
		t.List(4, thrift.Struct, len(w.groups))
		for _, g := range w.groups {
			t.Bytes = append(t.Bytes, g...)
		}
		if arrow != "" {
			t.List(5, thrift.Struct, 1)
			t.ListStruct(func() {
				t.Binary(1, arrowKey)
				t.Binary(2, arrow)
			})
		}
		t.Binary(6, "tfrun")
		// Values are compared in the order of their types.
		t.List(7, thrift.Struct, len(w.leaves))
		for range w.leaves {
			t.ListStruct(func() { t.Struct(1, func() {}) })
		}
	})
	const most = 1<<31 - 1
	if len(t.Bytes) > most {
		return errors.New("write parquet: the footer of so many row groups is larger than a file can have")
	}
	return w.write(append(binary.LittleEndian.AppendUint32(t.Bytes, uint32(len(t.Bytes))), magic...)) //nolint:gosec // see above
}

// arrowSchema returns, encoded, the schema of Arrow's that says what kept columns were; "" where no
// columns are kept.
func (w *Writer) arrowSchema() (string, error) {
	if len(w.sample.Keep) == 0 {
		return "", nil
	}
	var fields []ar.Field
	for _, c := range w.cols {
		f := fieldOf(c.Column)
		if c.Type != nil {
			f = c.Type.Original()
			f.Name, f.Nullable = c.Name, true
		}
		fields = append(fields, f)
	}
	var b bytes.Buffer
	iw := ipc.NewWriter(&b, ipc.WithSchema(ar.NewSchema(fields, nil)))
	if err := iw.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// Close completes the file.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	if w.err == nil && w.leaves == nil {
		w.err = w.begin()
	}
	if w.err == nil && w.size > 0 {
		w.err = w.endGroup()
	}
	if w.err == nil {
		w.err = w.footer()
	}
	return w.err
}
