package dtypes_test

import (
	"math/big"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset/internal/dtypes"
)

func TestParseInteger(t *testing.T) {
	for _, tt := range []struct {
		text string
		want string // or the reason
	}{
		{"12", "12"},
		{"-0", "0"},
		{"+7", "7"},
		{"007", "7"},
		{"3.0", "3"},
		{"3.", "3"},
		{".5e1", "5"},
		{"1e18", "1000000000000000000"},
		{"9007199254740993.0", "9007199254740993"},
		{"18446744073709551615", "18446744073709551615"},
		{"18446744073709551616", "too large"},
		{"1.8446744073709551615e19", "18446744073709551615"},
		{"-9223372036854775808", "-9223372036854775808"},
		{"1e20", "too large"},
		{"1e99999999999999999999", "too large"},
		{"0e99999999999999999999", "0"},
		{"0.0000000000000000000000000", "0"},
		{"120e-1", "12"},
		{"125e-1", "fraction"},
		{"1.5", "fraction"},
		{"1e-99999999999999999999", "fraction"},
		{"100000000000000000000000e-20", "1000"},
		{"", "none"},
		{"-", "none"},
		{".", "none"},
		{"1e", "none"},
		{"1e+", "none"},
		{"0x10", "none"},
		{"NaN", "none"},
		{"1 ", "none"},
		{"1_0", "none"},
		{"--1", "none"},
	} {
		v, reason := dtypes.ParseInteger([]byte(tt.text))
		got := strconv.FormatUint(v.Mag, 10)
		if v.Neg && v.Mag != 0 {
			got = "-" + got
		}
		if reason != dtypes.NoError {
			got = [...]string{dtypes.NoNumber: "none", dtypes.Fraction: "fraction", dtypes.TooLarge: "too large"}[reason]
		}
		if got != tt.want {
			t.Errorf("ParseInteger(%s) = %s, want %s", tt.text, got, tt.want)
		}
	}
}

// Every decimal number is what exact arithmetic makes of it.
func TestParseIntegerProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[+-]?[0-9]{0,22}(\.[0-9]{0,22})?(e[+-]?[0-9]{1,2})?`).Draw(t, "text")
		v, reason := dtypes.ParseInteger([]byte(text))
		exact, ok := new(big.Rat).SetString(text)
		switch {
		case !ok:
			if reason != dtypes.NoNumber {
				t.Fatalf("%q: reason %d", text, reason)
			}
		case !exact.IsInt():
			if reason != dtypes.Fraction {
				t.Fatalf("%q: reason %d", text, reason)
			}
		case !new(big.Int).Abs(exact.Num()).IsUint64():
			if reason != dtypes.TooLarge {
				t.Fatalf("%q: reason %d", text, reason)
			}
		default:
			got := new(big.Int).SetUint64(v.Mag)
			if v.Neg {
				got.Neg(got)
			}
			if reason != dtypes.NoError || got.Cmp(exact.Num()) != 0 {
				t.Fatalf("%q = %v, reason %d, want %v", text, got, reason, exact.Num())
			}
			checkAs(t, v, exact.Num())
		}
	})
}

// What is about the smallest or the largest of each type fits, or does not.
func TestAs(t *testing.T) {
	for _, size := range []uint{0, 7, 8, 15, 16, 31, 32, 63, 64} {
		for add := int64(-2); add <= 2; add++ {
			n := new(big.Int).Lsh(big.NewInt(1), size)
			n.Add(n, big.NewInt(add))
			for range 2 {
				if mag := new(big.Int).Abs(n); mag.IsUint64() {
					checkAs(t, dtypes.Integer{Neg: n.Sign() < 0, Mag: mag.Uint64()}, n)
				}
				n.Neg(n)
			}
		}
	}
}

func checkAs(t interface{ Fatalf(string, ...any) }, v dtypes.Integer, want *big.Int) {
	if got, ok := dtypes.As[int64](v); ok != want.IsInt64() || ok && got != want.Int64() {
		t.Fatalf("As[int64](%v) = %d, %v", want, got, ok)
	}
	if got, ok := dtypes.As[uint64](v); ok != want.IsUint64() || ok && got != want.Uint64() {
		t.Fatalf("As[uint64](%v) = %d, %v", want, got, ok)
	}
	small := want.IsInt64() && want.Int64() >= -128 && want.Int64() < 128
	if got, ok := dtypes.As[int8](v); ok != small || ok && int64(got) != want.Int64() {
		t.Fatalf("As[int8](%v) = %d, %v", want, got, ok)
	}
	if got, ok := dtypes.As[uint8](v); ok != (want.IsUint64() && want.Uint64() < 256) || ok && uint64(got) != want.Uint64() {
		t.Fatalf("As[uint8](%v) = %d, %v", want, got, ok)
	}
}
