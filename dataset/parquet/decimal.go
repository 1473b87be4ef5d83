package parquet

import (
	"encoding/binary"
	"errors"
	"math"
	"math/big"
)

// decimals returns what appends a decimal, an unscaled integer, as a float64, rounded once.
func decimals(p physical, scale int) func(dst, v []byte) ([]byte, error) {
	return func(dst, v []byte) ([]byte, error) {
		var f float64
		switch p {
		case int32s:
			f = scaled(int64(int32(binary.LittleEndian.Uint32(v))), scale) //nolint:gosec // the bits are meant
		case int64s:
			f = scaled(int64(binary.LittleEndian.Uint64(v)), scale) //nolint:gosec // the bits are meant
		default:
			f = bigScaled(v, scale)
		}
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), nil
	}
}

// scaled returns v · 10^-scale, rounded once: both are exact up to 2^53 and 10^22.
func scaled(v int64, scale int) float64 {
	if v > -1<<53 && v < 1<<53 && scale >= 0 && scale <= 22 {
		return float64(v) / math.Pow10(scale)
	}
	return ratio(big.NewInt(v), scale)
}

// bigInt reads a big-endian integer in two's complement.
func bigInt(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}

func bigScaled(b []byte, scale int) float64 {
	v := bigInt(b)
	if v.IsInt64() {
		return scaled(v.Int64(), scale)
	}
	return ratio(v, scale)
}

// maxScale is what any of the format's decimals can have.
const maxScale = 1000

func ratio(v *big.Int, scale int) float64 {
	scale = min(max(scale, 0), maxScale)
	f, _ := new(big.Rat).SetFrac(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).Float64()
	return f
}

// errMoment says that a time of 12 bytes is none that 64 bits count.
var errMoment = errors.New("a time beyond the years 1677 to 2262, which nanoseconds do not reach")

// oldTime reads a time of the old 12 bytes: nanoseconds of a day, and the day, counted from 1970.
func oldTime(v []byte) (days, nanos int64) {
	const epoch = 2440588 // the Julian number of 1970-01-01

	days = int64(int32(binary.LittleEndian.Uint32(v[8:]))) - epoch //nolint:gosec // the bits are meant
	return days, int64(binary.LittleEndian.Uint64(v))              //nolint:gosec // the bits are meant
}

// nanoseconds appends a time of the old 12 bytes as nanoseconds since 1970.
func nanoseconds(dst, v []byte) ([]byte, error) {
	const day = 86400 * 1_000_000_000
	days, nanos := oldTime(v)
	if days < 0 && nanos >= 0 { // towards zero, as the first day that is reached is reached in part
		days, nanos = days+1, nanos-day
	}
	sum := days*day + nanos
	if days > math.MaxInt64/day || days < math.MinInt64/day || (sum > days*day) != (nanos > 0) && nanos != 0 {
		return dst, errMoment
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(sum)), nil //nolint:gosec // the bits are meant
}

// microseconds appends a time of the old 12 bytes as microseconds since 1970.
func microseconds(dst, v []byte) ([]byte, error) {
	const day = 86400 * 1_000_000
	days, nanos := oldTime(v)
	switch {
	case nanos%1000 != 0:
		return dst, errors.New("a time with nanoseconds in a file of whose writer times have microseconds")
	case days > math.MaxInt64/day-1 || days < math.MinInt64/day+1 || nanos/1000 > day || nanos < 0:
		return dst, errors.New("a time beyond those that microseconds reach")
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(days*day+nanos/1000)), nil //nolint:gosec // the bits are meant
}
