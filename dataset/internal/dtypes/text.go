package dtypes

import (
	"math/bits"
)

// Integer is a whole number of at most 64 bits, read from a text. Its value is Mag, or -Mag if it
// is negative.
type Integer struct {
	Neg bool
	Mag uint64
}

// IntegerError says why a text is no [Integer].
type IntegerError uint8

// The reasons.
const (
	NoError  IntegerError = iota
	NoNumber              // no decimal number
	Fraction              // a decimal number, but not a whole one
	TooLarge              // a whole number beyond 64 bits
)

// ParseInteger reads a whole number exactly, in any decimal notation: 12, -3.0, 1e18,
// 9007199254740993.0.
func ParseInteger(text []byte) (Integer, IntegerError) {
	var v Integer
	d, ok := split(text)
	if !ok {
		return v, NoNumber
	}
	v.Neg = d.neg
	// Only the digits from the first to the last nonzero one count.
	first, last := -1, -1
	for i := range d.len() {
		if d.at(i) != 0 {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return Integer{}, NoError
	}
	// The last digit's value is d.at(last) · 10^exp.
	exp := d.exp + int64(len(d.whole)-1-last)
	if exp < 0 {
		return v, Fraction
	}
	if int64(last-first)+exp > 19 {
		return v, TooLarge
	}
	for i := first; i <= last+int(exp); i++ {
		digit := uint64(0)
		if i <= last {
			digit = d.at(i)
		}
		high, low := bits.Mul64(v.Mag, 10)
		sum, carry := bits.Add64(low, digit, 0)
		if high+carry > 0 {
			return v, TooLarge
		}
		v.Mag = sum
	}
	return v, NoError
}

// decimal is a decimal number as it is written.
type decimal struct {
	neg              bool
	whole, fractions []byte // digits before the point and after it
	exp              int64
}

func (d decimal) len() int { return len(d.whole) + len(d.fractions) }

// at returns digit i.
func (d decimal) at(i int) uint64 {
	if i < len(d.whole) {
		return uint64(d.whole[i] - '0')
	}
	return uint64(d.fractions[i-len(d.whole)] - '0')
}

// split finds the parts of a decimal number: -12.50e+3, 1., .5.
func split(text []byte) (d decimal, ok bool) {
	i := 0
	digits := func() []byte {
		from := i
		for i < len(text) && text[i]-'0' <= 9 {
			i++
		}
		return text[from:i]
	}
	sign := func() (neg bool) {
		if i < len(text) && (text[i] == '-' || text[i] == '+') {
			neg = text[i] == '-'
			i++
		}
		return neg
	}
	d.neg = sign()
	d.whole = digits()
	if i < len(text) && text[i] == '.' {
		i++
		d.fractions = digits()
	}
	if d.len() == 0 {
		return d, false
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		neg := sign()
		e := digits()
		for _, c := range e {
			d.exp = min(d.exp*10+int64(c-'0'), 1<<40) // bounded: no text is that long
		}
		if neg {
			d.exp = -d.exp
		}
		if len(e) == 0 {
			return d, false
		}
	}
	return d, i == len(text)
}

// As returns the number as T; ok is false where it does not fit.
func As[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](v Integer) (T, bool) {
	if v.Neg {
		// In two's complement, as uint64(t) is.
		t := T(-v.Mag)
		return t, t <= 0 && uint64(t) == -v.Mag && (t < 0 || v.Mag == 0)
	}
	t := T(v.Mag)
	return t, t >= 0 && uint64(t) == v.Mag
}
