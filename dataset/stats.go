package dataset

// Stats sums up what padding costs. Zero to begin with, it is filled by the batching that it is given to; it is not safe to read while that
// goes on.
type Stats struct {
	Batches int64
	Rows    int64
	// Real is the number of values in the rows, Padded the number in the padded batches, of all components.
	Real, Padded int64
	// Lengths counts the rows of each length, the number of values of the row's longest component.
	Lengths map[int64]int64
}

// Waste returns the share of padding in what was batched: 0 for none, 0.75 when three values out of four are padding.
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
