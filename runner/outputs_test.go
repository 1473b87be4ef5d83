//go:build cgo && !notf

package runner

import (
	"strings"
	"testing"
)

// TestOutputNames holds what outputs may be asked for, and what is refused.
func TestOutputNames(t *testing.T) {
	t.Parallel()
	s := load(t, "k3_autoencoder/model")
	top := []Head{{TopK: 2}}
	for _, test := range []struct {
		outputs []string
		heads   []Head
		want    string // the outputs, or what the error holds
	}{
		{nil, nil, "output_0"},
		{[]string{"x=output_0"}, nil, "x"},
		{[]string{"x=output_0"}, top, "x_scores x_indices"},
		{[]string{"x=output_0"}, []Head{{TopK: 2, Output: "output_0"}}, "x_scores x_indices"},
		{[]string{"i=output_0_indices"}, top, "i"},
		{[]string{"i=output_0_indices", "output_0_scores"}, top, "i output_0_scores"},
		{[]string{"a=output_0", "b=output_0"}, nil, "a b"},
		{[]string{"output_0", "output_0"}, nil, `two outputs would be called "output_0"`},
		{[]string{"a=output_1"}, nil, `output "output_1": the signature has no such output`},
		{[]string{"a=output_0_labels"}, top, `output "output_0_labels": the signature has no such output`},
		{nil, []Head{{TopK: 9}}, "topk=9: output \"output_0\" has 8 classes"},
		{nil, []Head{{TopK: 3, Labels: []string{"a", "b"}}}, "2 labels for the 8 classes"},
		{nil, []Head{{ArgMax: true, Labels: strings.Split("abcdefghi", "")}}, "9 labels for the 8 classes"},
	} {
		p, err := s.NewPredictor(PredictOptions{Outputs: test.outputs, Heads: test.heads})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = strings.Join(p.OutputNames(), " ")
		}
		if got != test.want && (err == nil || !strings.Contains(got, test.want)) {
			t.Errorf("outputs %v, heads %+v: %s, want %s", test.outputs, test.heads, got, test.want)
		}
	}
}
