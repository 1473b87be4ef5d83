package rewrite

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/savedmodel"
)

// Sharing says what a graph has to do with kernels of oneDNN that keep what belongs to one run in
// the kernel itself, so that two runs at a time give wrong numbers, or end the process.
//
// TensorFlow's fused convolution is one (MklConvOp in mkl_conv_ops.cc, as of 2.15 to 2.21): where
// the sum of a convolution with a bias and of another tensor is computed by one kernel, and that
// tensor is still needed elsewhere, as over a long skip connection, the kernel remembers where the
// tensor and its copy lie in two members, fuse_add_src_ and fuse_add_dst_. TensorFlow's optimizer
// (remapper.cc) makes such kernels of Conv2D or Conv3D, BiasAdd and Add.
//
// [ReducedApart] writes graphs of which it makes none: between the convolution and the
// sum stands an operation that hands its input on and that the optimizer leaves alone. Bias and
// activation are fused with the convolution as before, and the sum costs no more than the copy did.
type Sharing struct {
	// Sums counts the sums that the optimizer would fuse with a convolution in the graph as it is.
	// The graph that [ReducedApart] returns has none of them.
	Sums int
	// Kernels are the types of operations whose kernels are shared whatever stands around them:
	// convolutions and products of quantized numbers, and convolutions that were fused before the
	// model was saved. Runs of such a graph have to take turns.
	Kernels []string
}

// ReducedApart is [Reduced], and says which sums it took apart.
func ReducedApart(mg *savedmodel.MetaGraph, r Reduction) ([]byte, Sharing, error) {
	graph, nodes, sharing, err := reduce(mg, r)
	if err != nil {
		return nil, Sharing{}, err
	}
	out, err := mg.WithGraph(graph, nodes)
	return out, sharing, err
}

// GraphDef returns the graph that [ReducedApart] puts into a SavedModel.
func GraphDef(mg *savedmodel.MetaGraph, r Reduction) ([]byte, Sharing, error) {
	graph, _, sharing, err := reduce(mg, r)
	return graph, sharing, err
}

// reduce returns the GraphDef of Reduced and the names of its nodes.
func reduce(mg *savedmodel.MetaGraph, r Reduction) (graph []byte, nodes map[string]bool, sharing Sharing, err error) {
	if graph, nodes, err = reducedGraph(mg, r); err != nil {
		return nil, nil, Sharing{}, err
	}
	if graph, sharing, err = takeApart(graph); err != nil {
		return nil, nil, Sharing{}, mg.Graph().Damaged("its graph", err)
	}
	return graph, nodes, sharing, nil
}

// takeApart returns a GraphDef without sums that the optimizer would fuse with a convolution; the
// very same one where there are none.
func takeApart(graph []byte) ([]byte, Sharing, error) {
	if !bytes.Contains(graph, []byte("Conv")) && !bytes.Contains(graph, []byte("Quantized")) {
		return graph, Sharing{}, nil
	}
	a := &apart{kernels: map[string]bool{}}
	scopes, err := a.readScopes(graph)
	if err != nil {
		return nil, Sharing{}, err
	}
	inside, across, foreign := 0, 0, false
	for _, s := range scopes {
		s.followConvolutions()
		s.findSums()
		inside += len(s.sums)
		across += len(s.leaving)
		foreign = foreign || s.foreign
	}
	sharing := Sharing{Sums: inside, Kernels: slices.Sorted(maps.Keys(a.kernels))}
	if foreign {
		sharing.Sums += across
	}
	if sharing.Sums == 0 {
		return graph, sharing, nil
	}
	graph, err = a.write(graph, scopes, foreign)
	return graph, sharing, err
}

// apart is the work on one graph.
type apart struct {
	kernels map[string]bool
}

// convState is what is known of a tensor that a convolution makes. Several may hold, where paths
// join.
type convState uint8

const (
	convPlain  convState = 1 << iota // a bias may still be added to it
	convBiased                       // with a bias: a sum with anything else is fused
)

// apartNode is as much of a NodeDef as the search for sums needs.
type apartNode struct {
	name, op, device string
	inputs           []string // data inputs as they are written, then the orders to wait
	dtype            []byte   // of what it gives: a serialized AttrValue
	was              []byte   // the type that a Cast or Bitcast starts from
	squeezes         bool     // certain axes
	calls            bool     // a function of the library
	fused            bool     // with a sum already

	from  []*apartNode // what makes the data inputs; nil for an argument
	made  []string     // the data inputs as from gives them
	users []apartUse
	fixed fixedness
	wait  int // inputs whose fixedness is not known yet

	state convState
	rank  int // of its first output; 0 where it is not known
}

// apartUse is a data input of a node.
type apartUse struct {
	node  *apartNode
	input int
}

// fixedness says whether a tensor is the same in every run.
type fixedness uint8

const (
	ofConstants fixedness = iota // alone: the optimizer computes with it
	ofVariables                  // and constants
	changing
)

// apartScope is the body of a function, or the main graph.
type apartScope struct {
	function bool
	nodes    []*apartNode
	byName   map[string]*apartNode
	results  map[string]string // of a function: the result's name → its tensor

	sums []apartUse // inputs that stand between a convolution and a sum
	// leaving are what a convolution makes that goes into a call, or is a result: that has no node.
	leaving []apartUse
	foreign bool // something from outside is summed
}

// Operations by what they do to a tensor that a convolution makes. Where the optimizer takes an
// operation away, or computes it into the convolution's weights or bias, the convolution and the
// sum become neighbours.
var (
	sumOps = set("Add", "AddV2", "AddN", "Sub")
	// handing their input on
	sameShapeOps = set("Identity", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot",
		"Switch", "RefSwitch", "Merge", "RefMerge", "Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration")
	// doing nothing for some sizes or values
	otherShapeOps = set("Reshape", "Squeeze", "Transpose", "Pad", "PadV2", "MirrorPad", "Slice", "StridedSlice", "Tile",
		"ReverseV2", "Cast", "Bitcast", "Concat", "ConcatV2", "Neg")
	scaleOps     = set("Mul", "Div", "RealDiv")
	batchNormOps = set("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
)

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

// sharedKernel reports whether the kernel of an operation that stands in a file keeps a run's
// state: MklQuantizedConvOp, MklDnnQuantizedMatMulOp, and MklConvOp with a sum.
func sharedKernel(op string, fused bool) bool {
	if strings.Contains(op, "Fused") && strings.Contains(op, "Conv") && fused {
		return true
	}
	return strings.Contains(op, "Quantized") && !strings.HasPrefix(op, "Uniform") &&
		(strings.Contains(op, "Conv") || strings.Contains(op, "MatMul"))
}

// followConvolutions works out which tensors come from a convolution in such a way that the
// optimizer may make the two neighbours.
func (s *apartScope) followConvolutions() {
	s.findFixed()
	var todo []*apartNode
	reach := func(n *apartNode, state convState, rank int) {
		if n.state&state == state && (n.rank == rank || n.rank == 0) {
			return
		}
		if n.state == 0 {
			n.rank = rank
		} else if n.rank != rank {
			n.rank = 0
		}
		n.state |= state
		todo = append(todo, n)
	}
	for _, n := range s.nodes {
		switch {
		case !n.floats():
		case n.op == "Conv2D":
			reach(n, convPlain, 4)
		case n.op == "Conv3D":
			reach(n, convPlain, 5)
		}
	}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, u := range n.users {
			if !n.gives(u.node.made[u.input]) {
				continue
			}
			if state, rank := n.passesTo(u); state != 0 {
				reach(u.node, state, rank)
			}
		}
	}
}

// passesTo says what the user of a tensor that a convolution makes gives on.
func (n *apartNode) passesTo(u apartUse) (state convState, rank int) {
	op := u.node.op
	switch {
	case op == "BiasAdd" && u.input == 0:
		return convBiased, n.rank
	case sameShapeOps[op]:
		return n.state, n.rank
	case otherShapeOps[op] && !u.node.squeezes && (u.node.was == nil || bytes.Equal(u.node.was, u.node.dtype)):
		return n.state, 0
	case scaleOps[op] && u.other() == ofConstants:
		return n.state, 0
	// The optimizer computes the normalization by constants as a product and a sum.
	case batchNormOps[op] && u.input == 0 && len(u.node.from) > 1 && fixednessOf(u.node.from[1]) == ofConstants:
		return convBiased, n.rank
	case sumOps[op] && op != "AddN" && n.state == convPlain && u.other() != changing:
		return convBiased, 0
	}
	return 0, 0
}

// other says how the other input of an operation of two changes.
func (u apartUse) other() fixedness {
	if len(u.node.from) != 2 {
		return changing
	}
	return fixednessOf(u.node.from[1-u.input])
}

func fixednessOf(n *apartNode) fixedness {
	if n == nil {
		return changing
	}
	return n.fixed
}

// findFixed works out which tensors are the same in every run, inputs before what they go into.
// What depends on itself, as in loops of TensorFlow 1, changes.
func (s *apartScope) findFixed() {
	var todo []*apartNode
	for _, n := range s.nodes {
		n.fixed = changing
		for _, in := range n.from {
			if in != nil {
				n.wait++
			}
		}
		if n.wait == 0 {
			todo = append(todo, n)
		}
	}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch n.op {
		case "Const":
			n.fixed = ofConstants
		case "ReadVariableOp", "Variable", "VariableV2":
			n.fixed = ofVariables
		default:
			if len(n.from) > 0 && !n.calls {
				n.fixed = ofConstants
			}
			for _, in := range n.from {
				n.fixed = max(n.fixed, fixednessOf(in))
			}
		}
		for _, u := range n.users {
			if u.node.wait--; u.node.wait == 0 {
				todo = append(todo, u.node)
			}
		}
	}
}

// findSums lists the inputs that have to be taken apart, once followConvolutions knows which
// tensors a convolution makes.
func (s *apartScope) findSums() {
	for _, n := range s.nodes {
		for i, in := range n.from {
			u := apartUse{n, i}
			switch {
			case sumOps[n.op]:
				s.foreign = s.foreign || comesFromOutside(in)
				if s.madeBy(u) && (in.state&convBiased != 0 || n.op == "AddN" || u.other() == changing) {
					s.sums = append(s.sums, u)
				}
			case n.calls && s.madeBy(u):
				s.leaving = append(s.leaving, u)
			}
		}
	}
	for _, tensor := range s.results {
		if n, made := s.resolve(tensor); n != nil && n.state != 0 && n.gives(made) {
			s.leaving = append(s.leaving, apartUse{})
		}
	}
}

// madeBy reports whether a convolution makes a data input.
func (s *apartScope) madeBy(u apartUse) bool {
	in := u.node.from[u.input]
	return in != nil && in.state != 0 && in.gives(u.node.made[u.input])
}

// gives reports whether a tensor, as an input names it ("node", "node:1", "node:output:0"), is the
// output of n that its state is about.
func (n *apartNode) gives(tensor string) bool {
	if strings.HasSuffix(n.op, "Switch") {
		return true // both
	}
	_, output, named := strings.Cut(tensor, ":")
	if first, ok := firstOutputs[n.op]; ok && strings.Contains(output, ":") {
		return output == first
	}
	return !named || output == "0" || strings.HasSuffix(output, ":0")
}

// firstOutputs names the first output of operations that have several.
var firstOutputs = map[string]string{
	"FusedBatchNorm": "y:0", "FusedBatchNormV2": "y:0", "FusedBatchNormV3": "y:0", "Merge": "output:0", "RefMerge": "output:0",
}

// floats reports whether a node computes with the types that the optimizer fuses.
func (n *apartNode) floats() bool {
	switch attrType(n.dtype) {
	case typespb.DataType_DT_FLOAT, typespb.DataType_DT_HALF, typespb.DataType_DT_BFLOAT16:
		return true
	}
	return false
}

// comesFromOutside reports whether a tensor is an argument, or the result of a call, handed on.
func comesFromOutside(n *apartNode) bool {
	for steps := 0; n != nil && steps < maxHandedOn; steps++ {
		switch {
		case n.calls:
			return true
		case (sameShapeOps[n.op] || otherShapeOps[n.op]) && len(n.from) > 0:
			n = n.from[0]
		default:
			return false
		}
	}
	return true
}

// maxHandedOn bounds how far a tensor is followed back; one that comes from further away counts as
// from outside.
const maxHandedOn = 100
