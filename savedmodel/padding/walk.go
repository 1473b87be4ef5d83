package padding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// Bounds on the work for one signature.
const (
	maxNodes = 400_000 // nodes looked at, counted each time
	maxDepth = 3_000   // of tensors that depend on each other
)

// rowsAtom is the axis of the batch.
var rowsAtom = atom{kind: rows}

// source is the graph of a signature, decoded once for all walks.
type source struct {
	g         *graph.Graph
	sig       *savedmodel.Signature
	main      *graph.Function
	inputs    []string // of the signature, in the order of main's arguments
	functions map[string]*graph.Function
	constants map[*graph.Node]*value
}

// read decodes the main graph. Its arguments are the tensors that the signature feeds.
func read(g *graph.Graph, sig *savedmodel.Signature) (*source, error) {
	s := &source{g: g, sig: sig, functions: map[string]*graph.Function{}, constants: map[*graph.Node]*value{}}
	r, err := g.Reach()
	if err != nil {
		return nil, err
	}
	var feeds []string
	for _, name := range sig.InputNames() {
		info := sig.Inputs[name]
		tensors := []string{info.Tensor}
		if info.Encoding != savedmodel.Dense {
			tensors = nil
			for _, c := range info.Components {
				tensors = append(tensors, c.Tensor)
			}
		}
		for _, t := range tensors {
			feeds, s.inputs = append(feeds, t), append(s.inputs, name)
		}
	}
	r.Feed(feeds)
	var roots []string
	for _, info := range sig.Outputs {
		roots = append(roots, graph.NodeOf(info.Tensor))
	}
	if err := r.Mark(roots); err != nil {
		return nil, err
	}
	flow, err := r.Flow(feeds)
	if err != nil {
		return nil, err
	}
	s.main = flow.Main
	return s, nil
}

// load returns a function of the library; nil if it is missing or damaged.
func (s *source) load(name string) *graph.Function {
	f, ok := s.functions[name]
	if !ok {
		f, _ = s.g.Resolve(name)
		s.functions[name] = f
	}
	return f
}

// walker follows tensors through a graph, under one assumption about rows.
type walker struct {
	*source
	pad    map[string]tensor.Tensor
	padded bool // open axes are padded; otherwise all rows have one shape
	assume map[string]Need

	mend    *mender           // nil: padding is not kept out
	lengths map[string]Length // of axes that windows make, by name

	seen map[atom]int64 // padded axes, and how many entries a row needs along them

	nodes    int // nodes looked at so far
	depth    int
	needs    []Need // that axes of two inputs have equal sizes, for any output
	stepping *stepping
}

// inputAxis returns the input and the axis of its rows that an axis is named after.
func (w *walker) inputAxis(name string) (Need, bool) {
	for input, info := range w.sig.Inputs {
		for i := range max(0, info.Shape.Rank()-1) {
			if name == axisName(input, i) {
				return Need{Input: input, Axis: i}, true
			}
		}
	}
	return Need{}, false
}

// axisName returns the name of an axis of an input's rows.
func axisName(input string, i int) string {
	if i == 0 {
		return fmt.Sprintf("%q", input)
	}
	return fmt.Sprintf("axis %d of %q", i, input)
}

// frame is one call of a function, with its arguments.
type frame struct {
	w    *walker
	f    *graph.Function
	path string // of the calls that lead to it; "" for the main graph
	args []*value
	memo map[*graph.Node][]*value
}

// nowhere is the path of functions that are not changed: branches and conditions.
const nowhere = "?"

func (w *walker) frame(f *graph.Function, path string, args []*value) *frame {
	return &frame{w: w, f: f, path: path, args: args, memo: map[*graph.Node][]*value{}}
}

// inner returns the path of a function that a node of this one calls.
func (fr *frame) inner(n *graph.Node) string {
	if fr.path == nowhere {
		return nowhere
	}
	return Path(fr.path, n.Name)
}

// mendable reports whether nodes of the function may be changed.
func (fr *frame) mendable() bool { return fr.path != "" && fr.path != nowhere }

// mainFrame returns the main graph with the values of the inputs.
func (w *walker) mainFrame() *frame {
	args := make([]*value, len(w.inputs))
	for i, name := range w.inputs {
		if info := w.sig.Inputs[name]; info.Encoding == savedmodel.Dense {
			args[i] = w.input(name, info)
		} else {
			args[i] = &value{why: &cause{text: fmt.Sprintf("the input %q is no dense tensor", name)}}
		}
	}
	return w.frame(w.main, "", args)
}

// input returns the value of an input.
func (w *walker) input(name string, info savedmodel.TensorInfo) *value {
	if !info.Shape.Ranked() || info.Shape.Rank() == 0 {
		return &value{why: &cause{text: fmt.Sprintf("the input %q has no batch axis, or its rank is not known", name)}}
	}
	v := &value{ranked: true, axes: []axis{{rowsAtom}}, pad: make([]fact, info.Shape.Rank())}
	v.real = fact{finite: true, tame: true, integer: isInteger(info.DType)}
	fill := w.padding(name, info.DType)
	if w.mend != nil {
		fill = fact{finite: true, tame: true, unclear: true} // any value
	}
	open := 0
	for i, d := range info.Shape.Dims()[1:] {
		v.pad[i+1] = fill
		switch {
		case d != tensor.Unknown:
			v.axes = append(v.axes, fixedAxis(d, ""))
		case w.padded:
			v.axes = append(v.axes, axis{{kind: steps, name: axisName(name, i)}})
			open = i + 1
		default:
			v.axes = append(v.axes, fixedAxis(-1, axisName(name, i)))
		}
	}
	switch need := w.assume[name]; {
	case open == 0:
	case need.Ones:
		v.real = constant(1)
	case need.Padless && fill.known && !fill.isText:
		v.real.padless, v.real.c, v.real.padlessAxes = true, fill.c, v.rank()-1-open
		above := v.real.padlessAxes == 0 && fill.is(0) && v.real.integer
		v.real.nonneg, v.real.positive = above, above
		if info.DType == tensor.Bool && v.real.padlessAxes == 0 && fill.is(0) {
			v.real = constant(1)
		}
	}
	return v
}

// padding returns the fact about the entries of padding of an input.
func (w *walker) padding(name string, dtype tensor.DType) fact {
	t, given := w.pad[name]
	switch {
	case dtype == tensor.String && given && len(t.Strings()) == 1:
		return constantText(t.Strings()[0])
	case dtype == tensor.String:
		return constantText("")
	case !given || t.Len() == 0:
		return constant(0)
	}
	if c, ok := scalar(t); ok {
		return constant(c)
	}
	return fact{finite: true, tame: true, unclear: true}
}

// found returns the needs of an independent output.
func (w *walker) found(assume map[string]Need) []Need {
	needs := slices.Clone(w.needs)
	for _, name := range w.sig.InputNames() {
		if need, ok := assume[name]; ok && w.sig.Inputs[name].Shape.Rank() > 1 {
			needs = append(needs, need)
		}
	}
	return needs
}

// value returns what is known of a tensor.
func (w *walker) value(fr *frame, r graph.Ref) *value {
	if i, ok := r.IsArg(); ok {
		if i < len(fr.args) {
			return fr.args[i]
		}
		return missingArgument
	}
	if r.Node == nil {
		return missingTensor
	}
	outs, ok := fr.memo[r.Node]
	if !ok {
		fr.memo[r.Node] = []*value{notKnown(r.Node, "depends on itself")}
		outs = w.node(fr, r.Node)
		fr.memo[r.Node] = outs
	}
	if r.Out >= len(outs) {
		if len(outs) == 1 && outs[0].why != nil && outs[0].why.answer == Unknown {
			return outs[0]
		}
		return notKnown(r.Node, "has an output that is not known here")
	}
	return outs[r.Out]
}

// node computes the outputs of an operation.
func (w *walker) node(fr *frame, n *graph.Node) []*value {
	if w.nodes++; w.nodes > maxNodes || w.depth > maxDepth {
		return []*value{notKnown(n, "comes after more operations than are looked at")}
	}
	w.depth++
	defer func() { w.depth-- }()
	c := &call{w: w, fr: fr, n: n, in: make([]*value, len(n.Inputs))}
	for i, in := range n.Inputs {
		c.in[i] = w.value(fr, in)
	}
	switch {
	case graph.IsCall(n.Op):
		return c.function()
	case graph.IsLoop(n):
		return c.loop()
	}
	rule := rules[n.Op]
	if rule == nil {
		return c.unknown("is an operation that the proof does not know")
	}
	outs := rule(c)
	for i, v := range outs {
		c.measured(i, v)
		w.note(v)
	}
	return outs
}

// measured sets the sizes of fixed axes from the shape that the graph itself has for an output.
func (c *call) measured(i int, v *value) {
	if !v.ranked || !slices.ContainsFunc(v.axes, func(a axis) bool { return len(a) == 1 && a[0].kind == fixed && a[0].size < 0 }) {
		return
	}
	s, ok := c.fr.f.Shape(graph.Ref{Node: c.n, Out: i})
	if !ok || s.Rank() != v.rank() {
		return
	}
	v.axes = slices.Clone(v.axes)
	for j, a := range v.axes {
		if d := s.Dim(j); d >= 0 && len(a) == 1 && a[0].kind == fixed && a[0].size < 0 {
			v.axes[j] = fixedAxis(d, "")
		}
	}
}

// call is an operation with its inputs.
type call struct {
	w  *walker
	fr *frame
	n  *graph.Node
	in []*value

	meant []int // axes along which means are changed
}

// Values that stand for inputs that a damaged graph does not have. They are shared, since an
// operation may claim millions of inputs.
var missingArgument, missingTensor = notKnown(nil, "an argument is missing"), notKnown(nil, "a tensor is missing")

// notKnown returns a value of which nothing is known.
func notKnown(n *graph.Node, text string) *value {
	return &value{why: &cause{answer: Unknown, text: text, node: n}}
}

// unknown returns outputs of which nothing is known. The reason is that of an input of which
// nothing is known, or else the one given.
func (c *call) unknown(format string, args ...any) []*value {
	for _, in := range c.in {
		if in.why != nil && in.why.answer == Unknown {
			return []*value{{why: in.why}}
		}
	}
	return []*value{notKnown(c.n, fmt.Sprintf(format, args...))}
}

// ranked reports whether the first k inputs are tensors of known rank; -1: all inputs.
func (c *call) ranked(k int) bool {
	if k < 0 {
		k = len(c.in)
	}
	if len(c.in) < k {
		return false
	}
	for _, in := range c.in[:k] {
		if !in.ranked || in.list != nil || in.handle != nil {
			return false
		}
	}
	return true
}

// made returns v as the only output. Its entries are those of the row alone if those of the inputs
// are.
func (c *call) made(v *value, from ...*value) []*value {
	for _, in := range from {
		if in.why != nil && (v.why == nil || v.why.answer == Unknown && in.why.answer == Depends) {
			v.why = in.why
		}
	}
	return []*value{v}
}

// dependsOn marks a value as one that depends on padding or other rows.
func (c *call) dependsOn(v *value, format string, args ...any) *value {
	if v.why == nil || v.why.answer != Depends {
		u := *v
		u.why = &cause{answer: Depends, text: fmt.Sprintf(format, args...), node: c.n}
		return &u
	}
	return v
}

// effect marks a value that padding gets into. It depends on padding, or, if f says that little is
// known of the padding, it is unknown.
func (c *call) effect(v *value, f fact, format string, args ...any) *value {
	if !f.unclear {
		return c.dependsOn(v, format, args...)
	}
	if v.why == nil {
		u := *v
		u.why = &cause{answer: Unknown, text: fmt.Sprintf(format, args...) + "; what stands there is not known", node: c.n}
		return &u
	}
	return v
}

// function is the rule of calls: it follows the function that is called.
func (c *call) function() []*value {
	f := c.w.load(c.n.Def.GetAttr()["f"].GetFunc().GetName())
	if f == nil {
		return c.unknown("calls a function that the graph does not hold")
	}
	inner := c.w.frame(f, c.fr.inner(c.n), c.in)
	outs := make([]*value, len(f.Rets))
	for i, r := range f.Rets {
		outs[i] = c.w.value(inner, r)
	}
	return outs
}

// axisOf returns the index of an axis, which may count from the end.
func (c *call) axisOf(at int64, rank int) (int, bool) {
	if at < 0 {
		at += int64(rank)
	}
	return int(at), at >= 0 && at < int64(rank)
}

// ints returns the constant whole numbers of an input.
func (c *call) ints(i int) ([]int64, bool) {
	if i >= len(c.in) || c.in[i].nums == nil {
		return nil, false
	}
	list := make([]int64, len(c.in[i].nums))
	for k, n := range c.in[i].nums {
		if !n.isConst() {
			return nil, false
		}
		list[k] = n.c
	}
	return list, true
}

func (c *call) attrBool(name string) bool { return c.n.Def.GetAttr()[name].GetB() }
func (c *call) attrInt(name string) int64 { return c.n.Def.GetAttr()[name].GetI() }

// along names an axis for people.
func along(a axis) string {
	var names []string
	for _, x := range a {
		switch {
		case x.kind == rows:
			names = append(names, "the rows of the batch")
		case x.kind == flat:
			names = append(names, "the words of all rows")
		case x.kind == steps:
			names = append(names, "the padded steps of "+x.name)
		case x.name != "":
			names = append(names, x.name)
		}
	}
	return strings.Join(names, " and ")
}

func isInteger(d tensor.DType) bool {
	switch d {
	case tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64:
		return true
	}
	return false
}

// rules maps operations to their rules. The results of an operation without a rule are unknown.
var rules = map[string]rule{}

// scalar returns the first number of a tensor.
func scalar(t tensor.Tensor) (float64, bool) {
	if t.DType().Size() == 0 || len(t.Bytes()) < t.DType().Size() {
		return 0, false
	}
	return decoded(t.DType(), t.Bytes())
}

// rule computes the outputs of an operation from its inputs.
type rule func(c *call) []*value

// decoded reads a number from the beginning of a tensor's bytes.
func decoded(d tensor.DType, raw []byte) (float64, bool) {
	if !isPlain(d) {
		return 0, false
	}
	return d.Number()(raw), true
}

// isPlain reports whether numbers of a dtype are read here.
func isPlain(d tensor.DType) bool {
	switch d {
	case tensor.Float32, tensor.Float64, tensor.Float16, tensor.Bfloat16, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Bool:
		return true
	}
	return false
}

// mapped returns a value with the given axes, whose facts f makes of the facts about the inputs.
func mapped(axes []axis, in []*value, f func([]fact) fact) *value {
	v := &value{ranked: true, axes: axes, pad: make([]fact, len(axes))}
	facts := make([]fact, len(in))
	for k, x := range in {
		facts[k] = x.real
	}
	v.real = f(facts)
	for j, a := range axes {
		if !a.has(steps) {
			continue
		}
		for k, x := range in {
			facts[k] = at(x, j, len(axes))
		}
		v.pad[j] = f(facts)
	}
	return v
}

// stretched returns the axes of the result of broadcasting the inputs.
func (c *call) stretched(in []*value) ([]axis, bool) {
	rank := 0
	for _, v := range in {
		rank = max(rank, v.rank())
	}
	axes := make([]axis, rank)
	for _, v := range in {
		for i, a := range v.axes {
			at := rank - v.rank() + i
			switch b := axes[at]; {
			case len(b) == 0:
				axes[at] = a
			case len(a) == 0 || slices.Equal(a, b):
			case a.isFixed() && b.isFixed():
				// One of them may be 1. The size is the same in both runs.
				axes[at] = fixedAxis(max(a.size(), b.size()), along(a)+"|"+along(b))
				if min(a.size(), b.size()) < 0 {
					axes[at] = fixedAxis(-1, along(a)+"|"+along(b))
				}
			case !c.w.sameEntries(a, b):
				return nil, false
			}
		}
	}
	return axes, true
}
