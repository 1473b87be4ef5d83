package dataset_test

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	ar "github.com/apache/arrow-go/v18/arrow"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/tensor"
)

// decimalFormats hold numbers as decimals.
var decimalFormats = []valueFormat{
	{"decimals of parquet", decimalFile(func(b *bytes.Buffer) (rowtest.RowWriter, error) {
		return parquet.NewWriter(b, dataset.Dict(map[string]dataset.Spec{}), parquet.WriterOptions{Keep: []string{"x"}})
	}), valueFormats[4].rows},
	{"decimals of arrow", decimalFile(func(b *bytes.Buffer) (rowtest.RowWriter, error) {
		return arrow.NewWriter(b, dataset.Dict(map[string]dataset.Spec{}), arrow.WriterOptions{Keep: []string{"x"}})
	}), valueFormats[5].rows},
}

// decimalFile is [written] for columns of decimals, of the narrowest type that holds the value.
func decimalFile(open func(*bytes.Buffer) (rowtest.RowWriter, error)) func(*testing.T, string, dataset.Spec) []byte {
	return func(t *testing.T, text string, _ dataset.Spec) []byte {
		t.Helper()
		n, scale, ok := unscaled(text)
		digits := len(new(big.Int).Abs(n).String())
		if !ok || max(digits, scale) > 76 || n.Sign() == 0 && text[0] == '-' {
			return nil
		}
		d, err := ar.NarrowestDecimalType(int32(max(digits, scale, 1)), int32(scale)) //nolint:gosec // few
		if err != nil {
			t.Fatal(err)
		}
		own, err := kept.Of(ar.Field{Type: d, Nullable: true})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w, err := open(&b)
		if err != nil {
			t.Fatal(err)
		}
		for row, v := range []*big.Int{new(big.Int), n} {
			value := kept.Fixed(v, d.(ar.FixedWidthDataType).Bytes()) //nolint:forcetypeassert // decimals are
			if row == 1 && text == "null" {
				value = nil
			}
			if err := w.Write(dataset.Element{Row: int64(row), Extra: []dataset.Field{{Key: "x", Type: own, Value: value}}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
}

// unscaled returns a number as an integer and a power of ten.
func unscaled(text string) (n *big.Int, scale int, ok bool) {
	if text == "null" {
		return new(big.Int), 0, true
	}
	digits, exp, _ := strings.Cut(text, "e")
	whole, fraction, _ := strings.Cut(digits, ".")
	n, ok = new(big.Int).SetString(whole+fraction, 10)
	if !ok {
		return new(big.Int), 0, false
	}
	e, _ := strconv.Atoi(exp)
	if scale = len(fraction) - e; scale < 0 {
		n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-scale)), nil))
		scale = 0
	}
	return n, scale, true
}

// A decimal becomes what the same number in JSON becomes, to the last digit and the last bit.
func TestDecimalValues(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	texts := []string{
		"123456789012345678", "-9223372036854775808", "9223372036854775807.00", "9223372036854775808", "18446744073709551615", "9007199254740993.000000", "-16777217", "1.00000005960464477540",
		"1.000000178813934326171874", "1.000000178813934326171876", "340282356779733661637539395458142568447", "340282346638528859811704183484516925440", "0.30000000000000001665", "99999.5", "-1.0",
	}
	for range 120 {
		digits := strconv.FormatUint(r.Uint64(), 10) + strconv.FormatUint(r.Uint64(), 10)
		digits = digits[:1+r.IntN(len(digits))]
		point := r.IntN(len(digits) + 1)
		text := strings.TrimLeft(digits[:point], "0")
		if text == "" {
			text = "0"
		}
		if point < len(digits) {
			text += "." + digits[point:]
		}
		texts = append(texts, strings.Repeat("-", r.IntN(2))+text)
	}
	for _, text := range texts {
		for _, dtype := range []tensor.DType{tensor.Float32, tensor.Float64, tensor.Float16, tensor.Int8, tensor.Int32, tensor.Int64, tensor.Uint64, tensor.Bool} {
			spec := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(dtype)})
			json := valueFormats[0]
			_, want := second(t, json.rows(spec, nil, json.file(t, text, spec)))
			if want == "-0.0" {
				want = "0" // decimals have one
			}
			for _, f := range decimalFormats {
				data := f.file(t, text, spec)
				if data == nil {
					continue
				}
				if _, got := second(t, f.rows(spec, nil, data)); got != want && !(got == "-0.0" && want == "0") {
					t.Errorf("%s from %s as %s = %s, want %s", text, f.name, dtype, got, want)
				}
			}
		}
	}
}
