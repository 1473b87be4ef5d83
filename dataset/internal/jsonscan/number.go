package jsonscan

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unsafe"

	"github.com/tfrun/tfrun/dataset/internal/digits"
)

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

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// stringOf returns b as a string without copying it. b does not change while the string is used:
// strconv's parsers, which get it, copy it into an error before they keep it.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
