package csv

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/tfrun/tfrun/dataset/internal/digits"
	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/tensor"
)

// decimal is a number as it was written: mant · 10^exp, with its sign.
type decimal struct {
	mant uint64
	exp  int
	sign uint32 // bit 31 set for a negative number
	// truncated: the number had more digits than mant holds. The digits left out count for less
	// than one unit of mant.
	truncated bool
}

// slack is the number of readable bytes after a chunk's last line: [scanDecimal] looks at eight
// bytes at once.
const slack = 8

// scanDecimal reads a number that begins at b[i] and returns the index after it. ok is false where
// no plain number begins there. Slack bytes must follow the number in b.
func scanDecimal(b []byte, i int) (d decimal, end int, ok bool) {
	// The sign is read without a branch, which the processor could not predict.
	sign := uint32(0)
	c := b[i]
	if c == '-' {
		sign = 1
	}
	i += int(sign)
	d.sign = sign << 31
	if c == '+' {
		i++
	}
	start := i
	m := uint64(0)
	for c := b[i] - '0'; c <= 9; c = b[i] - '0' {
		m = m*10 + uint64(c)
		i++
	}
	n := i - start
	if b[i] == '.' {
		i++
		from := i
		for {
			v, k := digits.Eight(binary.LittleEndian.Uint64(b[i : i+8]))
			m = m*digits.Pow10[k] + v
			i += k
			if k < 8 {
				break
			}
		}
		d.exp = from - i
		n += i - from
	}
	d.mant = m
	switch {
	case n == 0:
		return d, i, false
	case n > 19: // m may have overflowed
		d.recount(b[start:i])
	}
	if b[i]|0x20 == 'e' {
		return d.exponent(b, i+1)
	}
	return d, i, true
}

// recount reads the significant digits of text again: 19 of them make the mantissa, and the others
// count in the exponent. text may hold one point.
func (d *decimal) recount(text []byte) {
	d.mant, d.exp = 0, 0
	n, point := 0, false
	for _, c := range text {
		switch {
		case c == '.':
			point = true
			continue
		case n < 19 && (n > 0 || c != '0'):
			d.mant = d.mant*10 + uint64(c-'0')
			n++
		case n >= 19:
			d.truncated = d.truncated || c != '0'
			d.exp++
		}
		if point {
			d.exp--
		}
	}
}

// exponent reads the exponent after the letter e.
func (d decimal) exponent(b []byte, i int) (decimal, int, bool) {
	neg := false
	if c := b[i]; c == '-' || c == '+' {
		neg = c == '-'
		i++
	}
	from, e := i, 0
	for ; b[i]-'0' <= 9; i++ {
		e = min(e*10+int(b[i]-'0'), 1<<20)
	}
	if neg {
		e = -e
	}
	d.exp += e
	return d, i, i > from
}

// pow10 holds the powers of ten that float64 holds exactly.
var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// float64 returns the number rounded to the nearest float64. exact is false where one operation
// does not tell which one is nearest: v is then within two units in the last place. ok is false
// where even that is not known.
func (d decimal) float64() (v float64, exact, ok bool) {
	v = float64(d.mant)
	switch e := d.exp; {
	case e <= 0 && -e < len(pow10):
		v /= pow10[-e]
	case e > 0 && e < len(pow10):
		v *= pow10[e]
	default:
		return 0, false, false
	}
	if d.sign != 0 {
		v = -v
	}
	return v, d.mant < 1<<53 && !d.truncated, true
}

// float32 returns the number rounded once, to the nearest float32. text is the number as written.
func (d decimal) float32(text []byte) (float32, bool) {
	if v, exact, ok := d.float64(); ok {
		// Rounding v again gives the right float32 unless the number itself may lie on the other
		// side of the middle between two float32 numbers than v does. So v must not be that middle,
		// or so near to it.
		const low = 1<<29 - 1
		distance := uint64(math.Float64bits(v)&low) - (1<<28 - 4)
		a := math.Abs(v)
		if distance > 8 && (a >= 0x1p-126 && a < math.MaxFloat32 || a == 0 && exact) {
			return float32(v), true
		}
	}
	w, err := strconv.ParseFloat(string(text), 32)
	return float32(w), err == nil
}

// readFloat32 reads the number that begins at b[i].
func readFloat32(b []byte, i int) (v float32, end int, ok bool) {
	d, end, ok := scanDecimal(b, i)
	if !ok {
		return 0, end, false
	}
	// Most numbers take this short form of what decimal.float32 does.
	if e := uint(-d.exp); e < uint(len(pow10)) {
		f := float64(d.mant) / pow10[e]
		distance := uint64(math.Float64bits(f)&(1<<29-1)) - (1<<28 - 4)
		if distance > 8 && f >= 0x1p-126 && f < math.MaxFloat32 {
			return math.Float32frombits(math.Float32bits(float32(f)) | d.sign), end, true
		}
	}
	v, ok = d.float32(b[i:end])
	return v, end, ok
}

// readFloat64 reads the number that begins at b[i].
func readFloat64(b []byte, i int) (v float64, end int, ok bool) {
	d, end, ok := scanDecimal(b, i)
	if !ok {
		return 0, end, false
	}
	v, exact, ok := d.float64()
	if ok && exact {
		return v, end, true
	}
	v, err := strconv.ParseFloat(string(b[i:end]), 64)
	return v, end, err == nil
}

// readInt reads an integer of at most 18 digits that begins at b[i].
func readInt(b []byte, i int) (v int64, end int, ok bool) {
	neg := b[i] == '-'
	if neg {
		i++
	}
	start := i
	for c := b[i] - '0'; c <= 9; c = b[i] - '0' {
		v = v*10 + int64(c)
		i++
	}
	if neg {
		v = -v
	}
	return v, i, i > start && i-start <= 18
}

// parseFloat reads a whole cell as a number, infinity or NaN. ok is false where the cell is none of
// them, or a number beyond float64.
func parseFloat(text []byte, size int) (float64, bool) {
	for _, c := range text {
		// Go's parser knows more notations than tables have: hexadecimal, underscores.
		if c == '_' || c|0x20 == 'x' || c|0x20 == 'p' {
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(string(text), size)
	return v, err == nil
}

// number reads a whole cell as one value and writes it to dst, a tensor of one value. Where dst's
// dtype has no NaN, the value of fill, if it has one, takes the place of NaN.
func number(text []byte, dst, fill tensor.Tensor) (msg string) {
	dtype := dst.DType()
	if len(text) == 0 {
		return "want " + dtypes.Article(dtype) + ", got an empty cell"
	}
	src, msg := parse(text, dtype)
	if msg != "" && fill.DType() == dtype {
		if v, ok := parseFloat(text, 64); ok && math.IsNaN(v) {
			src, msg = fill, ""
		}
	}
	if msg != "" {
		return msg
	}
	if bad := dtypes.Convert(dst, src); bad >= 0 {
		return string(text) + " does not fit " + dtype.String()
	}
	return ""
}

// parse reads a whole cell as a value that can be converted to the dtype. src has the type of the
// text: an integer, a float or a boolean.
func parse(text []byte, dtype tensor.DType) (src tensor.Tensor, msg string) {
	word, isWord := parseBool(text)
	switch {
	case isWord:
		return tensor.Vector(word), ""
	case dtype == tensor.Bool:
		v, reason := dtypes.ParseInteger(text)
		switch {
		case reason == dtypes.NoNumber:
			return src, "want true or false, got " + quoted(text)
		case reason != dtypes.NoError || v.Mag > 1 || v.Neg && v.Mag > 0:
			return src, "want true, false, 0 or 1, got " + string(text)
		}
		return tensor.Vector(v.Mag == 1), ""
	case dtypes.Carrier(dtype).IsInteger():
		return parseInt(text, dtype)
	}
	size := 64
	if dtype == tensor.Float32 || dtype == tensor.Complex64 {
		size = 32
	}
	v, ok := parseFloat(text, size)
	switch {
	case ok:
		return tensor.Vector(v), ""
	case v != 0:
		return src, string(text) + " does not fit " + dtype.String()
	}
	return src, "want " + dtypes.Article(dtype) + ", got " + quoted(text)
}

// parseInt reads a whole cell as an integer of 64 bits, written as an integer, 3.0 or 1e3.
func parseInt(text []byte, dtype tensor.DType) (src tensor.Tensor, msg string) {
	v, reason := dtypes.ParseInteger(text)
	signed, isSigned := dtypes.As[int64](v)
	unsigned, isUnsigned := dtypes.As[uint64](v)
	switch {
	case reason == dtypes.NoNumber:
		return src, "want an integer, got " + quoted(text)
	case reason == dtypes.Fraction:
		return src, "want an integer, got " + string(text)
	case reason == dtypes.NoError && isSigned:
		return tensor.Vector(signed), ""
	case reason == dtypes.NoError && isUnsigned:
		return tensor.Vector(unsigned), ""
	}
	return src, string(text) + " does not fit " + dtype.String()
}

func parseBool(text []byte) (v, ok bool) {
	switch string(text) {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	return false, false
}

// quoted returns a cell's text in quotes for an error message, shortened if it is long.
func quoted(text []byte) string {
	const most = 40
	if len(text) > most {
		return strconv.Quote(string(text[:most]) + "…")
	}
	return strconv.Quote(string(text))
}
