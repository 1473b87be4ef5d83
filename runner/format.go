package runner

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/tensor"
)

// format is a kind of files of rows.
type format struct {
	name       string
	extensions []string
	// read reads rows of a spec; nil where the format is only written.
	read func(spec dataset.Spec, src Source) *dataset.Dataset
	// columns lists the columns of a file; nil where a row has keys of its own.
	columns func(src Source, name string) ([]dataset.Column, error)
	// write returns a writer of results; nil where the format is only read.
	write func(w io.Writer, t table) (rowWriter, error)
	// lines says that a file is the rows one after the other, so that those that are there may be
	// seen before the others come.
	lines bool
	// head is how many of a file's first bytes are known last.
	head int64
}

// formats are the files that rows are read from and results are written to.
var formats = []format{
	{name: "jsonl", extensions: []string{".jsonl", ".ndjson", ".json"}, read: readJSONL, write: writeJSONL, lines: true},
	{name: "txt", extensions: []string{".txt", ".text"}},
	{name: "csv", extensions: []string{".csv"}, read: readCSV(','), columns: csvColumns(','), write: writeCSV(','), lines: true},
	{name: "tsv", extensions: []string{".tsv", ".tab"}, read: readCSV('\t'), columns: csvColumns('\t'), write: writeCSV('\t'), lines: true},
	{name: "npy", extensions: []string{".npy"}, read: readNPY(npy.Rows), write: writeNPY(npy.NewWriter), head: npy.HeaderSize},
	{name: "npz", extensions: []string{".npz"}, read: readNPY(npy.ZipRows), columns: npzColumns, write: writeNPY(npy.NewZipWriter)},
	{name: "tfrecord", extensions: []string{".tfrecord", ".tfrecords"}, read: readTFRecord, write: writeTFRecord, lines: true},
	{name: "parquet", extensions: []string{".parquet", ".pq"}, read: readParquet, columns: parquetColumns, write: writeParquet},
	{name: "arrow", extensions: []string{".arrow", ".arrows", ".feather", ".ipc"}, read: readArrow, columns: arrowColumns, write: writeArrow},
}

// formatNames lists the formats for which keep holds.
func formatNames(keep func(format) bool) string {
	var names []string
	for _, f := range formats {
		if keep(f) {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}

func readable(f format) bool { return f.read != nil || f.name == "txt" }
func writable(f format) bool { return f.write != nil }

// findFormat returns the format of a name, or, where that is "", the one that a file's name tells.
func findFormat(name, file string, usable func(format) bool) (format, error) {
	if name != "" {
		for _, f := range formats {
			if f.name == name && usable(f) {
				return f, nil
			}
		}
		return format{}, &OptionError{Option: "Format", Msg: fmt.Sprintf("format %q: want one of %s", name, formatNames(usable))}
	}
	plain := strings.TrimSuffix(strings.TrimSuffix(file, ".gz"), ".zst")
	ext := strings.ToLower(filepath.Ext(plain))
	for _, f := range formats {
		if slices.Contains(f.extensions, ext) && usable(f) {
			return f, nil
		}
	}
	return format{}, &OptionError{Option: "Format", Msg: fmt.Sprintf("%q: the name does not tell the format; name it one of %s", file, formatNames(usable))}
}

// columnLists gives the columns of each input; a comma separates several that stand side by side.
func (src Source) columnLists() map[string][]string {
	lists := map[string][]string{}
	for input, column := range src.Columns {
		lists[input] = strings.Split(column, ",")
	}
	return lists
}

func readJSONL(spec dataset.Spec, src Source) *dataset.Dataset {
	l := src.limits
	o := dataset.JSONLOptions{Open: src.openRows(rowKeys(spec, src)), Keep: src.Keep, Keys: src.columnLists(), MaxLine: int(l.RowBytes), MaxDepth: l.Depth, MaxValues: l.Elements, MaxLength: l.Length}
	return dataset.JSONLFiles(spec, o, src.Files...)
}

func readCSV(comma byte) func(dataset.Spec, Source) *dataset.Dataset {
	return func(spec dataset.Spec, src Source) *dataset.Dataset {
		o := csv.Options{Open: src.open, Keep: src.Keep, Columns: src.columnLists(), MaxRow: int(src.limits.RowBytes)}
		if comma == '\t' {
			o.Comma = comma
		}
		return csv.Rows(spec, o, src.Files...)
	}
}

func readNPY(rows func(dataset.Spec, npy.Options, ...string) *dataset.Dataset) func(dataset.Spec, Source) *dataset.Dataset {
	return func(spec dataset.Spec, src Source) *dataset.Dataset {
		return rows(spec, npy.Options{Open: src.open, Keep: src.Keep, Columns: src.columnLists(), MaxRow: src.limits.RowBytes, BlockBytes: src.blockBytes}, src.Files...)
	}
}

func readTFRecord(spec dataset.Spec, src Source) *dataset.Dataset {
	o := tfrecord.Options{Open: src.openRecords, Keep: src.Keep, Columns: src.columnLists(), MaxRecord: src.limits.RowBytes, MaxValues: src.limits.mostValues(spec)}
	return tfrecord.Rows(spec, o, src.Files...)
}

func readParquet(spec dataset.Spec, src Source) *dataset.Dataset {
	return parquet.Rows(spec, parquet.Options{Open: src.open, Keep: src.Keep, Columns: src.columnLists(), BlockBytes: int64(src.blockBytes)}, src.Files...)
}

func readArrow(spec dataset.Spec, src Source) *dataset.Dataset {
	return arrow.Rows(spec, arrow.Options{Open: src.open, Keep: src.Keep, Columns: src.columnLists()}, src.Files...)
}

// table is what results consist of.
type table struct {
	names []string     // of the outputs, in their order
	spec  dataset.Spec // of a row of them, a tuple; zero where an output is sparse
	keep  []string     // the extra columns
	// part is the file that is written, which may hold rows of an interrupted run; nil where the
	// output is none.
	part *partfile.File
	// group is the most rows of a row group or record batch; 0: what is usual in the format.
	group int
}

// begun reports whether the output holds rows of an interrupted run already.
func (t table) begun() bool { return t.part != nil && t.part.Rows() > 0 }

// errorColumn holds what is wrong with a row, where such rows are skipped.
const errorColumn = "error"

// table describes the results of a run with the given kept columns, into a part or something else.
func (p *Predictor) table(keep []string, out rowOutput) table {
	t := table{names: p.outputs, keep: slices.Clone(keep)}
	t.part, _ = out.(*partfile.File)
	if p.o.SkipBadRows {
		t.keep = append(t.keep, errorColumn)
	}
	var items []dataset.Spec
	for _, out := range p.f.outputs {
		switch out.Role {
		case "", "values":
			items = append(items, dataset.Leaf(p.outputComponent(out)))
		case "indices":
			return t
		}
	}
	t.spec = dataset.Tuple(items...)
	return t
}

// outputComponent describes an output's value in a row.
func (p *Predictor) outputComponent(out Endpoint) dataset.Component {
	drop := 1
	if p.o.NoBatch {
		drop = 0
	}
	c := dataset.Component{DType: out.DType, Shape: out.Shape.Drop(drop)}
	if out.labels != nil {
		c.DType = tensor.String
	}
	if out.Role == "" {
		return c
	}
	c.Shape = tensor.UnknownShape()
	c.SplitsDType = tensor.Int64
	for _, e := range p.f.outputs {
		if e.Value == out.Value && strings.HasPrefix(e.Role, "row_splits") {
			c.RaggedRank++
			c.SplitsDType = e.DType
		}
	}
	if c.RaggedRank -= drop; c.RaggedRank > 0 {
		c.Ragged = true
	} else {
		c.Shape = out.Shape
	}
	return c
}

// rowWriter writes results.
type rowWriter interface {
	write(r Result) error
	// checkpoint hands on what is collected, as far as the format can, and returns what another
	// writer has to know of the rows so far to go on with the next.
	checkpoint() (state []byte, err error)
	// close makes the file whole, without closing what it is written to.
	close() error
}

// batchWriter is a rowWriter that can take a batch of dense values at once.
type batchWriter interface {
	// writeBatch writes the results of rows that follow each other, and reports false where they
	// have to be written one by one.
	writeBatch(b *resultBatch) (done bool, err error)
}

// jsonlWriter writes a line of JSON for each result.
type jsonlWriter struct {
	w     io.Writer
	names []string
	line  []byte
}

func writeJSONL(w io.Writer, t table) (rowWriter, error) {
	return &jsonlWriter{w: w, names: t.names}, nil
}

func (j *jsonlWriter) write(r Result) (err error) {
	if j.line, err = AppendRow(j.line[:0], j.names, r); err != nil {
		return err
	}
	_, err = j.w.Write(append(j.line, '\n'))
	return err
}

func (j *jsonlWriter) checkpoint() ([]byte, error) { return nil, nil }
func (j *jsonlWriter) close() error                { return nil }

// elementWriter is what the writers of package dataset have in common.
type elementWriter interface {
	Write(e dataset.Element) error
	Close() error
}

// tableWriter turns results into elements.
type tableWriter struct{ w elementWriter }

// newTableWriter checks that results are a table.
func newTableWriter(t table, open func() (elementWriter, error)) (*tableWriter, error) {
	if t.spec.IsZero() {
		return nil, &OptionError{Option: "Format", Msg: "sparse outputs are written as JSON lines only; name the output .jsonl, or leave them out with --outputs"}
	}
	w, err := open()
	if err != nil {
		return nil, err
	}
	return &tableWriter{w: w}, nil
}

func (t *tableWriter) write(r Result) error { return t.w.Write(t.element(r)) }

// element returns a result as an element of the spec.
func (t *tableWriter) element(r Result) dataset.Element {
	e := dataset.Element{Row: r.Row, Extra: r.Extra}
	if r.Err != nil {
		e.Extra = append(slices.Clone(e.Extra), dataset.Field{Key: errorColumn, Value: dataset.AppendJSONString(nil, r.Err.Error())})
		return e
	}
	e.Tensors = make([]tensor.Tensor, len(r.Values))
	for i, v := range r.Values {
		e.Tensors[i] = v.Tensor
		if v.Splits != nil {
			if e.Splits == nil {
				e.Splits = make([][]tensor.Tensor, len(r.Values))
			}
			e.Splits[i] = v.Splits
		}
	}
	return e
}

// writeBatch hands the values on as they are, where the file's writer takes them so.
func (t *tableWriter) writeBatch(b *resultBatch) (done bool, err error) {
	w, ok := t.w.(interface {
		WriteBlock(b dataset.RowBlock) error
	})
	if !ok || b.extra != nil || b.whole || b.values == nil {
		return false, nil
	}
	block := dataset.RowBlock{Row: b.first, Tensors: make([]tensor.Tensor, len(b.values))}
	for i, v := range b.values {
		if v.Splits != nil || v.Sparse != nil {
			return false, nil
		}
		block.Tensors[i] = v.Tensor
		if v.Tensor.Dims()[0] != int64(b.count) {
			block.Tensors[i] = v.Tensor.Slice(0, b.count) // a fixed batch size: the rest is filling
		}
	}
	return true, w.WriteBlock(block)
}

func (t *tableWriter) checkpoint() ([]byte, error) {
	switch w := t.w.(type) {
	case interface{ Flush() error }:
		return nil, w.Flush()
	case interface{ State() ([]byte, error) }:
		return w.State()
	}
	return nil, nil
}

func (t *tableWriter) close() error { return t.w.Close() }

func writeCSV(comma byte) func(io.Writer, table) (rowWriter, error) {
	return func(w io.Writer, t table) (rowWriter, error) {
		return newTableWriter(t, func() (elementWriter, error) {
			return csv.NewWriter(w, t.spec, csv.WriterOptions{Names: t.names, Keep: t.keep, Comma: comma, NoHeader: t.begun()})
		})
	}
}

func writeNPY(open func(io.Writer, dataset.Spec, npy.WriterOptions) (*npy.Writer, error)) func(io.Writer, table) (rowWriter, error) {
	return func(w io.Writer, t table) (rowWriter, error) {
		o := npy.WriterOptions{Names: t.names, Keep: t.keep}
		if t.part != nil {
			o.Resume = t.part.State()
			o.Spool = func() (npy.Spool, error) {
				s, err := t.part.Side()
				return arraySpool{s}, err
			}
		}
		return newTableWriter(t, func() (elementWriter, error) { return open(w, t.spec, o) })
	}
}

// arraySpool is a side file of the output, which closes it.
type arraySpool struct{ *partfile.Spool }

// Close does nothing.
func (arraySpool) Close() error { return nil }

func writeParquet(w io.Writer, t table) (rowWriter, error) {
	o := parquet.WriterOptions{Names: t.names, Keep: t.keep, GroupRows: t.group}
	if t.part != nil {
		log, err := t.part.Side()
		if err != nil {
			return nil, err
		}
		if o.Resume, err = log.Bytes(); err != nil {
			return nil, err
		}
		o.Log = log
	}
	return newGroupWriter(t, func() (partfile.GroupedWriter, error) { return parquet.NewWriter(w, t.spec, o) })
}

func writeArrow(w io.Writer, t table) (_ rowWriter, err error) {
	o := arrow.WriterOptions{Names: t.names, Keep: t.keep, BatchRows: t.group}
	if t.part != nil {
		if o.Resume, err = t.part.Section(); err != nil {
			return nil, err
		}
	}
	return newGroupWriter(t, func() (partfile.GroupedWriter, error) { return arrow.NewWriter(w, t.spec, o) })
}

// newGroupWriter is newTableWriter for a format of groups, which a file that may be gone on with
// needs help for.
func newGroupWriter(t table, open func() (partfile.GroupedWriter, error)) (rowWriter, error) {
	return newTableWriter(t, func() (elementWriter, error) {
		w, err := open()
		if err != nil || t.part == nil {
			return w, err
		}
		return partfile.NewGroups(t.part, w, t.spec, t.keep)
	})
}

func writeTFRecord(w io.Writer, t table) (rowWriter, error) {
	return newTableWriter(t, func() (elementWriter, error) {
		return tfrecord.NewWriter(w, t.spec, tfrecord.WriterOptions{Names: t.names, Keep: t.keep})
	})
}
