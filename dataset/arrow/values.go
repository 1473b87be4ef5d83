package arrow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	ar "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/tensor"
)

func merged(a, b []int) []int {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

func underlying(arr ar.Array) ar.Array {
	if e, ok := arr.(array.ExtensionArray); ok {
		return e.Storage()
	}
	return arr
}

// appendNulls appends which of the n values at from are null, counted from from.
func appendNulls(dst []int, arr ar.Array, from, n int) []int {
	if arr.NullN() == 0 {
		return dst
	}
	for i := range n {
		if arr.IsNull(from + i) {
			dst = append(dst, i)
		}
	}
	return dst
}

// storage returns the type that an extension type is stored as, or the type itself.
func storage(t ar.DataType) ar.DataType {
	if e, ok := t.(ar.ExtensionType); ok {
		return e.StorageType()
	}
	return t
}

// values reads an array of lists, or of values.
func values(arr ar.Array, from, n int, out *nested.Values) error {
	arr = underlying(arr)
	switch a := arr.(type) {
	case *array.RunEndEncoded:
		return pick(a.Values(), n, func(i int) int { return a.GetPhysicalIndex(from + i) }, out)
	case *array.Dictionary:
		return pick(a.Dictionary(), n, func(i int) int {
			if a.IsNull(from + i) {
				return -1
			}
			return a.GetValueIndex(from + i)
		}, out)
	}
	lists, ok := arr.(array.ListLike)
	if !ok {
		return leaf(arr, from, n, out)
	}
	offsets := make([]int64, n+1)
	base, end := int64(0), int64(0)
	for i := range n {
		lo, hi := lists.ValueOffsets(from + i)
		if i == 0 {
			base, end = lo, lo
		}
		if lo != end || hi < lo || lo < hi && lists.IsNull(from+i) {
			return scattered(lists, from, n, out)
		}
		end = hi
		offsets[i+1] = hi - base
	}
	child := lists.ListValues()
	if base < 0 || end > int64(child.Len()) {
		return errors.New("lists that reach beyond their values")
	}
	out.Offsets = append(out.Offsets, offsets)
	out.NullLists = append(out.NullLists, appendNulls(nil, arr, from, n))
	return values(child, int(base), int(end-base), out)
}

// leaf reads an array of values that are no lists.
func leaf(arr ar.Array, from, n int, out *nested.Values) error {
	out.NullSlots = appendNulls(nil, arr, from, n)
	switch a := arr.(type) {
	case *array.Boolean:
		out.Data = make([]byte, n)
		for i := range n {
			if a.Value(from + i) {
				out.Data[i] = 1
			}
		}
		return nil
	case *array.Null:
		out.Data, out.NullSlots = make([]byte, n*out.Type.Size()), make([]int, n)
		for i := range n {
			out.NullSlots[i] = i // such an array has no bitmap of nulls
		}
		return nil
	}
	if out.Type.DType == tensor.String {
		return stringsOf(arr, from, n, out)
	}
	size := out.Type.Size()
	if w, ok := arr.DataType().(ar.FixedWidthDataType); !ok || w.Bytes() != size {
		return fmt.Errorf("an array of type %s", arr.DataType())
	}
	if n == 0 {
		return nil
	}
	buffers := arr.Data().Buffers()
	if len(buffers) < 2 || buffers[1] == nil {
		return errors.New("an array without values")
	}
	at := (arr.Data().Offset() + from) * size
	data := buffers[1].Bytes()
	if at < 0 || at+n*size > len(data) {
		return errors.New("an array with fewer values than it says")
	}
	out.Data = data[at : at+n*size : at+n*size]
	if len(out.NullSlots) > 0 { // the slots of nulls may hold any bytes
		out.Data = slices.Clone(out.Data)
		for _, i := range out.NullSlots {
			clear(out.Data[i*size : (i+1)*size])
		}
	}
	return nil
}

// stringsOf reads an array of strings or bytes into strings that share one copy of the array's
// text.
func stringsOf(arr ar.Array, from, n int, out *nested.Values) error {
	out.Strings = make([]string, n)
	switch a := arr.(type) {
	case *array.String:
		for i := range n {
			out.Strings[i] = a.Value(from + i)
		}
	case *array.LargeString:
		for i := range n {
			out.Strings[i] = a.Value(from + i)
		}
	case *array.StringView:
		for i := range n {
			out.Strings[i] = strings.Clone(a.Value(from + i))
		}
	case interface{ Value(i int) []byte }:
		for i := range n {
			if !arr.IsNull(from + i) {
				out.Strings[i] = string(a.Value(from + i))
			}
		}
		return nil
	default:
		return fmt.Errorf("an array of type %s", arr.DataType())
	}
	for _, i := range out.NullSlots {
		out.Strings[i] = ""
	}
	return nil
}

// gather reads the values of spans of an array, one after the other.
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
			return fmt.Errorf("lists that share values come to more than %d of them", maxGathered)
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
	return gatherSpans(&all, 0, spans, out)
}

// scattered reads lists whose values do not follow each other in order: views, and lists among
// which a null has values of its own.
func scattered(lists array.ListLike, from, n int, out *nested.Values) error {
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

// pick reads n values by their places in an array: the values of a dictionary, or of runs. A place
// of -1 is null.
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
	// Null places were left out by gather; an empty list is put in for each.
	offsets, some := make([]int64, n+1), out.Offsets[level]
	for k, i := range there {
		offsets[i+1] = some[k+1]
	}
	for _, i := range nulls {
		offsets[i+1] = offsets[i] // offsets[i] is set: places are filled in order
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
