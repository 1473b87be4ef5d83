//go:build cgo && !notf

package runner

import (
	"math"
	"slices"
	"testing"

	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// TestXLAAnswers: with XLA, a signature of each kind of operation gives what it gives without,
// refusals too, for ordinary values, beyond ranges, and for NaN. What XLA does otherwise is not
// compiled, and what it does not, is. The signatures are those of testdata/make_xla.py.
func TestXLAAnswers(t *testing.T) {
	const dir = "testdata/xla"
	plain, err := Load(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plain.Close() })
	compiled := []string{"argmax", "clip", "fixed", "gather", "lengths", "max", "maximum", "min", "minimum", "relu", "segment", "softmax", "sort", "update"}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	rows := [][]float32{
		{0, 1, 2, 1, 0, 2},
		{2, 2, 0.5, 0, 1, 1},
		{nan, 1, 2, 0, 1, 2},
		{0, 1, nan, 2, 1, nan},
		{1, 1, 1, 1, 1, 1},
		{9, 0, 1, 2, 1, 0},
		{0, 1, 2, 9, 1, 0},
		{-3, 1.3, -0.7, 2.5, 300, -1},
		{inf, 1, -inf, 2, 0, 1},
		{nan, nan, nan, nan, nan, nan},
		{2, 1, 0, 0, 1, 2},
	}
	for _, name := range plain.graph.SignatureNames() {
		t.Run(name, func(t *testing.T) {
			var why error
			s, err := Load(t.Context(), dir, Options{XLA: XLAOn, Signatures: []string{name}, XLAFallback: func(err error) { why = err }})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close() //nolint:errcheck // nothing is written
			f, err := s.Function(name)
			if err != nil {
				t.Fatal(err)
			}
			without, err := plain.Function(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				x, err := tensor.FromSlice(row, 1, int64(len(row)))
				if err != nil {
					t.Fatal(err)
				}
				want, wantErr := without.Call(t.Context(), []tf.Feed{tf.FeedTensor(x)})
				got, err := f.Call(t.Context(), []tf.Feed{tf.FeedTensor(x)})
				if (err != nil) != (wantErr != nil) {
					t.Errorf("%v: error %v, without XLA %v", row, err, wantErr)
				} else if err == nil && !nearly(got[0], want[0]) {
					t.Errorf("%v: %v, without XLA %v", row, got[0], want[0])
				}
			}
			if ran := s.XLA().Runs > 0; ran != slices.Contains(compiled, name) {
				t.Errorf("compiled: %v; %v", ran, why)
			}
		})
	}
}

// nearly reports whether two tensors agree up to rounding, NaN with NaN.
func nearly(a, b tensor.Tensor) bool {
	if a.DType() != b.DType() || !slices.Equal(a.Dims(), b.Dims()) {
		return false
	}
	x, ok := tensor.Values[float32](a)
	y, _ := tensor.Values[float32](b)
	if !ok {
		return slices.Equal(a.Bytes(), b.Bytes())
	}
	return slices.EqualFunc(x, y, func(x, y float32) bool {
		return x == y || x != x && y != y || math.Abs(float64(x-y)) <= 1e-5*(1+math.Abs(float64(y))) //nolint:staticcheck // NaN
	})
}
