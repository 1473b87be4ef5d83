package bench

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	for _, tt := range []struct {
		name    string
		samples []float64
		q, want float64
	}{
		{"median of one", []float64{7}, 0.5, math.NaN()},
		{"most of one", []float64{7}, 1, 7},
		{"median of three", []float64{1, 2, 3}, 0.5, 2},
		{"median of four", []float64{1, 2, 3, 4}, 0.5, 2},
		{"95th of a hundred", hundred, 0.95, 95},
		{"99th of a hundred", hundred, 0.99, 99},
		{"99.9th of a hundred", hundred, 0.999, math.NaN()},
		{"none", nil, 0.5, math.NaN()},
	} {
		got := percentile(tt.samples, tt.q)
		if got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("%s: percentile(%v) = %v, want %v", tt.name, tt.q, got, tt.want)
		}
	}
}

// TestPercentileCounts: a share q of the samples does not exceed the percentile, and no smaller
// sample has that property.
func TestPercentileCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(rapid.Float64Range(0, 100), 1000, 1200).Draw(t, "samples")
		q := rapid.SampledFrom([]float64{0.5, 0.9, 0.95, 0.99, 0.999}).Draw(t, "q")
		slices.Sort(samples)
		p := percentile(samples, q)
		below, upTo := 0, 0
		for _, s := range samples {
			if s < p {
				below++
			}
			if s <= p {
				upTo++
			}
		}
		want := q * float64(len(samples))
		if float64(upTo) < want-1e-6 || float64(below) >= want {
			t.Fatalf("%v: %d below and %d up to it of %d", p, below, upTo, len(samples))
		}
	})
}

// TestStable: a figure is stable once its last windows agree.
func TestStable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		windows []float64
		stable  bool
		settled float64
	}{
		{nil, false, math.NaN()},
		{[]float64{10, 10}, false, 10},
		{[]float64{10, 10, 10}, true, 10},
		{[]float64{50, 10, 10, 10}, true, 10},
		{[]float64{10, 10, 10, 50}, false, 70.0 / 3},
		{[]float64{9.2, 10, 10.8}, true, 10},
		{[]float64{8.8, 10, 11.2}, false, 10},
	} {
		if got := stable(tt.windows); got != tt.stable {
			t.Errorf("Stable(%v) = %v", tt.windows, got)
		}
		if got := settled(tt.windows); math.Abs(got-tt.settled) > 1e-9 || math.IsNaN(got) != math.IsNaN(tt.settled) {
			t.Errorf("Settled(%v) = %v, want %v", tt.windows, got, tt.settled)
		}
	}
}

func TestOutliers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		samples []float64
		want    int
	}{
		{nil, 0},
		{[]float64{1, 1, 1}, 0},
		{[]float64{1, 1, 1, 3, 3.1, 9}, 2},
	} {
		if got := outliers(tt.samples); got != tt.want {
			t.Errorf("Outliers(%v) = %d, want %d", tt.samples, got, tt.want)
		}
	}
}
