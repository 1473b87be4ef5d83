// Package digits reads runs of decimal digits eight at a time.
package digits

import "math/bits"

// Eight returns the value of the digits that eight bytes of text begin with, and their number. It
// has no branches, as a processor could not predict how many digits a float has.
func Eight(v uint64) (value uint64, n int) {
	const (
		low7 = 0x7f7f7f7f7f7f7f7f
		high = 0x8080808080808080
	)
	v ^= 0x3030303030303030 // digits become 0 to 9
	other := (v&low7 + 0x7676767676767676 | v) & high
	n = bits.TrailingZeros64(other) >> 3 // 8 where all bytes are digits
	v <<= uint(8*(8-n)) & 127            // zeros in front of the digits
	v = v*10 + v>>8
	return (v&0x000000ff000000ff*0x000f424000000064 + v>>16&0x000000ff000000ff*0x0000271000000001) >> 32, n
}

// Pow10 has the powers of ten for the digits of [Eight].
var Pow10 = [9]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}
