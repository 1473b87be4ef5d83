package dataset

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tfrun/tfrun/dataset/internal/digits"
)

// scanner reads JSON values off one line. Its errors say what was wanted and what was found; the
// caller adds the place.
type scanner struct {
	b        []byte
	i        int
	maxDepth int
	text     []byte // unescaped string
}

// space skips white space.
func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// peek returns the next byte that is no white space, 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) && s.b[s.i] > ' ' {
		return s.b[s.i]
	}
	s.space()
	if s.i == len(s.b) {
		return 0
	}
	return s.b[s.i]
}

// expect skips white space and the byte c.
func (s *scanner) expect(c byte) error {
	if s.peek() != c {
		return fmt.Errorf("want %q, got %s", c, s.found())
	}
	s.i++
	return nil
}

// found describes what stands at the scanner's place, for error messages.
func (s *scanner) found() string {
	switch c := s.peek(); {
	case s.i >= len(s.b):
		return "the end of the line"
	case c == '"':
		return "a string"
	case c == '[':
		return "an array"
	case c == '{':
		return "an object"
	case c == '-', c >= '0' && c <= '9', bytes.HasPrefix(s.b[s.i:], []byte("NaN")), bytes.HasPrefix(s.b[s.i:], []byte("Inf")):
		return "a number"
	case c == 't' || c == 'f':
		return "a boolean"
	case c == 'n':
		return "null"
	default:
		r, _ := utf8.DecodeRune(s.b[s.i:])
		return strconv.QuoteRune(r)
	}
}

// list reads an array, calling item at the start of each of its values, and returns their number.
func (s *scanner) list(item func() error) (int64, error) {
	s.i++ // '['
	if s.peek() == ']' {
		s.i++
		return 0, nil
	}
	for n := int64(1); ; n++ {
		if err := item(); err != nil {
			return n, err
		}
		more, err := s.more(']')
		if !more {
			return n, err
		}
	}
}

// more skips the comma after a value, or the bracket that ends the list.
func (s *scanner) more(end byte) (bool, error) {
	switch s.peek() {
	case ',':
		s.i++
		return true, nil
	case end:
		s.i++
		return false, nil
	}
	return false, fmt.Errorf("want ',' or %q, got %s", end, s.found())
}

// literal skips the given word.
func (s *scanner) literal(word string) bool {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		return false
	}
	s.i += len(word)
	return true
}

// number returns the text of the number at the scanner's place, JSON's or one of NaN, Infinity and
// -Infinity, and whether it is written as an integer.
func (s *scanner) number() (text []byte, integer bool, err error) {
	s.space()
	start := s.i
	if s.literal("NaN") || s.literal("Infinity") || s.literal("-Infinity") {
		return s.b[start:s.i], false, nil
	}
	if s.at('-') {
		s.i++
	}
	switch {
	case s.at('0'):
		s.i++
	case s.digits() == 0:
		s.i = start
		return nil, false, fmt.Errorf("want a number, got %s", s.found())
	}
	integer = true
	if s.at('.') {
		integer = false
		s.i++
		if s.digits() == 0 {
			return nil, false, fmt.Errorf("number %q: want a digit after the point", s.b[start:s.i])
		}
	}
	if s.at('e') || s.at('E') {
		integer = false
		s.i++
		if s.at('+') || s.at('-') {
			s.i++
		}
		if s.digits() == 0 {
			return nil, false, fmt.Errorf("number %q: want a digit in the exponent", s.b[start:s.i])
		}
	}
	if s.i < len(s.b) && (s.b[s.i] >= '0' && s.b[s.i] <= '9') {
		return nil, false, fmt.Errorf("number %q: a leading zero", s.b[start:s.i+1])
	}
	return s.b[start:s.i], integer, nil
}

// boolean reads the word true or false; ok is false where neither stands.
func (s *scanner) boolean() (v, ok bool) {
	switch s.peek() {
	case 't':
		return true, s.literal("true")
	case 'f':
		return false, s.literal("false")
	}
	return false, false
}

// atNumber reports whether a number seems to begin at the scanner's place.
func (s *scanner) atNumber() bool {
	c := s.peek()
	return c == '-' || c >= '0' && c <= '9' || c == 'N' || c == 'I'
}

func (s *scanner) at(c byte) bool { return s.i < len(s.b) && s.b[s.i] == c }

func (s *scanner) digits() int {
	start := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		s.i++
	}
	return s.i - start
}

// smallInt reads an integer of up to 18 digits that is followed by a comma, a bracket or white
// space: what arrays of ids are made of. ok is false for anything else, and the scanner stays where
// it was.
func (s *scanner) smallInt() (v int64, ok bool) {
	i, b := s.i, s.b
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
	s.i = i
	if neg {
		v = -v
	}
	return v, true
}

// powers of ten that float64 holds exactly.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// decimal reads a number without exponent, as a float32 where bits is 32, that one division rounds
// rightly: where float64 holds its digits and its power of ten exactly (Clinger's fast path), or,
// for a float32, where the little that float64 is off cannot matter. ok is false for anything else,
// and the scanner stays where it was.
func (s *scanner) decimal(bits int) (v float64, ok bool) {
	i, b := s.i, s.b
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
				break // what follows is not the line's
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
	off := int64(0) // by how many units in its last place v may be off
	if m > 1<<53 {
		off = 2 // half a unit for m, and half a unit for the quotient
	}
	if bits == 64 && off > 0 || bits == 32 && nearHalfway(v, off) {
		return 0, false
	}
	if neg {
		v = -v
	}
	s.i = i
	return v, true
}

// float reads a number as float64, or, rounded once, as a float32 when bits is 32.
func (s *scanner) float(bits int) (float64, error) {
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
		// Out of range: an infinity, which Python's parser makes of it too.
		return v, nil //nolint:nilerr // the syntax has been checked, so ParseFloat can only report the range
	}
	return v, nil
}

// nearHalfway reports whether rounding v ≥ 0, which may be off by a few units in its last place, on
// to float32 could differ from rounding the number itself: v lies about halfway between two float32
// values, or is too small or too large for an ordinary one.
func nearHalfway(v float64, off int64) bool {
	const half = 1 << 28
	from := int64(math.Float64bits(v)&(1<<29-1)) - half //nolint:gosec // 29 bits
	return -off <= from && from <= off || v != 0 && v < 0x1p-126 || v > math.MaxFloat32
}

// str reads a string and returns its bytes, valid until the next call.
func (s *scanner) str() ([]byte, error) {
	if s.peek() != '"' {
		return nil, fmt.Errorf("want a string, got %s", s.found())
	}
	s.i++
	start := s.i
	for i := start; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			return s.b[start:i], nil
		case c == '\\':
			s.text = append(s.text[:0], s.b[start:i]...)
			s.i = i
			return s.escaped()
		case c < ' ':
			return nil, fmt.Errorf("a control character (%#02x) in a string", c)
		}
	}
	s.i = len(s.b)
	return nil, fmt.Errorf("a string without an end")
}

// escaped reads the rest of a string from its first backslash on.
func (s *scanner) escaped() ([]byte, error) {
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
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
	return nil, fmt.Errorf("a string without an end")
}

// escape reads what follows a backslash.
func (s *scanner) escape() error {
	if s.i == len(s.b) {
		return fmt.Errorf("a string without an end")
	}
	c := s.b[s.i]
	s.i++
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

func (s *scanner) hex4() (rune, error) {
	if s.i+4 > len(s.b) {
		return 0, fmt.Errorf(`a \u escape without four hex digits`)
	}
	var r rune
	for _, c := range s.b[s.i : s.i+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, fmt.Errorf(`a \u escape without four hex digits`)
		}
	}
	s.i += 4
	return r, nil
}

// bytesValue reads a string, or the object {"b64": "…"} that stands for bytes, and returns its
// bytes, valid until the next call.
func (s *scanner) bytesValue() ([]byte, error) {
	if s.peek() != '{' {
		return s.str()
	}
	s.i++
	key, err := s.str()
	if err != nil || string(key) != "b64" {
		return nil, fmt.Errorf(`want a string or {"b64": "…"}, got another object`)
	}
	if err := s.expect(':'); err != nil {
		return nil, err
	}
	text, err := s.str()
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

// skip reads a value of any kind.
func (s *scanner) skip(depth int) error {
	if depth > s.maxDepth {
		return tooDeep(s.maxDepth)
	}
	switch s.peek() {
	case '"':
		_, err := s.str()
		return err
	case '[':
		_, err := s.list(func() error { return s.skip(depth + 1) })
		return err
	case '{':
		return s.object(func([]byte) error { return s.skip(depth + 1) })
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
	return fmt.Errorf("want a value, got %q", s.b[s.i:min(len(s.b), s.i+8)])
}

// object reads an object, calling field with each key at the start of its value.
func (s *scanner) object(field func(key []byte) error) error {
	s.i++ // '{'
	if s.peek() == '}' {
		s.i++
		return nil
	}
	for {
		key, err := s.str()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := field(key); err != nil {
			return err
		}
		if more, err := s.more('}'); !more {
			return err
		}
	}
}
