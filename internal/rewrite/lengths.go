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

// XLA compiles a program for fixed shapes. A loop over the steps of a sequence does the same for
// all lengths, only more or less often. For such cases XLA has tensors whose sizes are bounded
// instead of fixed. So sequences are padded to one of a few sizes, and the real size is passed to
// the program as a value; XLA leaves the padding out of every result.

// LengthsOp is the operation that gives XLA the real size of an axis as a value.
const LengthsOp = "XlaSetDynamicDimensionSize"

// sizeBounds are the sizes to which sequences are padded: two in each doubling. There is no bound
// of 1, since XLA cannot reshape an axis bounded by 1. The bound 0 leaves empty sequences to
// TensorFlow, which reports an error for a step of one.
var sizeBounds = func() []int32 {
	bounds := []int32{0}
	for n := int64(2); n < 1<<30; n *= 2 {
		bounds = append(bounds, int32(n), int32(n+n/2))
	}
	return append(bounds, 1<<30, 1<<31-1)
}()

// wideBounds are the sizes for clusters whose padding costs next to nothing: only numbers to be
// looked up and masks are padded, and no sequence is a result.
var wideBounds = append([]int32{0, 256, 4096}, sizeBounds[slices.Index(sizeBounds, 6144):]...)

// boundOf returns the least bound that is at least n, or n where it exceeds all bounds.
func boundOf(bounds []int32, n int64) int64 {
	if i, _ := slices.BinarySearchFunc(bounds, n, func(bound int32, n int64) int { return int(max(min(int64(bound)-n, 1), -1)) }); i < len(bounds) {
		return int64(bounds[i])
	}
	return n
}

// bounds returns the sizes to which the cluster's inputs are padded.
func (c *loopCluster) bounds() []int32 {
	if c.wide() {
		return wideBounds
	}
	return sizeBounds
}

// wide reports whether all inputs with open sizes are whole numbers or masks, and no output has an
// open size.
func (c *loopCluster) wide() bool {
	for i, r := range c.inputs {
		if t := graph.DType(c.types[i]); len(c.open[r]) > 0 && t != tensor.Int32 && t != tensor.Int64 && t != tensor.Bool {
			return false
		}
	}
	return !slices.ContainsFunc(c.outs, c.needsCut)
}

// openAxes returns, for each input of the cluster, the axes whose sizes may be passed as values:
// all open axes but the first, the batch. It reports false if one of them does more than set how
// often the loop runs.
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

// in reports whether a node is in the cluster.
func (c *loopCluster) in(n *graph.Node) bool { return c.nodes[n] || c.shapes[n] }

// usesOf lists the inputs that take a tensor, among those nodes of a function for which within is
// true.
func (s *loopSplitter) usesOf(f *graph.Function, within func(*graph.Node) bool, r graph.Ref) []inputOf {
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

// inputOf is one data input of a node.
type inputOf struct {
	n *graph.Node
	i int
}

// maxFollowed bounds how far a sequence is followed, and maxUses how often its uses are looked up:
// functions may call each other again and again.
const (
	maxFollowed = 200
	maxUses     = 10_000
)

// onlyLength reports whether the size of an axis only sets how many elements a list of tensors has,
// and whether all users of the tensor only move it to that list.
func (s *loopSplitter) onlyLength(f *graph.Function, within func(*graph.Node) bool, r graph.Ref, axis, depth int) bool {
	type tensorAxis struct {
		r    graph.Ref
		axis int
	}
	todo := []tensorAxis{{r, axis}}
	for i := 0; i < len(todo); i++ {
		x := todo[i]
		if len(todo) > maxFollowed || s.asked > maxUses || depth > graph.MaxUnwrap || slices.Contains(f.Rets, x.r) && within == nil {
			return false
		}
		for _, u := range s.usesOf(f, within, x.r) {
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

// onlySequence reports whether a sequence that a loop has made is only moved, read at its first or
// last step, and returned.
func (s *loopSplitter) onlySequence(f *graph.Function, within func(*graph.Node) bool, r graph.Ref) bool {
	todo := []graph.Ref{r}
	for i := 0; i < len(todo); i++ {
		if len(todo) > maxFollowed || s.asked > maxUses {
			return false
		}
		for _, u := range s.usesOf(f, within, todo[i]) {
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

// sequencesInside reports the same for all sequences made in a function that a node calls.
func (s *loopSplitter) sequencesInside(call *graph.Node, depth int) bool {
	f := s.function(call.Def.GetAttr()["f"].GetFunc().GetName())
	if s.asked++; f == nil || s.asked > maxUses || depth > graph.MaxUnwrap {
		return false
	}
	for _, n := range f.Nodes {
		if n.Op == "TensorListStack" && !s.onlySequence(f, nil, graph.Ref{Node: n}) || graph.IsCall(n.Op) && !s.sequencesInside(n, depth+1) {
			return false
		}
	}
	return true
}

// padded adds nodes to a body that pad a tensor's open axes to the next of the sizes in to.
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

// room adds nodes to a body that compute how much a tensor is padded.
func (b *loopBody) room(def *functionpb.FunctionDef, from string, r graph.Ref, t typespb.DataType, axes []int, to []int32) paddedTensor {
	shape, _ := b.f.Shape(r)
	rank := int64(shape.Rank())
	scope := b.unused(fmt.Sprintf("tfrun_pad_%d", len(b.rooms))) + "/"
	// add adds an operation on int32s, unless more has other types, and returns its output.
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

// withSizes adds nodes to a compiled function that give XLA the real sizes of an argument's open
// axes. It returns the tensor that takes the argument's place.
func withSizes(def *functionpb.FunctionDef, arg string, t typespb.DataType, axes []int, sizes []string) string {
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

// withoutSizes adds nodes to a compiled function that return output i padded, and its real sizes as
// another output.
func (c *loopCluster) withoutSizes(def *functionpb.FunctionDef, i int) (whole, sizes string) {
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

// cutOff adds nodes to a body that cut output i of the cluster to its real sizes, another output.
func (c *loopCluster) cutOff(body *functionpb.FunctionDef, i, sizes int) {
	r := c.outs[i]
	shape, _ := c.b.f.Shape(r)
	name := c.cutName(i)
	body.NodeDef = append(body.NodeDef, constNode(name+"_begin", []int64{int64(shape.Rank())}, make([]int32, shape.Rank())), &nodepb.NodeDef{
		Name: name, Op: "Slice", Input: []string{fmt.Sprintf("%s:output:%d", c.name, i), name + "_begin:output:0", fmt.Sprintf("%s:output:%d", c.name, sizes)},
		Attr: attrs{"T": typeAttr(outputType(r)), "Index": int32Attr},
	})
}
