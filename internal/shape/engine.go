package shape

import (
	"slices"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// Limits on the work of one engine.
const (
	maxSteps = 100_000
	maxDepth = 5_000
	callCost = 100 // steps that reading a function counts as
	// maxRounds bounds how often a loop's body is evaluated until its arguments stay the same.
	maxRounds = 8
	// maxProbed bounds the inputs of a node among which the source of a size is looked for.
	maxProbed = 64
)

// engine counts the work done for one signature.
type engine struct {
	g             *graph.Graph
	budget, depth int
}

// Frame is one call of a function, with what is known of the function's tensors. It is worked out
// backwards, from the tensor that is asked for. A Frame is for one goroutine.
type Frame struct {
	F    *graph.Function
	Up   *Frame      // the caller; nil for a frame whose arguments are given
	Args []graph.Ref // references in Up

	e      *engine
	given  []Facts
	shapes map[graph.Ref]tensor.Shape
	ints   map[graph.Ref][]int64
	held   map[graph.Ref]Held
	calls  map[*graph.Node]*Frame
	loops  map[*graph.Node][]Facts
}

// NewFrame returns the frame of a function that is called with the given facts about its arguments.
func NewFrame(g *graph.Graph, f *graph.Function, given []Facts) *Frame {
	return (&engine{g: g, budget: maxSteps}).frame(f, given)
}

func (e *engine) frame(f *graph.Function, given []Facts) *Frame {
	return &Frame{
		F: f, e: e, given: given, shapes: map[graph.Ref]tensor.Shape{}, ints: map[graph.Ref][]int64{}, held: map[graph.Ref]Held{},
		calls: map[*graph.Node]*Frame{}, loops: map[*graph.Node][]Facts{},
	}
}

// recall returns the known fact about a node's output, or calls work and keeps the result. It
// returns first where the work needs its own result, or where the budget of steps is spent.
func recall[T any](e *engine, known map[graph.Ref]T, r graph.Ref, first T, work func() T) T {
	if v, ok := known[r]; ok {
		return v
	}
	if r.Node == nil || e.budget <= 0 || e.depth >= maxDepth {
		return first
	}
	e.budget -= 1 + len(r.Node.Inputs)/16
	known[r] = first
	e.depth++
	known[r] = work()
	e.depth--
	return known[r]
}

// Shape returns a tensor's shape. It combines the shape that the graph itself has with the shape
// that follows from the arguments.
func (fr *Frame) Shape(r graph.Ref) tensor.Shape {
	static, _ := fr.F.Shape(r)
	switch i, isArg := r.IsArg(); {
	case isArg && fr.Up == nil && i < len(fr.given):
		return Merge(static, fr.given[i].Shape)
	case isArg && fr.Up != nil && i < len(fr.Args):
		return Merge(static, fr.Up.Shape(fr.Args[i]))
	case static.FullyKnown():
		return static
	}
	return recall(fr.e, fr.shapes, r, static, func() tensor.Shape {
		return Merge(static, follow(fr, r, (*Frame).Shape, func(f Facts) tensor.Shape { return f.Shape }, Common, func() tensor.Shape { return Of(fr.call(r.Node), r.Out) }))
	})
}

// Ints returns the whole numbers in a tensor, see [Facts].
func (fr *Frame) Ints(r graph.Ref) []int64 {
	switch i, isArg := r.IsArg(); {
	case isArg && fr.Up == nil && i < len(fr.given):
		return fr.given[i].Ints
	case isArg && fr.Up != nil && i < len(fr.Args):
		return fr.Up.Ints(fr.Args[i])
	}
	return recall(fr.e, fr.ints, r, nil, func() []int64 {
		list := follow(fr, r, (*Frame).Ints, func(f Facts) []int64 { return f.Ints }, commonInts, func() []int64 { return intsOf(fr.call(r.Node), r.Out) })
		if len(list) > MaxRank {
			return nil
		}
		return list
	})
}

// Held returns what a handle refers to.
func (fr *Frame) Held(r graph.Ref) Held {
	switch i, isArg := r.IsArg(); {
	case isArg && fr.Up == nil && i < len(fr.given):
		return fr.given[i].Held
	case isArg && fr.Up != nil && i < len(fr.Args):
		return fr.Up.Held(fr.Args[i])
	}
	return recall(fr.e, fr.held, r, nothing.Held, func() Held {
		return follow(fr, r, (*Frame).Held, func(f Facts) Held { return f.Held }, commonHeld, func() Held { return heldOf(fr.call(r.Node)) })
	})
}

// follow finds a fact about a node's output: inside the function that the node calls, among what a
// loop leaves unchanged, as what all branches of a condition have in common, or by the operation's
// rule.
func follow[T any](fr *Frame, r graph.Ref, in func(*Frame, graph.Ref) T, of func(Facts) T, common func(a, b T) T, rule func() T) T {
	n, none := r.Node, of(nothing)
	switch {
	case graph.IsCall(n.Op):
		if inner := fr.Enter(n, "f", 0); inner != nil && r.Out < len(inner.F.Rets) {
			return in(inner, inner.F.Rets[r.Out])
		}
		return none
	case graph.IsLoop(n):
		if state := fr.loop(n); r.Out < len(state) {
			return of(state[r.Out])
		}
		return none
	case n.Op == "If" || n.Op == "StatelessIf":
		a, b := fr.Enter(n, "then_branch", 1), fr.Enter(n, "else_branch", 1)
		if a == nil || b == nil || r.Out >= len(a.F.Rets) || r.Out >= len(b.F.Rets) {
			return none
		}
		return common(in(a, a.F.Rets[r.Out]), in(b, b.F.Rets[r.Out]))
	}
	return rule()
}

// call returns the operation of a node with what is known of its inputs.
func (fr *Frame) call(n *graph.Node) *Call {
	return &Call{
		Node: n,
		In:   func(k int) tensor.Shape { return fr.Shape(n.Inputs[k]) },
		Ints: func(k int) []int64 { return fr.Ints(n.Inputs[k]) },
		Held: func(k int) Held { return fr.Held(n.Inputs[k]) },
	}
}

// Enter returns the frame of the function that attribute attr of a node names, called with the
// node's inputs from index from on; nil where there is no such function.
func (fr *Frame) Enter(n *graph.Node, attr string, from int) *Frame {
	if attr == "f" { // a node has one call by "f"
		if inner, ok := fr.calls[n]; ok {
			return inner
		}
	}
	inner := fr.e.load(n, attr, nil)
	if inner != nil {
		inner.Up, inner.Args = fr, n.Inputs[min(from, len(n.Inputs)):]
	}
	if attr == "f" {
		fr.calls[n] = inner
	}
	return inner
}

// load returns the frame of the function that an attribute of a node names.
func (e *engine) load(n *graph.Node, attr string, given []Facts) *Frame {
	if e.budget <= 0 {
		return nil
	}
	f, err := e.g.Load(n.Def.GetAttr()[attr].GetFunc().GetName())
	if err != nil || f == nil {
		return nil
	}
	e.budget -= callCost + len(f.Nodes)/16
	return e.frame(f, given)
}

// probe is a size that no tensor has.
const probe = 1<<40 + 1

// From returns the input and axis that a size comes from: size d of axis i of a node's output, if
// it is a size of an input passed on unchanged. To find it, an input's size is replaced by another
// one, and the output must have that one then.
func (fr *Frame) From(r graph.Ref, i int, d int64) (input, axis int, ok bool) {
	// A Reshape multiplies sizes; that one is passed on unchanged could be a coincidence.
	if r.Node.Op == "Reshape" || len(r.Node.Inputs) > maxProbed {
		return 0, 0, false
	}
	sides := make([]tensor.Shape, len(r.Node.Inputs))
	for k, in := range r.Node.Inputs {
		if sides[k] = fr.Shape(in); len(sides) == 1 && !sides[k].Ranked() {
			sides[k] = open(fr.Shape(r).Rank())
		}
	}
	for k := range sides {
		for axis := range sides[k].Rank() {
			if sides[k].Dim(axis) != d {
				continue
			}
			c := fr.call(r.Node)
			c.In = func(j int) tensor.Shape {
				dims := sides[j].Dims()
				for a := range dims {
					switch {
					case j == k && a == axis:
						dims[a] = probe
					case dims[a] == d:
						dims[a] = 1
					}
				}
				if dims == nil {
					return unknown
				}
				return tensor.MakeShape(dims...)
			}
			if s := Of(c, r.Out); i < s.Rank() && s.Dim(i) == probe {
				return k, axis, true
			}
		}
	}
	return 0, 0, false
}

// loop returns the facts about a loop's results. A fact is one that holds for the arguments before
// the first step, and, if it holds before a step, holds after the step. The body is evaluated, with
// the facts that are left, until none is dropped any more.
func (fr *Frame) loop(n *graph.Node) []Facts {
	if state, ok := fr.loops[n]; ok {
		return state
	}
	fr.loops[n] = nil // for a loop that needs its own result
	state := make([]Facts, len(n.Inputs))
	for i, in := range n.Inputs {
		state[i] = Facts{fr.Shape(in), fr.Ints(in), fr.Held(in)}
	}
	for range maxRounds {
		body := fr.e.load(n, "body", state)
		if body == nil || len(body.F.Rets) != len(state) {
			break
		}
		next := make([]Facts, len(state))
		same := true
		for i, r := range body.F.Rets {
			next[i] = common(state[i], Facts{body.Shape(r), body.Ints(r), body.Held(r)})
			same = same && equal(next[i], state[i])
		}
		if state = next; same {
			fr.loops[n] = state
			break
		}
	}
	return fr.loops[n]
}

// common returns the facts in which two sets of facts about a tensor agree.
func common(a, b Facts) Facts {
	return Facts{Common(a.Shape, b.Shape), commonInts(a.Ints, b.Ints), commonHeld(a.Held, b.Held)}
}

func commonInts(a, b []int64) []int64 {
	if len(a) != len(b) || a == nil || b == nil {
		return nil
	}
	list := slices.Clone(a)
	for i := range list {
		if list[i] != b[i] {
			list[i] = Missing
		}
	}
	return list
}

// commonHeld is [common] for a list of tensors before and after a step of a loop. The shape of the
// tensors put into a list is that of all tensors in it once it is stacked.
func commonHeld(a, b Held) Held {
	if a.Len != b.Len {
		a.Len = tensor.Unknown
	}
	if a.Shape = Common(Merge(a.Shape, b.Shape), Merge(b.Shape, a.Shape)); b.Mixed {
		a.Mixed = true
	}
	return a
}

func equal(a, b Facts) bool {
	return a.Shape.Equal(b.Shape) && slices.Equal(a.Ints, b.Ints) && a.Held.Len == b.Held.Len && a.Held.Mixed == b.Held.Mixed && a.Held.Shape.Equal(b.Held.Shape)
}
