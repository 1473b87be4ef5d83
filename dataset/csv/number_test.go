package csv

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/tensor"
)

func chunkOf(s string) []byte { return append([]byte(s+"\n"), make([]byte, slack)...) }

// checkNumber compares the readers with strconv's on a text that is a number for both, or for
// neither.
func checkNumber(t interface{ Fatalf(string, ...any) }, text string) {
	b := chunkOf(text)
	want32, err32 := strconv.ParseFloat(text, 32)
	v32, end, ok := readFloat32(b, 0)
	if ok && end == len(text) && (err32 != nil || math.Float32bits(v32) != math.Float32bits(float32(want32))) {
		t.Fatalf("readFloat32(%s) = %v, want %v, %v", text, v32, float32(want32), err32)
	}
	want64, err64 := strconv.ParseFloat(text, 64)
	v64, end, ok := readFloat64(b, 0)
	if ok && end == len(text) && (err64 != nil || math.Float64bits(v64) != math.Float64bits(want64)) {
		t.Fatalf("readFloat64(%s) = %v, want %v, %v", text, v64, want64, err64)
	}
	if err64 == nil && (!ok || end != len(text)) && !math.IsNaN(want64) && !math.IsInf(want64, 0) && !strings.ContainsAny(text, "xXpP_") {
		t.Fatalf("readFloat64(%s): not read, want %v", text, want64)
	}
}

func TestReadFloat(t *testing.T) {
	for _, text := range []string{
		"0", "-0", "+1", "1.", ".5", "-.5e1", "00.10", "1e5", "1E-5", "1e", "1e+", "-", ".", "", "+-1", "--1", "1.2.3", "1e400", "1e-400", "-1e-50", "3.4028235e38", "3.4028236e38",
		"16777217", "16777219", "33554433", "9007199254740993", "0.1", "123456789.123456789", "1234567890123456789", "12345678901234567890", "99999999999999999999999", "0.00000000000000000000000123456",
		"0.30000001192092896", "7.038531e-26", "1.00000017881393432617187499", "1.00000017881393432617187500", "1.00000017881393432617187501", "1e23", "8.5e22", "4503599627370497.5",
		"2.2250738585072014e-308", "1.1754944e-38", "1.1754943e-38", "1e-45", "7e-46", strings.Repeat("1", 400), "0." + strings.Repeat("0", 400) + "1", "0." + strings.Repeat("3", 400),
		"1e99999999999999999999", "1e-99999999999999999999", "000000000000000000000000001.5", "0.000000000000000000000000000",
	} {
		checkNumber(t, text)
	}
}

func TestReadFloatProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			checkNumber(t, strconv.FormatFloat(rapid.Float64().Draw(t, "v"), "efg"[rapid.IntRange(0, 2).Draw(t, "f")], -1, 64))
		case 1:
			checkNumber(t, strconv.FormatFloat(float64(rapid.Float32().Draw(t, "v")), 'g', -1, 32))
		case 2:
			// Halfway between two float32 values, or next to it.
			v := math.Float64frombits(math.Float64bits(float64(rapid.Float32Range(1e-30, 1e30).Draw(t, "v"))) | 1<<28)
			checkNumber(t, strconv.FormatFloat(v, 'f', -1, 64)+rapid.SampledFrom([]string{"", "1", "9"}).Draw(t, "more"))
			checkNumber(t, strconv.FormatFloat(math.Nextafter(v, 0), 'g', -1, 64))
		case 3:
			checkNumber(t, rapid.StringMatching(`[-+]?[0-9]{0,25}\.?[0-9]{0,25}([eE][-+]?[0-9]{0,3})?`).Draw(t, "text"))
		}
	})
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"1.5", "-1e-5", "NaN", "inf", "0x1p5", "1_000", "9223372036854775808", "3.0", "TRUE"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !strings.ContainsAny(s, "\n") {
			checkNumber(t, s)
		}
		for _, d := range []tensor.DType{tensor.Float32, tensor.Float16, tensor.Bfloat16, tensor.Int8, tensor.Uint64, tensor.Bool, tensor.Float64} {
			dst, err := tensor.New(d, 1)
			if err != nil {
				t.Fatal(err)
			}
			number([]byte(s), dst, tensor.Tensor{})
		}
	})
}

func TestNumber(t *testing.T) {
	for _, tt := range []struct {
		text string
		to   tensor.DType
		want string // the error
	}{
		{"1.5", tensor.Float32, ""},
		{"nan", tensor.Float32, ""},
		{"-Infinity", tensor.Float16, ""},
		{"1e39", tensor.Float32, "1e39 does not fit float32"},
		{"1e400", tensor.Float64, "1e400 does not fit float64"},
		{"65520", tensor.Float16, "65520 does not fit float16"},
		{"3.0", tensor.Int32, ""},
		{"3.5", tensor.Int32, "want an integer, got 3.5"},
		{"2147483648", tensor.Int32, "2147483648 does not fit int32"},
		{"18446744073709551615", tensor.Uint64, ""},
		{"18446744073709551616", tensor.Uint64, "18446744073709551616 does not fit uint64"},
		{"-1", tensor.Uint8, "-1 does not fit uint8"},
		{"9223372036854775808", tensor.Int64, "9223372036854775808 does not fit int64"},
		{"", tensor.Float32, "want a float32, got an empty cell"},
		{"abc", tensor.Int64, `want an integer, got "abc"`},
		{"0x10", tensor.Float32, `want a float32, got "0x10"`},
		{"True", tensor.Bool, ""},
		{"yes", tensor.Bool, `want true or false, got "yes"`},
		{strings.Repeat("a", 50), tensor.Float32, `want a float32, got "` + strings.Repeat("a", 40) + `…"`},
	} {
		dst, err := tensor.New(tt.to, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := number([]byte(tt.text), dst, tensor.Tensor{}); got != tt.want {
			t.Errorf("number(%q, %v) = %q, want %q", tt.text, tt.to, got, tt.want)
		}
	}
}
