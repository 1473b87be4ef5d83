//go:build cgo && !notf

package runner

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// TestExactTwins: whatever rows are padded with, each gets the answer that it gets alone, from
// every model of which one is known to depend on padding and for which there is a twin.
func TestExactTwins(t *testing.T) {
	twins := 0
	for name, c := range readTruth(t) {
		if len(c.Rows) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := loadDir(t, "../testdata/padding/"+name, Options{Exact: true})
			p, err := s.NewPredictor(PredictOptions{Batching: Exact})
			if err != nil {
				t.Fatal(err)
			}
			if p.twin == nil {
				t.Skip("no twin")
			}
			twins++
			rows, err := mustRows(t, p, jsonSource(c.lines())).Collect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			checkTwin(t, s, p, rows)
		})
	}
	t.Logf("%d twins", twins)
}

// checkTwin runs rows and beginnings of them, alone and by the twin.
func checkTwin(t *testing.T, s *Session, p *Predictor, rows []dataset.Element) {
	t.Helper()
	alone, err := s.NewPredictor(PredictOptions{BatchSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	var all []dataset.Element
	for _, row := range rows {
		for n := p.trialLength(row); n > 0; n /= 2 {
			short, err := p.beginning(row, n)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := alone.collect(t.Context(), dataset.FromElements(p.spec, short)); err == nil {
				short.Row = int64(len(all))
				all = append(all, short)
			}
		}
	}
	want := collectAll(t, alone, all)
	for _, fill := range []float64{0, 3, -0.5} {
		pad := map[string]tensor.Tensor{}
		for key, info := range p.f.signature.Inputs {
			if x, ok := scalarOf(info.DType, fill); ok {
				pad[key] = x
			}
		}
		q, err := s.NewPredictor(PredictOptions{Batching: Exact, Pad: pad})
		if err != nil {
			t.Fatal(err)
		}
		got := collectAll(t, q, all)
		for i := range want {
			for k, w := range want[i].Values {
				if why := differs(got[i].Values[k].Tensor, w.Tensor); why != "" {
					t.Errorf("padded with %v, row %d (%v), output %s: %s", fill, i, all[i].Tensors[0].Dims(), p.OutputNames()[k], why)
				}
			}
		}
	}
}

func collectAll(t *testing.T, p *Predictor, rows []dataset.Element) []Result {
	t.Helper()
	var all []Result
	for r, err := range p.Predict(t.Context(), dataset.FromElements(p.spec, rows...)) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// scalarOf is a number as a scalar of a dtype, if that holds it.
func scalarOf(d tensor.DType, x float64) (tensor.Tensor, bool) {
	switch d {
	case tensor.Float32:
		return tensor.Scalar(float32(x)), true
	case tensor.Int32:
		return tensor.Scalar(int32(max(x, 0))), true
	case tensor.Int64:
		return tensor.Scalar(int64(max(x, 0))), true
	}
	return tensor.Tensor{}, false
}

// differs says how an answer is not the one that is wanted, by more than 1e-6 of values of usual
// size.
func differs(got, want tensor.Tensor) string {
	if !slices.Equal(got.Dims(), want.Dims()) {
		return fmt.Sprintf("shape %v, want %v", got.Dims(), want.Dims())
	}
	g, ok := numbers(got)
	if !ok {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Sprintf("%v, want %v", got, want)
		}
		return ""
	}
	w, _ := numbers(want)
	for i := range w {
		same := g[i] == w[i] || math.IsNaN(g[i]) && math.IsNaN(w[i]) || math.Abs(g[i]-w[i]) <= 1e-6*max(1, math.Abs(w[i]))
		if !same {
			return fmt.Sprintf("%v at %d, want %v", g[i], i, w[i])
		}
	}
	return ""
}
