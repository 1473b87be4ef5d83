package jsontext_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/tensor"
)

func shaped[T tensor.Value](t *testing.T, v []T, dims ...int64) tensor.Tensor {
	t.Helper()
	x, err := tensor.FromSlice(v, dims...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestAppend(t *testing.T) {
	splits := func(v ...int64) tensor.Tensor { return tensor.Vector(v...) }
	tests := []struct {
		name   string
		t      tensor.Tensor
		splits []tensor.Tensor
		want   string
	}{
		{"scalar", tensor.Scalar[float32](0.1), nil, `0.1`},
		{"lists", shaped(t, []int64{1, 2, 3, math.MaxInt64}, 2, 2), nil, `[[1,2],[3,9223372036854775807]]`},
		{"empty", shaped(t, []int64{}, 2, 0), nil, `[[],[]]`},
		{"not finite", tensor.Vector(math.NaN(), math.Inf(1), math.Inf(-1), 1e21, -1e-7), nil, `[NaN,Infinity,-Infinity,1e+21,-1e-07]`},
		{"strings", tensor.Vector("a\"\\\n\r\t\x01é", "\xff"), nil, `["a\"\\\n\r\t\u0001é",{"b64":"/w=="}]`},
		{"complex", tensor.Scalar(complex64(complex(1, -2))), nil, `[1,-2]`},
		{"halves", tensor.Vector(tensor.ToF16(0.1), tensor.ToF16(65504), tensor.F16(0x7c00)), nil, `[0.099975586,65504,Infinity]`},
		{"bfloat16", tensor.Vector(tensor.ToBF16(0.1), tensor.ToBF16(3)), nil, `[0.100097656,3]`},
		{"bools", tensor.Vector(true, false), nil, `[true,false]`},
		{"bytes", tensor.Vector[uint8](255), nil, `[255]`},
		{"ragged", tensor.Vector[int32](1, 2, 3), []tensor.Tensor{splits(0, 2, 2, 3)}, `[[1,2],[],[3]]`},
		{"ragged twice", tensor.Vector[int8](1, 2), []tensor.Tensor{splits(0, 2, 2), tensor.Vector[int32](0, 1, 2)}, `[[[1],[2]],[]]`},
		{"ragged of pairs", shaped(t, []int16{1, 2, 3, 4}, 2, 2), []tensor.Tensor{splits(0, 2)}, `[[[1,2],[3,4]]]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := jsontext.Append(nil, tt.t, tt.splits)
			if err != nil || string(got) != tt.want {
				t.Errorf("Append = %s, %v; want %s", got, err, tt.want)
			}
		})
	}
	if _, err := jsontext.Append(nil, tensor.Tensor{}, nil); err == nil {
		t.Error("Append of no tensor: no error")
	}
}

func TestStringIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		var back string
		if err := json.Unmarshal(jsontext.AppendString(nil, s), &back); err != nil || back != s {
			t.Fatalf("%q reads back as %q, %v", s, back, err)
		}
	})
}

// TestNothingSteers writes texts of characters that steer a terminal, of ones beside them, and of
// others: as values, and as texts in JSON that are kept. None is left, and they read back.
func TestNothingSteers(t *testing.T) {
	odd := []rune{0, '\n', 0x1b, ' ', '~', 0x7f, 0x80, 0x85, 0x9b, 0x9f, 0xa0, 'é', 0x061b, 0x061c, 0x200d, 0x200e, 0x200f, 0x2010, 0x2027, 0x2028, 0x202e, 0x202f, 0x2065, 0x2066, 0x2069, 0x206a, 0xfffd, '層', '👍'}
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.SampledFrom(odd)).Draw(t, "s"))
		var raw bytes.Buffer
		e := json.NewEncoder(&raw)
		if err := e.Encode(s); err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{jsontext.AppendString(nil, s), jsontext.AppendText(nil, bytes.TrimSpace(raw.Bytes())), words.JSON(bytes.TrimSpace(raw.Bytes()))} {
			var back string
			if err := json.Unmarshal(text, &back); err != nil || back != s || bytes.ContainsFunc(text, words.Steers) {
				t.Fatalf("%q became %s, which reads back as %q, %v", s, text, back, err)
			}
		}
	})
}

func TestFloatReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float32().Draw(t, "v")
		back, err := strconv.ParseFloat(string(jsontext.AppendFloat(nil, float64(v), 32)), 32)
		if err != nil || float32(back) != v {
			t.Fatalf("%v reads back as %v, %v", v, back, err)
		}
	})
}

func TestIsNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[-+]?[0-9]{0,3}\.?[0-9]{0,2}([eE][-+]?[0-9]{0,2})?`).Draw(t, "s")
		if got, want := jsontext.IsNumber(s), json.Valid([]byte(s)); got != want {
			t.Fatalf("IsNumber(%q) = %v, want %v", s, got, want)
		}
	})
}

func TestKinds(t *testing.T) {
	for _, tt := range []struct {
		text string
		kind jsontext.Kind
		as   string
	}{
		{`null`, jsontext.Null, ``},
		{``, jsontext.Null, ``},
		{`true`, jsontext.Bool, `true`},
		{`12`, jsontext.Int, `12`},
		{`9223372036854775808`, jsontext.Float, `9223372036854775808`},
		{`1.5`, jsontext.Float, `1.5`},
		{`NaN`, jsontext.Float, `NaN`},
		{`"a\"b"`, jsontext.Text, `a"b`},
		{`[1]`, jsontext.Other, `[1]`},
	} {
		if got := jsontext.KindOf([]byte(tt.text)); got != tt.kind {
			t.Errorf("KindOf(%s) = %v, want %v", tt.text, got, tt.kind)
		}
		if got := string(jsontext.AsText([]byte(tt.text))); got != tt.as {
			t.Errorf("AsText(%s) = %s, want %s", tt.text, got, tt.as)
		}
	}
	if jsontext.Widen(jsontext.Int, jsontext.Float) != jsontext.Float || jsontext.Widen(jsontext.Null, jsontext.Text) != jsontext.Text ||
		jsontext.Widen(jsontext.Bool, jsontext.Int) != jsontext.Other {
		t.Error("Widen: wrong kinds")
	}
	if v, ok := jsontext.AsFloat([]byte("-Infinity")); !ok || !math.IsInf(v, -1) {
		t.Errorf("AsFloat(-Infinity) = %v, %v", v, ok)
	}
}

// What is kept is JSON: a string that is not UTF-8 is its bytes, wherever it stands.
func TestValidUTF8(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{"é": "\ud83d\ude00"}`, `{"é": "\ud83d\ude00"}`},
		{"\"\xff\"", `{"b64":"/w=="}`},
		{"[1, \"a\\\"b\", \"\\n\\\"\\ud83d\\ude00\\u00e9\xff\", null]", `[1, "a\"b", {"b64":"CiLwn5iAw6n/"}, null]`},
		{"{\"k\" : \"\xc3\", \"\\\\\": \"\\\\\"}", `{"k" : {"b64":"ww=="}, "\\": "\\"}`},
		{"{\"\xff\" : 1}", ""},
	} {
		got, ok := jsontext.ValidUTF8([]byte(tt.text))
		if ok != (tt.want != "") || ok && string(got) != tt.want {
			t.Errorf("ValidUTF8(%q) = %s, %v, want %s", tt.text, got, ok, tt.want)
		}
	}
}

func TestNullNaN(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":[NaN,-Infinity,Infinity,1],"NaN":"Infinity \"NaN"}`: `{"a":[null,null,null,1],"NaN":"Infinity \"NaN"}`,
		`NaN`: `null`,
		`[1]`: `[1]`,
	} {
		if got := string(jsontext.NullNaN([]byte(in))); got != want {
			t.Errorf("NullNaN(%s) = %s, want %s", in, got, want)
		}
	}
}
