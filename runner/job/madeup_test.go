//go:build cgo && !notf

package job

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// TestMakeUpRows makes up rows for signatures of every form, and runs them.
func TestMakeUpRows(t *testing.T) {
	for _, tt := range []struct {
		model   string
		outputs []string
		noBatch bool
		want    []int64 // lengths
	}{
		{model: "full_seed/k3/model", want: []int64{16, 32, 64, 128, 256}}, // floats that are ids
		{model: "k3_masked/model", want: []int64{16, 32, 64, 128, 256}},
		{model: "k3_cnn2d/model"},
		{model: "k3_cnn2d_any/model", want: []int64{32, 64, 96}},
		{model: "k3_multi_io/model", want: []int64{16, 32, 64, 128, 256}},
		{model: "k3_fixed_batch/model"},
		{model: "k3_textvec/model", want: []int64{16, 32, 64, 128, 256}},
		{model: "mod_strings/model", want: []int64{16, 32, 64, 128, 256}},
		{model: "mod_ragged_out/model", want: []int64{16, 32, 64, 128, 256}},
		{model: "mod_unknown_rank/model", outputs: []string{"y"}, want: []int64{16, 32, 64, 128, 256}},
		{model: "mod_dtypes/model", want: []int64{16, 32, 64, 128, 256}}, // a text is among them
		{model: "mod_scalar/model", noBatch: true},
		{model: "tf1_sparse/model"},
	} {
		t.Run(tt.model, func(t *testing.T) {
			p, err := load(t, tt.model).NewPredictor(runner.PredictOptions{Outputs: tt.outputs, NoBatch: tt.noBatch})
			if err != nil {
				t.Fatal(err)
			}
			m, err := MakeUpRows(t.Context(), p, 7, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Rows) != 7 || m.FirstRun <= 0 {
				t.Errorf("%d rows, the first in %v; want 7", len(m.Rows), m.FirstRun)
			}
			if diff := cmp.Diff(tt.want, m.Lengths); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestMakeUpRowsRefused: the rows that a model cannot do without are not guessed.
func TestMakeUpRowsRefused(t *testing.T) {
	p, err := load(t, "../wild/waveform/model").NewPredictor(runner.PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = MakeUpRows(t.Context(), p, 3, []int64{4})
	var made *MadeUpError
	var tfErr *runner.Error
	if !errors.As(err, &made) || !errors.As(err, &tfErr) || len(made.Hints()) == 0 {
		t.Errorf("got %v, want a *MadeUpError with what TensorFlow says of them", err)
	}
}

// TestTooLarge: shapes with more values than are made up are told, products that overflow included.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		sizes []int64
		want  bool
	}{
		{nil, false},
		{[]int64{224, 224, 3}, false},
		{[]int64{madeUpSize}, false},
		{[]int64{madeUpSize, 2}, true},
		{[]int64{1 << 40, 1 << 40}, true},
		{[]int64{1 << 40, 0}, true},
		{[]int64{0, 0, 0}, false},
	} {
		if got := tooLarge(tt.sizes); got != tt.want {
			t.Errorf("tooLarge(%v) = %v", tt.sizes, got)
		}
	}
}

// TestMadeUpImages: the open last axis of an image is that of its channels, unless they come first.
func TestMadeUpImages(t *testing.T) {
	t.Parallel()
	open := tensor.Unknown
	for _, tt := range []struct {
		shape   tensor.Shape
		noBatch bool
		want    []int64
	}{
		{shape: tensor.MakeShape(32, 64, open), want: []int64{32, 64, 3}},
		{shape: tensor.MakeShape(open, open, open), want: []int64{16, 16, 3}},
		{shape: tensor.MakeShape(open, open, open, open), noBatch: true, want: []int64{1, 16, 16, 3}},
		{shape: tensor.MakeShape(open, open, 1), want: []int64{16, 16, 1}},
		{shape: tensor.MakeShape(3, open, open), want: []int64{3, 16, 16}},
		{shape: tensor.MakeShape(open, open), want: []int64{16, 16}},
		{shape: tensor.MakeShape(5, open, 4, open), want: []int64{5, 16, 4, 16}},
	} {
		w := rowMaker{length: 16, noBatch: tt.noBatch}
		w.dims(dataset.Component{DType: tensor.Float32, Shape: tt.shape})
		if !slices.Equal(w.sizes, tt.want) {
			t.Errorf("%v, no batch %v: sizes %v, want %v", tt.shape, tt.noBatch, w.sizes, tt.want)
		}
	}
}

// TestMadeUpRowsAreAffordable: along several open axes rows stay small, and those of fixed sizes
// are as large as the signature says.
func TestMadeUpRowsAreAffordable(t *testing.T) {
	t.Parallel()
	open := tensor.Unknown
	for _, tt := range []struct {
		shape tensor.Shape
		want  []int64
	}{
		{tensor.MakeShape(open), []int64{16, 64, 256}},
		{tensor.MakeShape(open, 300), []int64{16, 64}},
		{tensor.MakeShape(open, open, open, 3), []int64{16}}, // as of ConvLSTM2D
		{tensor.MakeShape(open, 1<<20), []int64{16}},         // there has to be one
		{tensor.MakeShape(1 << 20), []int64{16, 64, 256}},
	} {
		f := &fiction{components: []dataset.Component{{DType: tensor.Float32, Shape: tt.shape}}}
		if diff := cmp.Diff(tt.want, f.affordable([]int64{16, 64, 256})); diff != "" {
			t.Errorf("%v: %s", tt.shape, diff)
		}
	}
}
