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
