package shapes

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
)

// WriteJSON writes the document for programs: one object, indented.
func (d *Document) WriteJSON(w io.Writer, _ Look) error { return writeJSON(w, d) }

// shortLists are lists of numbers and nulls that the encoder spread over several lines. Strings hold no line breaks in JSON.
var shortLists = regexp.MustCompile(`\[\n[^][{}"]*\]`)

// writeJSON indents v, with shapes on one line each.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(shortLists.ReplaceAllFunc(b.Bytes(), func(list []byte) []byte {
		short := bytes.Join(bytes.Fields(list), []byte(" "))
		short = bytes.Replace(short, []byte("[ "), []byte("["), 1)
		return bytes.Replace(short, []byte(" ]"), []byte("]"), 1)
	}))
	return err
}
