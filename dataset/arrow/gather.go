package arrow

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	ar "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/tensor"
)

// span is a range of values, or of lists of them.
type span struct{ from, to int64 }

// maxGathered bounds the values that views of lists or runs stand for in a block of rows, beyond
// those that are there: views may share values, so that a small file has room for any number.
const maxGathered = 1 << 26

// gather reads the values of spans of an array, one behind the other.
func gather(arr ar.Array, spans []span, out *nested.Values) error {
	lo, hi, total := int64(arr.Len()), int64(0), int64(0)
	for _, s := range spans {
		if s.from < 0 || s.to < s.from || s.to > int64(arr.Len()) {
			return errors.New("lists that reach beyond their values")
		}
		if s.from < s.to {
			lo, hi, total = min(lo, s.from), max(hi, s.to), total+s.to-s.from
		}
		if total > max(int64(arr.Len()), maxGathered) {
			return fmt.Errorf("lists that share values, and hold more than %d", maxGathered)
		}
	}
	lo = min(lo, hi)
	all := nested.Values{Type: out.Type}
	if err := values(arr, int(lo), int(hi-lo), &all); err != nil {
		return err
	}
	for i := range spans {
		if spans[i].from == spans[i].to {
			spans[i] = span{lo, lo}
		}
		spans[i] = span{spans[i].from - lo, spans[i].to - lo}
	}
	return take(&all, 0, spans, out)
}

// take appends spans of lists of a level, or of values: one level more than there are lists.
func take(all *nested.Values, level int, spans []span, out *nested.Values) error {
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
			return fmt.Errorf("lists that share values, and hold more than %d", maxGathered)
		}
	}
	out.Offsets, out.NullLists = append(out.Offsets, offsets), append(out.NullLists, nulls)
	return take(all, level+1, inner, out)
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

// appendPlaces appends those of the sorted places that are in a span, counted from its beginning
// and from a base.
func appendPlaces(dst, places []int, s span, base int) []int {
	for _, k := range places[sort.SearchInts(places, int(s.from)):] {
		if int64(k) >= s.to {
			break
		}
		dst = append(dst, base+k-int(s.from))
	}
	return dst
}

// apart reads lists that do not follow each other in their values: views, which may stand anywhere,
// and those of lists that are null.
func apart(lists array.ListLike, from, n int, out *nested.Values) error {
	offsets, spans := make([]int64, n+1), make([]span, n)
	for i := range n {
		if lists.IsValid(from + i) {
			spans[i].from, spans[i].to = lists.ValueOffsets(from + i)
		}
		offsets[i+1] = offsets[i] + spans[i].to - spans[i].from
	}
	out.Offsets = append(out.Offsets, offsets)
	out.NullLists = append(out.NullLists, appendNulls(nil, lists, from, n))
	return gather(lists.ListValues(), spans, out)
}

// pick reads n values by their places in an array: those of a dictionary, or of runs. A place of -1
// is null.
func pick(arr ar.Array, n int, place func(i int) int, out *nested.Values) error {
	if _, lists := storage(arr.DataType()).(ar.ListLikeType); !lists {
		return pickLeaves(arr, n, place, out)
	}
	spans, there, nulls := make([]span, n), []int{}, []int{}
	for i := range n {
		if k := int64(place(i)); k == -1 {
			nulls = append(nulls, i)
		} else {
			spans[i], there = span{k, k + 1}, append(there, i)
		}
	}
	level := len(out.Offsets)
	if err := gather(arr, spans, out); err != nil {
		return err
	}
	// An empty list takes the place of what was left out.
	offsets, some := make([]int64, n+1), out.Offsets[level]
	for k, i := range there {
		offsets[i+1] = some[k+1]
	}
	for _, i := range nulls {
		offsets[i+1] = offsets[i] // of the row before, which is known
	}
	for k, place := range out.NullLists[level] {
		out.NullLists[level][k] = there[place]
	}
	out.Offsets[level], out.NullLists[level] = offsets, merged(out.NullLists[level], nulls)
	return nil
}

// pickLeaves is pick for values that are no lists.
func pickLeaves(arr ar.Array, n int, place func(i int) int, out *nested.Values) error {
	all := nested.Values{Type: out.Type}
	if err := values(arr, 0, arr.Len(), &all); err != nil {
		return fmt.Errorf("dictionary: %w", err)
	}
	size := 0
	if out.Type.DType == tensor.String {
		out.Strings = make([]string, n)
	} else {
		size = out.Type.Size()
		out.Data = make([]byte, n*size)
	}
	for i := range n {
		k := place(i)
		if k < -1 || k >= arr.Len() {
			return errors.New("an index beyond the dictionary")
		}
		if _, null := slices.BinarySearch(all.NullSlots, k); null || k == -1 {
			out.NullSlots = append(out.NullSlots, i)
			continue
		}
		if size == 0 {
			out.Strings[i] = all.Strings[k]
		} else {
			copy(out.Data[i*size:(i+1)*size], all.Data[k*size:])
		}
	}
	return nil
}
