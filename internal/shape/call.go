package shape

import (
	"slices"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// Call is an operation with what is known of its inputs. The rules of operations get it.
type Call struct {
	Node *graph.Node
	In   func(k int) tensor.Shape // the shape of input k
	Ints func(k int) []int64      // whole numbers in input k, see [Facts]
	Held func(k int) Held         // what the handle in input k refers to
}

// Held describes what a handle refers to: a variable, or a list of tensors.
type Held struct {
	Shape tensor.Shape // of the variable, or of each tensor in the list
	Len   int64        // number of tensors in the list; unknown for a variable
	// Mixed says that Shape is only that of the tensors put into the list while a loop ran. Once
	// the list is stacked all its tensors have that shape.
	Mixed bool
}

// Missing marks an unknown number in a list of whole numbers.
const Missing = int64(-1 << 63)

// in returns the shape of an input, unknown where there is none.
func (c *Call) in(k int) tensor.Shape {
	if k < 0 || k >= len(c.Node.Inputs) {
		return unknown
	}
	return c.In(k)
}

// ins returns the shapes of inputs from ≤ k < to.
func (c *Call) ins(from, to int) []tensor.Shape {
	var all []tensor.Shape
	for k := from; k < min(to, len(c.Node.Inputs)); k++ {
		all = append(all, c.In(k))
	}
	return all
}

// ints returns the whole numbers in an input; nil unless all are known.
func (c *Call) ints(k int) []int64 {
	list := c.some(k)
	if slices.Contains(list, Missing) {
		return nil
	}
	return list
}

// some returns the whole numbers in an input, with [Missing] for unknown ones.
func (c *Call) some(k int) []int64 {
	if k < 0 || k >= len(c.Node.Inputs) {
		return nil
	}
	return c.Ints(k)
}

// one returns the number in an input that holds a single one.
func (c *Call) one(k int) (int64, bool) {
	list := c.ints(k)
	if len(list) != 1 {
		return 0, false
	}
	return list[0], true
}

func (c *Call) attr(name string) *attrpb.AttrValue { return c.Node.Def.GetAttr()[name] }

// given returns the shape whose sizes an input holds.
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

// listed returns the length of the list in an input, -1 where it is not known.
func (c *Call) listed(k int) int {
	if s := c.in(k); s.Rank() == 1 && s.Dim(0) <= MaxRank {
		return int(s.Dim(0))
	}
	return -1
}

// element returns the shape of a list's elements, which an input holds. The number -1 alone stands
// for any rank.
func (c *Call) element(k int) tensor.Shape {
	if list := c.some(k); list != nil && c.in(k).Rank() == 1 {
		return tensor.MakeShape(list...)
	}
	return unknown
}

// Facts is what is known of a tensor.
type Facts struct {
	Shape tensor.Shape
	Ints  []int64 // whole numbers in the tensor, with [Missing]; nil: none known
	Held  Held
}

// nothing is what is known of a tensor about which nothing is known.
var nothing = Facts{Held: Held{Len: tensor.Unknown}}
