package dtypes_test

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/tensor"
)

var inf = math.Inf(1)

func TestConvert(t *testing.T) {
	f16 := func(f float64) tensor.F16 { return tensor.ToF16(f) }
	tests := []struct {
		name string
		src  tensor.Tensor
		to   tensor.DType
		want string // the values, or the reason why not
	}{
		{"int64 to int32", tensor.Vector[int64](-1<<31, 1<<31-1), tensor.Int32, "[-2147483648 2147483647]"},
		{"int64 too large", tensor.Vector[int64](0, 1<<31), tensor.Int32, "2147483648 does not fit int32"},
		{"negative to unsigned", tensor.Vector[int8](-1), tensor.Uint64, "-1 does not fit uint64"},
		{"uint64 to int64", tensor.Vector[uint64](math.MaxUint64), tensor.Int64, "18446744073709551615 does not fit int64"},
		{"int to float32", tensor.Vector[int64](1<<24, -1<<24, 1<<62), tensor.Float32, "[1.6777216e+07 -1.6777216e+07 4.611686e+18]"},
		{"int is rounded", tensor.Vector[int64](1<<24+1, 1<<24+3), tensor.Float32, "[1.6777216e+07 1.677722e+07]"},
		{"largest int to float64", tensor.Vector[int64](math.MaxInt64), tensor.Float64, "[9.223372036854776e+18]"},
		{"largest uint to float64", tensor.Vector[uint64](math.MaxUint64), tensor.Float64, "[1.8446744073709552e+19]"},
		{"smallest int to float64", tensor.Vector[int64](math.MinInt64), tensor.Float64, "[-9.223372036854776e+18]"},
		{"smallest int to half", tensor.Vector[int64](math.MinInt64), tensor.Float16, "-9223372036854775808 does not fit float16"},
		{"int to half", tensor.Vector[int32](2048), tensor.Float16, "[26624]"},
		{"int to bfloat16", tensor.Vector[int32](257, 259), tensor.Bfloat16, "[256 260]"},
		{"whole float to int", tensor.Vector(3.0, math.Copysign(0, -1)), tensor.Int8, "[3 0]"},
		{"float to int", tensor.Vector(2.5), tensor.Int64, "want an int64, got 2.5"},
		{"float too large", tensor.Vector(0x1p63), tensor.Int64, "9.223372036854776e+18 does not fit int64"},
		{"float to uint64", tensor.Vector(0x1p63), tensor.Uint64, "[9223372036854775808]"},
		{"NaN to int", tensor.Vector[float32](float32(math.NaN())), tensor.Int32, "want an int32, got NaN"},
		{"Inf to int", tensor.Vector(inf), tensor.Int32, "want an int32, got +Inf"},
		{"float64 is rounded", tensor.Vector(0.1, inf, -1e-300), tensor.Float32, "[0.1 +Inf -0]"},
		{"float64 too large", tensor.Vector(1e39), tensor.Float32, "1e+39 does not fit float32"},
		{"too large for half", tensor.Vector[float32](65520), tensor.Float16, "65520 does not fit float16"},
		{"infinite half", tensor.Vector[float32](float32(inf)), tensor.Float16, "[31744]"},
		{"half to float32", tensor.Vector(f16(0.5)), tensor.Float32, "[0.5]"},
		{"half to int", tensor.Vector(f16(0.5)), tensor.Int32, "want an int32, got 0.5"},
		{"bool to float", tensor.Vector(true, false), tensor.Float32, "[1 0]"},
		{"bool to int", tensor.Vector(true), tensor.Uint8, "[1]"},
		{"int to bool", tensor.Vector[int64](1, 0, 2), tensor.Bool, "want true, false, 0 or 1, got 2"},
		{"float to bool", tensor.Vector(1.0, 0.0), tensor.Bool, "[true false]"},
		{"real to complex", tensor.Vector(1.5), tensor.Complex64, "[(1.5+0i)]"},
		{"complex", tensor.Vector[complex128](complex(1e39, 0)), tensor.Complex64, "(1e+39+0i) does not fit complex64"},
		{"same type", tensor.Vector("a", "\xff"), tensor.String, "[a \xff]"},
		{"quantized", tensor.Vector[int64](127, 128), tensor.Qint8, "128 does not fit qint8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !dtypes.Can(tt.to, tt.src.DType()) {
				t.Fatalf("Can(%v, %v) = false", tt.to, tt.src.DType())
			}
			dst, err := tensor.New(tt.to, tt.src.Dims()...)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if bad := dtypes.Convert(dst, tt.src); bad >= 0 {
				got = dtypes.Reason(tt.to, tt.src, bad)
			} else {
				got = text(dst)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Convert (-want +got):\n%s", diff)
			}
		})
	}
}

func text(t tensor.Tensor) string {
	switch t.DType() {
	case tensor.Float16:
		v, _ := tensor.Values[tensor.F16](t)
		return fmt.Sprint(v)
	case tensor.String:
		return fmt.Sprint(t.Strings())
	}
	var parts []string
	for i := range t.Len() {
		parts = append(parts, dtypes.Text(t, i))
	}
	return fmt.Sprint(parts)
}

// TestCan: which types of a file's values an input of another type takes.
func TestCan(t *testing.T) {
	for _, tt := range []struct {
		dst, src tensor.DType
		want     bool
	}{
		{tensor.String, tensor.String, true},
		{tensor.String, tensor.Int64, false},
		{tensor.Float32, tensor.String, false},
		{tensor.Float32, tensor.Complex64, false},
		{tensor.Complex64, tensor.Bool, true},
		{tensor.Variant, tensor.Int64, false},
		{tensor.Float8E5M2, tensor.Float32, false},
		{tensor.Quint8, tensor.Float64, true},
	} {
		if got := dtypes.Can(tt.dst, tt.src); got != tt.want {
			t.Errorf("Can(%v, %v) = %v", tt.dst, tt.src, got)
		}
	}
}

// Every value that goes over is the value it was, as math/big sees it, or the float that is nearest
// to it; every value that does not is really lost.
func TestIntegersAgainstBig(t *testing.T) {
	all := []tensor.DType{tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Float32, tensor.Float64}
	rapid.Check(t, func(t *rapid.T) {
		to := rapid.SampledFrom(all).Draw(t, "to")
		src := tensor.Vector(rapid.Int64().Draw(t, "v"))
		want := new(big.Float).SetInt64(mustValue[int64](src))
		if rapid.Bool().Draw(t, "unsigned") {
			u := rapid.Uint64().Draw(t, "u")
			src, want = tensor.Vector(u), new(big.Float).SetUint64(u)
		}
		dst, _ := tensor.New(to, 1)
		if dtypes.Convert(dst, src) >= 0 {
			if fits(want, to) {
				t.Fatalf("%v to %v: refused", want, to)
			}
			return
		}
		got, _, _ := big.ParseFloat(dtypes.Text(dst, 0), 10, 80, big.ToNearestEven)
		if to == tensor.Float32 || to == tensor.Float64 {
			wide, _ := tensor.New(tensor.Float64, 1)
			dtypes.Convert(wide, dst)
			got = new(big.Float).SetFloat64(mustValue[float64](wide))
			want = rounded(want, to)
		}
		if got.Cmp(want) != 0 {
			t.Fatalf("%v to %v: got %v", want, to, got)
		}
	})
}

func mustValue[T tensor.Value](t tensor.Tensor) T {
	v, _ := tensor.Values[T](t)
	return v[0]
}

// rounded returns the float of a type that is nearest to v.
func rounded(v *big.Float, to tensor.DType) *big.Float {
	f, _ := v.Float64()
	if to == tensor.Float32 {
		narrow, _ := v.Float32()
		f = float64(narrow)
	}
	return new(big.Float).SetFloat64(f)
}

func fits(v *big.Float, to tensor.DType) bool {
	if to.IsFloat() {
		return true
	}
	bits := uint(to.Size() * 8)
	one := big.NewInt(1)
	lo, hi := new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(one, bits), one)
	if to == tensor.Int8 || to == tensor.Int16 || to == tensor.Int32 || to == tensor.Int64 {
		lo.Neg(new(big.Int).Lsh(one, bits-1))
		hi.Sub(new(big.Int).Lsh(one, bits-1), one)
	}
	i, _ := v.Int(nil)
	return i.Cmp(lo) >= 0 && i.Cmp(hi) <= 0
}
