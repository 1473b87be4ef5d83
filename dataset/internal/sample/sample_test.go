package sample_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/sample"
	"github.com/tfrun/tfrun/tensor"
)

// TestFull: a sample is complete once its rows come to some megabytes, whether these are values or
// kept beside them.
func TestFull(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 1<<20)
	for name, e := range map[string]dataset.Element{
		"values":       {Tensors: []tensor.Tensor{tensor.Scalar(large)}},
		"kept columns": {Tensors: []tensor.Tensor{tensor.Scalar("")}, Extra: []dataset.Field{{Key: "k", Value: []byte(large)}}},
		"bad rows":     {Extra: []dataset.Field{{Key: "k", Value: []byte(large)}}},
	} {
		s, err := sample.New(dataset.TensorSpec(tensor.String), []string{"x"}, []string{"k"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := 1
		for !s.Add(e) {
			n++
		}
		if n > 16 {
			t.Errorf("%s: %d rows of a megabyte", name, n)
		}
	}
}

// TestKnown: where the spec and the types say what columns hold, the first row completes a sample,
// and the columns are those that many rows would show.
func TestKnown(t *testing.T) {
	t.Parallel()
	types := map[string]dataset.FieldType{"k": kept.Text}
	for name, tt := range map[string]struct {
		spec  dataset.Spec
		types map[string]dataset.FieldType
		first tensor.Tensor
		known bool
	}{
		"numbers":   {dataset.TensorSpec(tensor.Float32, tensor.Unknown), types, tensor.Vector[float32](1), true},
		"no type":   {dataset.TensorSpec(tensor.Float32, tensor.Unknown), nil, tensor.Vector[float32](1), false},
		"strings":   {dataset.TensorSpec(tensor.String), types, tensor.Scalar(""), false},
		"any shape": {dataset.UnknownRankSpec(tensor.Float32), types, tensor.Scalar[float32](1), false},
	} {
		s, err := sample.New(tt.spec, []string{"x"}, []string{"k"}, tt.types)
		if err != nil {
			t.Fatal(err)
		}
		e := dataset.Element{Tensors: []tensor.Tensor{tt.first}, Extra: []dataset.Field{{Key: "k", Type: kept.Text, Value: []byte(`"a"`)}}}
		if full := s.Add(e); full != tt.known {
			t.Errorf("%s: the first row completes the sample: %v, want %v", name, full, tt.known)
		}
		before := s.Columns()
		for range 10 {
			s.Add(e)
		}
		if after := s.Columns(); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: %+v after a row, %+v after more", name, before, after)
		}
	}
}
