package dataset_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	must := func(x tensor.Tensor, err error) tensor.Tensor {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	tests := []struct {
		name string
		in   tensor.Tensor
		want string
	}{
		{"scalar", tensor.Scalar(float32(0.1)), `0.1`},
		{"float64 keeps its digits", tensor.Scalar(math.Nextafter(0.3, 1)), `0.30000000000000004`},
		{"not finite", tensor.Vector(math.NaN(), math.Inf(1), math.Inf(-1)), `[NaN,Infinity,-Infinity]`},
		{"minus zero", tensor.Scalar(math.Copysign(0, -1)), `-0.0`},
		{"large and small", tensor.Vector(1e21, 1e20, 1e-7, 1e-6), `[1e+21,100000000000000000000,1e-07,0.000001]`},
		{"int64 is exact", tensor.Vector[int64](math.MaxInt64, math.MinInt64), `[9223372036854775807,-9223372036854775808]`},
		{"uint64 is exact", tensor.Scalar[uint64](math.MaxUint64), `18446744073709551615`},
		{"int8", tensor.Vector[int8](-128, 127), `[-128,127]`},
		{"bool", tensor.Vector(true, false), `[true,false]`},
		{"complex", tensor.Vector(complex(1.5, -2)), `[[1.5,-2]]`},
		{"half", tensor.Vector(tensor.ToF16(0.1), tensor.ToF16(65504), tensor.ToF16(1.0/3)), `[0.099975586,65504,0.33325195]`},
		{"bfloat16", tensor.Vector(tensor.ToBF16(0.1), tensor.ToBF16(3.14159)), `[0.100097656,3.140625]`},
		{"nested", must(tensor.FromSlice([]int32{1, 2, 3, 4, 5, 6}, 2, 1, 3)), `[[[1,2,3]],[[4,5,6]]]`},
		{"empty inner axis", must(tensor.New(tensor.Float32, 2, 0)), `[[],[]]`},
		{"empty", must(tensor.New(tensor.String, 0)), `[]`},
		{"text", tensor.Scalar("a\"b\\c\n\t\x01é😀"), `"a\"b\\c\n\t\u0001é😀"`},
		{"bytes", tensor.Scalar("\xff\x00"), `{"b64":"/wA="}`},
		{"quantized", must(tensor.FromBytes(tensor.Qint8, []byte{0xff, 1}, 2)), `[-1,1]`},
		{"wide quantized", must(tensor.FromBytes(tensor.Qint32, []byte{0xfe, 0xff, 0xff, 0xff}, 1)), `[-2]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := dataset.AppendJSON(nil, tt.in, nil)
			if err != nil || string(got) != tt.want {
				t.Errorf("AppendJSON(%v) = %s, %v, want %s", tt.in, got, err, tt.want)
			}
		})
	}
}

func FuzzAppendJSONString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n\r\t\x00\x7f", "é\u2028😀", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := dataset.AppendJSONString(nil, s)
		var text string
		var bytes struct{ B64 []byte }
		switch got[0] {
		case '"':
			if err := json.Unmarshal(got, &text); err != nil {
				t.Fatalf("%q is written %s: %v", s, got, err)
			}
		default:
			if err := json.Unmarshal(got, &bytes); err != nil {
				t.Fatalf("%q is written %s: %v", s, got, err)
			}
			text = string(bytes.B64)
		}
		if text != s {
			t.Fatalf("%q is written %s, which reads back as %q", s, got, text)
		}
	})
}

// TestJSONFloat32Rounding compares numbers of up to 19 digits, many of them about halfway between
// two float32 values, with the exact rounding.
func TestJSONFloat32Rounding(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var texts []string
	for range 200_000 {
		f := math.Float32frombits(uint32(rng.IntN(1<<16))<<16 | rng.Uint32()>>16&0x7fffffff)
		if f != f || math.IsInf(float64(f), 0) || math.Abs(float64(f)) < 1e-10 || math.Abs(float64(f)) > 1e10 {
			f = rng.Float32()
		}
		half := (float64(f) + float64(math.Nextafter32(f, 1e30))) / 2
		for range rng.IntN(3) {
			half = math.Nextafter(half, float64(rng.IntN(3)-1)*1e30)
		}
		texts = append(texts, strconv.FormatFloat(half, 'f', rng.IntN(20), 64), strconv.FormatFloat(float64(f), 'g', 17, 64))
	}
	ds := dataset.JSONL(strings.NewReader("["+strings.Join(texts, ",")+"]"), dataset.TensorSpec(tensor.Float32, tensor.Unknown))
	rows, err := ds.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := tensor.Values[float32](rows[0].Tensors[0])
	for i, text := range texts {
		want, err := strconv.ParseFloat(text, 32)
		if err != nil {
			t.Fatal(err)
		}
		if got[i] != float32(want) {
			t.Fatalf("%s was read as %v, want %v", text, got[i], float32(want))
		}
	}
}
