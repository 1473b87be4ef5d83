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

// CompileError says why XLA cannot compile a signature, or should not.
type CompileError struct {
	Signature string
	Msg       string
}

// Error gives the reason.
func (e *CompileError) Error() string {
	return words.OneLine(fmt.Sprintf("signature %q: %s", e.Signature, e.Msg))
}

// silentInXLA are operations that report errors in TensorFlow and do nothing in XLA, which compiles
// them to nothing or to their input (tf2xla/kernels/no_op.cc, identity_op.cc).
var silentInXLA = []string{"Assert", "CheckNumerics", "CheckNumericsV2"}

// otherInXLA are operations of which XLA makes other values than TensorFlow, by the reason. Vectors
// of decompositions have the other sign as often as not.
var otherInXLA = graph.OpSets(map[string]string{
	"XLA draws other random numbers than TensorFlow": `StatelessRandomUniform StatelessRandomUniformV2 StatelessRandomUniformInt StatelessRandomUniformIntV2
	StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomNormal StatelessRandomNormalV2 StatelessTruncatedNormal
	StatelessTruncatedNormalV2 StatelessMultinomial StatelessParameterizedTruncatedNormal`,
	"XLA turns vectors another way than TensorFlow":                     "Svd SelfAdjointEigV2",
	"XLA inverts matrices that have no inverse, and says nothing of it": "MatrixInverse MatrixSolve",
})

// othersInXLA returns the types of the operations that answers are made from and of which XLA makes
// other values than TensorFlow, with the reason.
func othersInXLA(mg *savedmodel.MetaGraph, s *savedmodel.Signature) (map[string]string, error) {
	p, err := mg.Graph().Reach()
	if err != nil {
		return nil, err
	}
	p.CPUOnly = true
	p.Feed(s.Tensors(s.Inputs))
	if err := p.Mark(s.Tensors(s.Outputs)); err != nil {
		return nil, err
	}
	flow, err := p.Flow(s.Tensors(s.Inputs))
	if err != nil {
		return nil, err
	}
	var answers []graph.Place
	for _, name := range s.Tensors(s.Outputs) {
		answers = append(answers, graph.Place{F: flow.Main, Ref: flow.Main.MainRef(name)})
	}
	found := map[string]string{}
	note := func(n *graph.Node) {
		if n == nil {
			return
		}
		if why := unlikeInXLA(n); why != "" {
			found[n.Op] = why
		}
	}
	for place := range flow.Back(map[graph.Place]bool{}, answers...) {
		note(place.Ref.Node)
	}
	if flow.Steps >= graph.MaxSteps { // better not compiled than a wrong answer
		for _, f := range flow.All() {
			for _, n := range f.Nodes {
				note(n)
			}
		}
	}
	return found, nil
}

// unlikeInXLA returns why XLA makes other values of a node than TensorFlow, "" where it does not.
func unlikeInXLA(n *graph.Node) string {
	attr := n.Def.GetAttr()
	switch n.Op {
	case "TensorListSetItem":
		if attr["resize_if_index_out_of_bounds"].GetB() {
			return "XLA's lists do not grow, and what is written beyond their end is lost"
		}
	case "Cast":
		from, to := graph.DType(attr["SrcT"].GetType()), graph.DType(attr["DstT"].GetType())
		if from.IsFloat() && to.IsInteger() && to != tensor.Int32 && to != tensor.Int64 {
			return "XLA turns numbers that are out of range into other whole numbers"
		}
	}
	return otherInXLA[n.Op]
}

// CheckCompile looks for reasons why XLA could not compile a signature, or would give other
// answers. It returns a *[CompileError], or the error of a damaged file. nil is no promise: at the
// first run XLA itself may refuse an operation, or a shape that depends on values.
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
	other, err := othersInXLA(mg, s)
	if err != nil {
		return err
	}
	if list := slices.Sorted(maps.Keys(other)); len(list) > 0 {
		return refuse("%s (%s)", other[list[0]], list[0])
	}
	state, err := mg.State(s)
	if err == nil && len(state.Random) > 0 {
		return refuse("XLA draws other random numbers than TensorFlow (%s)", state.Random[0])
	}
	return err
}

// CompiledTensor returns the name of the tensor that is a signature's output in its compiled twin;
// see [Reduction.Compiled].
func CompiledTensor(output string) string { return compiledScope + output }

// twins collects the compiled twins added to a graph: copies of calls and functions, marked for
// XLA.
type twins struct {
	g           *graph.Graph
	reach       *graph.Reach
	lengths     bool
	noOptimizer bool
	nodes       []byte // encoded fields of a GraphDef
	functions   []byte // encoded fields of its library
}

// add adds marked copies of the calls that make a signature's outputs, and of the functions called.
// Functions that these call in turn are shared with the original. Where the signature has loops
// that do not wait for each other, each loop is marked, otherwise the whole.
func (t *twins) add(s *savedmodel.Signature) error {
	for _, output := range s.Tensors(s.Outputs) {
		node, err := t.g.Call(output)
		if err != nil {
			return err
		}
		twin := compiledScope + node.Name
		if t.reach.Nodes[twin] {
			continue // a call of an earlier output
		}
		t.reach.Nodes[twin] = true
		called := node.Attr["f"].GetFunc()
		loops := newLoopSplitter(t.g, node.Name, t.lengths)
		copied := ""
		// On a GPU the operations of one program run at the same time as well.
		if t.reach.CPUOnly {
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
	// Ops are the types of the compiled operations, in alphabetical order. Lookups of numbers that
	// are known to be within the table are left out.
	Ops []string
	// Lengths says that a program compiled for one size of an open axis, other than the first,
	// serves all sizes with the same [Compilation.Size].
	Lengths bool
	// Loops is the number of loops that are compiled separately; 0 where the signature is compiled
	// as a whole.
	Loops int

	wide bool
}

// CompilationOf says what XLA compiles in the twin of a signature that [Reduced] adds with the same
// Reduction. The signature must be one that [CheckCompile] accepts.
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
			continue // a call of an earlier output
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

// write encodes a call, and the functions that were made for it.
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

// Size returns the size that XLA compiles for, if [Compilation.Lengths] is set, for an open axis of
// size n that is not the batch. Above 2^31-1 it returns n.
func (c Compilation) Size(n int64) int64 {
	switch {
	case !c.Lengths:
		return n
	case c.wide:
		return boundOf(wideBounds, n)
	}
	return boundOf(sizeBounds, n)
}
