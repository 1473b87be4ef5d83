package job

import (
	"io"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
	"github.com/tfrun/tfrun/tensor"
)

// writers maps the formats of results to functions that return a writer into w.
var writers = map[string]func(w io.Writer, t table) (rowWriter, error){
	"jsonl": writeJSONL, "csv": writeCSV(','), "tsv": writeCSV('\t'), "npy": writeNPY(npy.NewWriter), "npz": writeNPY(npy.NewZipWriter),
	"tfrecord": writeTFRecord, "parquet": writeParquet, "arrow": writeArrow,
}

// writable reports whether results can be written in a format.
func writable(f source.Format) bool { return writers[f.Name] != nil }

// table describes the results to write.
type table struct {
	names []string                     // of the columns made of outputs, in their order
	spec  dataset.Spec                 // of these columns, a tuple; zero if an output is sparse
	keep  []string                     // kept columns
	types map[string]dataset.FieldType // of kept columns, as far as they are known
	// part is the output file, which may hold rows of an interrupted run. It is nil if the output
	// is no file, or is written in one go.
	part   *partfile.File
	stream bool // the output is no file
	// nullNaN makes JSON have null in place of NaN and infinities.
	nullNaN bool
	// group is the most rows of a row group or record batch; 0: the format's default.
	group int
}

// begun reports whether the output holds rows of an interrupted run.
func (t table) begun() bool { return t.part != nil && t.part.Rows() > 0 }

// errorColumn is the column with the errors of bad rows, if such rows are skipped.
const errorColumn = "error"

// rowWriter writes results.
type rowWriter interface {
	write(r runner.Result) error
	// checkpoint writes what is collected, as far as the format can, and returns what a later
	// writer has to know to go on with the next row.
	checkpoint() (state []byte, err error)
	// close completes the file's contents. It does not close the file.
	close() error
}

// blockWriter is a rowWriter that may write many rows of dense values at once.
type blockWriter interface {
	takesBlocks() bool
	// writeBlock writes rows where blocks are taken.
	writeBlock(b dataset.RowBlock) error
}

// jsonlWriter writes a line of JSON for each result.
type jsonlWriter struct {
	w     io.Writer
	names []string
	null  bool // in place of NaN and infinities
	line  []byte
}

func writeJSONL(w io.Writer, t table) (rowWriter, error) {
	return &jsonlWriter{w: w, names: t.names, null: t.nullNaN}, nil
}

func (j *jsonlWriter) write(r runner.Result) (err error) {
	if j.line, err = runner.AppendRow(j.line[:0], j.names, r); err != nil {
		return err
	}
	if j.null {
		j.line = dataset.NullNaN(j.line)
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

// blockElementWriter is an elementWriter that writes many rows of dense values at once.
type blockElementWriter interface {
	elementWriter
	// WriteBlock writes the first rows of a block, and returns how many: all, or one and more.
	WriteBlock(b dataset.RowBlock) (int, error)
}

// tableWriter turns results into elements.
type tableWriter struct{ w elementWriter }

// newTableWriter returns a writer of results, or an error if the results are no table.
func newTableWriter(t table, open func() (elementWriter, error)) (*tableWriter, error) {
	if t.spec.IsZero() {
		return nil, &runner.OptionError{Option: "Format", Msg: "sparse outputs are written as JSON lines only; name the output .jsonl, or leave them out with --outputs"}
	}
	w, err := open()
	if err != nil {
		return nil, err
	}
	return &tableWriter{w: w}, nil
}

func (t *tableWriter) write(r runner.Result) error { return t.w.Write(t.element(r)) }

// element returns a result as an element of the spec.
func (t *tableWriter) element(r runner.Result) dataset.Element {
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

// takesBlocks reports whether the format's writer does.
func (t *tableWriter) takesBlocks() bool {
	_, ok := t.w.(blockElementWriter)
	return ok
}

// writeBlock implements blockWriter.
func (t *tableWriter) writeBlock(b dataset.RowBlock) error {
	w := t.w.(blockElementWriter) //nolint:forcetypeassert // takesBlocks says so
	for {
		n, err := w.WriteBlock(b)
		if err != nil || n == b.Len() {
			return err
		}
		b = b.From(n)
	}
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
		o := npy.WriterOptions{Names: t.names, Keep: t.keep, Types: t.types}
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

// arraySpool is a side file of the output, which the output closes.
type arraySpool struct{ *partfile.Spool }

// Close does nothing.
func (arraySpool) Close() error { return nil }

func writeParquet(w io.Writer, t table) (rowWriter, error) {
	o := parquet.WriterOptions{Names: t.names, Keep: t.keep, Types: t.types, GroupRows: t.group}
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
	o := arrow.WriterOptions{Names: t.names, Keep: t.keep, Types: t.types, BatchRows: t.group}
	if t.part != nil {
		if o.Resume, err = t.part.Section(); err != nil {
			return nil, err
		}
	}
	// Nobody knows whether a stream's reader can look at its end first.
	o.Stream = t.stream
	return newGroupWriter(t, func() (partfile.GroupedWriter, error) { return arrow.NewWriter(w, t.spec, o) })
}

// newGroupWriter is [newTableWriter] for a format with groups. A file that may be resumed then
// keeps the rows of the last group, see [partfile.Groups].
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
