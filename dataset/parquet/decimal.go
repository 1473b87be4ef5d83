package parquet

import (
	"fmt"
	"math"
	"math/big"

	"github.com/parquet-go/parquet-go/encoding"

	"github.com/tfrun/tfrun/tensor"
)

// decimals makes floats of unscaled integers, rounded once.
func (r *reader) decimals(v encoding.Values, n int) error {
	out := make([]float64, n)
	r.data = tensor.Vector(out...).Bytes()
	switch v.Kind() {
	case encoding.Int32:
		values := v.Int32()
		if len(values) < n {
			return errShort
		}
		for i := range out {
			out[i] = scaled(int64(values[i]), r.scale)
		}
	case encoding.Int64:
		values := v.Int64()
		if len(values) < n {
			return errShort
		}
		for i := range out {
			out[i] = scaled(values[i], r.scale)
		}
	case encoding.FixedLenByteArray:
		data, size := v.FixedLenByteArray()
		if size <= 0 || len(data)/size < n {
			return errShort
		}
		for i := range out {
			out[i] = bigScaled(data[i*size:(i+1)*size], r.scale)
		}
	case encoding.ByteArray:
		strs, err := byteArrays(v, n, nil)
		if err != nil {
			return err
		}
		for i := range out {
			out[i] = bigScaled([]byte(strs[i]), r.scale)
		}
	default:
		return fmt.Errorf("decimals of kind %v", v.Kind())
	}
	return nil
}

// scaled returns v · 10^-scale, rounded once: both are exact up to 2^53 and 10^22.
func scaled(v int64, scale int) float64 {
	if v > -1<<53 && v < 1<<53 && scale >= 0 && scale <= 22 {
		return float64(v) / math.Pow10(scale)
	}
	return ratio(big.NewInt(v), scale)
}

// bigScaled reads a big-endian integer in two's complement.
func bigScaled(b []byte, scale int) float64 {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	if v.IsInt64() {
		if i := v.Int64(); i > -1<<53 && i < 1<<53 {
			return scaled(i, scale)
		}
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
