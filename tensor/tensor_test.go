package tensor

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDTypeNames(t *testing.T) {
	t.Parallel()
	for i := range 256 {
		d := DType(i)
		name := d.String()
		if i >= len(dtypes) || dtypes[i].name == "" || d == Invalid {
			if _, err := ParseDType(name); err == nil {
				t.Errorf("ParseDType(%q) of number %d = nil error, want one", name, i)
			}
			continue
		}
		if got, err := ParseDType(name); err != nil || got != d {
			t.Errorf("ParseDType(%q) = %v, %v, want %v", name, got, err, d)
		}
	}
	if got := DType(101).String(); got != "float32_ref" {
		t.Errorf("DType(101) = %q, want float32_ref", got)
	}
	if got := DType(101).Base(); got != Float32 {
		t.Errorf("DType(101).Base() = %v, want float32", got)
	}
}

func TestShapeText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		shape      Shape
		text, json string
	}{
		{UnknownShape(), "<unknown>", "null"},
		{MakeShape(), "()", "[]"},
		{MakeShape(-1), "(None,)", "[null]"},
		{MakeShape(-7, 64), "(None, 64)", "[null,64]"},
		{MakeShape(0, 1, 2), "(0, 1, 2)", "[0,1,2]"},
	}
	for _, tt := range tests {
		if got := tt.shape.String(); got != tt.text {
			t.Errorf("String() = %q, want %q", got, tt.text)
		}
		b, err := json.Marshal(tt.shape)
		if err != nil || string(b) != tt.json {
			t.Errorf("Marshal(%v) = %s, %v, want %s", tt.shape, b, err, tt.json)
		}
		var back Shape
		if err := json.Unmarshal(b, &back); err != nil || !back.Equal(tt.shape) {
			t.Errorf("Unmarshal(%s) = %v, %v, want %v", b, back, err, tt.shape)
		}
	}
}

func TestShapeAdmits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		shape Shape
		dims  []int64
		want  bool
	}{
		{UnknownShape(), []int64{1, 2, 3}, true},
		{MakeShape(), nil, true},
		{MakeShape(), []int64{1}, false},
		{MakeShape(-1, 3), []int64{7, 3}, true},
		{MakeShape(-1, 3), []int64{7, 4}, false},
		{MakeShape(2, 3), []int64{-1, 3}, true},
	}
	for _, tt := range tests {
		if got := tt.shape.Admits(tt.dims); got != tt.want {
			t.Errorf("%v.Admits(%v) = %v, want %v", tt.shape, tt.dims, got, tt.want)
		}
	}
}

func TestNumElements(t *testing.T) {
	t.Parallel()
	tests := []struct {
		dims []int64
		want int64
		ok   bool
	}{
		{nil, 1, true},
		{[]int64{0}, 0, true},
		{[]int64{2, 3, 4}, 24, true},
		{[]int64{-1}, 0, false},
		{[]int64{math.MaxInt64, 2}, 0, false},
		{[]int64{0, math.MaxInt64, 2}, 0, false},
		{[]int64{1 << 32, 1 << 31}, 0, false},
		{[]int64{math.MaxInt64}, math.MaxInt64, true},
	}
	for _, tt := range tests {
		if got, ok := NumElements(tt.dims); got != tt.want || ok != tt.ok {
			t.Errorf("NumElements(%v) = %d, %v, want %d, %v", tt.dims, got, ok, tt.want, tt.ok)
		}
	}
}

func TestNewRefusesTheImpossible(t *testing.T) {
	t.Parallel()
	var shapeErr *ShapeError
	for _, dims := range [][]int64{{-1}, {math.MaxInt64, 3}, {1 << 50}} {
		if _, err := New(Float32, dims...); !errors.As(err, &shapeErr) {
			t.Errorf("New(float32, %v) error = %v, want a *ShapeError", dims, err)
		}
	}
	if _, err := New(Resource, 1); err == nil {
		t.Error("New(resource, 1) = nil error, want one")
	}
	if _, err := FromSlice([]int32{1, 2, 3}, 2, 2); !errors.As(err, &shapeErr) {
		t.Errorf("FromSlice of 3 values as 2×2: error = %v, want a *ShapeError", err)
	}
	if _, err := FromBytes(Int64, make([]byte, 12), 1); !errors.As(err, &shapeErr) {
		t.Errorf("FromBytes of 12 bytes as one int64: error = %v, want a *ShapeError", err)
	}
}

func TestFromSliceSharesMemory(t *testing.T) {
	t.Parallel()
	src := []int64{1, 2, 3, 4, 5, 6}
	x, err := FromSlice(src, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	row := x.Index(1)
	got, ok := Values[int64](row)
	if !ok || !cmp.Equal(got, []int64{4, 5, 6}) {
		t.Fatalf("Values(x.Index(1)) = %v, %v, want [4 5 6]", got, ok)
	}
	if &got[0] != &src[3] {
		t.Error("Index copied the values; it must share them")
	}
	if _, ok := Values[int32](x); ok {
		t.Error("Values[int32] of an int64 tensor reports ok")
	}
	if got := x.Index(0).Shape(); !got.Equal(MakeShape(3)) {
		t.Errorf("x.Index(0).Shape() = %v, want (3,)", got)
	}
	if s := Vector("a", "b").Slice(1, 2); !s.Equal(Vector("b")) {
		t.Errorf(`Vector("a", "b").Slice(1, 2) = %v %q`, s, s.Strings())
	}
}

func TestSliceRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.Float64()).Draw(t, "values")
		got, ok := Values[float64](Vector(want...))
		if !ok || len(got) != len(want) {
			t.Fatalf("%d values, ok %v; want %d", len(got), ok, len(want))
		}
		for i := range want {
			if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
				t.Fatalf("value %d = %v, want %v", i, got[i], want[i])
			}
		}
	})
}

func TestHalfEveryNumber(t *testing.T) {
	t.Parallel()
	for i := range 1 << 16 {
		h := F16(i)
		f := h.Float32()
		if math.IsNaN(float64(f)) {
			if !math.IsNaN(float64(ToF16(float64(f)).Float32())) {
				t.Fatalf("float16 %#04x: a NaN came back as a number", i)
			}
			continue
		}
		if got := ToF16(float64(f)); got != h {
			t.Fatalf("ToF16(%v) = %#04x, want %#04x", f, got, i)
		}
	}
	for i := range 1 << 16 {
		b := BF16(i)
		f := b.Float32()
		if !math.IsNaN(float64(f)) && ToBF16(float64(f)) != b {
			t.Fatalf("ToBF16(%v) = %#04x, want %#04x", f, ToBF16(float64(f)), i)
		}
	}
}

func TestHalfRounding(t *testing.T) {
	t.Parallel()
	// The expected bits are those of numpy's float16 and ml_dtypes' bfloat16 for the same float64.
	half := []struct {
		in   float64
		want F16
	}{
		{1, 0x3c00},
		{-2, 0xc000},
		{65504, 0x7bff},
		{65519.99, 0x7bff},
		{65520, 0x7c00},
		{1e300, 0x7c00},
		{math.Copysign(0, -1), 0x8000},
		{1 + 1.0/2048, 0x3c00},
		{1 + 3.0/2048, 0x3c02},
		{1 + 1.0/2048 + 1e-12, 0x3c01},
		{1.0 / (1 << 25), 0},
		{1.5 / (1 << 24), 0x0002},
		{0.0000609755516052246, 0x03ff},
		{1.0 / (1 << 14), 0x0400},
		{math.Inf(-1), 0xfc00},
		{2047.5, 0x6800},
	}
	for _, tt := range half {
		if got := ToF16(tt.in); got != tt.want {
			t.Errorf("ToF16(%v) = %#04x, want %#04x", tt.in, got, tt.want)
		}
	}
	brain := []struct {
		in   float64
		want BF16
	}{
		{1, 0x3f80}, {1 + 1.0/256, 0x3f80}, {1 + 3.0/256, 0x3f82}, {1 + 1.0/256 + 1e-12, 0x3f80}, {3.4e38, 0x7f80}, {math.Inf(1), 0x7f80}, {-1e300, 0xff80},
	}
	for _, tt := range brain {
		if got := ToBF16(tt.in); got != tt.want {
			t.Errorf("ToBF16(%v) = %#04x, want %#04x", tt.in, got, tt.want)
		}
	}
	if f := ToF16(math.NaN()).Float32(); !math.IsNaN(float64(f)) {
		t.Errorf("ToF16(NaN) = %v", f)
	}
}

// TestGather compares with one element at a time.
func TestGather(t *testing.T) {
	t.Parallel()
	numbers, err := FromSlice([]int16{1, 2, 3, 4, 5, 6}, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []Tensor{numbers, Vector("a", "", "c"), Vector[float64](1, 2, 3), Vector(true, false, true)} {
		at := []int{2, 0, 2, 1}
		got := x.Gather(at)
		if got.DType() != x.DType() || got.Rank() != x.Rank() || got.Dims()[0] != 4 {
			t.Fatalf("Gather of %v is %v", x, got)
		}
		for i, k := range at {
			if !got.Index(i).Equal(x.Index(k)) {
				t.Errorf("%v: element %d is not element %d", x, i, k)
			}
		}
		if none := x.Gather(nil); none.Len() != 0 || none.Dims()[0] != 0 {
			t.Errorf("Gather(nil) of %v is %v", x, none)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic for a place that there is not")
		}
	}()
	numbers.Gather([]int{3})
}
