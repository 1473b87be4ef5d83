package block

import (
	"fmt"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Flat returns values as a vector that shares their memory: strs for strings, else data, which
// holds whole values.
func Flat(dtype tensor.DType, data []byte, strs []string) tensor.Tensor {
	var t tensor.Tensor
	var err error
	if dtype == tensor.String {
		t, err = tensor.ShareSlice(strs, []int64{int64(len(strs))})
	} else {
		t, err = tensor.Share(dtype, data, []int64{int64(len(data) / dtype.Size())})
	}
	if err != nil {
		panic(err) // unreachable: the length was counted
	}
	return t
}

// Fixed holds rows of one shape, one after the other.
type Fixed struct {
	flat   tensor.Tensor // the values of all rows, a vector
	dims   []int64
	n      int   // values of a row
	starts []int // place in flat where each row begins; nil: row i at i*n
}

// NewFixed returns the column of the rows whose values lie in flat, each of the given sizes.
func NewFixed(flat tensor.Tensor, dims []int64) *Fixed {
	n, _ := tensor.NumElements(dims)
	return &Fixed{flat: flat, dims: dims, n: int(n)}
}

// Row returns row i, a view.
func (c *Fixed) Row(i int, _ *Arena) (t tensor.Tensor, splits []tensor.Tensor, msg string) {
	at := c.start(i)
	return view(c.flat, at, at+c.n, c.dims), nil, ""
}

func (c *Fixed) start(i int) int {
	if c.starts != nil {
		return c.starts[i]
	}
	return i * c.n
}

// rows returns rows lo ≤ i < hi, none of them bad, as one tensor.
func (c *Fixed) rows(lo, hi int) tensor.Tensor {
	dims := make([]int64, 1+len(c.dims))
	dims[0] = int64(hi - lo)
	copy(dims[1:], c.dims)
	at := c.start(lo)
	return view(c.flat, at, at+(hi-lo)*c.n, dims)
}

// view returns values lo ≤ i < hi of a vector as a tensor of the given sizes, whose product is hi -
// lo. It shares the vector's values, and dims.
func view(flat tensor.Tensor, lo, hi int, dims []int64) tensor.Tensor {
	var t tensor.Tensor
	var err error
	if flat.DType() == tensor.String {
		t, err = tensor.ShareSlice(flat.Strings()[lo:hi:hi], dims)
	} else {
		size := flat.DType().Size()
		t, err = tensor.Share(flat.DType(), flat.Bytes()[lo*size:hi*size:hi*size], dims)
	}
	if err != nil {
		panic(err) // unreachable: the callers have multiplied the sizes
	}
	return t
}

// Lists holds rows that are lists, maybe lists of lists, of unequal lengths.
type Lists struct {
	comp dataset.Component
	flat tensor.Tensor // the innermost values, a vector
	// offsets holds, by depth, where the lists are: list i reaches from offsets[d][i] to
	// offsets[d][i+1] among the lists of the next depth; at the last depth, among the values in
	// flat.
	offsets [][]int64
	inner   []int64 // fixed sizes of an entry of the innermost lists
	size    int64   // number of values of such an entry
}

// NewLists returns the column of the rows whose values are in flat. offsets[0] has one entry more
// than there are rows. inner are the fixed sizes of an entry of the innermost lists, none for plain
// values.
func NewLists(comp dataset.Component, flat tensor.Tensor, offsets [][]int64, inner []int64) *Lists {
	n, _ := tensor.NumElements(inner)
	return &Lists{comp: comp, flat: flat, offsets: offsets, inner: inner, size: n}
}

// CheckDepth returns "" if values in lists of the given depth, fixed sizes included, can be rows of
// the component, otherwise an error message.
func CheckDepth(comp dataset.Component, depth int) string {
	if _, one := comp.Side(1); one && depth == 1 {
		return "" // a list of one value will do, whatever the rank
	}
	switch rank := comp.Shape.Rank(); {
	case rank >= 0 && rank != depth && rank == 0:
		return "want a single value, the column holds lists"
	case rank >= 0 && rank != depth:
		return fmt.Sprintf("want %d levels of lists, the column has %d", rank, depth)
	case comp.Ragged && depth < comp.RaggedRank+1:
		return fmt.Sprintf("want lists at least %d levels deep, the column has %d", comp.RaggedRank+1, depth)
	}
	return ""
}

// Row returns row i: dense where its lists have equal lengths, or ragged where the component is.
func (c *Lists) Row(i int, a *Arena) (t tensor.Tensor, splits []tensor.Tensor, msg string) {
	if c.comp.Ragged {
		return c.ragged(i, a)
	}
	depth := len(c.offsets)
	dims := a.Dims(depth + len(c.inner))
	copy(dims[depth:], c.inner)
	lo, hi := int64(i), int64(i+1)
	for d, off := range c.offsets {
		if dims[d], msg = equalLengths(off, lo, hi); msg != "" {
			return t, nil, msg
		}
		if lo == hi {
			dims[d] = c.hidden(d) // an empty list hides the sizes inside it
		}
		lo, hi = off[lo], off[hi]
	}
	fit, ok := c.comp.Fit(dims)
	switch {
	case !ok && c.comp.Shape.Rank() == 0:
		return t, nil, fmt.Sprintf("want a single value, got a list of %d", dims[0])
	case !ok:
		return t, nil, fmt.Sprintf("want the shape %v, got %v", c.comp.Shape, tensor.MakeShape(dims...))
	case len(fit) != len(dims):
		dims = append(a.Dims(len(fit))[:0], fit...)
	}
	return view(c.flat, int(lo*c.size), int(hi*c.size), dims), nil, ""
}

func (c *Lists) hidden(d int) int64 {
	if !c.comp.Shape.Ranked() {
		return 0
	}
	return max(c.comp.Shape.Dim(d), 0)
}

// equalLengths returns the length that lists lo ≤ i < hi all have, or what is wrong if they differ.
func equalLengths(off []int64, lo, hi int64) (n int64, msg string) {
	for k := lo; k < hi; k++ {
		switch l := off[k+1] - off[k]; {
		case k == lo:
			n = l
		case l != n:
			return n, fmt.Sprintf("lists of unequal lengths, %d and %d: the component is not ragged", n, l)
		}
	}
	return n, ""
}

// ragged returns row i with the row splits of its lists. Lists deeper than the splits must have
// equal lengths.
func (c *Lists) ragged(i int, a *Arena) (t tensor.Tensor, splits []tensor.Tensor, msg string) {
	splits = make([]tensor.Tensor, 0, c.comp.RaggedRank)
	depth := len(c.offsets)
	dims := a.Dims(depth - c.comp.RaggedRank + len(c.inner))
	lo, hi := c.offsets[0][i], c.offsets[0][i+1]
	for _, off := range c.offsets[1:min(1+c.comp.RaggedRank, depth)] {
		splits = append(splits, rebased(off[lo:hi+1], c.comp.SplitsDType))
		lo, hi = off[lo], off[hi]
	}
	dims[0] = hi - lo
	for d := 1 + c.comp.RaggedRank; d < depth; d++ {
		off, at := c.offsets[d], d-c.comp.RaggedRank
		if dims[at], msg = equalLengths(off, lo, hi); msg != "" {
			return t, nil, msg
		}
		if lo == hi {
			dims[at] = c.hidden(d)
		}
		lo, hi = off[lo], off[hi]
	}
	copy(dims[depth-c.comp.RaggedRank:], c.inner)
	if inner := c.comp.Shape.Drop(1 + c.comp.RaggedRank); c.comp.Shape.Ranked() && !inner.Admits(dims[1:]) {
		return t, nil, fmt.Sprintf("want the inner shape %v, got %v", inner, tensor.MakeShape(dims[1:]...))
	}
	return view(c.flat, int(lo*c.size), int(hi*c.size), dims), splits, ""
}

// rebased returns offsets counted from the first one.
func rebased(off []int64, dtype tensor.DType) tensor.Tensor {
	if dtype == tensor.Int32 {
		out := make([]int32, len(off))
		for i, v := range off {
			out[i] = int32(v - off[0]) //nolint:gosec // a block holds far fewer values
		}
		return tensor.Vector(out...)
	}
	out := make([]int64, len(off))
	for i, v := range off {
		out[i] = v - off[0]
	}
	return tensor.Vector(out...)
}

// Fix returns the rows as a column of one shape, the component's, which must be known. Rows of
// other shapes are added to bad.
func (c *Lists) Fix(rows int, path string, bad []Bad) (*Fixed, []Bad) {
	var a Arena
	if lo, hi, ok := c.alike(rows); ok {
		if _, _, msg := c.Row(0, &a); msg == "" {
			return NewFixed(view(c.flat, lo, hi, []int64{int64(hi - lo)}), c.comp.Shape.Dims()), bad
		}
	}
	var wrong []Bad
	for i := range rows {
		a.reset()
		if _, _, msg := c.Row(i, &a); msg != "" {
			wrong = append(wrong, Bad{Index: i, Field: path, Msg: msg})
		}
	}
	f := &Fixed{flat: c.flat, dims: c.comp.Shape.Dims()}
	n, _ := tensor.NumElements(f.dims)
	f.n = int(n)
	// The values of rows between two bad ones lie side by side.
	f.starts = make([]int, rows)
	for i := range rows {
		at := int64(i)
		for _, off := range c.offsets {
			at = off[at]
		}
		f.starts[i] = int(at * c.size)
	}
	return f, MergeBad(bad, wrong)
}

// alike reports whether there are rows, all of one shape: lo ≤ i < hi are then their values in
// flat.
func (c *Lists) alike(rows int) (lo, hi int, ok bool) {
	from, to := int64(0), int64(rows)
	for _, off := range c.offsets {
		if _, msg := equalLengths(off, from, to); msg != "" {
			return 0, 0, false
		}
		from, to = off[from], off[to]
	}
	return int(from * c.size), int(to * c.size), rows > 0
}

// MergeBad merges two lists of bad rows. Of a row in both lists the error of a is taken.
func MergeBad(a, b []Bad) []Bad {
	if len(a) == 0 {
		return b
	}
	out := make([]Bad, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Index < b[0].Index:
			out, a = append(out, a[0]), a[1:]
		case len(a) == 0 || b[0].Index < a[0].Index:
			out, b = append(out, b[0]), b[1:]
		default:
			b = b[1:]
		}
	}
	return out
}

// Tensors holds rows that were read one by one.
type Tensors struct {
	Values []tensor.Tensor
	Splits [][]tensor.Tensor // nil where the component is dense
}

// Row returns row i.
func (c *Tensors) Row(i int, _ *Arena) (t tensor.Tensor, splits []tensor.Tensor, msg string) {
	if c.Splits != nil {
		splits = c.Splits[i]
		if splits == nil {
			splits = []tensor.Tensor{}
		}
	}
	return c.Values[i], splits, ""
}
