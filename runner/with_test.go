package runner

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// dry returns a predictor that does not run, of a model of testdata.
func dry(t *testing.T, model string, o PredictOptions) *Predictor {
	t.Helper()
	m, err := savedmodel.Open(filepath.Join("../testdata/models", model, "model"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := DryPredictor(m, Options{}, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestWith: With gives what NewPredictor gives of the same options, and refuses what that refuses.
func TestWith(t *testing.T) {
	t.Parallel()
	p := dry(t, "full_seed/k3", PredictOptions{Workers: 3})
	if o := p.Options(); o.BatchSize != DefaultBatchSize || o.Workers != 3 || o.WindowMemory != DefaultWindowMemory {
		t.Errorf("in force are %+v", o)
	}
	q, err := p.With(func(o *PredictOptions) {
		if o.BatchSize != 0 || o.WindowMemory != 0 || o.Workers != 3 {
			t.Errorf("With is given %+v, want what NewPredictor was given", *o)
		}
		o.BatchSize, o.Workers = 5, 0
	})
	if err != nil || q.Options().BatchSize != 5 || q.Options().Workers != DefaultWorkers || p.Options().Workers != 3 {
		t.Errorf("With: %+v, %v; p: %+v", q.Options(), err, p.Options())
	}
	if q, err = q.With(func(o *PredictOptions) { o.From = 7 }); err != nil || q.Options().BatchSize != 5 || q.Options().From != 7 {
		t.Errorf("With on top of With: %+v, %v", q.Options(), err)
	}
	one := tensor.Scalar[float32](1)
	stateful := dry(t, "mod_counter", PredictOptions{NoBatch: true})
	fixed := dry(t, "mod_fixed_batch", PredictOptions{})
	if again, err := fixed.With(func(o *PredictOptions) { o.Window = 9 }); err != nil || again.Options().BatchSize != 4 || again.FixedBatchSize() != 4 {
		t.Errorf("a fixed batch: %+v, %v", again.Options(), err)
	}
	for name, tt := range map[string]struct {
		p      *Predictor
		change func(o *PredictOptions)
	}{
		"signature": {p, func(o *PredictOptions) { o.Signature = "serving_default" }},
		"outputs":   {p, func(o *PredictOptions) { o.Outputs = []string{"x=output_0"} }},
		"heads":     {p, func(o *PredictOptions) { o.Heads = []Head{{ArgMax: true}} }},
		"no batch":  {p, func(o *PredictOptions) { o.NoBatch = true }},
		"pad":       {p, func(o *PredictOptions) { o.Pad = map[string]tensor.Tensor{"keras_tensor": one} }},
		"sequences": {p, func(o *PredictOptions) { o.Sequences.PadSide = Pre }},
		"limits":    {p, func(o *PredictOptions) { o.Limits.Depth = -1 }},
		"window":    {p, func(o *PredictOptions) { o.Window = -1 }},
		"batching":  {p, func(o *PredictOptions) { o.Batching = "all" }},
		"a shard":   {stateful, func(o *PredictOptions) { o.Shards = 2 }},
		"workers":   {stateful, func(o *PredictOptions) { o.Workers = 2 }},
		"a size":    {fixed, func(o *PredictOptions) { o.BatchSize = 5 }},
	} {
		if _, err := tt.p.With(tt.change); !errors.As(err, new(*OptionError)) {
			t.Errorf("%s: %v, want an *OptionError", name, err)
		}
	}
}

// TestComplete: rows in memory get the lengths and the inputs that options speak of.
func TestComplete(t *testing.T) {
	t.Parallel()
	const name = "keras_tensor"
	for _, tt := range []struct {
		o    PredictOptions
		want []float32 // of a row 1, 2, 3; nil: an error
	}{
		{PredictOptions{}, []float32{1, 2, 3}},
		{PredictOptions{PadTo: map[string]int64{name: 5}}, []float32{1, 2, 3, 0, 0}},
		{PredictOptions{Sequences: Sequences{PadSide: Pre, MaxLen: map[string]int64{"": 4}}}, []float32{0, 1, 2, 3}},
		{PredictOptions{Sequences: Sequences{Truncate: Pre, MaxLen: map[string]int64{name: 2}}}, []float32{2, 3}},
		{PredictOptions{Sequences: Sequences{MaxLen: map[string]int64{name: 2}}}, nil},
		{PredictOptions{Limits: dataset.Limits{Length: 2}}, nil},
		{PredictOptions{Sequences: Sequences{Set: map[string]tensor.Tensor{name: tensor.Vector[float32](7)}}}, []float32{7}},
	} {
		p := dry(t, "full_seed/k3", tt.o)
		row := dataset.Element{}
		if given := p.GivenSpec(); given.Index(name) >= 0 {
			row.Tensors = []tensor.Tensor{tensor.Vector[float32](1, 2, 3)}
		}
		rows, err := p.Complete(dataset.FromElements(p.GivenSpec(), row)).Collect(t.Context())
		if tt.want == nil {
			if !errors.As(err, new(*dataset.SyntaxError)) {
				t.Errorf("%+v: %v, want a row's error", tt.o, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", tt.o, err)
			continue
		}
		if got, _ := tensor.Values[float32](rows[0].Tensors[0]); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.o, got, tt.want)
		}
	}
}
