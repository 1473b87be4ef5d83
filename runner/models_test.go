//go:build cgo && !notf

package runner

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// expectation is a testdata/models/*/expect.json: what TensorFlow in Python says of the model.
type expectation struct {
	Name     string
	Kind     string
	Rtol     float64
	Atol     float64
	Sequence bool
	Load     map[string]struct{ OK bool }
	Examples []modelExample
}

type modelExample struct {
	Signature string
	Tags      []string
	Inputs    map[string]exampleValue
	Outputs   map[string]exampleValue
	Error     *struct{ Exception string }
}

// unrecorded reports whether the file leaves out the values of an input.
func (x modelExample) unrecorded() bool {
	for _, v := range x.Inputs {
		if v.ValuesOmitted {
			return true
		}
	}
	return false
}

type exampleValue struct {
	DType         tensor.DType
	Shape         []int64
	Values        []any
	ValuesOmitted bool `json:"values_omitted"`
	Count         int
	Sum           float64
	Head          []any
	Tensor        string
	Components    []exampleValue
}

func readExpectation(t *testing.T, dir string) expectation {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	var e expectation
	if err := d.Decode(&e); err != nil {
		t.Fatal(err)
	}
	return e
}

// modelDirs lists the folders with an expect.json below testdata/models and those named in
// TFRUN_MODELS.
func modelDirs(t *testing.T) []string {
	t.Helper()
	roots := []string{"../testdata/models"}
	if more := os.Getenv("TFRUN_MODELS"); more != "" {
		roots = append(roots, strings.Split(more, ",")...)
	}
	var dirs []string
	for _, root := range roots {
		before := len(dirs)
		for _, pattern := range []string{"*/expect.json", "*/*/expect.json"} {
			found, err := filepath.Glob(filepath.Join(root, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				dirs = append(dirs, filepath.Dir(f))
			}
		}
		if len(dirs) == before {
			t.Fatalf("no models in %s", root)
		}
	}
	return dirs
}

// TestModels loads every model and runs every example that TensorFlow in Python ran, and compares.
// A broken model must end in an error of one line.
func TestModels(t *testing.T) {
	dirs := modelDirs(t)
	if underRace {
		var sample []string
		for i := 0; i < len(dirs); i += 6 {
			sample = append(sample, dirs[i])
		}
		dirs = sample
	}
	t.Run("pruned", func(t *testing.T) { testModels(t, dirs, Options{}) })
	var some []string // loading them whole is TensorFlow's own business
	for i := 0; i < len(dirs); i += 8 {
		some = append(some, dirs[i])
	}
	t.Run("whole", func(t *testing.T) { testModels(t, some, Options{NoPrune: true}) })
	t.Run("two devices", func(t *testing.T) { testModels(t, some, Options{cpus: 2}) })
	if os.Getenv("TFRUN_MODELS_XLA") != "" {
		some = dirs // two minutes
	}
	t.Run("xla", func(t *testing.T) { testModels(t, some, Options{XLA: XLAOn}) })
}

func testModels(t *testing.T, dirs []string, o Options) {
	ran, refused := 0, 0
	for _, dir := range dirs {
		e := readExpectation(t, dir)
		t.Run(strings.TrimPrefix(filepath.Base(filepath.Dir(dir))+"_"+filepath.Base(dir), "models_"), func(t *testing.T) {
			switch filepath.Base(dir) {
			case "k2_mixed_precision", "k3_mixed_precision", "own_k3_half_precision":
				e.Rtol, e.Atol = halfTolerance, halfTolerance
			}
			switch err := runModel(t, filepath.Join(dir, "model"), e, o); {
			case err == nil:
				ran++
			default:
				refused++
				t.Log(err)
				if strings.ContainsAny(err.Error(), "\n\r") || err.Error() == "" {
					t.Errorf("the error is not one line: %q", err)
				}
			}
		})
	}
	fmt.Printf("models: %d ran, %d refused with one line\n", ran, refused)
}

// halfTolerance is how far an answer of a model that computes in half precision may be from the
// recorded one. Such a model's sums have 11 bits, and the processor and the version of TensorFlow
// say in which order they are rounded: Python gives 0.0005 less on a processor with AVX512_FP16
// than on the one that the answers were recorded on.
const halfTolerance = 0.002

// runModel runs a model's examples. It returns the error of a model that is right to fail.
func runModel(t *testing.T, dir string, e expectation, o Options) error {
	broken := e.Load != nil && !e.Load["c_api"].OK ||
		// The C API loads these, without their variables.
		slices.Contains([]string{"bad_index_missing", "bad_no_variables_dir"}, e.Name)
	sessions := map[string]*Session{}
	load := func(tags []string) (*Session, error) {
		key := strings.Join(tags, ",")
		if s := sessions[key]; s != nil {
			return s, nil
		}
		o.Tags = tags
		s, err := Load(t.Context(), dir, o)
		if err == nil {
			sessions[key] = s
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		return s, err
	}
	if len(e.Examples) == 0 || broken {
		_, err := load(nil)
		if broken && err == nil {
			t.Error("a broken model was loaded")
		}
		if !broken && err != nil {
			var tags *savedmodel.TagError
			var unsafe *UnsafeError
			if !errors.As(err, &tags) && !errors.As(err, &unsafe) {
				t.Error(err)
			}
		}
		return err
	}
	for i, x := range e.Examples {
		if x.unrecorded() {
			t.Logf("example %d: its inputs are too large to be recorded", i)
			continue
		}
		s, err := load(x.Tags)
		if err == nil {
			err = runExample(t, s, x, e, i)
		}
		if err == nil && o.XLA == XLAOn {
			// compiled now, even where something is looked up by index
			err = runExample(t, s, x, e, i)
		}
		switch {
		case err != nil && x.Error != nil:
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "function_node") {
				t.Errorf("example %d: the error is not clean: %q", i, err)
			}
		case err != nil:
			t.Errorf("example %d: %v", i, err)
			return err
		case x.Error != nil:
			t.Errorf("example %d: no error, want a %s", i, x.Error.Exception)
		}
	}
	return nil
}

func runExample(t *testing.T, s *Session, x modelExample, e expectation, number int) error {
	f, err := s.Function(x.Signature)
	if err != nil {
		return err
	}
	feeds := map[string]tensor.Tensor{}
	for _, in := range f.Inputs() {
		feeds[in.Name] = exampleTensor(t, component(x.Inputs[in.Value], in))
	}
	got, err := f.Run(t.Context(), feeds)
	if err != nil {
		return err
	}
	for _, out := range f.Outputs() {
		want, ok := x.Outputs[out.Value]
		if !ok {
			t.Errorf("example %d: output %q is not among the expected", number, out.Name)
			continue
		}
		want = component(want, out)
		if err := compare(got[out.Name], want, e.Rtol, e.Atol); err != nil {
			t.Errorf("example %d: output %q: %v", number, out.Name, err)
		}
	}
	return nil
}

// component returns the part of v that belongs to an endpoint: v itself for a dense one.
func component(v exampleValue, e Endpoint) exampleValue {
	for _, c := range v.Components {
		if c.Tensor == e.Tensor {
			return c
		}
	}
	return v
}

// exampleTensor builds the tensor of an example by way of numbers, independently of the reader of
// rows.
func exampleTensor(t *testing.T, v exampleValue) tensor.Tensor {
	t.Helper()
	x, err := buildTensor(v)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func buildTensor(v exampleValue) (tensor.Tensor, error) {
	switch v.DType {
	case tensor.Float32:
		return build(v, func(x any) float32 { return float32(number(x)) })
	case tensor.Float64:
		return build(v, number)
	case tensor.Float16:
		return build(v, func(x any) tensor.F16 { return tensor.ToF16(number(x)) })
	case tensor.Bfloat16:
		return build(v, func(x any) tensor.BF16 { return tensor.ToBF16(number(x)) })
	case tensor.Int8:
		return build(v, integer[int8])
	case tensor.Int16:
		return build(v, integer[int16])
	case tensor.Int32:
		return build(v, integer[int32])
	case tensor.Int64:
		return build(v, integer[int64])
	case tensor.Uint8:
		return build(v, integer[uint8])
	case tensor.Uint16:
		return build(v, integer[uint16])
	case tensor.Uint32:
		return build(v, integer[uint32])
	case tensor.Uint64:
		return build(v, integer[uint64])
	case tensor.Bool:
		return build(v, func(x any) bool { return x.(bool) })
	case tensor.Complex64:
		return build(v, func(x any) complex64 { return complex64(pair(x)) })
	case tensor.Complex128:
		return build(v, pair)
	case tensor.String:
		return build(v, text)
	}
	return tensor.Tensor{}, fmt.Errorf("no example values of %s", v.DType)
}

func build[T tensor.Value](v exampleValue, convert func(any) T) (tensor.Tensor, error) {
	values := make([]T, len(v.Values))
	for i, x := range v.Values {
		values[i] = convert(x)
	}
	return tensor.FromSlice(values, append([]int64{}, v.Shape...)...)
}

func number(x any) float64 {
	switch x := x.(type) {
	case json.Number:
		f, _ := x.Float64()
		return f
	case string:
		return map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[x]
	}
	return math.NaN()
}

func integer[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](x any) T {
	var v T
	_, err := fmt.Sscan(x.(json.Number).String(), &v)
	if err != nil {
		panic(err)
	}
	return v
}

func pair(x any) complex128 {
	p := x.([]any)
	return complex(number(p[0]), number(p[1]))
}

func text(x any) string {
	if m, ok := x.(map[string]any); ok {
		b, err := base64.StdEncoding.DecodeString(m["b64"].(string))
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	return x.(string)
}

// compare checks dtype, shape and values against what Python gave, floats within the tolerances.
func compare(got tensor.Tensor, want exampleValue, rtol, atol float64) error {
	if got.DType() != want.DType || !slices.Equal(got.Dims(), append([]int64{}, want.Shape...)) {
		return fmt.Errorf("got %v, want %s%v", got, want.DType, want.Shape)
	}
	values := floats(got)
	if want.ValuesOmitted {
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		if len(values) != want.Count || math.Abs(sum-want.Sum) > rtol*math.Abs(want.Sum)+atol*float64(want.Count) {
			return fmt.Errorf("%d values with sum %v, want %d with %v", len(values), sum, want.Count, want.Sum)
		}
		want.Values = want.Head
	}
	head := want
	head.Shape = []int64{int64(len(want.Values))}
	wantTensor, err := buildTensor(head)
	if err != nil {
		return err
	}
	if got.DType() == tensor.String {
		if !slices.Equal(got.Strings(), wantTensor.Strings()) {
			return fmt.Errorf("got %q, want %q", got.Strings(), wantTensor.Strings())
		}
		return nil
	}
	exact := !got.DType().IsFloat() && !got.DType().IsComplex()
	for i, w := range floats(wantTensor) {
		g := values[i]
		same := g == w || math.IsNaN(g) && math.IsNaN(w) || !exact && math.Abs(g-w) <= atol+rtol*math.Abs(w)
		if !same {
			return fmt.Errorf("value %d = %v, want %v", i, g, w)
		}
	}
	if exact && !slices.Equal(got.Bytes()[:len(wantTensor.Bytes())], wantTensor.Bytes()) {
		return errors.New("the values differ in their last bits")
	}
	return nil
}

// floats returns the values as float64, real and imaginary parts one after the other.
func floats(t tensor.Tensor) []float64 {
	switch t.DType() {
	case tensor.Float32:
		return widen[float32](t)
	case tensor.Float64:
		return widen[float64](t)
	case tensor.Int8:
		return widen[int8](t)
	case tensor.Int16:
		return widen[int16](t)
	case tensor.Int32:
		return widen[int32](t)
	case tensor.Int64:
		return widen[int64](t)
	case tensor.Uint8:
		return widen[uint8](t)
	case tensor.Uint16:
		return widen[uint16](t)
	case tensor.Uint32:
		return widen[uint32](t)
	case tensor.Uint64:
		return widen[uint64](t)
	}
	var out []float64
	switch t.DType() {
	case tensor.Float16:
		v, _ := tensor.Values[tensor.F16](t)
		for _, x := range v {
			out = append(out, float64(x.Float32()))
		}
	case tensor.Bfloat16:
		v, _ := tensor.Values[tensor.BF16](t)
		for _, x := range v {
			out = append(out, float64(x.Float32()))
		}
	case tensor.Complex64:
		v, _ := tensor.Values[complex64](t)
		for _, x := range v {
			out = append(out, float64(real(x)), float64(imag(x)))
		}
	case tensor.Complex128:
		v, _ := tensor.Values[complex128](t)
		for _, x := range v {
			out = append(out, real(x), imag(x))
		}
	case tensor.Bool:
		v, _ := tensor.Values[bool](t)
		for _, x := range v {
			out = append(out, map[bool]float64{true: 1}[x])
		}
	}
	return out
}

func widen[T float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](t tensor.Tensor) []float64 {
	values, _ := tensor.Values[T](t)
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}
