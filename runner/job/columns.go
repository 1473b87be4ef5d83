package job

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
	"github.com/tfrun/tfrun/tensor"
)

// maxWide bounds the columns that one output becomes.
const maxWide = 1 << 14

// tabular are the formats with columns of values.
var tabular = []string{"csv", "tsv", "parquet", "arrow"}

// column is a column of the results.
type column struct {
	name  string
	value int // index of the output
	at    int // index of the entry in the output's rows; -1: the whole row
	// squeezed says that the row has one value, which is written without its axes.
	squeezed bool
	dataset.Component
}

// columns returns the columns of the results in a format.
func (j Job) columns(p *runner.Predictor, form source.Format) ([]column, error) {
	squeeze := j.Squeeze == SqueezeAll || j.Squeeze == SqueezeTables && slices.Contains(tabular, form.Name)
	var list []column
	value := -1
	outputs := p.Function().Outputs()
	for i, out := range outputs {
		if i == 0 || out.Role == "" || out.Value != outputs[i-1].Value {
			value++
		}
		if out.Role != "" && out.Role != "values" && out.Role != "0" {
			continue
		}
		c := column{name: p.OutputNames()[value], value: value, at: -1, Component: outputComponent(p, out)}
		n, fixed := c.Shape.NumElements()
		plain := out.Role == "" && c.Shape.Rank() > 0
		switch {
		case plain && squeeze && fixed && n == 1:
			c.squeezed, c.Shape = true, tensor.MakeShape()
		case j.Wide == WideColumns && (plain && (!fixed || n > maxWide) || !plain && c.Shape.Rank() != 0):
			return nil, &runner.OptionError{Option: "Wide", Msg: fmt.Sprintf("output %q has rows of shape %s, which are no fixed number of columns up to %d; pick other outputs, or leave it a list", c.name, c.Shape, maxWide)}
		case plain && j.Wide == WideColumns && n > 1:
			list = append(list, c.spread(int(n))...)
			continue
		}
		list = append(list, c)
	}
	if err := uniqueColumns(list, p.Options().SkipBadRows); err != nil {
		return nil, err
	}
	if form.Name == "npy" {
		return list, j.checkArray(p, list)
	}
	return list, nil
}

// checkArray makes sure that the results are one array, which is all that an npy file holds.
func (j Job) checkArray(p *runner.Predictor, list []column) error {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.name
	}
	switch {
	case len(names) > 1:
		return &runner.OptionError{Option: "Outputs", Msg: fmt.Sprintf("an npy file holds one array, there are %d: %s; pick one, or use npz", len(names), words.Short(strings.Join(names, ", ")))}
	case len(j.Source.keptNames()) > 0:
		return &runner.OptionError{Option: "Keep", Msg: fmt.Sprintf("an npy file has no room for column %q beside its one array; use npz", j.Source.keptNames()[0])}
	case p.Options().SkipBadRows:
		return &runner.OptionError{Option: "SkipBadRows", Msg: "an npy file has no room for the errors of bad rows beside its one array; use npz"}
	}
	return nil
}

// spread returns a column for each of the n values of a row.
func (c column) spread(n int) []column {
	list := make([]column, n)
	dims := c.Shape.Dims()
	for i := range list {
		name, rest := "", i
		for k := len(dims) - 1; k >= 0; k-- {
			name = "." + strconv.Itoa(rest%int(dims[k])) + name
			rest /= int(dims[k])
		}
		list[i] = c
		list[i].name, list[i].at, list[i].Shape = c.name+name, i, tensor.MakeShape()
	}
	return list
}

// uniqueColumns makes sure that no column of one output has the name of another's, or where bad
// rows are skipped that of their errors.
func uniqueColumns(list []column, skip bool) error {
	seen := make(map[string]bool, len(list))
	for _, c := range list {
		if skip && c.name == errorColumn {
			return &runner.OptionError{Option: "Outputs", Msg: fmt.Sprintf("column %q says why a bad row was skipped: rename the output, NAME=OUTPUT", c.name)}
		}
		if seen[c.name] {
			return &runner.OptionError{Option: "Outputs", Msg: fmt.Sprintf("two columns would be called %q: rename an output, NAME=OUTPUT", c.name)}
		}
		seen[c.name] = true
	}
	return nil
}

// typeName returns the type of the column's values, in the words of Apache Arrow. For CSV, whose
// cells are text, it is the type that the text stands for.
func (c column) typeName() string {
	name := arrowName(c.DType)
	if !c.Shape.Ranked() {
		return "lists of " + name
	}
	for range c.Shape.Rank() + c.RaggedRank {
		name = "list<" + name + ">"
	}
	return name
}

// arrowName returns Apache Arrow's name for values of a dtype.
func arrowName(d tensor.DType) string {
	switch d {
	case tensor.Float16:
		return "halffloat"
	case tensor.Bfloat16, tensor.Float32:
		return "float"
	case tensor.Float64:
		return "double"
	}
	return d.String()
}

// newTable describes the results of a run with the given columns and kept columns, which are
// written to out.
func newTable(p *runner.Predictor, columns []column, keep []string, out rowOutput) table {
	t := table{keep: slices.Clone(keep)}
	switch out := out.(type) {
	case *partfile.File:
		t.part = out
	case *members:
		t.part, _ = out.file.(*partfile.File)
	case *stdout:
		t.stream = true
	}
	if p.Options().SkipBadRows {
		t.keep = append(t.keep, errorColumn)
	}
	items := make([]dataset.Spec, len(columns))
	for i, c := range columns {
		t.names, items[i] = append(t.names, c.name), dataset.Leaf(c.Component)
	}
	sparse := func(e runner.Endpoint) bool { return e.Role == "indices" }
	if !slices.ContainsFunc(p.Function().Outputs(), sparse) {
		t.spec = dataset.Tuple(items...)
	}
	return t
}

// outputComponent describes one row of an output.
func outputComponent(p *runner.Predictor, out runner.Endpoint) dataset.Component {
	drop := 1
	if p.Options().NoBatch {
		drop = 0
	}
	c := dataset.Component{DType: out.DType, Shape: out.Shape.Drop(drop)}
	if out.Labels != nil {
		c.DType = tensor.String
	}
	if out.Role == "" {
		return c
	}
	c.Shape = tensor.UnknownShape()
	c.SplitsDType = tensor.Int64
	for _, e := range p.Function().Outputs() {
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

// columnsWriter splits outputs into columns and passes these to another writer.
type columnsWriter struct {
	rowWriter
	columns []column
	values  []runner.Value // of the current row
}

// newColumnsWriter opens a writer of the format for the columns. If each column is a whole output,
// it returns the format's own writer.
func newColumnsWriter(w io.Writer, form source.Format, t table, columns []column) (rowWriter, error) {
	inner, err := writers[form.Name](w, t)
	if err != nil || !slices.ContainsFunc(columns, func(c column) bool { return c.squeezed || c.at >= 0 }) {
		return inner, err
	}
	return &columnsWriter{rowWriter: inner, columns: columns, values: make([]runner.Value, len(columns))}, nil
}

func (w *columnsWriter) write(r runner.Result) error {
	if r.Values != nil {
		for i, c := range w.columns {
			v, err := c.of(r.Values[c.value])
			if err != nil {
				return fmt.Errorf("output %q: %w", c.name, err)
			}
			w.values[i] = v
		}
		r.Values = w.values
	}
	return w.rowWriter.write(r)
}

// of returns the column's value for a row of the output.
func (c column) of(v runner.Value) (runner.Value, error) {
	var err error
	switch {
	case c.squeezed:
		v.Tensor, err = v.Tensor.Reshape()
	case c.at >= 0:
		if v.Tensor, err = v.Tensor.Reshape(int64(v.Tensor.Len())); err == nil {
			v.Tensor = v.Tensor.Index(c.at)
		}
	}
	return v, err
}

// takesBlocks reports whether the other writer does.
func (w *columnsWriter) takesBlocks() bool {
	many, ok := w.rowWriter.(blockWriter)
	return ok && many.takesBlocks()
}

// writeBlock implements blockWriter.
func (w *columnsWriter) writeBlock(b dataset.RowBlock) (err error) {
	formed := dataset.RowBlock{Row: b.Row, Extra: b.Extra, Tensors: make([]tensor.Tensor, len(w.columns))}
	for i, c := range w.columns {
		if formed.Tensors[i], err = c.ofBlock(b.Tensors[c.value]); err != nil {
			return fmt.Errorf("output %q: %w", c.name, err)
		}
	}
	return w.rowWriter.(blockWriter).writeBlock(formed) //nolint:forcetypeassert // takesBlocks says so
}

// ofBlock returns the column's values for all rows of the output.
func (c column) ofBlock(t tensor.Tensor) (tensor.Tensor, error) {
	rows := t.Dims()[0]
	switch {
	case c.squeezed:
		return t.Reshape(rows)
	case c.at < 0 || rows == 0:
		return t, nil
	}
	flat, err := t.Reshape(int64(t.Len()))
	if err != nil {
		return t, err
	}
	at := make([]int, rows)
	for i := range at {
		at[i] = i*(t.Len()/int(rows)) + c.at
	}
	return flat.Gather(at), nil
}
