package scopes

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/tensor"
)

// Call is one call of one layer: the nodes below a name scope of the layer's name. A functional
// model has operations between its layers too, each a Call with Op set.
type Call struct {
	Raw   string // the name of the scope: "dense_1_1"
	Name  string // the name of the layer, "dense_1", which the caller finds from Raw
	Op    bool
	Nodes []*graph.Node

	// Ins are the tensors that the call takes from outside, without masks, in the order of their
	// first uses. Each stands once, but in a merge ("add(x, x)") as often as the merge takes it.
	Ins []Edge
	// Masks are the tensors of truth values that the call takes beside Ins.
	Masks []Edge
	// Outs are the tensors that the call gives to others, in the order of the layer's results, and
	// Shapes their shapes.
	Outs   []graph.Ref
	Shapes []tensor.Shape
	Vars   []*savedmodel.Variable // that the call reads
	// Phantom marks the call of a layer that leaves nothing in the graph.
	Phantom bool
}

// Edge is a tensor that a call takes.
type Edge struct {
	From *Call // the call that gives the tensor; nil for an input of the scope
	Ref  graph.Ref
}

// Scope is the function of a model, or the part of it that is one nested model, cut into calls by
// the names of its nodes.
type Scope struct {
	Calls []*Call
	Depth int // the parts of a node's name before the layer's name
	// Prefix is these parts, joined: "" at depth 0.
	Prefix string
	Owner  map[*graph.Node]*Call         // the call that a node is part of
	Users  map[*graph.Node][]*graph.Node // of a node, within the function
	Rets   []graph.Ref                   // what the scope gives to the outside, in order

	// Inner says that the function does more than call the model, whose scope this is.
	Inner bool

	b       *body.Body
	slashed map[string]bool // names of layers that have slashes
	inside  map[*graph.Node]bool
	gone    map[*Call]bool // calls that dropMasks took out
	// what tensors come from: through operations between layers, and through casts within a call
	sources, uncast map[graph.Ref]graph.Ref
}

// Below returns how many parts of the names of a call's nodes are the scope of the call.
func (s *Scope) Below(c *Call) int { return s.Depth + 1 + strings.Count(c.Raw, "/") }

// LayerOf returns the first part of a path of scopes or of a variable, or more of them where they
// are the name of a layer that has slashes in it.
func (s *Scope) LayerOf(path []string) string { return layerScope(path, s.slashed) }

// Output returns the place of r among the call's results, or -1.
func (c *Call) Output(r graph.Ref) int { return slices.Index(c.Outs, r) }

// Consumers returns the calls that take something from c beside masks, in their order.
func (s *Scope) Consumers(c *Call) []*Call {
	var all []*Call
	for _, u := range s.Calls {
		if slices.ContainsFunc(u.Ins, func(e Edge) bool { return e.From == c }) {
			all = append(all, u)
		}
	}
	return all
}

// Redirect replaces an input: the first, where a merge takes it twice.
func (c *Call) Redirect(from, to Edge) {
	if i := slices.Index(c.Ins, from); i >= 0 {
		c.Ins[i] = to
	}
}

// Place returns where in the graph the call's first node is; a call that leaves nothing stands
// right behind what it takes.
func (c *Call) Place() int {
	for range graph.MaxUnwrap {
		if len(c.Nodes) > 0 && !c.Phantom {
			return c.Nodes[0].Index
		}
		if len(c.Ins) == 0 {
			return 0
		}
		if c.Ins[0].From == nil {
			return -1
		}
		c = c.Ins[0].From
	}
	return 0
}
