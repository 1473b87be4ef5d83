package dataset

import (
	"bufio"
	"bytes"
	"io"
	"slices"

	"github.com/tfrun/tfrun/dataset/internal/jsonscan"
)

// jsonSpace is white space, and the mark that some programs put before UTF-8.
const jsonSpace = "\ufeff \t\r\n"

// detect looks at the beginning of a file of JSON: it returns a reader of the rows where they are
// not one a line.
func (l *lineReader) detect() (*documents, error) {
	head := FirstLine(l.buf)
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return nil, &FileError{File: l.name, Msg: "the file is in UTF-16; save it as UTF-8"}
	}
	if text := bytes.TrimLeft(head, jsonSpace); !isDocument(text, l.docs.keys) && !l.emptyArray(text) {
		return nil, nil
	}
	d := *l.docs
	d.r, d.name, d.max, d.line = l.buf, l.name, l.max, 1
	if bytes.HasPrefix(head, []byte("\ufeff")) {
		d.take(len("\ufeff"))
	}
	return &d, nil
}

// FirstLine returns what a reader holds up to the end of the first line that is not blank, without
// taking it; a part of it where it is long. Nobody who writes rows slowly waits for more.
func FirstLine(r *bufio.Reader) []byte {
	for n := 1; ; {
		b, err := r.Peek(n)
		text := bytes.TrimLeft(b, jsonSpace)
		if i := bytes.IndexByte(text, '\n'); i >= 0 || err != nil || n == r.Size() {
			return b
		}
		n = min(max(n+1, r.Buffered()), r.Size())
	}
}

// FirstJSON returns the first row of a file of JSON, whose rows have the given keys, as far as r
// holds it; nothing where there is none. For files see [JSONLFiles].
func FirstJSON(r io.Reader, keys []string) []byte {
	l := lineReader{files: []string{"input"}, reader: r, max: DefaultMaxLine, skipBOM: true, docs: &documents{keys: keys}}
	for {
		row, err := l.read()
		if err != nil || !blank(row) {
			return row
		}
	}
}

// emptyArray reports whether an array of nothing is all that the file holds: no row of no values,
// but no rows.
func (l *lineReader) emptyArray(text []byte) bool {
	if len(text) == 0 || text[0] != '[' {
		return false
	}
	for n := l.buf.Buffered(); ; n = max(n+1, l.buf.Buffered()) {
		b, err := l.buf.Peek(n)
		inner := bytes.TrimLeft(bytes.TrimLeft(b, jsonSpace)[1:], jsonSpace)
		rest, closed := bytes.CutPrefix(inner, []byte("]"))
		if len(inner) > 0 && !closed || len(bytes.TrimLeft(rest, jsonSpace)) > 0 {
			return false
		}
		if err != nil {
			return closed
		}
	}
}

// isDocument reports whether the first line of a file begins a document, and is no row: an array or
// an object that goes on in the next line right after its bracket, as all that print prettily have
// it, an object that goes on after a comma, a colon or another bracket, an array of objects, an
// object that wraps rows, or one of several objects of the line. keys are those that a row has.
func isDocument(text []byte, keys []string) bool {
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

// goesOn reports whether an object goes on behind its first line: whether that is right so far, and
// ends where a key or a value has to follow.
func goesOn(text []byte) bool {
	line, _, more := bytes.Cut(text, []byte("\n"))
	line = bytes.TrimRight(line, " \t\r")
	if !more || bytes.IndexByte([]byte(",:[{"), line[len(line)-1]) < 0 {
		return false
	}
	s := jsonscan.Scanner{B: line, MaxDepth: len(line)}
	err := s.Object(func([]byte) error { return s.Skip(1) })
	return err != nil && s.I == len(line)
}

// startsObject reports whether an array begins with an object that is a row: those that stand for
// bytes or a sparse value are not.
func startsObject(text []byte) bool {
	s := jsonscan.Scanner{B: text}
	if s.Peek() != '{' {
		return false
	}
	s.I++
	key, err := s.Str()
	return err == nil && string(key) != "b64" && string(key) != "indices"
}

// wrapsRows reports whether a key's value, which comes next, is a list of rows, or of their
// columns.
func wrapsRows(s *jsonscan.Scanner, key string) bool {
	c, inner := s.Peek(), byte(0)
	if rest := bytes.TrimLeft(s.B[min(s.I+1, len(s.B)):], jsonSpace); len(rest) > 0 {
		inner = rest[0]
	}
	return holdsRows(key, c, inner) || key == "inputs" && (c == '[' || c == '{')
}

// holdsRows reports whether a key has a list of rows, by the first two bytes of its value.
func holdsRows(key string, first, second byte) bool {
	return slices.Contains(rowLists, key) && first == '[' && (key == "instances" || second == '{' || second == ']')
}
