package tfrunbeam

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// rowOfAll and resultOfAll have a field for each type of mod_dtypes, which adds two to signed
// numbers, turns the last bit of unsigned ones and a bool round, and puts "!" behind a string.
type rowOfAll struct {
	BF16 float32    `beam:"x_bfloat16"`
	Bool bool       `beam:"x_bool"`
	C128 complex128 `beam:"x_complex128"`
	C64  complex64  `beam:"x_complex64"`
	F16  float64    `beam:"x_float16"`
	F32  float32    `beam:"x_float32"`
	F64  float64    `beam:"x_float64"`
	I16  int16      `beam:"x_int16"`
	I32  int        `beam:"x_int32"`
	I64  int64      `beam:"x_int64"`
	I8   int8       `beam:"x_int8"`
	Str  string     `beam:"x_string"`
	U16  uint16     `beam:"x_uint16"`
	U32  uint       `beam:"x_uint32"`
	U64  uint64     `beam:"x_uint64"`
	U8   uint8      `beam:"x_uint8"`
}

type resultOfAll struct {
	BF16 float32    `beam:"y_bfloat16"`
	Bool bool       `beam:"y_bool"`
	C128 complex128 `beam:"y_complex128"`
	C64  complex64  `beam:"y_complex64"`
	F16  float64    `beam:"y_float16"`
	F32  float64    `beam:"y_float32"`
	F64  float64    `beam:"y_float64"`
	I16  int16      `beam:"y_int16"`
	I32  int64      `beam:"y_int32"`
	I64  int64      `beam:"y_int64"`
	I8   int8       `beam:"y_int8"`
	Str  []byte     `beam:"y_string"`
	U16  uint16     `beam:"y_uint16"`
	U32  uint64     `beam:"y_uint32"`
	U64  uint64     `beam:"y_uint64"`
	U8   uint8      `beam:"y_uint8"`
}

// run runs a row by itself, and puts its result into a value of a type.
func run(t *testing.T, folder string, row any, result reflect.Type) (any, error) {
	t.Helper()
	p := pool{uses: map[string][]*model{}}
	m, err := p.use(t.Context(), folder, "{}")
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	e, err := m.parse(newModelRow("", row))
	if err != nil {
		return nil, err
	}
	b, err := m.predictor.NewBatcher(runner.BatcherOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Run(t.Context(), e)
	if err != nil {
		return nil, err
	}
	fill, err := filler(result, m.predictor.OutputNames())
	if err != nil {
		return nil, err
	}
	v := reflect.New(result).Elem()
	err = fill(v, r.Values)
	return v.Interface(), err
}

// A value of any type arrives at the model, and comes back, as it is.
func TestValuesOfAllTypes(t *testing.T) {
	for _, row := range []rowOfAll{
		{Str: ""},
		{1.5, true, complex(1.5, -2), complex(-0.25, 3), 0.5, 0.1, 0.1, math.MinInt16, math.MinInt32, math.MinInt64, math.MinInt8, "a\xff\n\"é", math.MaxUint16, math.MaxUint32, math.MaxUint64, 255},
		{-2, false, complex(math.Inf(1), 1), 0, math.Inf(-1), float32(math.Inf(1)), math.MaxFloat64, math.MaxInt16 - 2, math.MaxInt32 - 2, math.MaxInt64 - 2, 125, "b", 1, 1, 1, 1},
	} {
		got, err := run(t, "../../testdata/models/mod_dtypes/model", row, reflect.TypeFor[resultOfAll]())
		if err != nil {
			t.Fatal(err)
		}
		want := resultOfAll{
			row.BF16 + 2, !row.Bool, row.C128 + 2, row.C64 + 2, row.F16 + 2, float64(row.F32 + 2), row.F64 + 2, row.I16 + 2, int64(row.I32 + 2), row.I64 + 2, row.I8 + 2,
			[]byte(row.Str + "!"), row.U16 ^ 1, uint64(row.U32 ^ 1), row.U64 ^ 1, row.U8 ^ 1,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	if _, err := run(t, "../../testdata/models/mod_dtypes/model", rowOfAll{I32: math.MaxInt32 + 1}, reflect.TypeFor[resultOfAll]()); err == nil || !strings.Contains(err.Error(), "x_int32") {
		t.Errorf("a number beyond int32: %v", err)
	}
	nan := rowOfAll{F32: float32(math.NaN())}
	if got, err := run(t, "../../testdata/models/mod_dtypes/model", nan, reflect.TypeFor[resultOfAll]()); err != nil || !math.IsNaN(got.(resultOfAll).F32) {
		t.Errorf("NaN: got %v, %v", got, err)
	}
}

// Slices and ragged tensors nest as their JSON does.
func TestResultsNest(t *testing.T) {
	values := []float32{1, 2, 3, 4, 5, 6}
	dense := func(dims ...int64) runner.Value {
		x, err := tensor.FromSlice(values, dims...)
		if err != nil {
			t.Fatal(err)
		}
		return runner.Value{Tensor: x}
	}
	ragged := func(v runner.Value, splits ...tensor.Tensor) runner.Value {
		v.Splits = splits
		return v
	}
	for _, tt := range []struct {
		name  string
		value runner.Value
		into  any
		want  string // "" is what the value is as JSON
	}{
		{"vector", dense(6), []float32{}, ""},
		{"wider", dense(6), []float64{}, ""},
		{"matrix", dense(2, 3), [][]float32{}, ""},
		{"array", dense(2, 3), [2][3]float32{}, ""},
		{"deep", dense(1, 6, 1), [][][]float64{}, ""},
		{"ragged", ragged(dense(6), tensor.Vector[int64](0, 2, 2, 6)), [][]float32{}, ""},
		{"ragged twice", ragged(dense(6), tensor.Vector[int64](0, 1, 1, 3), tensor.Vector[int32](0, 2, 5, 6)), [][][]float32{}, ""},
		{"ragged rows", ragged(dense(3, 2), tensor.Vector[int64](0, 1, 3)), [][][]float32{}, ""},
		{"empty", ragged(runner.Value{Tensor: tensor.Vector[float32]()}, tensor.Vector[int64](0, 0)), [][]float32{}, ""},
		{"too deep", dense(6), [][]float32{}, "do not go into a field of type []float32"},
		{"too flat", dense(2, 3), []float32{}, "do not go into a field of type float32"},
		{"too short", dense(6), [5]float32{}, "6 entries do not go"},
		{"other kind", dense(6), []int64{}, "does not go into a field of type int64"},
		{"scalar", runner.Value{Tensor: tensor.Scalar(int64(1 << 40))}, int64(0), ""},
		{"too narrow", runner.Value{Tensor: tensor.Scalar(int64(1 << 40))}, int32(0), "does not go into a field of type int32"},
		{"less precise", runner.Value{Tensor: tensor.Scalar(0.1)}, float32(0), "does not go into a field of type float32"},
		{"strings", runner.Value{Tensor: tensor.Vector("a", "b")}, []string{}, ""},
		{"sparse", runner.Value{Sparse: &runner.Sparse{}}, []float32{}, "sparse"},
	} {
		dst := reflect.New(reflect.TypeOf(tt.into)).Elem()
		err := set(dst, "y", tt.value)
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `output "y"`) {
				t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
			}
			continue
		}
		want, err2 := tt.value.AppendJSON(nil)
		got, err3 := json.Marshal(dst.Interface())
		if err != nil || err2 != nil || err3 != nil || string(got) != string(want) {
			t.Errorf("%s: got %s, want %s; %v, %v, %v", tt.name, got, want, err, err2, err3)
		}
	}
}

// Types that are no rows and no results are refused where the pipeline is built, or with the row.
func TestTypesRefused(t *testing.T) {
	type hidden struct{ x int }
	for _, row := range []any{struct{ X chan int }{}, map[string]int{}, hidden{1}, func() {}} {
		if r := newModelRow("", row); r.Error == "" {
			t.Errorf("%T: became %s", row, r.Row)
		}
	}
	if _, err := filler(reflect.TypeFor[float32](), []string{"a", "b"}); err == nil {
		t.Error("one value for two outputs")
	}
}
