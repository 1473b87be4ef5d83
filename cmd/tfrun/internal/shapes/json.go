package shapes

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/tfrun/tfrun/internal/words"
)

// WriteJSON writes the document for programs: one object, indented.
func (d *Document) WriteJSON(w io.Writer, _ Look) error { return writeJSON(w, d) }

// longestList is the largest width of a list on one line.
const longestList = 100

// writeJSON writes v indented, with lists of numbers and of names on one line each.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(words.JSON(joinLists(b.Bytes())))
	return err
}

// joinLists puts lists without lists and objects inside on one line each.
func joinLists(indented []byte) []byte {
	out := make([]byte, 0, len(indented))
	start := -1 // of the innermost list, until something nested is found in it
	inString := false
	for i := 0; i < len(indented); i++ {
		c := indented[i]
		out = append(out, c)
		switch {
		case inString && c == '\\':
			i++
			out = append(out, indented[i])
		case c == '"':
			inString = !inString
		case inString:
		case c == '[':
			start = len(out) - 1
		case c == '{':
			start = -1
		case c == ']' && start >= 0:
			out = append(out[:start], joinList(out[start:])...)
			start = -1
		}
	}
	return out
}

// joinList puts a list on one line, if it is short enough.
func joinList(list []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, list) != nil || b.Len() > longestList {
		return bytes.Clone(list)
	}
	short := make([]byte, 0, b.Len()+8)
	inString := false
	for compact := b.Bytes(); len(compact) > 0; compact = compact[1:] {
		c := compact[0]
		short = append(short, c)
		switch {
		case inString && c == '\\':
			compact = compact[1:]
			short = append(short, compact[0])
		case c == '"':
			inString = !inString
		case c == ',' && !inString:
			short = append(short, ' ')
		}
	}
	return short
}
