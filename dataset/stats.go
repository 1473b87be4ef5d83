package dataset

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Stats counts what padding costs. The batching it is given to fills it. It must not be read while
// the batching goes on.
type Stats struct {
	Batches int64
	Rows    int64
	// Real is the number of values in the rows, Padded the number in the padded batches, of all
	// components.
	Real, Padded int64
	// Lengths counts the rows of each length, the number of values of the row's longest component.
	Lengths map[int64]int64
}

// Waste returns the share of padding in all batches: 0 for none, 0.75 when three values out of four
// are padding.
func (s *Stats) Waste() float64 {
	if s.Padded == 0 {
		return 0
	}
	return 1 - float64(s.Real)/float64(s.Padded)
}

// add counts a batch.
func (s *Stats) add(b *Batch) {
	if s == nil {
		return
	}
	if s.Lengths == nil {
		s.Lengths = map[int64]int64{}
	}
	s.Batches++
	s.Rows += int64(len(b.rows))
	for _, r := range b.rows {
		longest := 0
		for _, t := range r.Tensors {
			s.Real += int64(t.Len())
			longest = max(longest, t.Len())
		}
		s.Lengths[int64(longest)]++
	}
	for c := range b.plan.comps {
		n := int64(1)
		for _, d := range b.Dims(c) {
			n *= d
		}
		s.Padded += n
	}
}

// Measure reads the whole dataset and counts the lengths of its elements. The result has no
// batches.
func Measure(ctx context.Context, ds *Dataset, l Length) (*Stats, error) {
	if ds.err != nil {
		return nil, ds.err
	}
	length, err := l.compile("measure", ds.spec)
	if err != nil {
		return nil, err
	}
	s := &Stats{Lengths: map[int64]int64{}}
	for e, err := range ds.All(ctx) {
		if err != nil {
			return nil, err
		}
		n, err := length(&e)
		if err != nil {
			return nil, positioned(err, s.Rows)
		}
		s.Rows++
		s.Lengths[n]++
		for _, t := range e.Tensors {
			s.Real += int64(t.Len())
		}
	}
	return s, nil
}

// Quantile returns the least length that a share q of the rows, between 0 and 1, does not exceed:
// Quantile(0.5) is the median. It is 0 without rows.
func (s *Stats) Quantile(q float64) int64 {
	sum, want := int64(0), q*float64(s.Rows)
	lengths := slices.Sorted(maps.Keys(s.Lengths))
	for _, l := range lengths {
		if sum += s.Lengths[l]; float64(sum) >= want {
			return l
		}
	}
	return 0
}

// PaddedTo returns the number of steps that the counted rows take when each is padded to the
// longest row of its bucket, for buckets with the boundaries of [BucketOptions]. Bucketing into
// batches takes at most as many. Without boundaries all rows are padded to the longest of all.
func (s *Stats) PaddedTo(boundaries []int64) int64 {
	total := int64(0)
	lengths := slices.Sorted(maps.Keys(s.Lengths))
	bounds := slices.Sorted(slices.Values(boundaries))
	for len(lengths) > 0 {
		end := len(lengths)
		if len(bounds) > 0 {
			end, _ = slices.BinarySearch(lengths, bounds[0])
			bounds = bounds[1:]
		}
		for _, l := range lengths[:end] {
			total += s.Lengths[l] * lengths[end-1]
		}
		lengths = lengths[end:]
	}
	return total
}

// BestBoundaries returns the boundaries of so many buckets for which [Stats.PaddedTo] is least;
// fewer boundaries where there are fewer lengths.
func (s *Stats) BestBoundaries(buckets int) []int64 {
	lengths := slices.Sorted(maps.Keys(s.Lengths))
	n := len(lengths)
	buckets = min(buckets, n)
	if buckets < 2 {
		return nil
	}
	rows := make([]int64, n+1) // rows[i]: rows shorter than lengths[i]
	for i, l := range lengths {
		rows[i+1] = rows[i] + s.Lengths[l]
	}
	d := &partition{lengths: lengths, rows: rows, best: make([]int64, n+1), next: make([]int64, n+1)}
	for i := range n {
		d.best[i+1] = rows[i+1] * lengths[i]
	}
	for range buckets - 1 {
		cut := make([]int, n+1)
		d.solve(1, n, 0, n-1, cut)
		d.best, d.next = d.next, d.best
		d.cuts = append(d.cuts, cut)
	}
	var out []int64
	end := n
	for _, cut := range slices.Backward(d.cuts) {
		if end = cut[end]; end == 0 {
			// The lengths are used up: more buckets save nothing.
			break
		}
		out = append(out, lengths[end-1]+1)
	}
	slices.Reverse(out)
	return out
}

// partition splits the sorted lengths into buckets, one bucket more in each step: next[i] is the
// least padded size of lengths[:i] with one bucket more than best[i]. The best place of the last
// cut grows with i, so halving the range finds all cuts in n log n steps.
type partition struct {
	lengths    []int64
	rows       []int64
	best, next []int64
	cuts       [][]int
}

// solve fills next and cut for lo ≤ i ≤ hi, whose cuts lie between from and to.
func (d *partition) solve(lo, hi, from, to int, cut []int) {
	if lo > hi {
		return
	}
	mid := (lo + hi) / 2
	least := int64(math.MaxInt64)
	for k := from; k <= min(to, mid-1); k++ {
		if v := d.best[k] + (d.rows[mid]-d.rows[k])*d.lengths[mid-1]; v < least {
			least, cut[mid] = v, k
		}
	}
	d.next[mid] = least
	d.solve(lo, mid-1, from, cut[mid], cut)
	d.solve(mid+1, hi, cut[mid], to, cut)
}

// String sums the statistics up in a line.
func (s *Stats) String() string {
	return fmt.Sprintf("%d rows in %d batches, lengths %d to %d (median %d), %.1f%% padding", s.Rows, s.Batches,
		s.Quantile(0), s.Quantile(1), s.Quantile(0.5), 100*s.Waste())
}
