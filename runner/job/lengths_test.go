//go:build cgo && !notf

package job

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// A trained model that takes lengths and masks of its rows gives what Python gives it, however rows
// are padded and cut, in batches of any size and by every batching that is right for it.
func TestLengthsAsPython(t *testing.T) {
	data, err := os.ReadFile("testdata/lengths/expect.json")
	if err != nil {
		t.Fatal(err)
	}
	var expect struct {
		Rows  [][]int
		Cases []struct {
			MaxLen              int64
			Padding, Truncating runner.Side
			Score               []float64
		}
	}
	if err := json.Unmarshal(data, &expect); err != nil {
		t.Fatal(err)
	}
	var rows []byte
	for _, r := range expect.Rows {
		line, err := json.Marshal(map[string]any{"tokens": r})
		if err != nil {
			t.Fatal(err)
		}
		rows = append(append(rows, line...), '\n')
	}
	s := loadDir(t, "testdata/lengths/model", runner.Options{})
	for _, c := range expect.Cases {
		for _, size := range []int{1, 7, 64} {
			o := runner.PredictOptions{BatchSize: size, Sequences: runner.Sequences{
				PadSide: c.Padding, Truncate: c.Truncating, Lengths: map[string]string{"length": ""}, Masks: map[string]string{"mask": "tokens"},
			}}
			if c.MaxLen > 0 {
				o.Sequences.MaxLen = map[string]int64{"": c.MaxLen}
			}
			p, err := s.NewPredictor(o)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for r, err := range p.Predict(t.Context(), mustRows(t, p, jsonSource(string(rows)))) {
				if err != nil {
					t.Fatal(err)
				}
				score, _ := tensor.Values[float32](r.Values[0].Tensor)
				if got := float64(score[0]); math.Abs(got-c.Score[n]) > 1e-5 {
					t.Errorf("max-len %d, padding %q, truncating %q, batches of %d: row %d: %v, want %v", c.MaxLen, c.Padding, c.Truncating, size, n, got, c.Score[n])
				}
				n++
			}
			if n != len(c.Score) {
				t.Errorf("%d rows, want %d", n, len(c.Score))
			}
		}
	}
}
