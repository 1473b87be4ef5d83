package rewrite

import (
	"slices"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"google.golang.org/protobuf/proto"
)

// compiledFunctions reduces a model and returns the functions that are marked for XLA, and the
// twin's node.
func compiledFunctions(t *testing.T, model string, r Reduction) (marked []*functionpb.FunctionDef, twin *nodepb.NodeDef) {
	t.Helper()
	m, err := savedmodel.Open("../../testdata/models/" + model + "/model")
	if err != nil {
		t.Fatal(err)
	}
	r.Signatures, r.Compiled = []string{savedmodel.DefaultSignature}, true
	data, err := Reduced(m.MetaGraphs[0], r)
	if err != nil {
		t.Fatal(err)
	}
	mg := modeltest.OpenBytes(t, data).MetaGraphs[0]
	sig := mg.Signatures[savedmodel.DefaultSignature]
	if twin, err = mg.Graph().Node(graph.NodeOf(CompiledTensor(sig.Outputs[sig.OutputNames()[0]].Tensor))); err != nil || twin == nil {
		t.Fatalf("%v, %v", twin, err)
	}
	for f, err := range mg.Graph().Functions() {
		if err != nil {
			t.Fatal(err)
		}
		if f.Attr[mustCompile].GetB() {
			marked = append(marked, f)
		}
	}
	return marked, twin
}

// Loops that do not wait for each other are compiled one by one, wherever they stand, and those
// that serve many lengths in any case. That the answers are the same is tested in runner.
func TestLoopsOneByOne(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		model          string
		loops, lengths int // 0: the signature is compiled as one
	}{
		{"full_seed/k2", 2, 2},
		{"full_seed/k3", 2, 2},
		{"k2_stacked", 4, 4}, // whose loops stand in functions of their own
		{"k3_stacked", 4, 4},
		{"k3_masked", 2, 2},
		{"k2_bidir_none", 2, 2},
		{"own_k3_siamese_shared_layers", 1, 1}, // both towers run the same program
		{"k2_gru", 0, 1},
		{"k2_cnn2d", 0, 0},
		{"own_k3_seq2seq_lstm", 0, 2}, // the second loop waits for the first
		{"k3_td_lstm", 0, 0},          // each step is a row of another loop
		{"own_k3_seq2seq_gru_attention_keras392", 0, 0},
	} {
		for _, lengths := range []bool{false, true} {
			loops := test.loops
			if lengths {
				loops = test.lengths
			}
			marked, twin := compiledFunctions(t, test.model, Reduction{CPUOnly: true, Lengths: lengths})
			want := max(loops, 1)
			if len(marked) != want || twin.Attr[mustCompile].GetB() != (loops == 0) {
				t.Errorf("%s, %v: %d functions are marked, want %d; the call: %v", test.model, lengths, len(marked), want, twin.Attr[mustCompile])
			}
			for _, f := range marked {
				found, bounded := 0, false
				for _, n := range f.GetNodeDef() {
					if n.GetOp() == "While" || n.GetOp() == "StatelessWhile" || graph.IsCall(n.GetOp()) {
						found++
					}
					bounded = bounded || n.GetOp() == "XlaSetDynamicDimensionSize"
				}
				if loops > 0 && found != 1 || bounded != (lengths && loops > 0) {
					t.Errorf("%s, %v: %d loops in %s, bounded: %v", test.model, lengths, found, f.GetSignature().GetName(), bounded)
				}
			}
		}
	}
}

// Compilation says what Reduced does.
func TestCompilation(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		model   string
		lengths bool
		lookups bool
	}{
		{"full_seed/k2", true, false},
		{"k3_stacked", true, false},
		{"k3_cnn1d", false, true},
		{"k3_td_lstm", false, true},
	} {
		m, err := savedmodel.Open("../../testdata/models/" + test.model + "/model")
		if err != nil {
			t.Fatal(err)
		}
		mg := m.MetaGraphs[0]
		c, err := CompilationOf(mg, mg.Signatures[savedmodel.DefaultSignature], Reduction{CPUOnly: true, Lengths: true})
		lookups := slices.Contains(c.Ops, "ResourceGather") || slices.Contains(c.Ops, "GatherV2")
		if err != nil || c.Lengths != test.lengths || lookups != test.lookups || !slices.Contains(c.Ops, "MatMul") || !slices.IsSorted(c.Ops) {
			t.Errorf("%s: %+v, %v", test.model, c, err)
		}
		if c, err = CompilationOf(mg, mg.Signatures[savedmodel.DefaultSignature], Reduction{Lengths: true}); err != nil || c.Lengths {
			t.Errorf("%s, on a GPU: %+v, %v", test.model, c, err)
		}
	}
}

func TestCompilationSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]int64{0: 0, 1: 2, 2: 2, 3: 3, 5: 6, 256: 256, 257: 384, 1025: 1536, 1<<30 + 1: 1<<31 - 1, 1 << 31: 1 << 31} {
		if got := (Compilation{Lengths: true}).Size(n); got != want {
			t.Errorf("Size(%d) = %d, want %d", n, got, want)
		}
		if got := (Compilation{}).Size(n); got != n {
			t.Errorf("without lengths Size(%d) = %d", n, got)
		}
	}
	for n, want := range map[int64]int64{0: 0, 1: 256, 256: 256, 257: 4096, 4097: 6144, 1 << 31: 1 << 31} {
		if got := (Compilation{Lengths: true, wide: true}).Size(n); got != want {
			t.Errorf("of numbers Size(%d) = %d, want %d", n, got, want)
		}
	}
	if !slices.IsSorted(sizeBounds) || !slices.IsSorted(wideBounds) {
		t.Error(sizeBounds, wideBounds)
	}
}

// What only moves values before or after a loop is compiled with it; lists of tensors never leave
// what is compiled, and a sequence that nobody takes is not given away.
func TestLoopsNeighbours(t *testing.T) {
	t.Parallel()
	marked, _ := compiledFunctions(t, "k3_seed", Reduction{CPUOnly: true})
	for _, f := range marked {
		var ops []string
		for _, n := range f.GetNodeDef() {
			ops = append(ops, n.GetOp())
		}
		for _, want := range []string{"Transpose", "TensorListFromTensor", "TensorListReserve", "While", "TensorListStack"} {
			if !slices.Contains(ops, want) {
				t.Errorf("%s has no %s: %s", f.GetSignature().GetName(), want, ops)
			}
		}
		for _, arg := range slices.Concat(f.GetSignature().GetInputArg(), f.GetSignature().GetOutputArg()) {
			if arg.GetType() == typespb.DataType_DT_VARIANT {
				t.Errorf("%s: %v", f.GetSignature().GetName(), arg)
			}
		}
		if n := len(f.GetSignature().GetOutputArg()); n != 1 {
			t.Errorf("%s: %d results", f.GetSignature().GetName(), n)
		}
	}
}

// GPUs run the operations of one program at the same time.
func TestLoopsOnGPU(t *testing.T) {
	t.Parallel()
	marked, twin := compiledFunctions(t, "full_seed/k3", Reduction{Lengths: true})
	if len(marked) != 1 || !twin.Attr[mustCompile].GetB() {
		t.Errorf("%d functions are marked, and the call: %v", len(marked), twin.Attr[mustCompile])
	}
}

// noFaults hands errors on.
type noFaults struct{}

func (noFaults) Damaged(_ string, err error) error     { return err }
func (noFaults) Undecodable(_ string, err error) error { return err }

// graphFunction builds a function of one float argument "x". A node is written "name = Op(input,
// …)"; loops carry floats, and lists of tensors.
func graphFunction(result string, nodes ...string) *graph.Function {
	float := &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_FLOAT}}
	arg := func(name string) *opdefpb.OpDef_ArgDef {
		return &opdefpb.OpDef_ArgDef{Name: name, Type: typespb.DataType_DT_FLOAT}
	}
	def := &functionpb.FunctionDef{
		Signature: &opdefpb.OpDef{Name: "f", InputArg: []*opdefpb.OpDef_ArgDef{arg("x")}, OutputArg: []*opdefpb.OpDef_ArgDef{arg("y")}},
		Ret:       map[string]string{"y": result},
	}
	for _, text := range nodes {
		name, rest, _ := strings.Cut(text, " = ")
		op, inputs, _ := strings.Cut(strings.TrimSuffix(rest, ")"), "(")
		n := &nodepb.NodeDef{Name: name, Op: op, Attr: map[string]*attrpb.AttrValue{"T": float, "element_dtype": float}}
		if inputs != "" {
			n.Input = strings.Split(inputs, ", ")
		}
		if op == "While" {
			var types []typespb.DataType
			for _, in := range n.Input {
				switch {
				case strings.HasPrefix(in, "^"):
				case strings.HasPrefix(in, "list"):
					types = append(types, typespb.DataType_DT_VARIANT)
				default:
					types = append(types, typespb.DataType_DT_FLOAT)
				}
			}
			n.Attr["T"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{Type: types}}}
		}
		def.NodeDef = append(def.NodeDef, n)
	}
	ops, err := proto.Marshal(&opdefpb.OpList{Op: []*opdefpb.OpDef{{Name: "While", OutputArg: []*opdefpb.OpDef_ArgDef{
		{Name: "output", TypeListAttr: "T"}, {Name: "none"},
	}}}})
	if err != nil {
		panic(err)
	}
	f, err := graph.New(nil, ops, noFaults{}).ResolveDef(def)
	if err != nil {
		panic(err)
	}
	return f
}

// splitText splits a function and writes the copy, then what is compiled, a node a line: a call of
// a program by its name.
func splitText(f *graph.Function) (string, bool) {
	b := newLoopBody(f)
	for _, n := range f.Nodes {
		if graph.IsLoop(n) && b.live[n] {
			b.loops = append(b.loops, n)
		}
	}
	def, made, ok := b.split(newLoopSplitter(nil, "", false), "g", nil)
	if !ok {
		return "", false
	}
	var text strings.Builder
	for _, f := range append([]*functionpb.FunctionDef{def}, made...) {
		for _, n := range f.GetNodeDef() {
			op := n.GetOp()
			if called := n.GetAttr()["f"].GetFunc().GetName(); called != "" {
				op = called
			}
			text.WriteString(n.GetName() + " = " + op + "(" + strings.Join(n.GetInput(), ", ") + ")\n")
		}
		for _, out := range f.GetSignature().GetOutputArg() {
			text.WriteString(out.GetName() + " = " + f.GetRet()[out.GetName()] + "\n")
		}
	}
	return text.String(), true
}

func TestSplitLoops(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, result string
		nodes        []string
		want         string // "": cannot be split
	}{
		{
			"what stands around the loops stays, two that are the same are one program", "y:z:0",
			[]string{"e = Exp(x)", "a = While(e:y:0)", "b = While(e:y:0)", "y = AddV2(a:output:0, b:output:0)"},
			`e = Exp(x)
y = AddV2(tfrun_xla_0:output:0, tfrun_xla_1:output:0)
tfrun_xla_0 = g_loop_0(e:y:0)
tfrun_xla_1 = g_loop_0(e:y:0)
y = y:z:0
a = While(tfrun_in_0)
tfrun_out_0 = a:output:0
`,
		},
		{
			"moves go along, what others take too stays", "y:z:0",
			[]string{
				"p = Const()", "m = Transpose(x, p:output:0)", "o = Transpose(x, p:output:0)", "a = While(m:y:0)", "b = While(o:y:0)",
				"i = Identity(a:output:0)", "y = AddN(i:output:0, b:output:0, o:y:0)",
			},
			`p = Const()
o = Transpose(x, p:output:0)
y = AddN(tfrun_xla_0:output:0, tfrun_xla_1:output:0, o:y:0)
tfrun_xla_0 = g_loop_0(x)
tfrun_xla_1 = g_loop_1(o:y:0)
y = y:z:0
p = Const()
m = Transpose(tfrun_in_0, p:output:0)
a = While(m:y:0)
i = Identity(a:output:0)
tfrun_out_0 = i:output:0
b = While(tfrun_in_0)
tfrun_out_0 = b:output:0
`,
		},
		{
			"lists stay inside, what depends on shapes is copied, order is kept", "y:z:0",
			[]string{
				"s = Shape(x)", "list1 = TensorListReserve(s:output:0, s:output:0)", "list2 = TensorListFromTensor(x, s:output:0)", "w = Save(x)",
				"a = While(list1:handle:0, x, ^w)", "b = While(list2:output_handle:0, x)", "n = NoOp(^a)", "y = AddV2(a:output:1, b:output:1, ^n)",
			},
			`w = Save(x)
n = NoOp(^tfrun_xla_0)
y = AddV2(tfrun_xla_0:output:0, tfrun_xla_1:output:0, ^n)
tfrun_xla_0 = g_loop_0(x, ^w)
tfrun_xla_1 = g_loop_1(x)
y = y:z:0
s = Shape(tfrun_in_0)
list1 = TensorListReserve(s:output:0, s:output:0)
a = While(list1:handle:0, tfrun_in_0)
tfrun_out_0 = a:output:1
s = Shape(tfrun_in_0)
list2 = TensorListFromTensor(tfrun_in_0, s:output:0)
b = While(list2:output_handle:0, tfrun_in_0)
tfrun_out_0 = b:output:1
`,
		},
		{
			"a third loop takes what two others make", "c:output:0",
			[]string{"a = While(x)", "b = While(x)", "c = While(a:output:0, b:output:0)"},
			`tfrun_xla_0 = g_loop_0(x)
tfrun_xla_1 = g_loop_0(x)
tfrun_xla_2 = g_loop_2(tfrun_xla_0:output:0, tfrun_xla_1:output:0)
y = tfrun_xla_2:output:0
a = While(tfrun_in_0)
tfrun_out_0 = a:output:0
c = While(tfrun_in_0, tfrun_in_1)
tfrun_out_0 = c:output:0
`,
		},
		{
			"a name that is taken", "y:z:0",
			[]string{"tfrun_xla_0 = Exp(x)", "a = While(tfrun_xla_0:y:0)", "b = While(x)", "y = AddV2(a:output:0, b:output:0)"},
			`tfrun_xla_0 = Exp(x)
y = AddV2(tfrun_xla_0_:output:0, tfrun_xla_1:output:0)
tfrun_xla_0_ = g_loop_0(tfrun_xla_0:y:0)
tfrun_xla_1 = g_loop_0(x)
y = y:z:0
a = While(tfrun_in_0)
tfrun_out_0 = a:output:0
`,
		},
		{"a list from elsewhere", "y:z:0", []string{"list = Other(x)", "a = While(list:handle:0, x)", "b = While(x)", "y = AddV2(a:output:1, b:output:0)"}, ""},
		{"a list for someone else", "y:z:0", []string{
			"s = Shape(x)", "list = TensorListFromTensor(x, s:output:0)", "a = While(list:output_handle:0)", "b = While(x)", "y = Other(a:output:0, b:output:0)",
		}, ""},
		{"the name of no output", "y:z:0", []string{"a = While(x)", "b = While(x)", "y = AddV2(a:output:7, b:output:0)"}, ""},
		{"a circle", "y:z:0", []string{"a = While(x, y:z:0)", "b = While(x)", "y = AddV2(a:output:0, b:output:0)"}, ""},
		{"a loop that waits", "b:output:0", []string{"a = While(x)", "b = While(a:output:0)"}, ""},
		{"a loop for nobody", "b:output:0", []string{"a = While(x)", "b = While(x)"}, ""},
	} {
		got, ok := splitText(graphFunction(test.result, test.nodes...))
		if ok != (test.want != "") || ok && got != test.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", test.name, ok, got, test.want)
		}
	}
}
