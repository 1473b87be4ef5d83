package tfrecord

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/tensor"
)

// Feature is a feature that [Encoder] makes out of a row's columns.
type Feature struct {
	Name string
	// DType is float32, int64 or string.
	DType tensor.DType
	// Shape is the shape of the value. A row may give nested lists, or the values one after the
	// other: only their number counts.
	Shape tensor.Shape
	// Required: a row without a value is an error, not an Example without the feature.
	Required bool
	// EmptyIsMissing: an empty text is no value, as in comma-separated values. For numbers it is no
	// value in any case.
	EmptyIsMissing bool
	// Columns are the columns that hold the values; several columns hold one each, side by side.
	Columns []string
	// Null, a scalar of DType, takes the place of a missing column, or of a null entry of a list.
	// The zero Tensor: there is no such value.
	Null tensor.Tensor
}

// FeatureError says which feature a row has no valid value for.
type FeatureError struct {
	Feature string
	Msg     string
}

// Error names the feature and what is wrong.
func (e *FeatureError) Error() string { return fmt.Sprintf("feature %q: %s", e.Feature, e.Msg) }

// Encoder makes serialized tf.train.Examples of rows. The rows' columns are JSON texts, as in
// [dataset.Element.Extra]. It is used by one goroutine at a time.
type Encoder struct {
	features []Feature
	values   []*dataset.ValueParser // of each feature: one value, or lists of any depth
	enc      exampleEncoder
	parts    []tensor.Tensor
}

// NewEncoder returns an encoder of the features.
func NewEncoder(features []Feature) (*Encoder, error) {
	e := &Encoder{features: features}
	for _, f := range features {
		if f.DType != tensor.Float32 && f.DType != tensor.Int64 && f.DType != tensor.String {
			return nil, &FeatureError{Feature: f.Name, Msg: fmt.Sprintf("an Example holds float32, int64 and string, not %s", f.DType)}
		}
		p, err := dataset.NewValueParser(dataset.Component{DType: f.DType, Shape: tensor.UnknownShape()}, f.Null, dataset.ReadOptions{Keep: true})
		if err != nil {
			return nil, err
		}
		e.values = append(e.values, p)
	}
	return e, nil
}

// Append appends the Example of a row. A column that is missing, null, an empty cell, or NaN where
// no float is wanted has no value. An error is a *[FeatureError].
func (e *Encoder) Append(dst []byte, columns []dataset.Field) ([]byte, error) {
	e.enc.features = e.enc.features[:0]
	for i := range e.features {
		if err := e.feature(i, columns); err != nil {
			return dst, &FeatureError{Feature: e.features[i].Name, Msg: err.Error()}
		}
	}
	return e.enc.appendTo(dst), nil
}

// feature adds feature i, if the row has it.
func (e *Encoder) feature(i int, columns []dataset.Field) error {
	f := &e.features[i]
	e.parts = e.parts[:0]
	n := int64(0)
	for _, name := range f.Columns {
		text := bytes.TrimSpace(column(columns, name))
		t, err := f.Null, error(nil)
		switch missing := f.missing(text); {
		case missing && f.Null.DType() == tensor.Invalid:
			continue
		case !missing:
			t, err = e.parse(i, text)
		}
		if err != nil {
			return err
		}
		e.parts = append(e.parts, t)
		n += int64(t.Len())
	}
	switch {
	case len(e.parts) == 0 && f.Required:
		return errors.New("the row has no value for it, and the model has no default")
	case len(e.parts) == 0:
		return nil
	case len(e.parts) < len(f.Columns):
		return fmt.Errorf("%d of its %d columns have no value", len(f.Columns)-len(e.parts), len(f.Columns))
	}
	if !f.holds(n) {
		return fmt.Errorf("want %s, got %d values", f.wanted(), n)
	}
	if len(e.parts) == 1 {
		return e.enc.add(f.Name, e.parts[0])
	}
	joined, err := tensor.New(f.DType, n)
	if err != nil {
		return err
	}
	data, strs := joined.Bytes(), joined.Strings()
	for _, t := range e.parts {
		data, strs = data[copy(data, t.Bytes()):], strs[copy(strs, t.Strings()):]
	}
	return e.enc.add(f.Name, joined)
}

func column(columns []dataset.Field, name string) []byte {
	for _, c := range columns {
		if c.Key == name {
			return c.AppendJSON(nil)
		}
	}
	return nil
}

// missing reports whether a text has no value: null, an empty cell, or NaN where no float is
// wanted.
func (f *Feature) missing(text []byte) bool {
	switch jsontext.KindOf(text) {
	case jsontext.Null:
		return true
	case jsontext.Text:
		return string(text) == `""` && (f.EmptyIsMissing || f.DType != tensor.String) || f.DType == tensor.Int64 && strings.EqualFold(string(text), `"nan"`)
	case jsontext.Float:
		return f.DType != tensor.Float32 && string(text) == "NaN"
	}
	return false
}

// parse reads a value from JSON, or from a JSON string that holds the JSON, as the cell of a table
// does.
func (e *Encoder) parse(i int, text []byte) (tensor.Tensor, error) {
	f := &e.features[i]
	if kind := jsontext.KindOf(text); f.DType == tensor.String {
		switch {
		case kind == jsontext.Bool || kind == jsontext.Int || kind == jsontext.Float:
			text = jsontext.AppendString(nil, string(text))
		// A list in the cell of a table.
		case kind == jsontext.Text && f.Shape.Rank() != 0 && bytes.HasPrefix(text, []byte(`"[`)):
			list := jsontext.AsText(text)
			for _, list := range [][]byte{list, pythonList(list)} {
				if t, _, err := e.values[i].Parse(list); err == nil {
					return t, nil
				}
			}
		}
	} else if kind == jsontext.Text || kind == jsontext.Bool {
		text = cellNumber(jsontext.AsText(text))
	}
	t, _, err := e.values[i].Parse(text)
	return t, err
}

// pythonList rewrites a list of strings as Python prints it, and pandas writes it into a cell, as
// JSON. Python puts strings into single quotes, or into double ones if they hold a single quote.
func pythonList(text []byte) []byte {
	var out, s []byte
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == 0 && (c == '\'' || c == '"'):
			quote, s = c, s[:0]
		case quote == 0:
			out = append(out, c)
		case c == quote:
			quote, out = 0, jsontext.AppendString(out, string(s))
		case c == '\\' && i+1 < len(text) && strings.IndexByte("\\'\"", text[i+1]) >= 0:
			i++
			s = append(s, text[i])
		default:
			s = append(s, c)
		}
	}
	return out
}

// cellNumber rewrites the text of a cell as JSON: booleans as 1 and 0, and NaN in any spelling.
func cellNumber(text []byte) []byte {
	switch strings.ToLower(string(bytes.TrimSpace(text))) {
	case "true":
		return []byte("1")
	case "false":
		return []byte("0")
	case "nan":
		return []byte("NaN")
	}
	return text
}

// holds reports whether the shape has room for exactly n values.
func (f *Feature) holds(n int64) bool {
	if !f.Shape.Ranked() {
		return true
	}
	dims := f.Shape.Dims()
	open := slices.Contains(dims, tensor.Unknown)
	product := int64(1)
	for _, d := range dims {
		if d >= 0 {
			product *= d
		}
	}
	if open {
		return product == 0 && n == 0 || product > 0 && n%product == 0
	}
	return n == product
}

func (f *Feature) wanted() string {
	if n, ok := f.Shape.NumElements(); ok && n == 1 {
		return "one value"
	}
	return "values of the shape " + strings.TrimSpace(f.Shape.String())
}
