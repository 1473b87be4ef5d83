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
// without masks. Where the graph shows where padding gets in ([padding.Mended]), a twin of the
// signature is written that takes the rows' lengths as further inputs and keeps padding out: the
// states of loops are held past a row's end, sequences are reversed within their length, and
// padding is masked where steps are added up or compared.

// Exact is a signature's twin whose answer for a row of a padded batch is the row's answer alone.
type Exact struct {
	// Lengths are the twin's inputs beside those of the signature: int32 vectors with, for each
	// row, the number of its own entries along an axis of an input.
	Lengths []ExactLength
	// Outputs are the twin's outputs, by the signature's names.
	Outputs map[string]ExactOutput
	// Needs are conditions on rows. A row that does not meet them has to be run alone, unpadded, by
	// the signature itself.
	Needs []padding.Need
}

// ExactLength is an input that takes the lengths of rows.
type ExactLength struct {
	Input  string // the signature's input
	Axis   int    // axis of a row of that input
	Tensor string
}

// ExactOutput is an output of the twin.
type ExactOutput struct {
	Tensor string
	// Cuts says which axes of the output are padded, the batch axis counted as 0, and which tensor,
	// an int32 vector, has the number of each row's own entries.
	Cuts []ExactCut
}

// ExactCut is a padded axis of an output.
type ExactCut struct {
	Axis   int
	Tensor string
}

// ExactOf describes the twin that [Reduced] with [Reduction.Exact] adds for a signature. It is nil
// where no twin can be written, and where the signature needs none.
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

// addExact adds the exact twin of a signature, if it has one.
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
		functions = nil // the functions go with the first call
	}
	return nil
}

// exactTwin is an exact twin while it is written.
type exactTwin struct {
	g     *graph.Graph
	scope string // name scope of its nodes
	plan  *padding.Plan
	bases []ExactLength // the lengths that are fed
	exact *Exact

	nodes     []*nodepb.NodeDef
	functions []*functionpb.FunctionDef
	made      map[string]bool // calls that were copied already
	// Without cpuOnly, a function that has a version for GPUs stays as it is, which is quicker
	// there.
	cpuOnly bool
}

// newExactTwin writes the twin. It returns nil where none can be written.
func newExactTwin(mg *savedmodel.MetaGraph, g *graph.Graph, s *savedmodel.Signature, cpuOnly bool) (*exactTwin, error) {
	if called, err := anyCalled(g, s); !called || err != nil {
		return nil, err
	}
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
			// A call whose arguments are made by nodes that would need mending too is not
			// supported.
			return nil, nil
		}
	}
	x.exact.Lengths = x.bases
	return x, nil
}

// anyCalled reports whether a call makes an output of the signature. Only such outputs can have a
// twin, and a plan reads the whole graph.
func anyCalled(g *graph.Graph, s *savedmodel.Signature) (bool, error) {
	for _, info := range s.Outputs {
		if call, err := g.Call(info.Tensor); call != nil || err != nil {
			return call != nil, err
		}
	}
	return false, nil
}

// base adds a placeholder for the lengths that l is computed from, unless there is one.
func (x *exactTwin) base(s *savedmodel.Signature, l padding.Length) {
	tensor := fmt.Sprintf("%s%s/%d", x.scope, graph.NodeOf(s.Inputs[l.Input].Tensor), l.Axis)
	b := ExactLength{Input: l.Input, Axis: l.Axis, Tensor: tensor + ":0"}
	if slices.Contains(x.bases, b) {
		return
	}
	x.bases = append(x.bases, b)
	x.nodes = append(x.nodes, &nodepb.NodeDef{Name: tensor, Op: "Placeholder", Attr: attrs{"dtype": int32Attr, "shape": shapeAttr(lengthShape)}})
}

// output adds an output and, if necessary, a copy of the call that makes it. It reports false for
// an output that no call makes.
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
	copied, ok, err := x.function(call.Attr["f"].GetFunc().GetName(), padding.Path("", node), (*exactWriter).deriveLengths)
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

// addTypes adds count int32s to a list of types. It reports false where the node has no such list.
func addTypes(n *nodepb.NodeDef, attr string, count int) bool {
	list := n.Attr[attr].GetList()
	if list == nil {
		return false
	}
	list.Type = append(list.Type, slices.Repeat([]typespb.DataType{typespb.DataType_DT_INT32}, count)...)
	return true
}
