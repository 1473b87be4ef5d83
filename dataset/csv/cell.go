package csv

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/tensor"
)

// missing reports whether a cell holds no value: it is empty, or one of the texts for null without
// quotes around it.
func (p *parser) missing(cell field) bool {
	return !cell.quoted && (len(cell.text) == 0 || slices.Contains(p.null, string(cell.text)))
}

// set reads a cell's text into the store of its component.
func (j *job) set(t *target, cell field) (msg string) {
	switch t.kind {
	case skipCell:
		return ""
	case manyCell:
		for i := range t.more {
			if msg := j.set(&t.more[i], cell); msg != "" {
				return msg
			}
		}
		return ""
	case keptCell:
		j.keepCell(t, cell)
		return ""
	}
	s, comp := &j.comps[t.store], &j.p.comps[t.store]
	if j.p.isNull(comp, cell) {
		return s.setNull(comp, t, cell)
	}
	switch t.kind {
	case stringCell:
		s.setString(comp, t, onlyString(comp, cell.text))
		return ""
	case jsonCell:
		return s.setList(comp, cell.text)
	}
	return s.setNumber(comp, t, cell.text)
}

// isNull reports whether a cell holds no value for a component. For a component of strings an empty
// cell is an empty string, unless the options have a value for missing cells. For others quotes
// make no difference.
func (p *parser) isNull(comp *component, cell field) bool {
	if comp.DType != tensor.String {
		return len(cell.text) == 0 || slices.Contains(p.null, string(cell.text))
	}
	return p.missing(cell) && (len(cell.text) > 0 || comp.fill.DType() != tensor.Invalid)
}

// setNull stores the value for missing cells in the place of a missing cell.
func (s *store) setNull(comp *component, t *target, cell field) (msg string) {
	switch {
	case comp.fill.DType() == tensor.Invalid:
		return "want " + comp.wanted() + ", got " + shown(cell.text)
	case comp.json:
		return s.putOne(comp, comp.fill)
	case comp.DType == tensor.String:
		s.setString(comp, t, []byte(comp.fill.Strings()[0]))
	default:
		copy(s.data[len(s.data)-t.back:], comp.fill.Bytes())
	}
	return ""
}

// wanted says what a cell of the component holds.
func (c *component) wanted() string {
	if _, one := c.Side(1); c.json && !one {
		return "a list"
	}
	return dtypes.Article(c.DType)
}

// shown describes the text of a missing cell for an error.
func shown(text []byte) string {
	if len(text) == 0 {
		return "an empty cell"
	}
	return quoted(text) + ", which stands for no value"
}

func (s *store) setString(comp *component, t *target, text []byte) {
	lo := len(s.text)
	s.text = append(s.text, text...)
	s.spans[len(s.spans)-comp.n+t.at] = span{lo, len(s.text)}
}

// setNumber stores a number or a boolean.
func (s *store) setNumber(comp *component, t *target, text []byte) (msg string) {
	one, err := s.value(comp)
	if err != nil {
		return err.Error()
	}
	if msg := number(onlyNumber(comp, bytes.TrimSpace(text)), one, comp.fill); msg != "" {
		return msg
	}
	copy(s.data[len(s.data)-t.back:], s.one)
	return ""
}

// value returns a vector of one value of the component's type, whose bytes are s.one.
func (s *store) value(comp *component) (tensor.Tensor, error) {
	if s.one == nil {
		s.one = make([]byte, comp.DType.Size())
	}
	return tensor.Share(comp.DType, s.one, []int64{1})
}

// onlyNumber takes the brackets from the cell of a list of one: [[1.5]], or [1.5] for a single
// value.
func onlyNumber(comp *component, text []byte) []byte {
	for range max(len(comp.dims), 1) {
		if comp.n != 1 || len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
			break
		}
		text = bytes.TrimSpace(text[1 : len(text)-1])
	}
	return text
}

// onlyString returns the text of a cell as a string. Where a list of one string is wanted, it may
// also be JSON: ["a"].
func onlyString(comp *component, text []byte) []byte {
	if len(comp.dims) == 0 {
		return text
	}
	if inner := onlyNumber(comp, text); len(inner) < len(text) && len(inner) > 1 && inner[0] == '"' {
		var only string
		if json.Unmarshal(inner, &only) == nil {
			return []byte(only)
		}
	}
	return text
}

// setList stores a cell that holds a list, or a single value in the place of a list of one.
func (s *store) setList(comp *component, cell []byte) (msg string) {
	if s.parser == nil {
		p, err := dataset.NewValueParser(comp.Component, comp.fill, dataset.ReadOptions{Keep: true})
		if err != nil {
			return err.Error()
		}
		s.parser = p
	}
	text := bytes.TrimSpace(cell)
	if dims, one := comp.Side(1); one && !isList(comp, text) {
		if comp.DType == tensor.String {
			return s.putOne(comp, tensor.Scalar(string(cell)))
		}
		v, err := s.value(comp)
		if err != nil {
			return err.Error()
		}
		if msg := number(text, v, comp.fill); msg != "" {
			return msg
		}
		own, err := tensor.FromBytes(v.DType(), bytes.Clone(v.Bytes()), dims...)
		if err != nil {
			return err.Error()
		}
		return s.put(comp, own, dims, nil)
	}
	t, splits, err := s.parser.Parse(text)
	if err != nil && isList(comp, text) {
		if list, ok := fromPython(text); ok {
			var again error
			if t, splits, again = s.parser.Parse(list); again == nil {
				err = nil
			}
		}
	}
	if err != nil {
		return err.Error()
	}
	return s.put(comp, t, t.Dims(), splits)
}

// isList reports whether the text of a cell is a list, in the brackets of JSON and Python, or in
// the parentheses of a tuple. A text in parentheses is no list for a component of strings.
func isList(comp *component, text []byte) bool {
	return len(text) > 0 && (text[0] == '[' || text[0] == '(' && comp.DType != tensor.String)
}

// putOne stores a single value as the value of the last row.
func (s *store) putOne(comp *component, t tensor.Tensor) (msg string) {
	dims, ok := comp.Side(1)
	if !ok {
		return "want a list, got a single value"
	}
	return s.put(comp, t, dims, nil)
}

// put stores the value of the last row, in the given sizes.
func (s *store) put(comp *component, t tensor.Tensor, dims []int64, splits []tensor.Tensor) (msg string) {
	t, err := t.Reshape(dims...)
	if err != nil {
		return err.Error()
	}
	s.values[len(s.values)-1] = t
	if comp.Ragged {
		s.splits[len(s.splits)-1] = splits
	}
	return ""
}

// appendKept appends a kept cell that is not missing as JSON: a number where the text is a number
// of JSON, a boolean where it is true or false, otherwise a string. Quotes around the cell make no
// difference, since some programs quote every cell, and others every cell but numbers.
func appendKept(dst, text []byte) []byte {
	switch string(text) {
	case "true", "True", "TRUE":
		return append(dst, "true"...)
	case "false", "False", "FALSE":
		return append(dst, "false"...)
	}
	if jsontext.IsNumber(text) {
		return append(dst, text...)
	}
	return jsontext.AppendString(dst, string(text))
}
