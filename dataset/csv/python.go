package csv

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/tfrun/tfrun/dataset/internal/jsontext"
)

// fromPython rewrites a list as Python prints it, which pandas writes into cells, as JSON: ['a',
// "it's"], [True, None], [nan, -inf], (1, 2), and NumPy's arrays without commas, [1. 2.\n 3.]. ok
// is false where text is no such list. The result need not be valid JSON: the parser that reads it
// reports what is wrong.
func fromPython(text []byte) (list []byte, ok bool) {
	out := make([]byte, 0, 2*len(text))
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ', '\t', '\r', '\n':
			i++
		case ',':
			out = append(out, ',')
			i++
		case '[', '(':
			out = append(separate(out), '[')
			i++
		case ']', ')':
			// Python writes a tuple of one value with a comma: (1,).
			out = append(bytes.TrimSuffix(out, []byte(",")), ']')
			i++
		case '\'', '"':
			s, end, ok := pythonString(text, i+1, c)
			if !ok {
				return nil, false
			}
			out = jsontext.AppendString(separate(out), s)
			i = end
		default:
			n := bytes.IndexAny(text[i:], " \t\r\n,[]()'\"")
			if n < 0 {
				return nil, false
			}
			if out, ok = appendWord(separate(out), text[i:i+n]); !ok {
				return nil, false
			}
			i += n
		}
	}
	return out, true
}

// separate appends the comma that NumPy leaves out between two values.
func separate(out []byte) []byte {
	if n := len(out); n > 0 && out[n-1] != '[' && out[n-1] != ',' {
		return append(out, ',')
	}
	return out
}

// appendWord appends a number or a name of Python's.
func appendWord(out, word []byte) ([]byte, bool) {
	switch string(word) {
	case "True":
		return append(out, "true"...), true
	case "False":
		return append(out, "false"...), true
	case "None":
		return append(out, "null"...), true
	case "nan":
		return append(out, "NaN"...), true
	case "inf":
		return append(out, "Infinity"...), true
	case "-inf":
		return append(out, "-Infinity"...), true
	}
	if n := len(word) - 1; word[n] == '.' {
		word = word[:n] // 1. becomes 1
	} else if i := bytes.Index(word, []byte(".e")); i >= 0 {
		out, word = append(out, word[:i]...), word[i+1:] // 1.e-05 becomes 1e-05
		_, err := strconv.ParseInt(string(word[1:]), 10, 16)
		return append(out, word...), err == nil
	}
	return append(out, word...), jsontext.IsNumber(word)
}

// pythonString reads a string literal up to its closing quote and returns the index after that.
func pythonString(text []byte, i int, quote byte) (s string, end int, ok bool) {
	var out []byte
	for i < len(text) && text[i] != quote {
		if text[i] != '\\' {
			out = append(out, text[i])
			i++
			continue
		}
		r, size, ok := pythonEscape(text[i:])
		if !ok {
			return "", 0, false
		}
		out = utf8.AppendRune(out, r)
		i += size
	}
	return string(out), i + 1, i < len(text)
}

// pythonEscape reads the escape that begins b, as Python's repr writes it: \\ \' \n \r \t \xe9
// \u20ac \U0001f600.
func pythonEscape(b []byte) (r rune, size int, ok bool) {
	if len(b) < 2 {
		return 0, 0, false
	}
	digits := 0
	switch b[1] {
	case '\\', '\'', '"':
		return rune(b[1]), 2, true
	case 'n':
		return '\n', 2, true
	case 'r':
		return '\r', 2, true
	case 't':
		return '\t', 2, true
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		return 0, 0, false
	}
	if len(b) < 2+digits {
		return 0, 0, false
	}
	v, err := strconv.ParseUint(string(b[2:2+digits]), 16, 31)
	return rune(v), 2 + digits, err == nil && utf8.ValidRune(rune(v)) //nolint:gosec // 31 bits
}
