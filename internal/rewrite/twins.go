package rewrite

import (
	"fmt"
	"maps"
	"slices"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/wire"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
	"google.golang.org/protobuf/proto"
)

// CompileError says why a signature is not compiled by XLA.
type CompileError struct {
	Signature string
	Msg       string
}

// Error gives the reason.
func (e *CompileError) Error() string {
	return words.OneLine(fmt.Sprintf("signature %q: %s", e.Signature, e.Msg))
}

// silentInXLA are operations whose errors XLA leaves out: it compiles them to nothing, or to their
// input (tf2xla/kernels/no_op.cc, identity_op.cc).
var silentInXLA = []string{"Assert", "CheckNumerics", "CheckNumericsV2"}

// CheckCompile looks for what keeps a signature from being compiled by XLA, or from giving the same
// answers then. It returns a *CompileError, or the error of a damaged file. nil is no promise: XLA
// itself may refuse an operation, or a shape that depends on values, at the first run.
func CheckCompile(mg *savedmodel.MetaGraph, s *savedmodel.Signature) error {
	refuse := func(format string, args ...any) error {
		return &CompileError{Signature: s.Name, Msg: fmt.Sprintf(format, args...)}
	}
	for _, values := range []map[string]savedmodel.TensorInfo{s.Inputs, s.Outputs} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if values[name].DType == tensor.String {
				return refuse("XLA has no strings, and %q is made of them", name)
			}
		}
	}
	if len(s.Outputs) == 0 {
		return refuse("it has no outputs")
	}
	for _, name := range s.OutputNames() {
		for _, t := range s.Tensors(map[string]savedmodel.TensorInfo{name: s.Outputs[name]}) {
			if call, err := mg.Graph().Call(t); err != nil {
				return err
			} else if call == nil {
				return refuse("output %q does not come from a function, which is what XLA compiles; TensorFlow 1 has none", name)
			}
		}
	}
	ops, err := mg.Operations(s)
	if err != nil {
		return err
	}
	for _, op := range silentInXLA {
		if slices.Contains(ops, op) {
			return refuse("XLA would leave out its checks (%s)", op)
		}
	}
	state, err := mg.State(s)
	if err == nil && len(state.Random) > 0 {
		return refuse("XLA draws other random numbers than TensorFlow (%s)", state.Random[0])
	}
	return err
}

// CompiledTensor names the tensor of a signature's compiled twin that stands for one of its
// outputs; see [Reduction].
func CompiledTensor(output string) string { return compiledScope + output }

// twins collects what is added to a graph: copies of calls and functions, marked for XLA.
type twins struct {
	g           *graph.Graph
	reach       *graph.Reach
	lengths     bool
	noOptimizer bool
	nodes       []byte // fields of a GraphDef
	functions   []byte // fields of its library
}

// add adds copies of the calls that a signature's outputs come from, and of the functions that
// they call, with marks for XLA. The functions that those call in turn are shared. Where the
// signature has loops that do not wait for each other, each of them is marked, else the whole.
func (t *twins) add(s *savedmodel.Signature) error {
	for _, output := range s.Tensors(s.Outputs) {
		node, err := t.g.Call(output)
		if err != nil {
			return err
		}
		twin := compiledScope + node.Name
		if t.reach.Nodes[twin] {
			continue // that of another output
		}
		t.reach.Nodes[twin] = true
		called := node.Attr["f"].GetFunc()
		loops := newLoopSplitter(t.g, node.Name, t.lengths)
		copied := ""
		if t.reach.CPUOnly { // GPUs run the operations of one program at the same time
			if copied, err = loops.split(called.Name, 0); err != nil {
				return err
			}
		}
		functions := loops.functions
		if copied == "" {
			copied = twinFunction(called.Name, node.Name)
			f, err := t.g.Function(called.Name)
			if err != nil {
				return err
			}
			if f.Attr == nil {
				f.Attr = attrs{}
			}
			f.Attr[mustCompile], node.Attr[mustCompile] = trueAttr, trueAttr
			f.Signature.Name = copied
			functions = []*functionpb.FunctionDef{f}
		}
		node.Name, called.Name = twin, copied
		if err := t.write(node, functions); err != nil {
			return err
		}
	}
	return nil
}

// Compilation says what XLA compiles of a signature.
type Compilation struct {
	// Ops are the types of the operations that are compiled, in alphabetical order, but for lookups
	// of numbers that were found to be within the table.
	Ops []string
	// Lengths says that what is compiled for one size of an axis that is open, and not the first,
	// serves all that have the same [Compilation.Size].
	Lengths bool
	// Loops is how many loops are compiled by themselves; 0 where the signature is compiled as one.
	Loops int

	wide bool
}

// CompilationOf says what of a signature is compiled in the twin that [Reduced] makes of
// it, by the same choices. Only signatures that [CheckCompile] lets through have one.
func CompilationOf(mg *savedmodel.MetaGraph, s *savedmodel.Signature, r Reduction) (Compilation, error) {
	g, err := reducedBy(mg, r)
	if err != nil {
		return Compilation{}, err
	}
	c := Compilation{Lengths: r.CPUOnly && r.Lengths, wide: true}
	ops, seen := map[string]bool{}, map[string]bool{}
	for _, output := range s.Tensors(s.Outputs) {
		node, err := g.Call(output)
		if err != nil || node == nil {
			return Compilation{}, err
		}
		if seen[node.Name] {
			continue // the call of another output
		}
		seen[node.Name] = true
		called := node.Attr["f"].GetFunc().GetName()
		compiled := []string{called}
		loops := newLoopSplitter(g, node.Name, r.Lengths)
		if r.CPUOnly {
			copied, err := loops.split(called, 0)
			if err != nil {
				return Compilation{}, err
			}
			if copied != "" {
				compiled = loops.ops
			} else {
				c.Lengths = false
			}
		}
		c.Lengths, c.wide, c.Loops = c.Lengths && !loops.fixed, c.wide && !loops.narrow, c.Loops+loops.apart
		for _, name := range compiled {
			if !g.HasFunction(name) {
				ops[name] = true
			}
		}
		p, err := g.Reach()
		if err != nil {
			return Compilation{}, err
		}
		p.CPUOnly, p.Ops, p.Unnamed = r.CPUOnly, ops, inRangeAttr
		if err := p.MarkFunctions(compiled...); err != nil {
			return Compilation{}, err
		}
	}
	c.Ops = slices.Sorted(maps.Keys(ops))
	return c, nil
}

// write writes a call and the functions that were made for it.
func (t *twins) write(node *nodepb.NodeDef, functions []*functionpb.FunctionDef) error {
	inOrder := proto.MarshalOptions{Deterministic: true}
	def, err := inOrder.Marshal(node)
	if err != nil {
		return err
	}
	if t.noOptimizer {
		t.nodes, err = appendUnoptimized(t.nodes, graph.FieldNodes, def)
	} else {
		t.nodes = wire.Append(t.nodes, graph.FieldNodes, def)
	}
	if err != nil {
		return err
	}
	for _, f := range functions {
		function, err := inOrder.Marshal(f)
		if err == nil && t.noOptimizer {
			function, err = unoptimizedFunction(function)
		}
		if err != nil {
			return err
		}
		t.functions = wire.Append(t.functions, graph.FieldFunctions, function)
	}
	return nil
}

// Size is the size of an open axis, other than the batch, for which XLA compiles what serves n, if
// [Compilation.Lengths] is set. Above 2^31-1 it is n.
func (c Compilation) Size(n int64) int64 {
	switch {
	case !c.Lengths:
		return n
	case c.wide:
		return boundOf(wideBounds, n)
	}
	return boundOf(sizeBounds, n)
}
