//go:build cgo && !notf

package runner

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// loadXLA loads a model of testdata, and the function to run.
func loadXLA(t *testing.T, model string, o Options) (*Session, *Function) {
	t.Helper()
	return loadXLADir(t, "../testdata/models/"+model+"/model", o)
}

func loadXLADir(t *testing.T, dir string, o Options) (*Session, *Function) {
	t.Helper()
	s, err := Load(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f, err := s.Function("")
	if err != nil {
		t.Fatal(err)
	}
	return s, f
}

// runIDs runs one row of ids through a model with one input and one output, and returns the
// output's first value.
func runIDs(t *testing.T, f *Function, ids ...float32) (float32, error) {
	t.Helper()
	x, err := tensor.FromSlice(ids, 1, int64(len(ids)))
	if err == nil && f.Inputs()[0].DType == tensor.Int32 {
		whole := make([]int32, len(ids))
		for i, id := range ids {
			whole[i] = int32(id)
		}
		x, err = tensor.FromSlice(whole, 1, int64(len(ids)))
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Call(t.Context(), []tf.Feed{tf.FeedTensor(x)})
	if err != nil {
		return 0, err
	}
	values, _ := tensor.Values[float32](out[0])
	return values[0], nil
}

// Compiled answers must be those of the plain run, from both forms of export, and an id beyond the
// table an error as it is without XLA.
func TestXLAOn(t *testing.T) {
	for _, model := range []string{"k2_cnn1d", "k3_cnn1d"} {
		_, plain := loadXLA(t, model, Options{})
		var reasons []error
		s, f := loadXLA(t, model, Options{XLA: XLAOn, XLAFallback: func(err error) { reasons = append(reasons, err) }})
		row := func(high float32) []float32 { return append(slices.Repeat([]float32{1, 2, 3}, 6), 0, high) }
		for _, high := range []float32{60, 50, 70, 65, 75} {
			want, err := runIDs(t, plain, row(high)...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := runIDs(t, f, row(high)...)
			if err != nil || math.Abs(float64(got-want)) > 1e-6 {
				t.Errorf("%s, %v: %v, %v, want %v", model, high, got, err, want)
			}
		}
		_, wantErr := runIDs(t, plain, row(80)...)
		_, err := runIDs(t, f, row(80)...)
		if err == nil || wantErr == nil || err.Error() != wantErr.Error() {
			t.Errorf("%s: an id beyond the table: %v, want %v", model, err, wantErr)
		}
		// The first, the third and the fifth row show which ids there are.
		r := s.XLA()
		if r.Shapes != 1 || r.Runs != 2 || r.PlainRuns != 3 || r.CompileTime <= 0 || r.Fallback != nil || reasons != nil {
			t.Errorf("%s: %+v, %v", model, r, reasons)
		}
	}
}

// Loops that are compiled for one length serve those up to the next, and answer as they do
// uncompiled, by sequences too: XLA does not always say how long these are. Lookups are not
// compiled with them.
func TestXLALengths(t *testing.T) {
	models := []string{
		"testdata/sequences", "../testdata/models/k3_seed/model", "../testdata/models/k2_stacked/model", "../testdata/models/k3_masked/model", "../testdata/models/k2_gru/model",
	}
	if underRace {
		models = models[:2]
	}
	for _, model := range models {
		_, plain := loadXLADir(t, model, Options{})
		s, f := loadXLADir(t, model, Options{XLA: XLAOn, XLAShapes: 6})
		for n := 1; n <= 15; n++ {
			ids := make([]float32, n)
			for i := range ids {
				ids[i] = float32(1 + (7*i+n)%40)
			}
			want, err := runIDs(t, plain, ids...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := runIDs(t, f, ids...)
			if err != nil || math.Abs(float64(got-want)) > 1e-6 {
				t.Errorf("%s, %d ids: %v, %v, want %v", model, n, got, err, want)
			}
		}
		_, wantErr := runIDs(t, plain, 1, 1e6, 3)
		_, err := runIDs(t, f, 1, 1e6, 3)
		if err == nil || wantErr == nil || err.Error() != wantErr.Error() {
			t.Errorf("%s: an id beyond the table: %v, want %v", model, err, wantErr)
		}
		// Up to 2, 3, 4, 6, 8 and 12; what is longer is one shape too many. Where ids and masks
		// alone are padded, all that are shorter than 256 are one.
		want := XLAReport{Shapes: 6, Runs: 12, PlainRuns: 3}
		if strings.Contains(model, "seed") || strings.Contains(model, "gru") || strings.Contains(model, "masked") {
			want = XLAReport{Shapes: 1, Runs: 15}
		}
		if r := s.XLA(); r.Shapes != want.Shapes || r.Runs != want.Runs || r.PlainRuns != want.PlainRuns || r.Fallback != nil {
			t.Errorf("%s: %+v, want %+v", model, r, want)
		}
	}
}

// Where loops are compiled one by one, all answers are what Python's TensorFlow gave, and no plain
// run makes up for a failure.
func TestXLALoops(t *testing.T) {
	for _, test := range []struct {
		model     string
		optimizer Optimizer
	}{
		{"k2_simple_rnn", OptimizerNone},
		{"k2_td_lstm", OptimizerFunctions},
		{"own_k3_multi_io", OptimizerNone},
		{"k2_bidir_none", OptimizerFunctions},
		{"k3_bidir_ave", OptimizerNone},
	} {
		if underRace && test.model != "k2_td_lstm" {
			continue // what compiles is C++, in which the detector sees no races
		}
		e := readExpectation(t, "../testdata/models/"+test.model)
		s, _ := loadXLA(t, test.model, Options{XLA: XLAOn, Optimizer: test.optimizer})
		for i, x := range e.Examples {
			if err := runExample(t, s, x, e, i); err != nil {
				t.Errorf("%s: %v", test.model, err)
			}
		}
		if r := s.XLA(); r.Fallback != nil || r.Runs != int64(len(e.Examples)) || r.Shapes == 0 {
			t.Errorf("%s: %+v", test.model, r)
		}
	}
}

// Auto takes one way or the other by measurement, after three uncompiled runs and three each way;
// the answers are the same.
func TestXLAAuto(t *testing.T) {
	s, f := loadXLA(t, "k3_seed", Options{XLA: XLAAuto})
	first := float32(0)
	for i := range 12 {
		got, err := runIDs(t, f, 1, 2, 3)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = got
		}
		if math.Abs(float64(got-first)) > 1e-6 {
			t.Errorf("run %d: %v, want %v", i, got, first)
		}
	}
	if r := s.XLA(); r.Shapes != 1 || r.Runs < 4 || r.PlainRuns < 3 || r.Runs+r.PlainRuns != 12 {
		t.Errorf("%+v", r)
	}
}

// Where XLA cannot compile a signature, the reason is told once, before or at the first run, and
// the answers are there all the same.
func TestXLAFallback(t *testing.T) {
	for _, test := range []struct{ model, reason string }{
		{"mod_strings", "XLA has no strings"},
		{"tf1_half_plus_two", "does not come from a function"},
		{"mod_assert_positive", "leave out its checks (Assert)"},
		{"mod_random", "other random numbers"},
		{"tf1_pbtxt", "does not come from a function"},
		{"mod_sparse", "XLA: Detected unsupported operations"},
	} {
		var reasons []error
		dir := "../testdata/models/" + test.model
		o := Options{XLA: XLAOn, XLAFallback: func(err error) { reasons = append(reasons, err) }}
		s, _ := loadXLA(t, test.model, o)
		e := readExpectation(t, dir)
		for i, x := range e.Examples {
			if x.Signature != savedmodel.DefaultSignature || x.Error != nil {
				continue
			}
			if err := runExample(t, s, x, e, i); err != nil {
				t.Errorf("%s: %v", test.model, err)
			}
		}
		var compile *rewrite.CompileError
		if len(reasons) != 1 || !errors.As(reasons[0], &compile) || !strings.Contains(reasons[0].Error(), test.reason) ||
			strings.Contains(reasons[0].Error(), "\n") || !errors.Is(s.XLA().Fallback, reasons[0]) {
			t.Errorf("%s: the reasons are %v, want %q", test.model, reasons, test.reason)
		}
	}
}

// Heads are computed from compiled outputs too.
func TestXLAHead(t *testing.T) {
	results := map[XLA][]Result{}
	for _, mode := range []XLA{XLAOff, XLAOn} {
		s, err := Load(t.Context(), "../testdata/models/k3_cnn2d/model", Options{XLA: mode})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		p, err := s.NewPredictor(PredictOptions{Heads: []Head{{ArgMax: true}}})
		if err != nil {
			t.Fatal(err)
		}
		n := int64(1)
		for _, d := range p.RowSpec().Flatten()[0].Shape.Dims() {
			n *= d
		}
		row := "[" + strings.Repeat("0.25,", int(n-1)) + "1]"
		if results[mode], err = p.collect(t.Context(), jsonRows(p, nest(row, p.RowSpec().Flatten()[0].Shape.Dims()))); err != nil {
			t.Fatal(err)
		}
		if r := s.XLA(); mode == XLAOn && r.Runs != 1 {
			t.Errorf("%+v", r)
		}
	}
	want, got := results[XLAOff][0].Values[0].Tensor, results[XLAOn][0].Values[0].Tensor
	if !got.Equal(want) {
		t.Errorf("compiled: %v, want %v", got, want)
	}
}

// nest writes a flat JSON list as the nested lists of a shape.
func nest(flat string, dims []int64) string {
	values := strings.Split(strings.Trim(flat, "[]"), ",")
	for i := len(dims) - 1; i >= 0; i-- {
		var groups []string
		for chunk := range slices.Chunk(values, int(dims[i])) {
			groups = append(groups, "["+strings.Join(chunk, ",")+"]")
		}
		values = groups
	}
	return values[0]
}

// Where answers do not depend on padding, rows of many lengths come in few shapes, and answer as
// they do one by one.
func TestXLAFewLengths(t *testing.T) {
	var rows strings.Builder
	for n := 1; n <= 60; n++ {
		rows.WriteString("[1")
		for i := range n {
			fmt.Fprintf(&rows, ",%d", 2+(7*i+n)%50)
		}
		rows.WriteString("]\n")
	}
	plain, _ := loadXLA(t, "k3_masked", Options{})
	want, _ := predict(t, plain, PredictOptions{BatchSize: 1}, rows.String())
	for _, each := range []bool{false, true} {
		s, err := Load(t.Context(), "../testdata/models/k3_masked/model", Options{XLA: XLAOn})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		s.noLengths.Store(each) // as if each length had to be compiled by itself
		p := PredictOptions{Batching: Bucket, BatchSize: 3, PaddingMayChangeResults: true}
		got, _ := predict(t, s, p, rows.String())
		if r := s.XLA(); r.Shapes > 8 || r.Runs < 10 {
			t.Errorf("20 batches of up to 61 ids: %+v", r)
		}
		for i := range want {
			g, _ := tensor.Values[float32](got[i].Values[0].Tensor)
			w, _ := tensor.Values[float32](want[i].Values[0].Tensor)
			if got[i].Row != want[i].Row || math.Abs(float64(g[0]-w[0])) > 1e-5 {
				t.Errorf("row %d: %v, want %v", i, g, w)
			}
		}
	}
}

// A libtensorflow that does not know the operation for lengths gets a graph without it.
func TestXLAWithoutLengths(t *testing.T) {
	m, err := savedmodel.Open("../testdata/models/k3_seed/model")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{XLA: XLAOn}
	s, err := newSession(m, o)
	if err != nil {
		t.Fatal(err)
	}
	var knows []bool
	err = s.withModel(o, "", func(m tf.Model, _ tf.Config) error {
		if knows = append(knows, bytes.Contains(m.Graph, []byte(rewrite.LengthsOp))); knows[len(knows)-1] {
			return &Error{Op: "load", Msg: "Op type not registered '" + rewrite.LengthsOp + "' in binary running on here"}
		}
		return nil
	})
	if err != nil || !slices.Equal(knows, []bool{true, false}) || !s.noLengths.Load() {
		t.Errorf("%v, %v", knows, err)
	}
}

func TestFewLengths(t *testing.T) {
	seen := map[int64]bool{}
	for n := int64(0); n <= 1024; n++ {
		got := fewLengths(n)
		if got < n || n >= 32 && got > n+n/4 || fewLengths(got) != got {
			t.Errorf("fewLengths(%d) = %d", n, got)
		}
		seen[got] = true
	}
	if len(seen) > 26 {
		t.Errorf("%d lengths up to 1,024", len(seen))
	}
}
