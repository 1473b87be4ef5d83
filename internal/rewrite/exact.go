package rewrite

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/padding"
)

// Rows of unequal lengths are padded to share a batch, and padding changes the answers of a model
// that has no mask. Where the graph shows at which places padding gets in ([padding.Mended]), a
// twin of the signature is written that takes each row's length beside its inputs, and keeps
// padding out: the states of loops are held past a row's end, sequences are turned round within
// their length, and padding is masked where steps are added up or compared.

// Exact is a signature's twin that gives for each row of a padded batch what the row gives alone.
type Exact struct {
	// Lengths are the inputs that it takes beside those of the signature: int32 vectors, with the
	// number of each row's entries along an axis of an input.
	Lengths []ExactLength
	// Outputs are the outputs of the signature that the twin has.
	Outputs map[string]ExactOutput
	// Needs are what rows must be like. Others are to be run by the signature itself, unpadded.
	Needs []padding.Need
}

// ExactLength is an input for the lengths of rows.
type ExactLength struct {
	Input  string // of the signature
	Axis   int    // of its rows
	Tensor string
}

// ExactOutput is an output of the twin.
type ExactOutput struct {
	Tensor string
	// Cuts says which axes, that of the batch counted, are padded, and which tensor, an int32
	// vector, has the number of each row's own entries.
	Cuts []ExactCut
}

// ExactCut is a padded axis of an output.
type ExactCut struct {
	Axis   int
	Tensor string
}

// ExactOf describes the twin of a signature that [Reduced] adds by the same choices, with Exact. It
// is nil where none can be written, and where the signature needs none.
func ExactOf(mg *savedmodel.MetaGraph, s *savedmodel.Signature, r Reduction) (*Exact, error) {
	g, err := reducedBy(mg, r)
	if err != nil {
		return nil, err
	}
	x, err := newExactTwin(mg, g, s, r.CPUOnly)
	if x == nil || err != nil {
		return nil, err
	}
	return x.exact, nil
}

// addExact adds the twin of a signature, if it has one.
func (t *twins) addExact(mg *savedmodel.MetaGraph, s *savedmodel.Signature) error {
	x, err := newExactTwin(mg, t.g, s, t.reach.CPUOnly)
	if x == nil || err != nil {
		return err
	}
	functions := x.functions
	for _, n := range x.nodes {
		t.reach.Nodes[n.GetName()] = true
		if err := t.write(n, functions); err != nil {
			return err
		}
		functions = nil // written with the first
	}
	return nil
}

// exactTwin is the twin of a signature as it is being written.
type exactTwin struct {
	g     *graph.Graph
	scope string // of its nodes
	plan  *padding.Plan
	bases []ExactLength // the lengths that are fed
	exact *Exact

	nodes     []*nodepb.NodeDef
	functions []*functionpb.FunctionDef
	made      map[string]bool // calls that were copied
	cpuOnly   bool            // else a function that has another for GPUs is quicker as it is
}

// newExactTwin writes the twin; nil where there is none.
func newExactTwin(mg *savedmodel.MetaGraph, g *graph.Graph, s *savedmodel.Signature, cpuOnly bool) (*exactTwin, error) {
	plan, err := padding.Mended(mg, g, s)
	if plan == nil || err != nil {
		return nil, err
	}
	cut := slices.ContainsFunc(slices.Collect(maps.Values(plan.Outputs)), func(l []padding.Sized) bool { return len(l) > 0 })
	if len(plan.Mends) == 0 && !cut {
		return nil, nil
	}
	x := &exactTwin{g: g, cpuOnly: cpuOnly, scope: fmt.Sprintf("tfrun_exact/%.4x/", sha256.Sum256([]byte(s.Name))), plan: plan, made: map[string]bool{}, exact: &Exact{Outputs: map[string]ExactOutput{}, Needs: plan.Needs}}
	for _, l := range plan.Lengths {
		x.base(s, l)
	}
	for _, name := range slices.Sorted(maps.Keys(plan.Outputs)) {
		if ok, err := x.output(name, s.Outputs[name].Tensor); !ok || err != nil {
			return nil, err
		}
	}
	for path := range plan.Mends {
		if root, _, _ := strings.Cut(path[1:], ";"); !x.made[root] {
			return nil, nil // what a call is made of would have to be mended, too
		}
	}
	x.exact.Lengths = x.bases
	return x, nil
}

// base adds a placeholder for the lengths that l is computed from, unless it is there.
func (x *exactTwin) base(s *savedmodel.Signature, l padding.Length) {
	tensor := fmt.Sprintf("%s%s/%d", x.scope, graph.NodeOf(s.Inputs[l.Input].Tensor), l.Axis)
	b := ExactLength{Input: l.Input, Axis: l.Axis, Tensor: tensor + ":0"}
	if slices.Contains(x.bases, b) {
		return
	}
	x.bases = append(x.bases, b)
	x.nodes = append(x.nodes, &nodepb.NodeDef{Name: tensor, Op: "Placeholder", Attr: attrs{"dtype": int32Attr, "shape": shapeAttr(lengthShape)}})
}

// output adds an output, and a copy of the call that gives it. It reports false where it comes from
// no call.
func (x *exactTwin) output(name, tensor string) (bool, error) {
	call, err := x.g.Call(tensor)
	if call == nil || err != nil {
		return false, err
	}
	node := graph.NodeOf(tensor)
	outputs := len(call.Attr["Tout"].GetList().GetType())
	out := ExactOutput{Tensor: x.scope + tensor}
	for _, c := range x.plan.Outputs[name] {
		out.Cuts = append(out.Cuts, ExactCut{Axis: c.Axis, Tensor: fmt.Sprintf("%s%s:%d", x.scope, node, outputs+c.Length)})
	}
	x.exact.Outputs[name] = out
	if x.made[node] {
		return true, nil
	}
	x.made[node] = true
	copied, ok, err := x.function(call.Attr["f"].GetFunc().GetName(), padding.Path("", node), (*exactWriter).derive)
	if !ok || err != nil {
		return false, err
	}
	call.Attr["f"].GetFunc().Name = copied
	call.Name = x.scope + node
	delete(call.Attr, "_output_shapes")
	data, orders := graph.SplitInputs(call)
	for _, b := range x.bases {
		data = append(data, graph.NodeOf(b.Tensor))
	}
	call.Input = append(data, orders...)
	x.nodes = append(x.nodes, call)
	return addTypes(call, "Tin", len(x.bases)) && addTypes(call, "Tout", len(x.plan.Lengths)), nil
}

// addTypes adds int32s to a list of types. It reports false where there is none.
func addTypes(n *nodepb.NodeDef, attr string, count int) bool {
	list := n.Attr[attr].GetList()
	if list == nil {
		return false
	}
	list.Type = append(list.Type, slices.Repeat([]typespb.DataType{typespb.DataType_DT_INT32}, count)...)
	return true
}
