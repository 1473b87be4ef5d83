//go:build cgo && !notf

package job

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"testing"

	vocabulary "github.com/tfrun/tfrun/dataset/text"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// The example's reviews, from their text to the answer, agree with what TensorFlow in Python said:
// alone, padded to 64, and in two sizes of padded_batch. Nearly all come out on the side that their
// author meant.
func TestReviewsAgreeWithPython(t *testing.T) {
	type review struct {
		Label    int
		Alone    float64 `json:"alone"`
		PadTo64  float64 `json:"pad_to_64"`
		Padded64 float64 `json:"padded_batch_64"`
		Padded16 float64 `json:"padded_batch_16"`
	}
	const dir = "../../examples/reviews/"
	f, err := os.Open(dir + "expected.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var want []review
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r review
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		want = append(want, r)
	}
	encoder, err := vocabulary.Open(dir+"vocab.subwords", vocabulary.Auto)
	if err != nil {
		t.Fatal(err)
	}
	s, err := runner.Load(t.Context(), dir+"model", runner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, tt := range map[string]struct {
		o    runner.PredictOptions
		want func(review) float64
	}{
		"alone":           {runner.PredictOptions{Batching: runner.Exact}, func(r review) float64 { return r.Alone }},
		"pad to 64":       {runner.PredictOptions{BatchSize: 1, PadTo: map[string]int64{"keras_tensor": 64}}, func(r review) float64 { return r.PadTo64 }},
		"padded_batch 64": {runner.PredictOptions{}, func(r review) float64 { return r.Padded64 }},
		"padded_batch 16": {runner.PredictOptions{BatchSize: 16}, func(r review) float64 { return r.Padded16 }},
	} {
		t.Run(name, func(t *testing.T) {
			got := predict(t, s, tt.o, Source{Files: []string{dir + "reviews.jsonl"}, Encoder: encoder, Text: "text"})
			if len(got) != len(want) || len(got) < 36 {
				t.Fatalf("%d results for %d reviews", len(got), len(want))
			}
			right := 0
			for i, r := range got {
				values, _ := tensor.Values[float32](r.Values[0].Tensor)
				if y := float64(values[0]); math.Abs(y-tt.want(want[i])) > 1e-5 {
					t.Errorf("review %d: %v, want %v", i+1, y, tt.want(want[i]))
				}
				if (values[0] > 0.5) == (want[i].Label == 1) {
					right++
				}
			}
			if right*10 < len(got)*9 {
				t.Errorf("%d of %d reviews on the right side", right, len(got))
			}
		})
	}
}
