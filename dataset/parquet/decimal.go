package parquet

import (
	"encoding/binary"
	"errors"
	"math"
)

// errMoment says that a time of 12 bytes does not fit 64 bits.
var errMoment = errors.New("a time beyond the years 1677 to 2262, which nanoseconds do not reach")

// oldTime reads a time in the old form of 12 bytes: the nanoseconds within the day, and the day,
// counted from 1970.
func oldTime(v []byte) (days, nanos int64) {
	const epoch = 2440588 // the Julian number of 1970-01-01

	days = int64(int32(binary.LittleEndian.Uint32(v[8:]))) - epoch //nolint:gosec // the bits are meant
	return days, int64(binary.LittleEndian.Uint64(v))              //nolint:gosec // the bits are meant
}

// nanoseconds appends a time in the old form as nanoseconds since 1970.
func nanoseconds(dst, v []byte) ([]byte, error) {
	const day = 86400 * 1_000_000_000
	days, nanos := oldTime(v)
	// Days before 1970 are rounded towards zero: the first one within reach is so in part.
	if days < 0 && nanos >= 0 {
		days, nanos = days+1, nanos-day
	}
	sum := days*day + nanos
	if days > math.MaxInt64/day || days < math.MinInt64/day || (sum > days*day) != (nanos > 0) && nanos != 0 {
		return dst, errMoment
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(sum)), nil //nolint:gosec // the bits are meant
}

// microseconds appends a time in the old form as microseconds since 1970.
func microseconds(dst, v []byte) ([]byte, error) {
	const day = 86400 * 1_000_000
	days, nanos := oldTime(v)
	switch {
	case nanos%1000 != 0:
		return dst, errors.New("a time has nanoseconds, and the file's writer keeps microseconds")
	case days > math.MaxInt64/day-1 || days < math.MinInt64/day+1 || nanos/1000 > day || nanos < 0:
		return dst, errors.New("a time beyond those that microseconds reach")
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(days*day+nanos/1000)), nil //nolint:gosec // the bits are meant
}
