package graph

import (
	"slices"
	"strconv"
	"strings"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/tfrun/tfrun/tensor"
)

// Function is a FunctionDef whose references are resolved: each input of a node is a [Ref] to what
// produces it.
type Function struct {
	Def    *functionpb.FunctionDef
	Name   string
	Nodes  []*Node // in the FunctionDef's order
	ByName map[string]*Node
	Args   []string
	ArgAt  map[string]int
	Rets   []Ref // the results, in the signature's order
}

// Node is an operation in a function's body.
type Node struct {
	Name   string
	Op     string
	Def    *nodepb.NodeDef
	Index  int      // index in Function.Nodes
	Parts  []string // the name split at slashes: name scopes, then the node's own name
	Inputs []Ref    // data inputs
}

// maxScopes bounds the name scopes that a node's name is split into; the rest stays in one piece.
const maxScopes = 64

// NewNode returns a node whose inputs are still to be resolved.
func NewNode(def *nodepb.NodeDef) *Node {
	return &Node{Name: def.GetName(), Op: def.GetOp(), Def: def, Parts: strings.SplitN(def.GetName(), "/", maxScopes)}
}

// Ref is a reference to a tensor in a function: to an output of a node, or to an argument. The zero
// Ref refers to none.
type Ref struct {
	Node *Node
	Arg  int // without a node: 1 + the argument's index; 0 for no tensor
	Out  int // which of the node's outputs, all of them counted
}

func (r Ref) OK() bool { return r.Node != nil || r.Arg > 0 }

// IsArg returns the index of the argument that r refers to; ok is false for an output of a node.
func (r Ref) IsArg() (int, bool) { return r.Arg - 1, r.Node == nil && r.Arg > 0 }

// Shape returns the shape that the graph itself has for a tensor (the attribute _output_shapes); ok
// is false if it has none.
func (f *Function) Shape(r Ref) (s tensor.Shape, ok bool) {
	if i, isArg := r.IsArg(); isArg {
		if a := f.Def.GetArgAttr()[uint32(i)].GetAttr()["_output_shapes"]; a != nil && len(a.GetList().GetShape()) > 0 {
			return Shape(a.GetList().GetShape()[0]), true
		}
		if list := f.Def.GetAttr()["_input_shapes"].GetList().GetShape(); i < len(list) {
			return Shape(list[i]), true
		}
		return tensor.UnknownShape(), false
	}
	if r.Node == nil {
		return tensor.UnknownShape(), false
	}
	if list := r.Node.Def.GetAttr()["_output_shapes"].GetList().GetShape(); r.Out < len(list) {
		return Shape(list[r.Out]), true
	}
	return tensor.UnknownShape(), false
}

// ArgName returns the name that an argument had in Python, or else its name in the function.
func (f *Function) ArgName(i int) string {
	if name := f.Def.GetArgAttr()[uint32(i)].GetAttr()["_user_specified_name"].GetS(); len(name) > 0 {
		return string(name)
	}
	return f.Args[i]
}

// IsLoop reports whether a node is a While loop over functions.
func IsLoop(n *Node) bool { return n.Op == "While" || n.Op == "StatelessWhile" }

// IsCall reports whether an op does nothing but call one function.
func IsCall(op string) bool { return op == "PartitionedCall" || op == "StatefulPartitionedCall" }

// AttrInts returns a list attribute of integers.
func (n *Node) AttrInts(name string) []int64 { return n.Def.GetAttr()[name].GetList().GetI() }

// AttrString returns a string attribute.
func (n *Node) AttrString(name string) string { return string(n.Def.GetAttr()[name].GetS()) }

// In returns the node that makes data input i, or nil.
func (n *Node) In(i int) *Node {
	if i < 0 || i >= len(n.Inputs) {
		return nil
	}
	return n.Inputs[i].Node
}

// OutputDType returns the type of a node's output, from the attributes that most ops have for it;
// Invalid where there is none.
func OutputDType(r Ref) tensor.DType {
	if r.Node == nil || r.Node.Def == nil {
		return tensor.Invalid
	}
	attr := r.Node.Def.GetAttr()
	for _, list := range []string{"Tout", "output_types"} {
		if types := attr[list].GetList().GetType(); r.Out < len(types) {
			return DType(types[r.Out])
		}
	}
	if types := attr["T"].GetList().GetType(); IsLoop(r.Node) && r.Out < len(types) {
		return DType(types[r.Out])
	}
	for _, key := range []string{"DstT", "out_type", "output_type", "dtype", "element_dtype", "Tparams", "T"} {
		if t := attr[key].GetType(); t != 0 {
			return DType(t)
		}
	}
	return tensor.Invalid
}

// Users returns the nodes that take each node's outputs.
func (f *Function) Users() map[*Node][]*Node {
	users := map[*Node][]*Node{}
	for _, n := range f.Nodes {
		for _, in := range n.Inputs {
			if in.Node != nil {
				users[in.Node] = append(users[in.Node], n)
			}
		}
	}
	return users
}

// Source follows a tensor back through identities. In a damaged graph these may form a circle,
// which is followed once.
func (f *Function) Source(r Ref) Ref {
	for range f.Nodes {
		if r.Node == nil || r.Node.Op != "Identity" || len(r.Node.Parts) != 1 || len(r.Node.Inputs) == 0 {
			break
		}
		r = r.Node.Inputs[0]
	}
	return r
}

// OnlyCall returns the call that a function consists of, or nil if the function does anything else.
func (f *Function) OnlyCall() *Node {
	var call *Node
	for _, n := range f.Nodes {
		switch {
		case n.Op == "Identity" || n.Op == "NoOp":
		case IsCall(n.Op) && call == nil:
			call = n
		default:
			return nil
		}
	}
	return call
}

// MainRef resolves the name of a tensor as a main graph has it: "node" or "node:i".
func (f *Function) MainRef(name string) Ref {
	head, place, more := strings.Cut(name, ":")
	out := 0
	if more {
		out, _ = strconv.Atoi(place)
	}
	if i, ok := f.ArgAt[head]; ok && out == 0 {
		return Ref{Arg: i + 1}
	}
	if n := f.ByName[head]; n != nil {
		return Ref{Node: n, Out: max(out, 0)}
	}
	return Ref{}
}

// Orders are the control inputs of a node, "^node", which only set an order.
func (n *Node) Orders() []string {
	return slices.DeleteFunc(slices.Clone(n.Def.GetInput()), func(in string) bool { return !strings.HasPrefix(in, "^") })
}

// String describes a tensor of a function: the node's name and which of its outputs, or "" for an
// argument.
func (r Ref) String() string {
	if r.Node == nil {
		return ""
	}
	return r.Node.Name + ":" + strconv.Itoa(r.Out)
}

// MaxUnwrap bounds how many functions that only call another one are followed: in a hostile file
// they may call each other in a circle.
const MaxUnwrap = 100
