package tensor

import "math"

// F16 holds the bits of an IEEE 754 half-precision number (tf.float16).
type F16 uint16

// BF16 holds the bits of a bfloat16: the upper half of a float32 (tf.bfloat16).
type BF16 uint16

// Float32 returns the value of h, exactly.
func (h F16) Float32() float32 {
	sign := uint32(h&0x8000) << 16
	exp, frac := uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exp {
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	case 0:
		// Zero and subnormals: frac * 2^-24 is exact in float32.
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// ToF16 returns the half-precision number nearest to f, ties to even. What is too large becomes an
// infinity; a NaN stays a NaN. A float64 is rounded once: no double rounding through float32.
func ToF16(f float64) F16 {
	sign := F16(math.Float64bits(f) >> 48 & 0x8000)
	a := math.Abs(f)
	switch {
	case math.IsNaN(f):
		return sign | 0x7e00
	case a >= 65520: // halfway between the largest half, 65504, and 65536
		return sign | 0x7c00
	case a < 1.0/(1<<14):
		// Subnormal: multiples of 2^-24. A result of 1024 is the smallest normal number, whose bits
		// follow on.
		return sign | F16(math.RoundToEven(a*(1<<24)))
	}
	frac, exp := math.Frexp(a) // frac in [0.5, 1)
	m := uint32(math.RoundToEven(frac * 2048))
	// m is in [1024, 2048]; 2048 carries into the exponent by the addition.
	return sign | F16(uint32(exp+13)<<10+m)
}

// Float32 returns the value of b, exactly.
func (b BF16) Float32() float32 { return math.Float32frombits(uint32(b) << 16) }

// ToBF16 returns the bfloat16 nearest to float32(f), ties to even: TensorFlow's cast from float64
// goes through float32 as well. What is too large becomes an infinity; a NaN stays a NaN.
func ToBF16(f float64) BF16 {
	bits := math.Float32bits(float32(f))
	if math.IsNaN(f) {
		return BF16(bits>>16) | 0x0040
	}
	return BF16((bits + 0x7fff + bits>>16&1) >> 16)
}
