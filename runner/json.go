package runner

import (
	"fmt"

	"github.com/tfrun/tfrun/dataset"
)

// AppendRow appends a result as a line of JSON without its end: {"<output>": value, …} with the
// outputs in the order of names, then the extra fields as they were read; or {"error": "…"} and the
// extra fields for a row that has no values.
func AppendRow(dst []byte, names []string, r Result) ([]byte, error) {
	dst = append(dst, '{')
	if r.Err != nil {
		dst = dataset.AppendJSONString(append(dst, `"error":`...), r.Err.Error())
	} else {
		for i, v := range r.Values {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dataset.AppendJSONString(dst, names[i]), ':')
			var err error
			if dst, err = v.AppendJSON(dst); err != nil {
				return dst, fmt.Errorf("output %q: %w", names[i], err)
			}
		}
	}
	for _, x := range r.Extra {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(dataset.AppendJSONString(dst, x.Key), ':')
		dst = x.AppendJSON(dst)
	}
	return append(dst, '}'), nil
}

// FixedBatchSize is the batch size that the signature fixes, or 0 where it takes any.
func (p *Predictor) FixedBatchSize() int64 { return p.fixed }

// AppendRowJSON appends a row as the JSON object that a .jsonl file of such rows has, without a
// line break.
func (p *Predictor) AppendRowJSON(dst []byte, row dataset.Element) ([]byte, error) {
	c := 0
	return appendNest(dst, p.spec, row, &c)
}

// appendNest writes the components of spec, of which *c is the next.
func appendNest(dst []byte, spec dataset.Spec, row dataset.Element, c *int) ([]byte, error) {
	if spec.IsLeaf() {
		i := *c
		*c++
		r, _ := row.Ragged(i)
		return dataset.AppendJSON(dst, row.Tensors[i], r.Splits)
	}
	var err error
	dst = append(dst, '{')
	for i, key := range spec.Keys() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dataset.AppendJSONString(dst, key), ':')
		if dst, err = appendNest(dst, spec.Items()[i], row, c); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}
