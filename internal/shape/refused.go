package shape

import (
	"fmt"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// Refusal is an operation that does not take tensors of the sizes that it is given.
type Refusal struct {
	Node *graph.Node
	// Why names what it is given: "AddV2 of (3, 5, 4) and (3, 7, 4)".
	Why string
}

// Refused returns an operation that the function's results need and that TensorFlow refuses to run:
// its rule has a shape for tensors of these ranks, and none for these sizes. nil where there is
// none. What only one branch of a condition needs may never run, and is not looked at.
func (fr *Frame) Refused() *Refusal {
	seen := map[*graph.Node]bool{}
	var visit func(r graph.Ref) *Refusal
	visit = func(r graph.Ref) *Refusal {
		n := r.Node
		if n == nil || seen[n] || fr.e.budget <= 0 || fr.e.depth >= maxDepth {
			return nil
		}
		seen[n] = true
		fr.e.budget--
		fr.e.depth++
		defer func() { fr.e.depth-- }()
		for _, in := range n.Inputs {
			if refused := visit(in); refused != nil {
				return refused
			}
		}
		return fr.refuses(n)
	}
	for _, r := range fr.F.Rets {
		if refused := visit(r); refused != nil {
			return refused
		}
	}
	return nil
}

// refuses looks at one operation, or at what it calls.
func (fr *Frame) refuses(n *graph.Node) *Refusal {
	var inner *Frame
	switch {
	case graph.IsCall(n.Op):
		inner = fr.Enter(n, "f", 0)
	case graph.IsLoop(n):
		inner = fr.e.load(n, "body", fr.loop(n))
	default:
		if c := fr.call(n); c.refused() {
			return &Refusal{n, c.operands()}
		}
	}
	if inner == nil {
		return nil
	}
	return inner.Refused()
}

// refused reports whether the operation's rule has a shape for tensors of the ranks of its inputs,
// and none for their sizes.
func (c *Call) refused() bool {
	if equal := c.attr("incompatible_shape_error"); rules[c.Node.Op] == nil || equal != nil && !equal.GetB() || Of(c, 0).Ranked() {
		return false
	}
	opened := *c
	opened.In = func(k int) tensor.Shape { return open(c.In(k).Rank()) }
	return Of(&opened, 0).Ranked()
}

// operands names the operation and what it is given: shapes, and whole numbers such as a new shape.
func (c *Call) operands() string {
	var all []string
	for k := range c.Node.Inputs {
		switch list, s := c.ints(k), c.in(k); {
		case list != nil && s.Rank() <= 1:
			all = append(all, fmt.Sprint(list))
		case s.Ranked():
			all = append(all, s.String())
		}
	}
	return c.Node.Op + " of " + strings.Join(all, " and ")
}
