package dataset_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
)

// TestBestBoundaries compares with trying every choice of boundaries.
func TestBestBoundaries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &dataset.Stats{Lengths: map[int64]int64{}}
		for range rapid.IntRange(1, 9).Draw(t, "lengths") {
			n := rapid.Int64Range(1, 5).Draw(t, "rows")
			s.Lengths[rapid.Int64Range(0, 30).Draw(t, "length")] += n
			s.Rows += n
		}
		buckets := rapid.IntRange(1, 5).Draw(t, "buckets")
		got := s.BestBoundaries(buckets)
		if len(got) > buckets-1 || !slices.IsSorted(got) {
			t.Fatalf("BestBoundaries(%d) = %v", buckets, got)
		}
		least := s.PaddedTo(nil)
		var try func(from int64, chosen []int64)
		try = func(from int64, chosen []int64) {
			least = min(least, s.PaddedTo(chosen))
			for b := from; len(chosen) < buckets-1 && b <= 31; b++ {
				if s.Lengths[b-1] > 0 {
					try(b+1, append(slices.Clone(chosen), b))
				}
			}
		}
		try(1, nil)
		if v := s.PaddedTo(got); v != least {
			t.Fatalf("%v: boundaries %v pad to %d, the best to %d", s.Lengths, got, v, least)
		}
	})
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	ds := dataset.FromRows([][]int64{{1}, {1, 2}, {1, 2, 3}, {1, 2, 3}, {}})
	s, err := dataset.Measure(t.Context(), ds, dataset.Length{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Rows != 5 || s.Real != 9 || s.Lengths[3] != 2 || s.Quantile(0.5) != 2 || s.Quantile(1) != 3 {
		t.Errorf("Measure = %v, %v", s, s.Lengths)
	}
	if got := s.BestBoundaries(2); !slices.Equal(got, []int64{2}) && !slices.Equal(got, []int64{3}) {
		t.Errorf("BestBoundaries(2) = %v", got)
	}
	var padded dataset.Stats
	if _, err := ds.PaddedBatch(5, dataset.PaddedBatchOptions{Stats: &padded}).Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if padded.Padded != 15 || padded.Real != 9 || padded.Batches != 1 || padded.Waste() != 0.4 {
		t.Errorf("stats of one batch: %v of %d real and %d padded values, want 40%% of 15", &padded, padded.Real, padded.Padded)
	}
	if _, err := dataset.Measure(t.Context(), ds, dataset.Length{Component: "x"}); dataset.CodeOf(err) != dataset.ValueError {
		t.Errorf("Measure of no component: %v, want a ValueError", err)
	}
}
