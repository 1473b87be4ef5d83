package parquet

import (
	"encoding/binary"
	"math"
	"math/big"
	"testing"
)

// Times of the old 12 bytes are nanoseconds where 64 bits count these, to the first and the last
// one, and refused beyond; what is more than a day's may be refused, but is no other time.
func TestOldTimes(t *testing.T) {
	t.Parallel()
	day := big.NewInt(86400 * 1_000_000_000)
	for _, days := range []int64{0, 1, -1, 18321, 106750, 106751, 106752, -106751, -106752, -106753, math.MaxInt32 - 2440588, -2440588} {
		for _, nanos := range []int64{0, 1, 999_999_999, 86400*1_000_000_000 - 1, 85636854775807, 85636854775808, 763145224192, 763145224191, -1, math.MinInt64, math.MaxInt64} {
			v := binary.LittleEndian.AppendUint64(nil, uint64(nanos))     //nolint:gosec // the bits are meant
			v = binary.LittleEndian.AppendUint32(v, uint32(days+2440588)) //nolint:gosec // the bits are meant
			want := new(big.Int).Mul(big.NewInt(days), day)
			want.Add(want, big.NewInt(nanos))
			got, err := nanoseconds(nil, v)
			switch {
			case (err == nil) != want.IsInt64() && nanos >= 0 && nanos < day.Int64():
				t.Errorf("day %d, %d ns: error %v, want the value %v", days, nanos, err, want)
			case err == nil && int64(binary.LittleEndian.Uint64(got)) != want.Int64(): //nolint:gosec // the bits are meant
				t.Errorf("day %d, %d ns: %d, want %v", days, nanos, int64(binary.LittleEndian.Uint64(got)), want) //nolint:gosec // as above
			}
		}
	}
}
