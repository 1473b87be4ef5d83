// Package jsonscan reads JSON values into tensors. A [Scanner] reads a text, and a [Sink] collects
// the values of one component of a row in the memory of an [Arena].
package jsonscan

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"github.com/tfrun/tfrun/dataset/internal/digits"
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

// List reads an array, calling item at the start of each of its values, and returns their number.
func (s *Scanner) List(item func() error) (int64, error) {
	s.I++ // '['
	if s.Peek() == ']' {
		s.I++
		return 0, nil
	}
	for n := int64(1); ; n++ {
		if err := item(); err != nil {
			return n, err
		}
		more, err := s.More(']')
		if !more {
			return n, err
		}
	}
}

// More reads the comma after a value (true), or the bracket that ends the list (false).
func (s *Scanner) More(end byte) (bool, error) {
	switch s.Peek() {
	case ',':
		s.I++
		return true, nil
	case end:
		s.I++
		return false, nil
	}
	return false, fmt.Errorf("want ',' or %q, got %s", end, s.Found())
}

// literal skips the given word, if it comes next.
func (s *Scanner) literal(word string) bool {
	if !bytes.HasPrefix(s.B[s.I:], []byte(word)) {
		return false
	}
	s.I += len(word)
	return true
}

// number reads a number, one of JSON's or NaN, Infinity or -Infinity. It returns its text, and
// whether it is written as an integer.
func (s *Scanner) number() (text []byte, integer bool, err error) {
	s.space()
	start := s.I
	if s.literal("NaN") || s.literal("Infinity") || s.literal("-Infinity") {
		return s.B[start:s.I], false, nil
	}
	if s.at('-') {
		s.I++
	}
	switch {
	case s.at('0'):
		s.I++
	case s.digits() == 0 && s.I > start:
		return nil, false, fmt.Errorf("number %q: want a digit after the sign", s.B[start:s.I])
	case s.I == start:
		return nil, false, fmt.Errorf("want a number, got %s", s.Found())
	}
	integer = true
	if s.at('.') {
		integer = false
		s.I++
		if s.digits() == 0 {
			return nil, false, fmt.Errorf("number %q: want a digit after the point", s.B[start:s.I])
		}
	}
	if s.at('e') || s.at('E') {
		integer = false
		s.I++
		if s.at('+') || s.at('-') {
			s.I++
		}
		if s.digits() == 0 {
			return nil, false, fmt.Errorf("number %q: want a digit in the exponent", s.B[start:s.I])
		}
	}
	if s.I < len(s.B) && (s.B[s.I] >= '0' && s.B[s.I] <= '9') {
		return nil, false, fmt.Errorf("number %q: a leading zero", s.B[start:s.I+1])
	}
	return s.B[start:s.I], integer, nil
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

// atNumber reports whether a number seems to begin here.
func (s *Scanner) atNumber() bool {
	c := s.Peek()
	return c == '-' || c >= '0' && c <= '9' || c == 'N' || c == 'I'
}

func (s *Scanner) at(c byte) bool { return s.I < len(s.B) && s.B[s.I] == c }

func (s *Scanner) digits() int {
	start := s.I
	for s.I < len(s.B) && s.B[s.I]-'0' <= 9 {
		s.I++
	}
	return s.I - start
}

// smallInt reads an integer of up to 18 digits before a comma, a bracket or white space: arrays of
// ids consist of these. ok is false for anything else, and nothing is read then.
func (s *Scanner) smallInt() (v int64, ok bool) {
	i, b := s.I, s.B
	neg := i < len(b) && b[i] == '-'
	if neg {
		i++
	}
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		v = v*10 + int64(b[i]-'0')
		i++
	}
	n := i - start
	if n == 0 || n > 18 || n > 1 && b[start] == '0' {
		return 0, false
	}
	if i < len(b) {
		switch b[i] {
		case ',', ']', ' ', '}', '\t', '\r':
		default:
			return 0, false
		}
	}
	s.I = i
	if neg {
		v = -v
	}
	return v, true
}

// powers holds the powers of ten that float64 holds exactly.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// decimal reads a number without an exponent that one division rounds rightly. That is so where
// float64 holds its digits and its power of ten exactly (Clinger's fast path); for float32 (bits
// 32) also where the small error of the float64 makes no difference. ok is false for anything else,
// and nothing is read then.
func (s *Scanner) decimal(bits int) (v float64, ok bool) {
	i, b := s.I, s.B
	neg := i < len(b) && b[i] == '-'
	if neg {
		i++
	}
	start := i
	var m uint64
	for i < len(b) && b[i]-'0' <= 9 {
		m = m*10 + uint64(b[i]-'0')
		i++
	}
	whole, frac := i-start, 0
	if whole == 0 || whole > 1 && b[start] == '0' {
		return 0, false
	}
	if i < len(b) && b[i] == '.' {
		i++
		point := i
		for i+8 <= cap(b) {
			d, k := digits.Eight(binary.LittleEndian.Uint64(b[i : i+8]))
			if i+k > len(b) {
				break // longer numbers take the slow path
			}
			m = m*digits.Pow10[k] + d
			if i += k; k < 8 {
				break
			}
		}
		for i < len(b) && b[i]-'0' <= 9 {
			m = m*10 + uint64(b[i]-'0')
			i++
		}
		if frac = i - point; frac == 0 {
			return 0, false
		}
	}
	if whole+frac > 19 || i < len(b) && (b[i]|0x20 == 'e') {
		return 0, false
	}
	v = float64(m) / powers[frac]
	off := int64(0) // v may be wrong by so many units in its last place
	if m > 1<<53 {
		off = 2 // half a unit for m, and half a unit for the quotient
	}
	if bits == 64 && off > 0 || bits == 32 && nearHalfway(v, off) {
		return 0, false
	}
	if neg {
		v = -v
	}
	s.I = i
	return v, true
}

// float reads a number as a float64, or, if bits is 32, rounded once to a float32.
func (s *Scanner) float(bits int) (float64, error) {
	s.space()
	if v, ok := s.decimal(bits); ok {
		return v, nil
	}
	text, _, err := s.number()
	if err != nil {
		return 0, err
	}
	switch text[len(text)-1] {
	case 'N':
		return math.NaN(), nil
	case 'y':
		return math.Inf(1 - 2*btoi(text[0] == '-')), nil
	}
	v, perr := strconv.ParseFloat(stringOf(text), bits)
	if perr != nil {
		// Out of range: the value is an infinity, as it is for Python's parser.
		return v, nil //nolint:nilerr // the syntax has been checked, so ParseFloat can only report the range
	}
	return v, nil
}

// nearHalfway reports whether rounding v ≥ 0 to float32 could differ from rounding the exact
// number, of which v is off by a few units in its last place. That may be so where v lies near the
// middle between two float32 values, or is too small or too large for a normal one.
func nearHalfway(v float64, off int64) bool {
	const half = 1 << 28
	from := int64(math.Float64bits(v)&(1<<29-1)) - half //nolint:gosec // 29 bits
	return -off <= from && from <= off || v != 0 && v < 0x1p-126 || v > math.MaxFloat32
}

// ErrOpenString says that a string does not end within the text.
var ErrOpenString = errors.New("a string without an end")

// Str reads a string and returns its bytes, valid until the next call.
func (s *Scanner) Str() ([]byte, error) {
	if s.Peek() != '"' {
		return nil, fmt.Errorf("want a string, got %s", s.Found())
	}
	s.I++
	start := s.I
	for i := start; i < len(s.B); i++ {
		switch c := s.B[i]; {
		case c == '"':
			s.I = i + 1
			return s.B[start:i], nil
		case c == '\\':
			s.text = append(s.text[:0], s.B[start:i]...)
			s.I = i
			return s.escaped()
		case c < ' ':
			return nil, fmt.Errorf("a control character (%#02x) in a string", c)
		}
	}
	s.I = len(s.B)
	return nil, ErrOpenString
}

// escaped reads the rest of a string from its first backslash on.
func (s *Scanner) escaped() ([]byte, error) {
	for s.I < len(s.B) {
		c := s.B[s.I]
		s.I++
		switch {
		case c == '"':
			return s.text, nil
		case c < ' ':
			return nil, fmt.Errorf("a control character (%#02x) in a string", c)
		case c != '\\':
			s.text = append(s.text, c)
			continue
		}
		if err := s.escape(); err != nil {
			return nil, err
		}
	}
	return nil, ErrOpenString
}

// escape reads what follows a backslash.
func (s *Scanner) escape() error {
	if s.I == len(s.B) {
		return ErrOpenString
	}
	c := s.B[s.I]
	s.I++
	switch c {
	case '"', '\\', '/':
		s.text = append(s.text, c)
	case 'b':
		s.text = append(s.text, '\b')
	case 'f':
		s.text = append(s.text, '\f')
	case 'n':
		s.text = append(s.text, '\n')
	case 'r':
		s.text = append(s.text, '\r')
	case 't':
		s.text = append(s.text, '\t')
	case 'u':
		r, err := s.hex4()
		if err != nil {
			return err
		}
		if utf16.IsSurrogate(r) {
			if !s.literal(`\u`) {
				return fmt.Errorf(`half a surrogate pair (\u%04x) in a string`, r)
			}
			low, err := s.hex4()
			if err != nil {
				return err
			}
			pair := utf16.DecodeRune(r, low)
			if pair == utf8.RuneError {
				return fmt.Errorf(`half a surrogate pair (\u%04x) in a string`, r)
			}
			r = pair
		}
		s.text = utf8.AppendRune(s.text, r)
	default:
		return fmt.Errorf(`an unknown escape (\%c) in a string`, c)
	}
	return nil
}

func (s *Scanner) hex4() (rune, error) {
	if s.I+4 > len(s.B) {
		return 0, fmt.Errorf(`a \u escape without four hex digits`)
	}
	var r rune
	for _, c := range s.B[s.I : s.I+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, fmt.Errorf(`a \u escape without four hex digits`)
		}
	}
	s.I += 4
	return r, nil
}

// bytesValue reads a string, or an object {"b64": "…"}, which stands for bytes. The returned bytes
// are valid until the next call.
func (s *Scanner) bytesValue() ([]byte, error) {
	if s.Peek() != '{' {
		return s.Str()
	}
	s.I++
	key, err := s.Str()
	if err != nil || string(key) != "b64" {
		return nil, fmt.Errorf(`want a string or {"b64": "…"}, got another object`)
	}
	if err := s.expect(':'); err != nil {
		return nil, err
	}
	text, err := s.Str()
	if err != nil {
		return nil, err
	}
	enc := base64.StdEncoding
	if len(text)%4 != 0 {
		enc = base64.RawStdEncoding
	}
	out, err := enc.AppendDecode(nil, text)
	if err != nil {
		return nil, fmt.Errorf("base64: %w", err)
	}
	return out, s.expect('}')
}

// Skip reads a value of any kind.
func (s *Scanner) Skip(depth int) error {
	if depth > s.MaxDepth {
		return ErrTooDeep
	}
	switch s.Peek() {
	case '"':
		_, err := s.Str()
		return err
	case '[':
		_, err := s.List(func() error { return s.Skip(depth + 1) })
		return err
	case '{':
		return s.Object(func([]byte) error { return s.Skip(depth + 1) })
	case 't':
		if s.literal("true") {
			return nil
		}
	case 'f':
		if s.literal("false") {
			return nil
		}
	case 'n':
		if s.literal("null") {
			return nil
		}
	default:
		_, _, err := s.number()
		return err
	}
	return fmt.Errorf("want a value, got %q", s.B[s.I:min(len(s.B), s.I+8)])
}

// Object reads an object, calling field with each key at the start of its value.
func (s *Scanner) Object(field func(key []byte) error) error {
	s.I++ // '{'
	if s.Peek() == '}' {
		s.I++
		return nil
	}
	for {
		key, err := s.Str()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := field(key); err != nil {
			return err
		}
		if more, err := s.More('}'); !more {
			return err
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// stringOf returns b as a string without copying it. b does not change while the string is used:
// strconv's parsers, which get it, copy it into an error before they keep it.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
