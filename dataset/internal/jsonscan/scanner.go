// Package jsonscan reads JSON values into tensors. A [Scanner] reads a text, and a [Sink] collects
// the values of one component of a row in the memory of an [Arena].
package jsonscan

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// ErrTooDeep says that lists and objects nest deeper than a scanner's MaxDepth.
var ErrTooDeep = errors.New("nested too deep")

// Scanner reads the JSON values of one line. Its errors say what was wanted and what was found; the
// caller adds the place.
type Scanner struct {
	B        []byte // the text
	I        int    // the place in it
	MaxDepth int    // of lists and objects in [Scanner.Skip]
	text     []byte // memory for strings without their escapes
}

// space skips white space.
func (s *Scanner) space() {
	for s.I < len(s.B) {
		switch s.B[s.I] {
		case ' ', '\t', '\r', '\n':
			s.I++
		default:
			return
		}
	}
}

// Peek skips white space and returns the next byte, 0 at the end; the byte is still to be read.
func (s *Scanner) Peek() byte {
	if s.I < len(s.B) && s.B[s.I] > ' ' {
		return s.B[s.I]
	}
	s.space()
	if s.I == len(s.B) {
		return 0
	}
	return s.B[s.I]
}

// expect skips white space and then the byte c, or fails.
func (s *Scanner) expect(c byte) error {
	if s.Peek() != c {
		return fmt.Errorf("want %q, got %s", c, s.Found())
	}
	s.I++
	return nil
}

// Found describes what the scanner has before it, for error messages.
func (s *Scanner) Found() string {
	switch c := s.Peek(); {
	case s.I >= len(s.B):
		return "the end of the line"
	case c == '"':
		return "a string"
	case c == '[':
		return "an array"
	case c == '{':
		return "an object"
	case c == '-', c >= '0' && c <= '9', s.begins("NaN"), s.begins("Inf"):
		return "a number"
	case s.begins("true"), s.begins("false"):
		return "a boolean"
	case s.begins("null"):
		return "null"
	default:
		r, _ := utf8.DecodeRune(s.B[s.I:])
		return strconv.QuoteRune(r)
	}
}

// begins reports whether the text goes on with a word.
func (s *Scanner) begins(word string) bool { return bytes.HasPrefix(s.B[s.I:], []byte(word)) }

// literal skips the given word, if it comes next.
func (s *Scanner) literal(word string) bool {
	if !bytes.HasPrefix(s.B[s.I:], []byte(word)) {
		return false
	}
	s.I += len(word)
	return true
}

// boolean reads the word true or false; ok is false where neither comes next.
func (s *Scanner) boolean() (v, ok bool) {
	switch s.Peek() {
	case 't':
		return true, s.literal("true")
	case 'f':
		return false, s.literal("false")
	}
	return false, false
}
