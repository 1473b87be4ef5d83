package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

func (r *reader) hasFeature(name string) bool { return slices.Contains(r.featureNames(), name) }

func (r *reader) featureNames() []string {
	var names []string
	for _, f := range r.p.Features() {
		names = append(names, f.Name)
	}
	return names
}

// exampleRows returns the rows of a source as serialized Examples. It returns nil for a signature
// that takes no Examples, and if the rows hold serialized Examples already. The source that it
// returns takes the place of src.
func (r *reader) exampleRows(src Source, f source.Format) (*dataset.Dataset, Source, error) {
	if !r.p.TakesRecords() || len(r.sig.Inputs) == 0 || !makesExamples(src, f) || len(r.p.Features()) == 0 && f.Name != "tfrecord" {
		return nil, src, nil
	}
	if f.Name == "tfrecord" {
		rows, err := r.recordRows(src)
		return rows, src, err
	}
	features, src, err := r.encodedFeatures(src, f)
	if err != nil || features == nil {
		return nil, src, err
	}
	encoder, err := tfrecord.NewEncoder(features)
	if err != nil {
		return nil, src, err
	}
	read := src
	read.Columns, read.Keep, read.Nulls = nil, nil, nil
	for _, x := range features {
		read.Keep = append(read.Keep, x.Columns...)
	}
	read.Keep = append(read.Keep, src.Keep...)
	slices.Sort(read.Keep)
	read.Keep = slices.Compact(read.Keep)
	rows := read.filesFor(r.p).Rows(f, dataset.Dict(map[string]dataset.Spec{}))
	return rows.Map(r.spec, func(e dataset.Element) (dataset.Element, error) {
		example, err := encoder.Append(nil, e.Extra)
		e.Extra = kept(e.Extra, src.Keep)
		if f, ok := errors.AsType[*tfrecord.FeatureError](err); ok {
			return e, e.Syntax(f.Feature, errors.New(f.Msg))
		}
		if err != nil {
			return e, err
		}
		e.Tensors = []tensor.Tensor{r.message(string(example))}
		return e, nil
	}), src, nil
}

// recordRows returns the records of TFRecord files unparsed. It returns nil if the input is to be
// read from a feature of the records.
func (r *reader) recordRows(src Source) (*dataset.Dataset, error) {
	as := "records go to the model as they are: "
	switch {
	case src.Columns[r.sig.InputNames()[0]] != "":
		return nil, nil
	case len(src.Columns) > 0:
		return nil, &runner.OptionError{Option: "Columns", Msg: as + "it reads their features by its own names"}
	case len(src.Keep) > 0:
		return nil, &runner.OptionError{Option: "Keep", Msg: as + "there are no columns to keep"}
	case len(src.Nulls) > 0:
		return nil, &runner.OptionError{Option: "Nulls", Msg: as + "there is no place for other values"}
	}
	if src.records != nil {
		for _, name := range src.Files {
			src.records(name, "")
		}
	}
	rows := tfrecord.Records(tfrecord.Options{Open: src.filesFor(r.p).OpenRecords, MaxRecord: r.limits.RowBytes}, src.Files...)
	return rows.Map(r.spec, func(e dataset.Element) (dataset.Element, error) {
		e.Tensors = []tensor.Tensor{r.message(e.Tensors[0].Strings()[0])}
		return e, nil
	}), nil
}

// message returns a row whose only input is a string, a serialized message.
func (r *reader) message(s string) tensor.Tensor {
	t := tensor.Scalar(s)
	if dims, ok := r.spec.Flatten()[0].Side(1); ok && len(dims) > 0 {
		t, _ = t.Reshape(dims...) // a string is one value, so there is no error
	}
	return t
}

// encodedFeatures returns which columns make the features of the Examples; nil if the rows hold
// serialized Examples already. The source that it returns takes the place of src.
func (r *reader) encodedFeatures(src Source, f source.Format) ([]tfrecord.Feature, Source, error) {
	src, have, err := r.columnsOf(src, f)
	if err != nil || have.ready {
		return nil, src, err
	}
	features, err := r.encoded(src, f, have.names)
	return features, src, err
}

// describeFeatures returns, for a plan, which columns make the features of the Examples.
func (r *reader) describeFeatures(src Source) ([]PlanFeature, Source, error) {
	if len(r.p.Features()) == 0 {
		return nil, src, nil
	}
	f, err := src.files().Find()
	if err != nil || !makesExamples(src, f) || f.Name == "tfrecord" {
		return nil, src, err
	}
	made, src, err := r.encodedFeatures(src, f)
	if err != nil || made == nil {
		return nil, src, err
	}
	list := make([]PlanFeature, 0, len(r.p.Features()))
	for _, x := range r.p.Features() {
		row := PlanFeature{Name: x.Name, Columns: []string{}, DType: x.DType, Shape: x.Shape}
		for _, m := range made {
			if m.Name == x.Name {
				row.Columns = m.Columns
			}
		}
		list = append(list, row)
	}
	return list, src, nil
}

// makesExamples reports whether a format's rows may be columns of features, or records that are
// Examples.
func makesExamples(src Source, f source.Format) bool {
	return src.Encoder == nil && f.Name != "txt" && f.Name != "npy"
}

// kept returns the columns to keep, in the order of keep.
func kept(columns []dataset.Field, keep []string) []dataset.Field {
	var out []dataset.Field
	for _, name := range keep {
		for _, c := range columns {
			if c.Key == name {
				out = append(out, c)
				break
			}
		}
	}
	return out
}

// encoded returns which columns make which features. have lists the source's columns; nil: each row
// has columns of its own.
func (r *reader) encoded(src Source, f source.Format, have []string) ([]tfrecord.Feature, error) {
	lists := src.files().ColumnLists()
	var out []tfrecord.Feature
	for _, x := range r.p.Features() {
		e := tfrecord.Feature{
			Name: x.Name, DType: x.DType, Shape: x.Shape, Required: x.Required, Columns: lists[x.Name], Null: src.Nulls[x.Name],
			EmptyIsMissing: f.Name == "csv" || f.Name == "tsv",
		}
		if x.Kind != savedmodel.DenseFeature {
			e.Shape = tensor.UnknownShape()
		}
		mapped := len(e.Columns) > 0
		if !mapped {
			e.Columns = []string{x.Name}
		}
		if have != nil {
			e.Columns = matchColumns(e.Columns, have)
		}
		for _, name := range e.Columns {
			if !mapped && e.Null.DType() != tensor.Invalid {
				break // the feature is optional
			}
			if have != nil && !slices.Contains(have, name) {
				if !mapped && !x.Required {
					e.Columns = nil
					break
				}
				return nil, &dataset.ColumnError{File: src.Files[0], Component: x.Name, Column: name, Have: have}
			}
		}
		if len(e.Columns) > 0 {
			out = append(out, e)
		}
	}
	if len(out) == 0 && have != nil {
		return nil, &dataset.ColumnError{File: src.Files[0], Have: have, Msg: "no column is a feature of the model's tf.Examples: " + strings.Join(r.featureNames(), ", ")}
	}
	return out, nil
}

// matchColumns replaces patterns by the columns that match them.
func matchColumns(names, have []string) []string {
	var out []string
	for _, name := range names {
		found := false
		for _, h := range have {
			if ok, err := path.Match(name, h); err == nil && ok && !slices.Contains(have, name) {
				out, found = append(out, h), true
			}
		}
		if !found {
			out = append(out, name)
		}
	}
	return out
}

// sourceColumns describes the columns of a source.
type sourceColumns struct {
	names []string // nil: not known
	ready bool     // rows hold serialized Examples
}

// columnsOf looks at the first file, or at the beginning of standard input, which the returned
// source reads once more.
func (r *reader) columnsOf(src Source, f source.Format) (Source, sourceColumns, error) {
	input := r.sig.InputNames()[0]
	column := input
	if c := src.Columns[input]; c != "" {
		column = c
	}
	var have sourceColumns
	src, found, err := r.peek(src, f, append(r.featureNames(), column))
	switch {
	case err != nil:
	case found.row != nil:
		have.ready = readyRow(found.row, column, r.hasFeature(input) && column == input)
	case found.names != nil:
		have.names = found.names
		have.ready = slices.Contains(have.names, column) && !r.hasFeature(column)
	}
	return src, have, err
}

// readyRow reports whether a row of JSON is a serialized Example: a string, or an object with a
// string under the input's key. ambiguous says that a feature has this key too.
func readyRow(text []byte, key string, ambiguous bool) bool {
	text = bytes.TrimLeft(text, "\ufeff \t\r\n")
	if len(text) == 0 || text[0] != '{' {
		return true
	}
	var row map[string]json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&row); err != nil {
		// A long row, or a bad one, which is reported when it is read.
		return false
	}
	_, b64 := row["b64"]
	_, has := row[key]
	return b64 && len(row) == 1 || has && !ambiguous
}

// PlanFeature says which columns make a feature of the tf.Examples.
type PlanFeature struct {
	Name string `json:"name"`
	// Columns are the names of the columns. They are empty if the file has none for the feature,
	// which then takes the model's default.
	Columns []string     `json:"columns"`
	DType   tensor.DType `json:"dtype"`
	Shape   tensor.Shape `json:"shape"`
}
