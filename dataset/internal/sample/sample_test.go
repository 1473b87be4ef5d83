package sample_test

import (
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
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
