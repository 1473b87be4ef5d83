package plot

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/runner"
)

// TestBins: however the numbers come, each is counted once, in the bin where it belongs, and there
// are never too many bins.
func TestBins(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOf(rapid.Int64Range(0, 1<<40)).Draw(t, "numbers")
		b := bins{width: 1}
		for _, n := range list {
			b.add(n)
		}
		if len(b.counts) > mostBins {
			t.Fatalf("%d bins", len(b.counts))
		}
		want := make([]int64, len(b.counts))
		for _, n := range list {
			want[n/b.width]++
		}
		for i := range want {
			if b.counts[i] != want[i] {
				t.Fatalf("bin %d of width %d: %d, want %d", i, b.width, b.counts[i], want[i])
			}
		}
	})
}

// TestSeries: the same for values along an axis, with their least and largest.
func TestSeries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		xs := rapid.SliceOf(rapid.Float64Range(0, 1e6)).Draw(t, "places")
		s := series{width: 1}
		for i, x := range xs {
			s.add(x, float64(i))
		}
		want := make([]bin, len(s.bins))
		for i, x := range xs {
			want[int(x/s.width)].merge(bin{n: 1, sum: float64(i), low: float64(i), high: float64(i)})
		}
		for i := range want {
			if s.bins[i] != want[i] {
				t.Fatalf("bin %d of width %g: %+v, want %+v", i, s.width, s.bins[i], want[i])
			}
		}
	})
}

// TestCollector: the memory of a long run is that of a short one.
func TestCollector(t *testing.T) {
	t.Parallel()
	c := NewCollector()
	for i := range int64(100_000) {
		c.Add(runner.BatchInfo{
			Rows: 2, Lengths: []int64{i, 2 * i}, PaddedTo: 2 * i, Real: 3 * i, Padded: 4 * i,
			Duration: time.Millisecond, Ended: c.start.Add(time.Duration(i) * time.Second),
		})
	}
	if c.rows != 200_000 || c.Batches() != 100_000 {
		t.Errorf("%d rows in %d batches", c.rows, c.Batches())
	}
	if len(c.sample) != mostPoints || len(c.lengths.counts) > mostBins || len(c.waste.bins) > mostBins || len(c.latency.bins) > mostBins {
		t.Errorf("sample of %d, %d, %d and %d bins", len(c.sample), len(c.lengths.counts), len(c.waste.bins), len(c.latency.bins))
	}
	late := 0
	for _, p := range c.sample {
		if p.entries > 200_000 {
			late++
		}
	}
	if late < mostPoints/3 || late > 2*mostPoints/3 {
		t.Errorf("%d of %d points of the sample are of the second half", late, mostPoints)
	}
}
