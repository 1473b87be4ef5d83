package dataset

import (
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/tensor"
)

// AppendJSON appends a value to dst as JSON, as [JSONL] reads it: a scalar, or nested lists, of
// unequal length where splits (nested row splits, outermost first; nil for a dense value) say so.
// Integers are exact and floats the shortest text that reads back to the same value, 16-bit ones as
// the float32 of the same value. What is not finite is written NaN, Infinity or -Infinity, as
// Python's json does. A complex number is [re, im]; a string that is not UTF-8 is {"b64": "…"}. It
// fails for dtypes that have no values in Go's memory.
func AppendJSON(dst []byte, t tensor.Tensor, splits []tensor.Tensor) ([]byte, error) {
	return jsontext.Append(dst, t, splits)
}

// AppendJSONString appends a text as a JSON string, or as {"b64": "…"} where it is not UTF-8.
func AppendJSONString(dst []byte, s string) []byte { return jsontext.AppendString(dst, s) }

// NullNaN returns a line of JSON with null in the place of each NaN, Infinity and -Infinity, which
// are no JSON for most readers.
func NullNaN(line []byte) []byte { return jsontext.NullNaN(line) }
