package runner

import "github.com/tfrun/tfrun/dataset"

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
