package shape

import (
	"slices"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// intsOf returns the whole numbers in an operation's output, for the operations with which graphs
// compute sizes: values in row-major order, with [Missing] for unknown ones; nil where none is
// known.
func intsOf(c *Call, out int) []int64 {
	n := c.Node
	if f := arithmetic[n.Op]; f != nil && flat(c.in(0)) && flat(c.in(1)) {
		return elementwise(c.some(0), c.some(1), f)
	}
	switch n.Op {
	case "Const":
		return graph.Ints(n)
	case "Identity", "IdentityN", "StopGradient", "PreventGradient", "EnsureShape":
		return c.some(out)
	case "Cast":
		if d := graph.DType(c.attr("DstT").GetType()); d == tensor.Int32 || d == tensor.Int64 {
			return c.some(0)
		}
	case "Reshape", "ExpandDims", "Squeeze":
		return c.some(0)
	case "Shape":
		if s := c.in(0); s.Ranked() && s.Rank() <= MaxRank {
			return sizes(s)
		}
	case "Size":
		if size, ok := c.in(0).NumElements(); ok {
			return []int64{size}
		}
	case "Rank":
		if s := c.in(0); s.Ranked() {
			return []int64{int64(s.Rank())}
		}
	case "Pack", "ConcatV2":
		return c.strung()
	case "StridedSlice", "Slice":
		return c.sliced()
	case "GatherV2":
		if list := c.some(0); c.in(0).Rank() == 1 {
			return taken(list, c.ints(1))
		}
	case "Unpack":
		if list := c.some(0); c.in(0).Rank() == 1 && out < len(list) {
			return list[out : out+1]
		}
	case "Split":
		if list, n := c.some(1), int(c.attr("num_split").GetI()); c.in(1).Rank() == 1 && n > 0 && len(list)%n == 0 && out < n {
			return list[out*len(list)/n : (out+1)*len(list)/n]
		}
	case "Range":
		return c.counted()
	case "Fill":
		if count, ok := c.given(0).NumElements(); ok && count <= MaxRank && len(c.some(1)) == 1 {
			return slices.Repeat(c.some(1), int(count))
		}
	case "Prod", "Sum", "Max", "Min":
		if axes := c.ints(1); c.in(0).Rank() == 1 && len(axes) == 1 {
			return folded(c.some(0), map[string]func(a, b int64) int64{"Prod": times, "Sum": plus, "Max": larger, "Min": smaller}[n.Op])
		}
	case "TensorListLength":
		if held := c.Held(0); held.Len >= 0 {
			return []int64{held.Len}
		}
	}
	return nil
}

// flat reports whether a tensor is a number, or a list of numbers.
func flat(s tensor.Shape) bool { return s.Rank() == 0 || s.Rank() == 1 }

// sizes lists the sizes of a shape.
func sizes(s tensor.Shape) []int64 {
	dims := s.Dims()
	for i := range dims {
		if dims[i] == tensor.Unknown {
			dims[i] = Missing
		}
	}
	return dims
}

func larger(a, b int64) int64  { return max(a, b) }
func smaller(a, b int64) int64 { return min(a, b) }

// bound limits the numbers that are computed with, so that no product overflows.
const bound = 1 << 31

// arithmetic holds the operations on two whole numbers, both known and within bound.
var arithmetic = map[string]func(a, b int64) int64{
	"Add": func(a, b int64) int64 { return a + b }, "AddV2": func(a, b int64) int64 { return a + b },
	"Sub": func(a, b int64) int64 { return a - b }, "Mul": func(a, b int64) int64 { return a * b },
	"Maximum": larger, "Minimum": smaller,
	"FloorDiv": func(a, b int64) int64 {
		if b == 0 {
			return Missing
		}
		return (a - (a%b+b)%b) / b
	},
	"FloorMod": func(a, b int64) int64 {
		if b == 0 {
			return Missing
		}
		return (a%b + b) % b
	},
}

// elementwise applies f to the elements of two lists, one of which may be a single number.
func elementwise(a, b []int64, f func(a, b int64) int64) []int64 {
	if a == nil || b == nil || len(a) != len(b) && len(a) != 1 && len(b) != 1 {
		return nil
	}
	list := make([]int64, max(len(a), len(b)))
	if len(a) == 0 || len(b) == 0 {
		return list[:0]
	}
	for i := range list {
		x, y := a[i%len(a)], b[i%len(b)]
		if list[i] = Missing; max(x, y) < bound && min(x, y) > -bound {
			list[i] = f(x, y)
		}
	}
	return list
}

// folded reduces a list to one number with f.
func folded(list []int64, f func(a, b int64) int64) []int64 {
	if len(list) == 0 || slices.Contains(list, Missing) {
		return nil
	}
	n := list[0]
	for _, d := range list[1:] {
		n = f(n, d)
	}
	if n < 0 {
		return nil
	}
	return []int64{n}
}

// strung returns numbers, or lists of numbers, joined to one list.
func (c *Call) strung() []int64 {
	last := len(c.Node.Inputs)
	axis := []int64{c.attr("axis").GetI()}
	if c.Node.Op == "ConcatV2" {
		last--
		axis = c.ints(last)
	}
	all := []int64{}
	for k := range last {
		list := c.some(k)
		if list == nil && c.in(k).Rank() == 0 {
			list = []int64{Missing}
		}
		if list == nil || len(axis) != 1 || axis[0] != 0 || len(all)+len(list) > MaxRank {
			return nil
		}
		all = append(all, list...)
	}
	return all
}

// sliced returns the numbers that a slice takes: x[i], x[i:j], x[:, j], …
func (c *Call) sliced() []int64 {
	list, shape := c.some(0), c.in(0)
	if n, ok := shape.NumElements(); list == nil || !ok || n != int64(len(list)) {
		return nil
	}
	var spans []span
	switch c.Node.Op {
	case "StridedSlice":
		spans = c.spans()
	case "Slice":
		begin, to := c.ints(1), Of(c, 0)
		if begin == nil || to.Rank() != len(begin) {
			return nil
		}
		for i, from := range begin {
			spans = append(spans, span{from: from, step: 1, count: to.Dim(i)})
		}
	}
	if spans == nil {
		return nil
	}
	places, axis := []int64{0}, 0
	for _, s := range spans {
		if s.fresh {
			continue
		}
		size := shape.Dim(axis)
		axis++
		var next []int64
		for _, at := range places {
			for k := range max(0, s.count) {
				place, ok := Place(s.from+k*s.step, int(size))
				if !ok {
					return nil
				}
				next = append(next, at*size+int64(place))
			}
		}
		if places = next; s.count < 0 {
			return nil
		}
	}
	return taken(list, places)
}

// taken returns the numbers of a list at the given indices; nil if one is out of range.
func taken(list, indices []int64) []int64 {
	if indices == nil {
		return nil
	}
	some := make([]int64, len(indices))
	for i, at := range indices {
		place, ok := Place(at, len(list))
		if !ok {
			return nil
		}
		some[i] = list[place]
	}
	return some
}

// counted returns the numbers from, from + by, … before to.
func (c *Call) counted() []int64 {
	n := Of(c, 0).Dim(0)
	from, ok := c.one(0)
	by, ok2 := c.one(2)
	if n < 0 || n > MaxRank || !ok || !ok2 {
		return nil
	}
	list := make([]int64, n)
	for i := range list {
		list[i] = from + int64(i)*by
	}
	return list
}

// heldOf returns what the handle that an operation makes refers to.
func heldOf(c *Call) Held {
	switch c.Node.Op {
	case "VarHandleOp":
		return Held{Shape: graph.Shape(c.attr("shape").GetShape()), Len: tensor.Unknown}
	case "Identity":
		return c.Held(0)
	case "TensorListReserve":
		held := Held{Shape: c.element(0), Len: tensor.Unknown}
		if n, ok := c.one(1); ok && n >= 0 {
			held.Len = n
		}
		return held
	case "EmptyTensorList":
		return Held{Shape: c.element(0)}
	case "TensorListFromTensor":
		if s := c.in(0); s.Rank() > 0 {
			return Held{Shape: axesOf(s, 1, s.Rank()), Len: s.Dim(0)}
		}
	case "TensorListSetItem":
		held := c.Held(0)
		held.Shape, held.Mixed = Merge(held.Shape, c.in(2)), true
		if c.attr("resize_if_index_out_of_bounds").GetB() {
			held.Len = tensor.Unknown
		}
		return held
	case "TensorListPushBack":
		held := c.Held(0)
		held.Shape, held.Len, held.Mixed = Merge(held.Shape, c.in(1)), plus(held.Len, 1), true
		return held
	}
	return nothing.Held
}
