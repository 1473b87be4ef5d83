package padding

import (
	"cmp"
	"math"
	"slices"

	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// Plan says how to keep padding out of a signature's graph, so that rows of any lengths may share a
// batch and each row gets the answer that it gets alone. The graph written by the plan takes the
// rows' lengths as further inputs. Padding may then hold any value of a usual size.
type Plan struct {
	// Lengths are the numbers of a row's own entries that Mends and Outputs refer to.
	Lengths []Length
	// Mends lists the changes by the function to be changed. A function is named by the nodes that
	// lead to it from the main graph, see [Path]; a function that is called twice is changed for
	// each call separately.
	Mends map[string][]Mend
	// Outputs are the outputs that become independent, with the axes from which padding has to be
	// cut off.
	Outputs map[string][]Sized
	// Needs are conditions on rows. A row that does not meet them has to run without padding.
	Needs []Need
}

// Path returns the name of the function that a node calls, or of a loop's body; outer is the name
// of the function that the node is in.
func Path(outer, node string) string { return outer + ";" + node }

// Length is a number of a row's own entries: the number along an axis of an input, after Steps.
type Length struct {
	Input string
	Axis  int // of a row of the input
	Steps []Step
}

// Step is the effect of windows on a length: n entries become (n + Add) / Div, rounded up, and none
// if n + Add is not positive.
type Step struct{ Add, Div int64 }

// Of returns the length for a row with n entries along the input's axis.
func (l Length) Of(n int64) int64 {
	for _, s := range l.Steps {
		n = (max(n+s.Add, 0) + s.Div - 1) / s.Div
	}
	return n
}

// Sized says that along Axis of an output a row has Lengths[Length] entries of its own.
type Sized struct{ Axis, Length int }

// MendKind is a kind of change.
type MendKind uint8

// The kinds of changes.
const (
	// Mask puts Fill in place of the padding of a node's input along an axis.
	Mask MendKind = iota
	// Mean makes a Mean add up and divide by the number of the row's own entries along an axis,
	// instead of all entries. If a node has several, the first one divides by the sizes of the axes
	// Whole too.
	Mean
	// Reverse makes a ReverseV2 reverse only the row's own entries.
	Reverse
	// Shift moves the padding of a node's input along an axis in front of the row's own entries.
	Shift
	// Hold keeps a state of a loop as it is in steps of padding. The change belongs to the loop's
	// body.
	Hold
	// Write makes a node of a loop's body that writes to a list write the state that Hold keeps.
	Write
)

// Mend is one change of a function.
type Mend struct {
	Kind   MendKind
	Node   string       // "" for Hold
	Input  int          // index of the node's input
	Rank   int          // of that input, or of the state
	Rows   int          // axis of the batch
	Axis   int          // axis with padding
	Length int          // index in [Plan].Lengths
	DType  tensor.DType // of the masked input, or of the mean
	Fill   float64
	// Gone are the axes that a Mean reduces, one bit each. Whole are those among them without
	// padding; only the first Mean of a node has them.
	Gone, Whole uint64
	// State is the index of the loop's argument for Hold and Write, and Counter that of the
	// argument with the number of the step.
	State, Counter int
}

// mender collects the changes found on a walk.
type mender struct {
	plan    *Plan
	numbers map[atom]int // indices of lengths in the plan
	have    map[mendKey]Mend
	clash   bool // a node would need two different changes
}

// mendKey identifies what is changed.
type mendKey struct {
	path, node         string
	kind               MendKind
	input, axis, state int
}

// Mended looks for a plan for a signature of graph g, which may be another graph than the model's
// own, with the same inputs and outputs. It returns nil if no output can be made independent.
func Mended(mg *savedmodel.MetaGraph, g *graph.Graph, sig *savedmodel.Signature) (*Plan, error) {
	state, err := mg.State(sig)
	if err != nil || len(state.Changes) > 0 || len(state.Random) > 0 {
		return nil, err
	}
	from, err := read(g, sig)
	if err != nil {
		return nil, err
	}
	var best *Plan
	for _, assume := range assumptions(sig) {
		w := &walker{source: from, padded: true, assume: assume, mend: newMender()}
		if p := w.planned(); p != nil && (best == nil || len(p.Outputs) > len(best.Outputs)) {
			best = p
		}
	}
	return best, nil
}

func newMender() *mender {
	return &mender{
		plan:    &Plan{Mends: map[string][]Mend{}, Outputs: map[string][]Sized{}},
		numbers: map[atom]int{}, have: map[mendKey]Mend{},
	}
}

// planned walks from all outputs, and returns the plan for those that become independent.
func (w *walker) planned() *Plan {
	p := w.mend.plan
	main := w.mainFrame()
	for _, name := range w.sig.OutputNames() {
		if sized, r := w.output(main, w.sig.Outputs[name]); r.Answer == Independent {
			p.Outputs[name] = sized
		}
	}
	least, ok := w.leastNeeds(1)
	if w.mend.clash || !ok || len(p.Outputs) == 0 {
		return nil
	}
	p.Needs = append(w.found(w.assume), least...)
	for key, m := range w.mend.have {
		p.Mends[key.path] = append(p.Mends[key.path], m)
	}
	for _, list := range p.Mends {
		slices.SortFunc(list, compareMends)
	}
	return p
}

// compareMends orders changes, always in the same way, with Hold before Write.
func compareMends(a, b Mend) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Node, b.Node), a.Input-b.Input, a.Axis-b.Axis, a.State-b.State)
}

// mostLeast bounds the number of entries that a plan may need of a row.
const mostLeast = 1 << 16

// leastNeeds returns the needs for at least so many entries (from) along axes of inputs. A row with
// fewer entries than a window has, or than the index that is taken, may be an error on its own.
func (w *walker) leastNeeds(from int64) ([]Need, bool) {
	least := map[Need]int64{}
	for a, want := range w.seen {
		l, ok := w.lengthOf(a)
		if !ok {
			// An axis that does not come from an input.
			continue
		}
		n := int64(1)
		for l.Of(n) < want {
			if n++; n > mostLeast {
				return nil, false
			}
		}
		axis := Need{Input: l.Input, Axis: l.Axis}
		least[axis] = max(least[axis], n)
	}
	var needs []Need
	for _, input := range w.sig.InputNames() {
		for i := range max(w.sig.Inputs[input].Shape.Rank()-1, 0) {
			if n := least[Need{Input: input, Axis: i}]; n >= from {
				needs = append(needs, Need{Input: input, Axis: i, Least: n})
			}
		}
	}
	return needs, true
}

// lengthOf returns the length of an axis.
func (w *walker) lengthOf(a atom) (Length, bool) {
	l, ok := w.lengths[a.name]
	if !ok {
		in, isInput := w.inputAxis(a.name)
		if !isInput {
			return Length{}, false
		}
		l = Length{Input: in.Input, Axis: in.Axis}
	}
	if a.shift != 0 {
		l.Steps = append(slices.Clone(l.Steps), Step{Add: a.shift, Div: 1})
	}
	return l, a.kind == steps
}

// derive notes the length of a new axis (name), which is computed from another axis by a step.
func (w *walker) derive(name string, from atom, s Step) {
	if l, ok := w.lengthOf(from); ok {
		l.Steps = append(slices.Clone(l.Steps), s)
		if w.lengths == nil {
			w.lengths = map[string]Length{}
		}
		w.lengths[name] = l
	}
}

// number returns the index of an axis' length in the plan, and adds it if necessary.
func (m *mender) number(w *walker, a atom) (int, bool) {
	l, ok := w.lengthOf(a)
	if !ok {
		return 0, false
	}
	a.front, a.none = false, false
	i, have := m.numbers[a]
	if !have {
		i = len(m.plan.Lengths)
		m.plan.Lengths, m.numbers[a] = append(m.plan.Lengths, l), i
	}
	return i, true
}

// add adds a change to the plan.
func (m *mender) add(path string, mend Mend) {
	key := mendKey{path, mend.Node, mend.Kind, mend.Input, mend.Axis, mend.State}
	if old, ok := m.have[key]; ok && old != mend {
		m.clash = true
	}
	m.have[key] = mend
}

// rowsOf returns the axis of the batch of a tensor, or -1 if it has none, or has other axes with
// entries of other rows.
func rowsOf(v *value) int {
	at := -1
	for i, a := range v.axes {
		switch {
		case slices.Equal(a, axis{rowsAtom}) && at < 0:
			at = i
		case a.has(rows) || a.has(flat):
			return -1
		}
	}
	return at
}

// mendable returns the common fields of a change along axis i of an input. ok is false if none is
// possible there: padding has to come after the row's own entries.
func (c *call) mendable(v *value, i int) (Mend, bool) {
	if c.w.mend == nil || !c.fr.mendable() || !v.ranked || v.list != nil || i >= v.rank() {
		return Mend{}, false
	}
	s, ok := v.axes[i].only(steps)
	at := rowsOf(v)
	if !ok || s.front || at < 0 {
		return Mend{}, false
	}
	length, ok := c.w.mend.number(c.w, s)
	return Mend{Node: c.n.Name, Rank: v.rank(), Rows: at, Axis: i, Length: length}, ok
}

// mask plans to put fill in place of the padding of input k along axis i, and reports whether that
// is possible.
func (c *call) mask(k, i int, fill float64) bool {
	v := c.in[k]
	m, ok := c.mendable(v, i)
	dtype := maskedType(c.n)
	if !ok || !fits(dtype) {
		return false
	}
	m.Kind, m.Input, m.DType, m.Fill = Mask, k, dtype, fill
	c.w.mend.add(c.fr.path, m)
	u := v.with(v.axes, slices.Clone(v.pad))
	u.real, u.rowIDs = v.real, v.rowIDs
	for j, a := range u.axes {
		if a.has(steps) {
			u.pad[j] = u.pad[j].join(constant(fill))
		}
	}
	u.pad[i] = constant(fill)
	c.in[k] = u
	return true
}

// maskedType returns the dtype of a node's inputs. Files may leave out the usual one.
func maskedType(n *graph.Node) tensor.DType {
	switch n.Op {
	case "Any", "All":
		return tensor.Bool
	case "MaxPool":
		if n.Def.GetAttr()["T"] == nil {
			return tensor.Float32
		}
	}
	return graph.DType(n.Def.GetAttr()["T"].GetType())
}

// fits reports whether masks can be written for a dtype.
func fits(d tensor.DType) bool {
	switch d {
	case tensor.Float32, tensor.Float64, tensor.Float16, tensor.Bfloat16, tensor.Int32, tensor.Int64, tensor.Bool:
		return true
	}
	return false
}

// reversed plans to make a ReverseV2 along a padded axis leave the padding where it is.
func (c *call) reversed(i int) bool {
	m, ok := c.mendable(c.in[0], i)
	if ok {
		m.Kind = Reverse
		c.w.mend.add(c.fr.path, m)
	}
	return ok
}

// shifted plans to move the padding of the first input along an axis to the front, so that indices
// from the end count from the row's own end.
func (c *call) shifted(i int) bool {
	m, ok := c.mendable(c.in[0], i)
	if !ok {
		return false
	}
	m.Kind = Shift
	c.w.mend.add(c.fr.path, m)
	v := c.in[0].with(slices.Clone(c.in[0].axes), slices.Clone(c.in[0].pad))
	s := v.axes[i][0]
	s.front = true
	v.axes[i], v.pad[i].held = axis{s}, false
	c.in[0] = v
	return true
}

// holdable returns the states of a loop that steps of padding change and that can be held; nil if
// there are none.
func (l *looped) holdable(over axis, state []*value, kept []bool) []bool {
	path := l.fr.inner(l.n)
	s, ok := over.only(steps)
	counter := slices.Index(l.counter, true)
	if l.w.mend == nil || path == nowhere || !ok || s.front || counter < 0 {
		return nil
	}
	types := l.n.Def.GetAttr()["T"].GetList().GetType()
	length, ok := l.w.mend.number(l.w, s)
	if !ok || len(types) != len(state) || types[counter] != typespb.DataType_DT_INT32 {
		return nil
	}
	var held []bool
	for i, v := range state {
		if l.passesOn(i) || l.counter[i] || kept[i] || !v.ranked || v.list != nil || v.handle != nil || rowsOf(v) < 0 {
			continue
		}
		if held == nil {
			held = make([]bool, len(state))
		}
		held[i] = true
		l.w.mend.add(path, Mend{Kind: Hold, Rank: v.rank(), Rows: rowsOf(v), Length: length, State: i, Counter: counter})
	}
	return held
}

// holds returns the held state whose next value a node writes to a list, and plans that it writes
// the held value.
func (s *stepping) holds(c *call) (*value, bool) {
	if len(c.n.Inputs) < 3 {
		return nil, false
	}
	for i, held := range s.held {
		if held && origin(c.n.Inputs[2]) == origin(s.carried[i]) {
			c.w.mend.add(c.fr.path, Mend{Kind: Write, Node: c.n.Name, Input: 2, State: i})
			return s.args[i], true
		}
	}
	return nil, false
}

// sized returns what has to be cut off an output along a padded axis.
func (w *walker) sized(i int, a axis) (Sized, bool) {
	s, ok := a.only(steps)
	if w.mend == nil || !ok || s.front {
		return Sized{}, false
	}
	length, ok := w.mend.number(w, s)
	return Sized{Axis: i, Length: length}, ok
}

// note notes the padded axes of a value.
func (w *walker) note(v *value) {
	for _, a := range v.axes {
		for _, x := range a {
			w.atLeast(x, 1)
		}
	}
}

// atLeast notes that a row needs at least n entries along an axis.
func (w *walker) atLeast(a atom, n int64) {
	if a.kind == steps {
		if w.seen == nil {
			w.seen = map[atom]int64{}
		}
		w.seen[a] = max(w.seen[a], n)
	}
}

// fills maps reductions to the entry that does not change their result.
var fills = map[string]float64{
	"Max": math.Inf(-1), "Min": math.Inf(1), "Sum": 0, "Mean": 0, "EuclideanNorm": 0, "Prod": 1, "All": 1, "Any": 0,
}

// mendReduction plans to keep padding along the reduced axes out of a reduction.
func (c *call) mendReduction(gone []int) {
	for _, i := range gone {
		x, ok := c.in[0].axes[i].only(steps)
		if ok && c.n.Op != "Mean" && !neutral(c.n.Op, x, c.in[0].pad[i], c.in[0].real) {
			c.mask(0, i, fills[c.n.Op])
		}
	}
	if c.n.Op == "Mean" {
		c.mendMean(gone)
	}
}

// mendMean plans to make a mean that of the row's own entries.
func (c *call) mendMean(gone []int) {
	m := Mend{Kind: Mean, Node: c.n.Name, DType: maskedType(c.n)}
	if m.DType != tensor.Float32 && m.DType != tensor.Float64 {
		return
	}
	for _, i := range gone {
		m.Gone |= 1 << i
		if c.in[0].axes[i].isFixed() {
			m.Whole |= 1 << i
		}
	}
	for _, i := range gone {
		if at, ok := c.mendable(c.in[0], i); ok && c.mask(0, i, 0) {
			m.Rank, m.Rows, m.Axis, m.Length = at.Rank, at.Rows, at.Axis, at.Length
			c.w.mend.add(c.fr.path, m)
			m.Whole = 0
			c.meant = append(c.meant, i)
		}
	}
}
