package rewrite

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
	"google.golang.org/protobuf/encoding/protowire"
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

// compiledScope is where the twins stand in the graph.
const compiledScope = "tfrun_xla/"

// CompiledTensor names the tensor of a signature's compiled twin that stands for one of its
// outputs; see [Reduction].
func CompiledTensor(output string) string { return compiledScope + output }

// mustCompile is the attribute by which TensorFlow's XLA devices know a call, and the function that
// it calls (tf2xla/tf2xla_defs.h).
const mustCompile = "_XlaMustCompile"

// addTwins adds copies of the calls that a signature's outputs come from, and of the functions that
// they call, with marks for XLA. The functions that those call in turn are shared. Where the
// signature has loops that do not wait for each other, each of them is marked, else the whole.
func (p *pruner) addTwins(s *savedmodel.Signature) error {
	yes := &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: true}}
	for _, output := range s.Tensors(s.Outputs) {
		node, err := p.g.Call(output)
		if err != nil {
			return err
		}
		twin := compiledScope + node.Name
		if p.reach.Nodes[twin] {
			continue // that of another output
		}
		p.reach.Nodes[twin] = true
		called := node.Attr["f"].GetFunc()
		loops := newLoopSplitter(p.g, node.Name, p.lengths)
		copied := ""
		if p.reach.CPUOnly { // GPUs run the operations of one program at the same time
			if copied, err = loops.split(called.Name, 0); err != nil {
				return err
			}
		}
		functions := loops.functions
		if copied == "" {
			copied = twinFunction(called.Name, node.Name)
			f, err := p.g.Function(called.Name)
			if err != nil {
				return err
			}
			if f.Attr == nil {
				f.Attr = map[string]*attrpb.AttrValue{}
			}
			f.Attr[mustCompile], node.Attr[mustCompile] = yes, yes
			f.Signature.Name = copied
			functions = []*functionpb.FunctionDef{f}
		}
		node.Name, called.Name = twin, copied
		if err := p.addTwin(node, functions); err != nil {
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

// twinFunction names the copy of a function for one call of it.
func twinFunction(function, node string) string {
	return function + "_tfrun_xla_" + strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, node)
}

func (p *pruner) addTwin(node *nodepb.NodeDef, functions []*functionpb.FunctionDef) error {
	inOrder := proto.MarshalOptions{Deterministic: true}
	def, err := inOrder.Marshal(node)
	if err != nil {
		return err
	}
	if p.noOptimizer {
		p.twins, err = appendUnoptimized(p.twins, graph.FieldNodes, def)
	} else {
		p.twins = protowire.AppendTag(p.twins, graph.FieldNodes, protowire.BytesType)
		p.twins = protowire.AppendBytes(p.twins, def)
	}
	if err != nil {
		return err
	}
	var library []byte
	for _, f := range functions {
		function, err := inOrder.Marshal(f)
		if err == nil && p.noOptimizer {
			function, err = unoptimizedFunction(function)
		}
		if err != nil {
			return err
		}
		library = protowire.AppendTag(library, graph.FieldFunctions, protowire.BytesType)
		library = protowire.AppendBytes(library, function)
	}
	// A message field that is there twice is merged: its lists are joined.
	p.twins = protowire.AppendTag(p.twins, graph.FieldLibrary, protowire.BytesType)
	p.twins = protowire.AppendBytes(p.twins, library)
	return nil
}
