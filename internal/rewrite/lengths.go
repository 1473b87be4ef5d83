package rewrite

import (
	"fmt"
	"maps"
	"slices"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// XLA compiles for one shape. A loop over the steps of a sequence is the same for all lengths, but
// for how often it runs, and XLA has tensors for that, whose sizes are bounded, not fixed: the
// sequence is padded to a size of a few, and its own size goes along as a value. What is behind it
// is left out of every answer.

// LengthsOp is the operation that tells XLA a size by a value.
const LengthsOp = "XlaSetDynamicDimensionSize"

// sizeBounds are the sizes that one compiled program serves up to: two in each doubling. XLA cannot
// reshape where an axis is bounded by one. That nothing at all is a bound of its own leaves the
// error to TensorFlow, which has one for a step of an empty sequence.
var sizeBounds = func() []int32 {
	bounds := []int32{0}
	for n := int64(2); n < 1<<30; n *= 2 {
		bounds = append(bounds, int32(n), int32(n+n/2))
	}
	return append(bounds, 1<<30, 1<<31-1)
}()

// wideBounds are the same where what is padded is nothing but numbers that are looked up and masks,
// and no sequence is given away: padding costs next to nothing then.
var wideBounds = append([]int32{0, 256, 4096}, sizeBounds[slices.Index(sizeBounds, 6144):]...)

// boundOf is the least bound that n does not exceed; n itself where it exceeds all.
func boundOf(bounds []int32, n int64) int64 {
	if i, _ := slices.BinarySearchFunc(bounds, n, func(bound int32, n int64) int { return int(max(min(int64(bound)-n, 1), -1)) }); i < len(bounds) {
		return int64(bounds[i])
	}
	return n
}

// bounds are the sizes up to which the cluster's program serves.
func (c *loopCluster) bounds() []int32 {
	if c.wide() {
		return wideBounds
	}
	return sizeBounds
}

// wide reports whether what the cluster takes of open sizes is whole numbers and masks alone, and
// it gives none away.
func (c *loopCluster) wide() bool {
	for i, r := range c.inputs {
		if t := graph.DType(c.types[i]); len(c.open[r]) > 0 && t != tensor.Int32 && t != tensor.Int64 && t != tensor.Bool {
			return false
		}
	}
	return !slices.ContainsFunc(c.outs, c.cut)
}

// openAxes finds the axes of the cluster's inputs whose sizes may be given to XLA as values: all
// that are open but the first, which is the batch. It returns nil where there are none, and reports
// false where there is one that does more than say how often the loop runs.
func (c *loopCluster) openAxes(s *loopSplitter) (map[graph.Ref][]int, bool) {
	open := map[graph.Ref][]int{}
	for _, r := range c.inputs {
		shape, ok := c.b.f.Shape(r)
		if !ok || !shape.Ranked() {
			if t := c.types[slices.Index(c.inputs, r)]; t == typespb.DataType_DT_RESOURCE {
				continue
			}
			return nil, false
		}
		for axis := 1; axis < shape.Rank(); axis++ {
			if shape.Dim(axis) >= 0 {
				continue
			}
			if !s.onlyLength(c.b.f, c.in, r, axis, 0) {
				return nil, false
			}
			open[r] = append(open[r], axis)
		}
	}
	for _, r := range c.outs {
		if shape, ok := c.b.f.Shape(r); !ok || !shape.Ranked() {
			return nil, false
		}
	}
	for _, n := range c.sorted(c.nodes) {
		if n.Op == "TensorListStack" && !s.onlySequence(c.b.f, c.in, graph.Ref{Node: n}) || graph.IsCall(n.Op) && !s.sequencesInside(n, 0) {
			return nil, false
		}
	}
	return open, true
}

// in reports whether a node stands in the cluster.
func (c *loopCluster) in(n *graph.Node) bool { return c.nodes[n] || c.shapes[n] }

// taken lists the inputs that a tensor is, among some of the nodes of a function.
func (s *loopSplitter) taken(f *graph.Function, within func(*graph.Node) bool, r graph.Ref) []inputOf {
	s.asked++
	var list []inputOf
	nodes := f.Nodes
	if r.Node != nil {
		nodes = s.usersOf(f)[r.Node]
	}
	var last *graph.Node
	for _, n := range nodes {
		if n == last || within != nil && !within(n) {
			continue
		}
		last = n
		for i, in := range n.Inputs {
			if in == r {
				list = append(list, inputOf{n, i})
			}
		}
	}
	return list
}

// inputOf is data input i of a node.
type inputOf struct {
	n *graph.Node
	i int
}

// maxFollowed bounds how far a sequence is followed, and maxTaken how often it is asked who takes
// one: functions may call each other again and again.
const (
	maxFollowed = 200
	maxTaken    = 10_000
)

// onlyLength reports whether an axis of a tensor does nothing but say how many elements a list of
// tensors has, and whether the tensor is taken by nothing else than what moves it there.
func (s *loopSplitter) onlyLength(f *graph.Function, within func(*graph.Node) bool, r graph.Ref, axis, depth int) bool {
	type tensorAxis struct {
		r    graph.Ref
		axis int
	}
	todo := []tensorAxis{{r, axis}}
	for i := 0; i < len(todo); i++ {
		x := todo[i]
		if len(todo) > maxFollowed || s.asked > maxTaken || depth > graph.MaxUnwrap || slices.Contains(f.Rets, x.r) && within == nil {
			return false
		}
		for _, u := range s.taken(f, within, x.r) {
			next := tensorAxis{graph.Ref{Node: u.n}, x.axis}
			switch {
			case u.n.Op == "Shape" || u.n.Op == "Size" || u.n.Op == "Rank":
				continue
			case u.n.Op == "Identity" || u.n.Op == "ZerosLike" || u.n.Op == "OnesLike" || u.n.Op == "ReverseV2" && u.i == 0:
			case u.n.Op == "Transpose" && u.i == 0:
				if next.axis = slices.Index(graph.Ints(u.n.In(1)), int64(x.axis)); next.axis < 0 {
					return false
				}
			case u.n.Op == "ExpandDims" && u.i == 0:
				at := graph.Ints(u.n.In(1))
				if len(at) != 1 || at[0] < -1 {
					return false
				}
				if at[0] >= 0 && int(at[0]) <= x.axis {
					next.axis++
				}
			case u.n.Op == "TensorListFromTensor" && u.i == 0 && x.axis == 0, takesStep(u.n) && u.i == 0 && x.axis == 0:
				continue
			case graph.IsCall(u.n.Op):
				callee := s.function(u.n.Def.GetAttr()["f"].GetFunc().GetName())
				if callee == nil || u.i >= len(callee.Args) || !s.onlyLength(callee, nil, graph.Ref{Arg: u.i + 1}, x.axis, depth+1) {
					return false
				}
				continue
			default:
				return false
			}
			if !slices.Contains(todo, next) {
				todo = append(todo, next)
			}
		}
	}
	return true
}

// onlySequence reports whether a sequence that a loop made is only moved, looked at at its first or
// last step, and given away.
func (s *loopSplitter) onlySequence(f *graph.Function, within func(*graph.Node) bool, r graph.Ref) bool {
	todo := []graph.Ref{r}
	for i := 0; i < len(todo); i++ {
		if len(todo) > maxFollowed || s.asked > maxTaken {
			return false
		}
		for _, u := range s.taken(f, within, todo[i]) {
			next := graph.Ref{Node: u.n}
			switch {
			case u.i != 0:
				return false
			case u.n.Op == "Shape":
				continue
			case u.n.Op == "Identity" || u.n.Op == "ReverseV2" || u.n.Op == "Transpose":
			case takesStep(u.n):
			default:
				return false
			}
			if !slices.Contains(todo, next) {
				todo = append(todo, next)
			}
		}
	}
	return true
}

// sequencesInside does the same for the sequences that are made in a function that a node calls.
func (s *loopSplitter) sequencesInside(call *graph.Node, depth int) bool {
	f := s.function(call.Def.GetAttr()["f"].GetFunc().GetName())
	if s.asked++; f == nil || s.asked > maxTaken || depth > graph.MaxUnwrap {
		return false
	}
	for _, n := range f.Nodes {
		if n.Op == "TensorListStack" && !s.onlySequence(f, nil, graph.Ref{Node: n}) || graph.IsCall(n.Op) && !s.sequencesInside(n, depth+1) {
			return false
		}
	}
	return true
}

// padded adds to a body what pads a tensor's open axes to the next of some sizes.
func (b *loopBody) padded(def *functionpb.FunctionDef, r graph.Ref, t typespb.DataType, axes []int, to []int32) (paddedTensor, bool) {
	how := fmt.Sprint(len(to), axes)
	if p, ok := b.pads[padKey{r, how}]; ok {
		return p, true
	}
	from, ok := b.rewrite(r)
	if !ok {
		return paddedTensor{}, false
	}
	alike := padKey{sameShape(r), how}
	p, ok := b.rooms[alike]
	if !ok {
		p = b.room(def, from, r, t, axes, to)
		b.rooms[alike] = p
	}
	name := b.unused(fmt.Sprintf("tfrun_padded_%d", len(b.pads)))
	def.NodeDef = append(def.NodeDef, &nodepb.NodeDef{
		Name: name, Op: "Pad", Input: []string{from, p.paddings}, Attr: attrs{"T": typeAttr(t), "Tpaddings": int32Attr},
	})
	p.tensor = name + ":output:0"
	b.pads[padKey{r, how}] = p
	return p, true
}

// room adds to a body what finds by how much a tensor is padded.
func (b *loopBody) room(def *functionpb.FunctionDef, from string, r graph.Ref, t typespb.DataType, axes []int, to []int32) paddedTensor {
	shape, _ := b.f.Shape(r)
	rank := int64(shape.Rank())
	scope := b.unused(fmt.Sprintf("tfrun_pad_%d", len(b.rooms))) + "/"
	// add adds an operation over int32, unless more says otherwise, and returns its output.
	add := func(name, op, output string, inputs []string, more attrs) string {
		attr := attrs{"T": int32Attr}
		maps.Copy(attr, more)
		def.NodeDef = append(def.NodeDef, &nodepb.NodeDef{Name: scope + name, Op: op, Input: inputs, Attr: attr})
		return scope + name + ":" + output + ":0"
	}
	constant := func(name string, dims []int64, values []int32) string {
		def.NodeDef = append(def.NodeDef, constNode(scope+name, dims, values))
		return scope + name + ":output:0"
	}
	sizes := add("shape", "Shape", "output", []string{from}, attrs{"T": typeAttr(t), "out_type": int32Attr})
	one := constant("one", nil, []int32{1})
	column := add("sizes", "ExpandDims", "output", []string{sizes, one}, attrs{"Tdim": int32Attr})
	n := int64(len(to))
	tables := constant("tables", []int64{rank, n}, slices.Repeat(to, int(rank)))
	at := add("at", "LowerBound", "output", []string{tables, column}, attrs{"out_type": int32Attr})
	bounds := &nodepb.NodeDef{
		Name: scope + "bounds", Op: "GatherV2", Input: []string{constant("table", []int64{n}, to), at, constant("axis", nil, []int32{0})},
		Attr: attrs{"Tparams": int32Attr, "Tindices": int32Attr, "Taxis": int32Attr, "batch_dims": intAttr(0)},
	}
	def.NodeDef = append(def.NodeDef, bounds)
	room := add("room", "Sub", "z", []string{bounds.Name + ":output:0", column}, nil)
	open := make([]int32, rank)
	for _, axis := range axes {
		open[axis] = 1
	}
	after := add("after", "Mul", "z", []string{room, constant("open", []int64{rank, 1}, open)}, nil)
	p := paddedTensor{paddings: add("paddings", "ConcatV2", "output", []string{constant("before", []int64{rank, 1}, make([]int32, rank)), after, one},
		attrs{"N": intAttr(2), "Tidx": int32Attr})}
	stride := constant("stride", []int64{1}, []int32{1})
	for _, axis := range axes {
		name := fmt.Sprintf("size_%d", axis)
		begin, end := constant(name+"_begin", []int64{1}, []int32{int32(axis)}), constant(name+"_end", []int64{1}, []int32{int32(axis) + 1})
		p.sizes = append(p.sizes, add(name, "StridedSlice", "output", []string{sizes, begin, end, stride}, attrs{
			"Index": int32Attr, "shrink_axis_mask": intAttr(1), "begin_mask": intAttr(0), "end_mask": intAttr(0), "ellipsis_mask": intAttr(0), "new_axis_mask": intAttr(0),
		}))
	}
	return p
}

// bounded adds to a compiled function what tells XLA the sizes of an argument's open axes. It
// returns the tensor to take in the argument's place.
func bounded(def *functionpb.FunctionDef, arg string, t typespb.DataType, axes []int, sizes []string) string {
	x := arg
	for i, axis := range axes {
		name := fmt.Sprintf("%s_axis_%d", arg, axis)
		def.NodeDef = append(def.NodeDef, constNode(name, nil, []int32{int32(axis)}), &nodepb.NodeDef{
			Name: name + "_size", Op: LengthsOp, Input: []string{x, name + ":output:0", sizes[i]}, Attr: attrs{"T": typeAttr(t)},
		})
		x = name + "_size:output:0"
	}
	return x
}

// unbounded adds to a compiled function what gives an output away in the size up to which the
// program serves, and its own sizes beside it.
func (c *loopCluster) unbounded(def *functionpb.FunctionDef, i int) (whole, sizes string) {
	r := c.outs[i]
	shape, _ := c.b.f.Shape(r)
	t := typeAttr(outputType(r))
	whole = c.b.written[r]
	for _, axis := range openDims(shape) {
		name := fmt.Sprintf("tfrun_out_%d_axis_%d", i, axis)
		def.NodeDef = append(def.NodeDef, constNode(name, nil, []int32{int32(axis)}), &nodepb.NodeDef{
			Name: name + "_whole", Op: "XlaRemoveDynamicDimensionSize", Input: []string{whole, name + ":output:0"}, Attr: attrs{"T": t},
		})
		whole = name + "_whole:output:0"
	}
	name := fmt.Sprintf("tfrun_out_%d_shape", i)
	def.NodeDef = append(def.NodeDef, &nodepb.NodeDef{
		Name: name, Op: "Shape", Input: []string{c.b.written[r]}, Attr: attrs{"T": t, "out_type": int32Attr},
	})
	return whole, name + ":output:0"
}

// cutOff adds to a body what cuts an output to its own sizes, which are another output.
func (c *loopCluster) cutOff(body *functionpb.FunctionDef, i, sizes int) {
	r := c.outs[i]
	shape, _ := c.b.f.Shape(r)
	name := c.cutName(i)
	body.NodeDef = append(body.NodeDef, constNode(name+"_begin", []int64{int64(shape.Rank())}, make([]int32, shape.Rank())), &nodepb.NodeDef{
		Name: name, Op: "Slice", Input: []string{fmt.Sprintf("%s:output:%d", c.name, i), name + "_begin:output:0", fmt.Sprintf("%s:output:%d", c.name, sizes)},
		Attr: attrs{"T": typeAttr(outputType(r)), "Index": int32Attr},
	})
}
