package rewrite

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/savedmodel"
)

// Sharing says which kernels of oneDNN in a graph are unsafe when two runs share them: they keep
// data of one run in the kernel itself, so that two runs at a time give wrong numbers or end the
// process.
//
// TensorFlow's fused convolution is such a kernel (MklConvOp in mkl_conv_ops.cc, as of 2.15 to
// 2.21). It computes a convolution, adds a bias, and adds another tensor. Where that tensor is
// still needed elsewhere, as over a long skip connection, the kernel keeps the places of the tensor
// and of its copy in two members, fuse_add_src_ and fuse_add_dst_. TensorFlow's optimizer
// (remapper.cc) makes these kernels out of Conv2D or Conv3D, BiasAdd and Add.
//
// [ReducedApart] writes graphs out of which the optimizer makes no such kernel: between convolution
// and sum it puts an operation that passes its input on and that the optimizer does not touch. Bias
// and activation are still fused with the convolution, and the sum takes no longer than the copy
// did.
type Sharing struct {
	// Sums counts the sums that the optimizer would fuse with a convolution in the model's own
	// graph. The graph that [ReducedApart] returns has none of them.
	Sums int
	// Kernels are the types of operations whose kernels are always unsafe to share: convolutions
	// and products of quantized numbers, and convolutions that were fused before the model was
	// saved. Runs of such a graph must take turns.
	Kernels []string
}

// ReducedApart is [Reduced] that also returns which kernels runs would share.
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

// reduce returns the GraphDef of [Reduced], without sums to be fused, and the names of its nodes.
func reduce(mg *savedmodel.MetaGraph, r Reduction) (graph []byte, nodes map[string]bool, sharing Sharing, err error) {
	if graph, nodes, err = reducedGraph(mg, r); err != nil {
		return nil, nil, Sharing{}, err
	}
	if graph, sharing, err = takeApart(graph); err != nil {
		return nil, nil, Sharing{}, mg.Graph().Damaged("its graph", err)
	}
	return graph, nodes, sharing, nil
}

// takeApart returns a GraphDef in which no sum can be fused with a convolution. Where there is no
// such sum it returns the graph itself.
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

// apart takes sums of one graph apart. kernels are the unsafe kernels it meets.
type apart struct {
	kernels map[string]bool
}

// convState says how a tensor was made by a convolution. A tensor that several paths lead to may
// have both states.
type convState uint8

const (
	convPlain  convState = 1 << iota // without a bias so far
	convBiased                       // with a bias: the optimizer fuses a sum with it
)

// apartNode is the part of a NodeDef that the search for sums needs.
type apartNode struct {
	name, op, device string
	inputs           []string // data inputs as they are written, then control inputs
	dtype            []byte   // type of the result: a serialized AttrValue
	was              []byte   // type that a Cast or Bitcast converts from
	squeezes         bool     // a Squeeze of given axes
	calls            bool     // calls a function of the library
	fused            bool     // fused with a sum in the file

	from  []*apartNode // nodes that make the data inputs; nil for an argument
	made  []string     // the data inputs, as outputs of from
	users []apartUse
	fixed fixedness
	wait  int // number of inputs whose fixedness is not known yet

	state convState
	rank  int // of its first output; 0 where it is not known
}

// apartUse is one data input of a node.
type apartUse struct {
	node  *apartNode
	input int
}

// fixedness says what a tensor depends on, and so whether it is the same in every run.
type fixedness uint8

const (
	ofConstants fixedness = iota // on constants alone: the optimizer computes with it
	ofVariables                  // on variables and constants
	changing
)

// apartScope is the body of a function, or the main graph.
type apartScope struct {
	function bool
	nodes    []*apartNode
	byName   map[string]*apartNode
	results  map[string]string // of a function: name of a result → its tensor

	sums []apartUse // inputs at which a sum must be kept apart from a convolution
	// leaving are tensors made by a convolution that leave the scope: inputs of calls, and results,
	// which have no node.
	leaving []apartUse
	foreign bool // the scope sums a tensor from outside
}

// Operations by what they do to a tensor that a convolution has made. The optimizer may remove an
// operation, or compute it into the convolution's weights or bias; the convolution and a later sum
// are then next to each other.
var (
	sumOps = set("Add", "AddV2", "AddN", "Sub")
	// These pass their input on.
	sameShapeOps = set("Identity", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot",
		"Switch", "RefSwitch", "Merge", "RefMerge", "Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration")
	// These do nothing for some sizes or values.
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

// sharedKernel reports whether an operation of a file has a kernel that is always unsafe to share:
// MklQuantizedConvOp, MklDnnQuantizedMatMulOp, and MklConvOp fused with a sum.
func sharedKernel(op string, fused bool) bool {
	if strings.Contains(op, "Fused") && strings.Contains(op, "Conv") && fused {
		return true
	}
	return strings.Contains(op, "Quantized") && !strings.HasPrefix(op, "Uniform") &&
		(strings.Contains(op, "Conv") || strings.Contains(op, "MatMul"))
}

// followConvolutions finds the tensors that a sum may be fused with: those made by a convolution
// and followed only by operations that the optimizer may remove.
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

// passesTo returns the state and rank of the result of u's operation, for a tensor of n that goes
// into u. The state is 0 where the optimizer cannot fuse beyond that operation.
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
	// A normalization by constants is computed by the optimizer as a product and a sum.
	case batchNormOps[op] && u.input == 0 && len(u.node.from) > 1 && fixednessOf(u.node.from[1]) == ofConstants:
		return convBiased, n.rank
	case sumOps[op] && op != "AddN" && n.state == convPlain && u.other() != changing:
		return convBiased, 0
	}
	return 0, 0
}

// other returns the fixedness of the other input of an operation with two inputs.
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

// findFixed finds the fixedness of each node, inputs before the nodes that take them. Nodes that
// depend on themselves, as in loops of TensorFlow 1, are changing.
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

// findSums lists the inputs at which sums must be kept apart from convolutions. followConvolutions
// comes before it.
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

// madeBy reports whether a data input was made by a convolution.
func (s *apartScope) madeBy(u apartUse) bool {
	in := u.node.from[u.input]
	return in != nil && in.state != 0 && in.gives(u.node.made[u.input])
}

// gives reports whether a tensor, as inputs name it ("node", "node:1", "node:output:0"), is the
// output of n that n's state describes.
func (n *apartNode) gives(tensor string) bool {
	if strings.HasSuffix(n.op, "Switch") {
		return true // both outputs are
	}
	_, output, named := strings.Cut(tensor, ":")
	if first, ok := firstOutputs[n.op]; ok && strings.Contains(output, ":") {
		return output == first
	}
	return !named || output == "0" || strings.HasSuffix(output, ":0")
}

// firstOutputs names the first output of operations that have several named ones.
var firstOutputs = map[string]string{
	"FusedBatchNorm": "y:0", "FusedBatchNormV2": "y:0", "FusedBatchNormV3": "y:0", "Merge": "output:0", "RefMerge": "output:0",
}

// floats reports whether a node computes in a type that the optimizer fuses.
func (n *apartNode) floats() bool {
	switch attrType(n.dtype) {
	case typespb.DataType_DT_FLOAT, typespb.DataType_DT_HALF, typespb.DataType_DT_BFLOAT16:
		return true
	}
	return false
}

// comesFromOutside reports whether a tensor is an argument or the result of a call, passed on or
// not.
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

// maxHandedOn bounds how far a tensor is followed back. A tensor from further away counts as one
// from outside.
const maxHandedOn = 100
