package jsondoc

import (
	"bufio"
	"bytes"
	"errors"
	"slices"

	"github.com/tfrun/tfrun/dataset/internal/jsonscan"
)

// Space is white space, and the byte order mark that some programs write before UTF-8.
const Space = "\ufeff \t\r\n"

// rowLists are the keys under which an object may hold its rows: those of requests of TensorFlow
// Serving ("instances") and of answers of web interfaces.
var rowLists = []string{"instances", "data", "rows", "records", "items", "results"}

// IsEmptyArray reports whether the file holds nothing but an empty array. Such a file has no rows,
// rather than a row without values.
// text is what r holds in its buffer, without white space in front.
func IsEmptyArray(r *bufio.Reader, text []byte) bool {
	if len(text) == 0 || text[0] != '[' {
		return false
	}
	spaces := func(b []byte) int { return len(b) - len(bytes.TrimLeft(b, Space)) }
	b, _ := r.Peek(r.Buffered())
	at, closed := spaces(b)+1, false // what is before at was looked at
	for n := len(b); ; n = max(n+1, r.Buffered()) {
		b, err := r.Peek(n)
		at += spaces(b[at:])
		if !closed && at < len(b) && b[at] == ']' {
			closed = true
			at++
			at += spaces(b[at:])
		}
		if at < len(b) {
			return false
		}
		if err != nil {
			return closed
		}
	}
}

// Begins reports whether the first line of a file begins a document. Otherwise it is a row, as each
// line after it. keys are the keys of a row. A document's first line is
//
//   - an array or an object that goes on in the next line right after its bracket, as
//     pretty-printers write it,
//   - an object that goes on after a comma, a colon or another bracket,
//   - an array of objects,
//   - an object that wraps rows,
//   - one of several objects in the line.
func Begins(text []byte, keys []string) bool {
	if len(text) == 0 || text[0] != '[' && text[0] != '{' {
		return false
	}
	inner := bytes.TrimLeft(text[1:], " \t\r")
	switch {
	case bytes.HasPrefix(inner, []byte("\n")):
		return true
	case text[0] == '[':
		return startsObject(inner)
	}
	s := jsonscan.Scanner{B: text, MaxDepth: len(text)}
	wraps, done := false, false
	err := s.Object(func(key []byte) error {
		if done {
			return s.Skip(1)
		}
		row := slices.Contains(keys, string(key))
		wraps = !row && wrapsRows(&s, string(key))
		done = row || wraps
		return s.Skip(1)
	})
	if goesOn(text) {
		return true
	}
	return wraps || err == nil && bytes.HasPrefix(bytes.TrimLeft(text[s.I:], " \t\r"), []byte("{"))
}

// goesOn reports whether an object continues after its first line: whether the line is right so
// far, and ends where a key or a value has to follow.
func goesOn(text []byte) bool {
	line, _, more := bytes.Cut(text, []byte("\n"))
	line = bytes.TrimRight(line, " \t\r")
	if !more || bytes.IndexByte([]byte(",:[{"), line[len(line)-1]) < 0 {
		return false
	}
	s := jsonscan.Scanner{B: line, MaxDepth: len(line)}
	err := s.Object(func([]byte) error { return s.Skip(1) })
	return err != nil && s.I == len(line) && !errors.Is(err, jsonscan.ErrOpenString)
}

// startsObject reports whether an array begins with an object that is a row. Objects that stand for
// bytes or for a sparse value are no rows.
func startsObject(text []byte) bool {
	s := jsonscan.Scanner{B: text}
	if s.Peek() != '{' {
		return false
	}
	s.I++
	key, err := s.Str()
	return err == nil && string(key) != "b64" && string(key) != "indices"
}

// wrapsRows reports whether the value after a key is a list of rows, or their columns.
func wrapsRows(s *jsonscan.Scanner, key string) bool {
	c, inner := s.Peek(), byte(0)
	if rest := bytes.TrimLeft(s.B[min(s.I+1, len(s.B)):], Space); len(rest) > 0 {
		inner = rest[0]
	}
	return holdsRows(key, c, inner) || key == "inputs" && (c == '[' || c == '{')
}

// holdsRows reports whether a key's value is a list of rows, judged by its first two bytes.
func holdsRows(key string, first, second byte) bool {
	return slices.Contains(rowLists, key) && first == '[' && (key == "instances" || second == '{' || second == ']')
}
