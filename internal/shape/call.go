package shape

import (
	"slices"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// Call is an operation with what is known of its inputs.
type Call struct {
	Node *graph.Node
	In   func(k int) tensor.Shape // the shape of input k
	Ints func(k int) []int64      // the whole numbers in input k, as in [Facts]
	Held func(k int) Held         // what the handle in input k stands for
}

// Held is what a handle stands for: a variable, or a list of tensors.
type Held struct {
	Shape tensor.Shape // of the variable, or of each tensor of the list
	Len   int64        // of the list; unknown for a variable
	// Mixed says that Shape is what was put into a list: of what is stacked in the end it is right.
	Mixed bool
}

// Missing stands in a list of whole numbers for one that is not known.
const Missing = int64(-1 << 63)

// in returns the shape of an input, unknown where there is none.
func (c *Call) in(k int) tensor.Shape {
	if k < 0 || k >= len(c.Node.Inputs) {
		return unknown
	}
	return c.In(k)
}

// ins returns the shapes of the inputs from one to before another.
func (c *Call) ins(from, to int) []tensor.Shape {
	var all []tensor.Shape
	for k := from; k < min(to, len(c.Node.Inputs)); k++ {
		all = append(all, c.In(k))
	}
	return all
}

// ints returns the whole numbers in an input; nil unless all of them are known.
func (c *Call) ints(k int) []int64 {
	list := c.some(k)
	if slices.Contains(list, Missing) {
		return nil
	}
	return list
}

// some returns the whole numbers in an input, some of which may be missing.
func (c *Call) some(k int) []int64 {
	if k < 0 || k >= len(c.Node.Inputs) {
		return nil
	}
	return c.Ints(k)
}

// one returns the only number of an input.
func (c *Call) one(k int) (int64, bool) {
	list := c.ints(k)
	if len(list) != 1 {
		return 0, false
	}
	return list[0], true
}

func (c *Call) attr(name string) *attrpb.AttrValue { return c.Node.Def.GetAttr()[name] }

// given returns the shape that an input holds the sizes of.
func (c *Call) given(k int) tensor.Shape {
	list := c.some(k)
	switch {
	case list == nil && c.in(k).Rank() == 1 && c.in(k).Dim(0) <= MaxRank:
		return open(int(c.in(k).Dim(0)))
	case list == nil, slices.ContainsFunc(list, func(d int64) bool { return d < 0 && d != Missing }):
		return unknown
	}
	return tensor.MakeShape(list...)
}

// listed returns how many numbers the list in an input has, -1 where that is not known.
func (c *Call) listed(k int) int {
	if s := c.in(k); s.Rank() == 1 && s.Dim(0) <= MaxRank {
		return int(s.Dim(0))
	}
	return -1
}

// element returns the shape of a list's elements that an input gives; -1 alone is of any rank.
func (c *Call) element(k int) tensor.Shape {
	if list := c.some(k); list != nil && c.in(k).Rank() == 1 {
		return tensor.MakeShape(list...)
	}
	return unknown
}

// Facts is what is known of a tensor.
type Facts struct {
	Shape tensor.Shape
	Ints  []int64 // the whole numbers in it, [Missing] for those not known; nil for none
	Held  Held
}

// nothing is known of a tensor.
var nothing = Facts{Held: Held{Len: tensor.Unknown}}
