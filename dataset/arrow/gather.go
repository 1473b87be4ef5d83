package arrow

import (
	"fmt"
	"sort"

	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/tensor"
)

// span is a range of values, or of lists.
type span struct{ from, to int64 }

// maxGathered bounds how many values a block of rows has after views of lists and runs were
// resolved. Views may share values, so a small file can ask for any number of them.
const maxGathered = 1 << 26

// gatherSpans appends spans of all's lists at a level to out. The level below the innermost lists
// is that of the values.
func gatherSpans(all *nested.Values, level int, spans []span, out *nested.Values) error {
	if level == len(all.Offsets) {
		takeValues(all, spans, out)
		return nil
	}
	offsets, nulls := []int64{0}, []int(nil)
	inner, total := make([]span, len(spans)), int64(0)
	for i, s := range spans {
		nulls = appendPlaces(nulls, all.NullLists[level], s, len(offsets)-1)
		off := all.Offsets[level]
		for k := s.from; k < s.to; k++ {
			total += off[k+1] - off[k]
			offsets = append(offsets, total)
		}
		inner[i] = span{off[s.from], off[s.to]}
		if total > max(off[len(off)-1], maxGathered) {
			return fmt.Errorf("lists that share values come to more than %d of them", maxGathered)
		}
	}
	out.Offsets, out.NullLists = append(out.Offsets, offsets), append(out.NullLists, nulls)
	return gatherSpans(all, level+1, inner, out)
}

// takeValues appends spans of values.
func takeValues(all *nested.Values, spans []span, out *nested.Values) {
	size, n := all.Type.Size(), 0
	for _, s := range spans {
		out.NullSlots = appendPlaces(out.NullSlots, all.NullSlots, s, n)
		if all.Type.DType == tensor.String {
			out.Strings = append(out.Strings, all.Strings[s.from:s.to]...)
		} else {
			out.Data = append(out.Data, all.Data[int(s.from)*size:int(s.to)*size]...)
		}
		n += int(s.to - s.from)
	}
}

// appendPlaces appends those places, which are sorted, that lie in the span. A place is appended as
// its distance from the span's beginning, plus base.
func appendPlaces(dst, places []int, s span, base int) []int {
	for _, k := range places[sort.SearchInts(places, int(s.from)):] {
		if int64(k) >= s.to {
			break
		}
		dst = append(dst, base+k-int(s.from))
	}
	return dst
}
