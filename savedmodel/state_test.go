package savedmodel

import (
	"path/filepath"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/google/go-cmp/cmp"
)

func TestState(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		model, signature string
		want             State
	}{
		{"mod_counter", "", State{Changes: []string{"AssignAddVariableOp"}}},
		{"k2_stateful_rnn", "", State{Changes: []string{"AssignVariableOp"}}},
		{"k3_stateful_rnn", "", State{Changes: []string{"AssignVariableOp"}}},
		// flips by a seed that it counts on
		{"own_k3_image_preproc", "", State{Changes: []string{"AssignVariableOp"}}},
		{"k3_td_lstm", "", State{}}, // draws a seed for an idle dropout
		{"mod_random", "", State{Random: []string{"RandomStandardNormal"}}},
		{"mod_vocab_asset", "", State{}},  // its loader fills a variable and a table
		{"mod_lookup_table", "", State{}}, // a mutable table that nobody inserts into
		{"k2_compiled", "", State{}},      // the optimizer's assignments are in other functions
		{"k2_cnn2d", "", State{}},
		{"own_k3_norms_all", "", State{}}, // so are batch normalization's
		{"tf1_while", "", State{}},
		{"mod_control_flow", "", State{}},
	} {
		m, err := Open(filepath.Join("../testdata/models", test.model, "model"))
		if err != nil {
			t.Fatal(err)
		}
		sig, err := m.MetaGraphs[0].Signature(test.signature)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.MetaGraphs[0].State(sig)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.model, diff)
		}
	}
}

// giving adds results to a function: the tensors that it returns.
func giving(def *functionpb.FunctionDef, tensors string) *functionpb.FunctionDef {
	def.Ret = map[string]string{}
	for i, name := range strings.Fields(tensors) {
		out := "out" + string(rune('0'+i))
		def.Signature.OutputArg = append(def.Signature.OutputArg, &opdefpb.OpDef_ArgDef{Name: out})
		def.Ret[out] = name
	}
	return def
}

func TestStateFollowsTensors(t *testing.T) {
	t.Parallel()
	nodes := func(n ...*nodepb.NodeDef) []*nodepb.NodeDef { return n }
	shared := func(n *nodepb.NodeDef, name string) *nodepb.NodeDef {
		n.Attr["shared_name"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(name)}}
		return n
	}
	assign := func(v string) *nodepb.NodeDef { return op("assign_"+v, "AssignVariableOp", v, "in") }
	for _, tt := range []struct {
		name string
		def  *pb.MetaGraphDef
		want string
	}{
		{"read and assigned", library(nodes(op("v", "VarHandleOp"), assign("v"), op("out", "ReadVariableOp", "v", "^assign_v"))), "AssignVariableOp"},
		{"assigned and not read", library(nodes(op("v", "VarHandleOp"), assign("v"), op("out", "Identity", "in", "^assign_v"))), ""},
		{"read, and assigned by nobody that runs", library(nodes(op("v", "VarHandleOp"), assign("v"), op("out", "ReadVariableOp", "v"))), ""},
		{
			"one assigned, another read",
			library(nodes(op("v", "VarHandleOp"), op("w", "VarHandleOp"), assign("v"), op("out", "ReadVariableOp", "w", "^assign_v"))), "",
		},
		{
			"what is read is assigned from another that counts",
			library(nodes(op("v", "VarHandleOp"), op("w", "VarHandleOp"), op("count", "AssignAddVariableOp", "v", "in"), op("r", "ReadVariableOp", "v", "^count"),
				op("set", "AssignVariableOp", "w", "r"), op("out", "ReadVariableOp", "w", "^set"))), "AssignAddVariableOp AssignVariableOp",
		},
		{"a variable of one run", library(nodes(shared(op("v", "VarHandleOp"), anonymousName), assign("v"), op("out", "ReadVariableOp", "v", "^assign_v"))), ""},
		{"a reference", library(nodes(op("v", "VariableV2"), op("out", "AssignAdd", "v", "in"))), "AssignAdd"},
		{"a temporary one", library(nodes(op("v", "TemporaryVariable"), op("a", "AssignAdd", "v", "in"), op("out", "DestroyTemporaryVariable", "a"))), ""},
		{
			"a temporary one that holds a reference's value",
			library(nodes(op("t", "TemporaryVariable"), op("v", "VariableV2"), op("n", "AssignAdd", "v", "in"), op("a", "Assign", "t", "n"),
				op("out", "DestroyTemporaryVariable", "a"))), "AssignAdd",
		},
		{"a table", library(nodes(op("t", "MutableHashTableV2"), op("i", "LookupTableInsertV2", "t", "in", "in"), op("out", "LookupTableFindV2", "t", "in", "in", "^i"))), "LookupTableInsertV2"},
		{"a table of one run", library(nodes(op("t", "AnonymousMutableHashTable"), op("i", "LookupTableInsertV2", "t", "in", "in"), op("out", "LookupTableFindV2", "t", "in", "in", "^i"))), ""},
		{"a queue", library(nodes(op("q", "FIFOQueueV2"), op("e", "QueueEnqueueV2", "q", "in"), op("out", "QueueDequeueV2", "q", "^e"))), "QueueDequeueV2 QueueEnqueueV2"},
		{"behind what is fed", library(nodes(op("q", "FIFOQueueV2"), op("in", "QueueDequeueV2", "q"), op("out", "Identity", "in"))), ""},
		{"an iterator that goes on", library(nodes(op("it", "OneShotIterator"), op("out", "IteratorGetNext", "it"))), "IteratorGetNext"},
		{"an iterator of one run", library(nodes(op("it", "AnonymousIteratorV3"), op("m", "MakeIterator", "in", "it"), op("out", "IteratorGetNext", "it", "^m"))), ""},
		{
			"a data set of one run that reads what is counted",
			library(nodes(op("v", "VarHandleOp"), op("count", "AssignAddVariableOp", "v", "in"), op("ds", "MapDataset", "in", "v", "fn=f"), op("it", "AnonymousIteratorV3"),
				op("m", "MakeIterator", "ds", "it", "^count"), op("out", "IteratorGetNext", "it", "^m")),
				giving(fn("f", "x v", op("r", "ReadVariableOp", "v")), "r:value:0")), "AssignAddVariableOp",
		},
		{
			"in functions, by their arguments",
			library(nodes(op("v", "VarHandleOp"), op("w", "VarHandleOp"), op("out", "StatefulPartitionedCall", "in", "v", "w", "fn=f")),
				giving(fn("f", "x a b", op("n", "AssignAddVariableOp", "a", "x"), op("r", "ReadVariableOp", "b")), "r:value:0")), "",
		},
		{
			"in functions, the same one",
			library(nodes(op("v", "VarHandleOp"), op("out", "StatefulPartitionedCall", "in", "v", "v", "fn=f")),
				giving(fn("f", "x a b", op("n", "AssignAddVariableOp", "a", "x"), op("r", "ReadVariableOp", "b")), "r:value:0")), "AssignAddVariableOp",
		},
		{
			"another result of the function",
			library(nodes(op("v", "VarHandleOp"), op("call", "StatefulPartitionedCall", "in", "v", "fn=f"), op("out", "Identity", "call:1")),
				giving(fn("f", "x a", op("n", "AssignAddVariableOp", "a", "x"), op("r", "ReadVariableOp", "a")), "r:value:0 x")), "",
		},
		{
			"in a branch", library(nodes(op("v", "VarHandleOp"), op("out", "If", "in", "in", "v", "fn=then", "fn=else")),
				giving(fn("then", "x a", op("n", "AssignAddVariableOp", "a", "x"), op("r", "ReadVariableOp", "a")), "r:value:0"), giving(fn("else", "x a"), "x")), "AssignAddVariableOp",
		},
		{
			"in a loop, carried from turn to turn",
			library(nodes(op("v", "VarHandleOp"), op("loop", "While", "in", "in", "v", "fn=cond", "fn=body"), op("out", "Identity", "loop:0")),
				giving(fn("cond", "i s a"), "i"),
				giving(fn("body", "i s a", op("n", "AssignAddVariableOp", "a", "i"), op("r", "ReadVariableOp", "a")), "s r:value:0 a")), "AssignAddVariableOp",
		},
		{
			"in a loop, beside what it gives",
			library(nodes(op("v", "VarHandleOp"), op("loop", "While", "in", "in", "v", "fn=cond", "fn=body"), op("out", "Identity", "loop:0")),
				giving(fn("cond", "i s a"), "i"),
				giving(fn("body", "i s a", op("n", "AssignAddVariableOp", "a", "i"), op("r", "ReadVariableOp", "a")), "i r:value:0 a")), "",
		},
		{
			"it decides how often a loop turns",
			library(nodes(op("v", "VarHandleOp"), op("loop", "While", "in", "in", "v", "fn=cond", "fn=body"), op("out", "Identity", "loop:0")),
				giving(fn("cond", "i s a", op("r", "ReadVariableOp", "a")), "r:value:0"),
				giving(fn("body", "i s a", op("n", "AssignAddVariableOp", "a", "i")), "i s a")), "AssignAddVariableOp",
		},
		{
			"called by its name", library(nodes(op("v", "VariableV2"), op("out", "f", "in", "v")),
				giving(fn("f", "x a", op("n", "AssignAdd", "a", "x")), "n:output_ref:0")), "AssignAdd",
		},
		{
			"in the function that the optimizer may put in another's place",
			func() *pb.MetaGraphDef {
				def := library(nodes(op("v", "VarHandleOp"), op("out", "PartitionedCall", "in", "v", "fn=cpu")), giving(fn("cpu", "x a"), "x"),
					giving(fn("gpu", "x a", op("n", "AssignAddVariableOp", "a", "x"), op("r", "ReadVariableOp", "a")), "r:value:0"))
				for _, f := range def.GraphDef.Library.Function {
					f.Attr = map[string]*attrpb.AttrValue{"api_implements": {Value: &attrpb.AttrValue_S{S: []byte("lstm")}}}
				}
				return def
			}(),
			"AssignAddVariableOp",
		},
		{"a handle out of nowhere", library(nodes(op("v", "Mystery"), assign("v"), op("out", "Identity", "in", "^assign_v"))), "AssignVariableOp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mg := openGraph(t, tt.def)
			got, err := mg.State(mg.Signatures["run"])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Fields(tt.want), append([]string{}, got.Changes...)); diff != "" {
				t.Errorf("State (-want +got):\n%s", diff)
			}
		})
	}
}
