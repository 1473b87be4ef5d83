package runner

import (
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// How much of a value is shown in an error.
const (
	shownEntries = 12
	shownString  = 40
	shownBytes   = 200
)

// shown writes the values of inputs that are fed for one row, batch axis included, as JSON,
// shortened: the value itself of one input, an object of several.
func shown(list []Endpoint, feeds []tensor.Tensor, inputs []string) string {
	names, values := assemble(list, feeds)
	var parts []string
	for i, v := range values {
		for _, name := range inputs {
			if names[i] != name {
				continue
			}
			text := shownValue(v)
			if len(inputs) > 1 {
				text = string(dataset.AppendJSONString(nil, name)) + ":" + text
			}
			parts = append(parts, text)
		}
	}
	text := strings.Join(parts, ",")
	if len(text) > shownBytes {
		text = strings.ToValidUTF8(text[:shownBytes], "") + "…"
	}
	if len(inputs) > 1 {
		text = "{" + text + "}"
	}
	return text
}

// shownValue writes the first entries of a row's value.
func shownValue(v Value) string {
	t := v.Tensor
	if t.Rank() > 0 && v.Sparse == nil && v.Splits == nil && t.Dims()[0] > 0 {
		t = t.Index(0) // the row, of as many copies as the signature fixes
	}
	cut := t.Len() > shownEntries
	if cut {
		flat, err := t.Reshape(int64(t.Len()))
		if err != nil {
			return ""
		}
		t = flat.Slice(0, shownEntries)
	}
	if t.DType() == tensor.String {
		short := make([]string, t.Len())
		for i, s := range t.Strings() {
			if short[i] = s; len(s) > shownString {
				short[i] = s[:shownString] + "…"
			}
		}
		var err error
		if t, err = tensor.FromSlice(short, t.Dims()...); err != nil {
			return ""
		}
	}
	text, err := dataset.AppendJSON(nil, t, nil)
	if err != nil {
		return ""
	}
	if cut {
		return strings.TrimSuffix(string(text), "]") + ",…]"
	}
	return string(text)
}
