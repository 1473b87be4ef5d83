package sizes

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// sizer works out sizes in a graph from those of a signature's inputs, backwards from what is asked
// for.
type sizer struct {
	g      *graph.Graph
	inputs map[string]tensor.Shape
	budget int
	depth  int
	known  map[dimKey]int64 // Unknown while a size is being worked out, so that circles end
}

// Limits on the work for the outputs of one signature.
const (
	maxSizerSteps = 100_000
	maxSizerDepth = 2_000
	maxRank       = 64
	callCost      = 100 // steps that the reading of a function counts for
)

type dimKey struct {
	fr *frame
	r  graph.Ref
	i  int
}

// frame is a function as it is called: from another, or by the signature.
type frame struct {
	b     *body.Body
	f     *graph.Function
	up    *frame      // nil for the signature's own
	args  []graph.Ref // in up
	calls map[*graph.Node]*frame
}

// frameOf makes the frame of the signature's own function.
func frameOf(b *body.Body) *frame {
	return &frame{b: b, f: b.Function, calls: map[*graph.Node]*frame{}}
}

// shape returns what the graph knows of a tensor's shape.
func (fr *frame) shape(r graph.Ref) tensor.Shape {
	if fr.up == nil {
		s, _ := fr.b.Shape(r)
		if i, ok := r.IsArg(); ok && !s.Ranked() && fr.b.Variables[i] != nil {
			return fr.b.Variables[i].Shape
		}
		return s
	}
	s, _ := fr.f.Shape(r)
	if i, ok := r.IsArg(); ok && !s.Ranked() && i < len(fr.args) {
		return fr.up.shape(fr.args[i])
	}
	return s
}

// dim returns dimension i of a tensor, Unknown when it does not follow.
func (z *sizer) dim(fr *frame, r graph.Ref, i int) int64 {
	s := fr.shape(r)
	if i < 0 || s.Ranked() && i >= s.Rank() {
		return tensor.Unknown
	}
	if s.Ranked() && s.Dim(i) != tensor.Unknown {
		return s.Dim(i)
	}
	if arg, ok := r.IsArg(); ok {
		return z.argument(fr, arg, i)
	}
	key := dimKey{fr, r, i}
	if d, ok := z.known[key]; ok || r.Node == nil || z.budget <= 0 || z.depth >= maxSizerDepth {
		if ok {
			return d
		}
		return tensor.Unknown
	}
	z.budget--
	z.known[key] = tensor.Unknown
	z.depth++
	d := z.compute(fr, r, i, s.Rank())
	z.depth--
	z.known[key] = d
	return d
}

// argument returns a dimension of what is fed, or of what the caller gives.
func (z *sizer) argument(fr *frame, arg, i int) int64 {
	if fr.up != nil {
		if arg >= len(fr.args) {
			return tensor.Unknown
		}
		return z.dim(fr.up, fr.args[arg], i)
	}
	if s := z.inputs[fr.b.Inputs[arg]]; i < s.Rank() {
		return s.Dim(i)
	}
	return tensor.Unknown
}

// compute works out a dimension by what the operation does. rank is that of its output, -1 when it
// is not known.
func (z *sizer) compute(fr *frame, r graph.Ref, i, rank int) int64 {
	n := r.Node
	in := func(k, axis int) int64 {
		if k >= len(n.Inputs) {
			return tensor.Unknown
		}
		return z.dim(fr, n.Inputs[k], axis)
	}
	switch op := n.Op; {
	case graph.IsCall(op):
		if inner := z.enter(fr, n); inner != nil && r.Out < len(inner.f.Rets) {
			return z.dim(inner, inner.f.Rets[r.Out], i)
		}
	case keepingOps[op]:
		return in(r.Out, i)
	case broadcastOps[op]:
		return z.broadcast(fr, n, rank-i)
	case op == "MatMul" || op == "BatchMatMulV2" || op == "BatchMatMul":
		return z.product(fr, n, i, rank)
	case op == "LookupTableFindV2" || op == "LookupTableFind":
		return in(1, i)
	case op == "StringToHashBucketFast" || op == "StringLength":
		return in(0, i)
	case op == "Transpose":
		if perm := graph.Ints(n.In(1)); i < len(perm) {
			return in(0, int(perm[i]))
		}
	case op == "ConcatV2":
		return z.concat(fr, n, i, rank)
	case op == "GatherV2" || op == "ResourceGather":
		return z.gather(fr, n, i)
	case op == "ExpandDims" || op == "Pack" || op == "OneHot":
		return z.widened(fr, n, i, rank)
	case op == "Squeeze":
		return z.squeezed(fr, n, i)
	case op == "StridedSlice":
		return z.sliced(fr, n, i)
	case op == "Reshape":
		return z.reshaped(fr, n, i)
	case slices.Contains(reducingOps, op):
		if len(n.Inputs) > 0 {
			if axis, ok := reducedAxis(n, fr.shape(n.Inputs[0]), i); ok {
				return in(0, axis)
			}
		}
	case slices.Contains(windowOps, op):
		return z.window(fr, n, i)
	}
	return tensor.Unknown
}

var (
	reducingOps = []string{"ArgMax", "ArgMin", "Mean", "Sum", "Max", "Min", "Prod", "All", "Any"}
	windowOps   = []string{"Conv2D", "DepthwiseConv2dNative", "MaxPool", "AvgPool"}
)

// enter returns the frame of a function that a node calls; nil when it is not there.
func (z *sizer) enter(fr *frame, n *graph.Node) *frame {
	if inner, ok := fr.calls[n]; ok || z.budget <= 0 {
		return inner
	}
	var inner *frame
	if f, err := z.g.Load(n.Def.GetAttr()["f"].GetFunc().GetName()); err == nil && f != nil {
		z.budget -= callCost + len(f.Nodes)/16
		inner = &frame{b: fr.b, f: f, up: fr, args: n.Inputs, calls: map[*graph.Node]*frame{}}
	}
	fr.calls[n] = inner
	return inner
}

// broadcast returns the size that stands fromEnd places from the end of the shapes.
func (z *sizer) broadcast(fr *frame, n *graph.Node, fromEnd int) int64 {
	size := int64(1)
	for _, in := range n.Inputs {
		s := fr.shape(in)
		if !s.Ranked() {
			return tensor.Unknown
		}
		if s.Rank() < fromEnd {
			continue
		}
		switch d := z.dim(fr, in, s.Rank()-fromEnd); {
		case d == tensor.Unknown, d != 1 && size != 1 && d != size:
			return tensor.Unknown
		case d != 1:
			size = d
		}
	}
	return size
}

// product returns a size of a product of matrices.
func (z *sizer) product(fr *frame, n *graph.Node, i, rank int) int64 {
	if len(n.Inputs) < 2 || rank < 2 {
		return tensor.Unknown
	}
	attr := n.Def.GetAttr()
	flip := [2]bool{attr["transpose_a"].GetB() || attr["adj_x"].GetB(), attr["transpose_b"].GetB() || attr["adj_y"].GetB()}
	if i < rank-2 {
		return z.broadcast(fr, n, rank-i)
	}
	side := i - (rank - 2) // the rows of the first, or the columns of the second
	s := fr.shape(n.Inputs[side])
	axis := s.Rank() - 2 + side
	if flip[side] {
		axis = s.Rank() - 1 - side
	}
	return z.dim(fr, n.Inputs[side], axis)
}

func (z *sizer) concat(fr *frame, n *graph.Node, i, rank int) int64 {
	axis := graph.Ints(n.In(len(n.Inputs) - 1))
	if len(axis) != 1 || rank < 1 {
		return tensor.Unknown
	}
	along := (int(axis[0])+rank)%rank == i
	sum := int64(0)
	for _, in := range n.Inputs[:len(n.Inputs)-1] {
		d := z.dim(fr, in, i)
		switch {
		case d == tensor.Unknown && along:
			return d
		case along:
			sum += d
		case d != tensor.Unknown:
			return d
		}
	}
	if !along {
		return tensor.Unknown
	}
	return sum
}

// gather returns a size of rows taken from a table: its sizes before the axis, those of the
// indices, its sizes behind.
func (z *sizer) gather(fr *frame, n *graph.Node, i int) int64 {
	axis := []int64{0}
	if n.Op == "GatherV2" {
		axis = graph.Ints(n.In(2))
	}
	if len(n.Inputs) < 2 || len(axis) != 1 || axis[0] < 0 || n.Def.GetAttr()["batch_dims"].GetI() != 0 {
		return tensor.Unknown
	}
	at, indices := int(axis[0]), fr.shape(n.Inputs[1])
	switch {
	case i < at:
		return z.dim(fr, n.Inputs[0], i)
	case !indices.Ranked():
		return tensor.Unknown
	case i < at+indices.Rank():
		return z.dim(fr, n.Inputs[1], i-at)
	}
	return z.dim(fr, n.Inputs[0], i-indices.Rank()+1)
}

// widened returns a size of a tensor that has one axis more than what it is made of.
func (z *sizer) widened(fr *frame, n *graph.Node, i, rank int) int64 {
	at := int64(-1)
	switch {
	case rank < 1 || len(n.Inputs) == 0:
		return tensor.Unknown
	case n.Op == "ExpandDims":
		axis := graph.Ints(n.In(1))
		if len(axis) != 1 {
			return tensor.Unknown
		}
		at = axis[0]
	default:
		at = n.Def.GetAttr()["axis"].GetI()
	}
	if at < 0 {
		at += int64(rank)
	}
	switch {
	case int64(i) == at:
		return tensor.Unknown // it is written in the graph where it is known
	case int64(i) > at:
		i--
	}
	return z.dim(fr, n.Inputs[0], i)
}

func (z *sizer) squeezed(fr *frame, n *graph.Node, i int) int64 {
	if len(n.Inputs) == 0 {
		return tensor.Unknown
	}
	gone := n.AttrInts("squeeze_dims")
	s := fr.shape(n.Inputs[0])
	if len(gone) == 0 || !s.Ranked() {
		return tensor.Unknown
	}
	for axis := range s.Rank() {
		if slices.Contains(gone, int64(axis)) || slices.Contains(gone, int64(axis-s.Rank())) {
			continue
		}
		if i == 0 {
			return z.dim(fr, n.Inputs[0], axis)
		}
		i--
	}
	return tensor.Unknown
}

// sliced returns a size of x[begin:end:stride, …] with constant bounds.
func (z *sizer) sliced(fr *frame, n *graph.Node, i int) int64 {
	begin, end, stride := graph.Ints(n.In(1)), graph.Ints(n.In(2)), graph.Ints(n.In(3))
	attr := n.Def.GetAttr()
	if len(begin) != len(end) || len(begin) != len(stride) || begin == nil || attr["ellipsis_mask"].GetI() != 0 || attr["new_axis_mask"].GetI() != 0 {
		return tensor.Unknown
	}
	shrink := attr["shrink_axis_mask"].GetI()
	for axis := range maxRank {
		if axis < len(begin) && shrink>>axis&1 == 1 {
			continue
		}
		if i > 0 {
			i--
			continue
		}
		d := z.dim(fr, n.Inputs[0], axis)
		if axis >= len(begin) || d == tensor.Unknown {
			return d
		}
		open := func(mask string) bool { return attr[mask].GetI()>>axis&1 == 1 }
		return sliceLength(d, begin[axis], end[axis], stride[axis], open("begin_mask"), open("end_mask"))
	}
	return tensor.Unknown
}

// sliceLength is the length of x[begin:end:stride] for n elements, as Python counts.
func sliceLength(n, begin, end, stride int64, fromStart, toEnd bool) int64 {
	if stride <= 0 {
		if stride == -1 && fromStart && toEnd {
			return n
		}
		return tensor.Unknown
	}
	bound := func(at int64) int64 {
		if at < 0 {
			at += n
		}
		return min(max(at, 0), n)
	}
	from, to := bound(begin), bound(end)
	if fromStart {
		from = 0
	}
	if toEnd {
		to = n
	}
	return max(0, (to-from+stride-1)/stride)
}

// window returns a size behind a convolution or a pooling over two axes, in the order of axes that
// TensorFlow has by default.
func (z *sizer) window(fr *frame, n *graph.Node, i int) int64 {
	if len(n.Inputs) == 0 || strings.HasPrefix(n.AttrString("data_format"), "NC") {
		return tensor.Unknown
	}
	d := z.dim(fr, n.Inputs[0], i)
	if i == 0 || d == tensor.Unknown {
		return d
	}
	strides, kernel := n.AttrInts("strides"), n.AttrInts("ksize")
	if len(kernel) == 0 && len(n.Inputs) > 1 {
		if s := fr.shape(n.Inputs[1]); s.FullyKnown() && s.Rank() == 4 {
			kernel = []int64{1, s.Dim(0), s.Dim(1), 1}
		}
	}
	padding := strings.ToLower(n.AttrString("padding"))
	if i > 2 || len(strides) != 4 || len(kernel) != 4 || padding != "same" && padding != "valid" {
		return tensor.Unknown
	}
	dilation := int64(1)
	if list := n.AttrInts("dilations"); len(list) == 4 {
		dilation = list[i]
	}
	return layers.ConvLength(d, kernel[i], strides[i], dilation, padding)
}
