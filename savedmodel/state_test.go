package savedmodel

import (
	"path/filepath"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
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

func TestStateFollowsTensors(t *testing.T) {
	t.Parallel()
	nodes := func(n ...*nodepb.NodeDef) []*nodepb.NodeDef { return n }
	shared := func(n *nodepb.NodeDef, name string) *nodepb.NodeDef {
		n.Attr["shared_name"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(name)}}
		return n
	}
	assign := func(v string) *nodepb.NodeDef { return Op("assign_"+v, "AssignVariableOp", v, "in") }
	for _, tt := range []struct {
		name string
		def  *pb.MetaGraphDef
		want string
	}{
		{"read and assigned", Library(nodes(Op("v", "VarHandleOp"), assign("v"), Op("out", "ReadVariableOp", "v", "^assign_v"))), "AssignVariableOp"},
		{"assigned and not read", Library(nodes(Op("v", "VarHandleOp"), assign("v"), Op("out", "Identity", "in", "^assign_v"))), ""},
		{"read, and assigned by nobody that runs", Library(nodes(Op("v", "VarHandleOp"), assign("v"), Op("out", "ReadVariableOp", "v"))), ""},
		{
			"one assigned, another read",
			Library(nodes(Op("v", "VarHandleOp"), Op("w", "VarHandleOp"), assign("v"), Op("out", "ReadVariableOp", "w", "^assign_v"))), "",
		},
		{
			"what is read is assigned from another that counts",
			Library(nodes(Op("v", "VarHandleOp"), Op("w", "VarHandleOp"), Op("count", "AssignAddVariableOp", "v", "in"), Op("r", "ReadVariableOp", "v", "^count"),
				Op("set", "AssignVariableOp", "w", "r"), Op("out", "ReadVariableOp", "w", "^set"))), "AssignAddVariableOp AssignVariableOp",
		},
		{"a variable of one run", Library(nodes(shared(Op("v", "VarHandleOp"), anonymousName), assign("v"), Op("out", "ReadVariableOp", "v", "^assign_v"))), ""},
		{"a reference", Library(nodes(Op("v", "VariableV2"), Op("out", "AssignAdd", "v", "in"))), "AssignAdd"},
		{"a temporary one", Library(nodes(Op("v", "TemporaryVariable"), Op("a", "AssignAdd", "v", "in"), Op("out", "DestroyTemporaryVariable", "a"))), ""},
		{
			"a temporary one that holds a reference's value",
			Library(nodes(Op("t", "TemporaryVariable"), Op("v", "VariableV2"), Op("n", "AssignAdd", "v", "in"), Op("a", "Assign", "t", "n"),
				Op("out", "DestroyTemporaryVariable", "a"))), "AssignAdd",
		},
		{"a table", Library(nodes(Op("t", "MutableHashTableV2"), Op("i", "LookupTableInsertV2", "t", "in", "in"), Op("out", "LookupTableFindV2", "t", "in", "in", "^i"))), "LookupTableInsertV2"},
		{"a table of one run", Library(nodes(Op("t", "AnonymousMutableHashTable"), Op("i", "LookupTableInsertV2", "t", "in", "in"), Op("out", "LookupTableFindV2", "t", "in", "in", "^i"))), ""},
		{"a queue", Library(nodes(Op("q", "FIFOQueueV2"), Op("e", "QueueEnqueueV2", "q", "in"), Op("out", "QueueDequeueV2", "q", "^e"))), "QueueDequeueV2 QueueEnqueueV2"},
		{"behind what is fed", Library(nodes(Op("q", "FIFOQueueV2"), Op("in", "QueueDequeueV2", "q"), Op("out", "Identity", "in"))), ""},
		{"an iterator that goes on", Library(nodes(Op("it", "OneShotIterator"), Op("out", "IteratorGetNext", "it"))), "IteratorGetNext"},
		{"an iterator of one run", Library(nodes(Op("it", "AnonymousIteratorV3"), Op("m", "MakeIterator", "in", "it"), Op("out", "IteratorGetNext", "it", "^m"))), ""},
		{
			"a data set of one run that reads what is counted",
			Library(nodes(Op("v", "VarHandleOp"), Op("count", "AssignAddVariableOp", "v", "in"), Op("ds", "MapDataset", "in", "v", "fn=f"), Op("it", "AnonymousIteratorV3"),
				Op("m", "MakeIterator", "ds", "it", "^count"), Op("out", "IteratorGetNext", "it", "^m")),
				Returning(Func("f", "x v", Op("r", "ReadVariableOp", "v")), "r:value:0")), "AssignAddVariableOp",
		},
		{
			"in functions, by their arguments",
			Library(nodes(Op("v", "VarHandleOp"), Op("w", "VarHandleOp"), Op("out", "StatefulPartitionedCall", "in", "v", "w", "fn=f")),
				Returning(Func("f", "x a b", Op("n", "AssignAddVariableOp", "a", "x"), Op("r", "ReadVariableOp", "b")), "r:value:0")), "",
		},
		{
			"in functions, the same one",
			Library(nodes(Op("v", "VarHandleOp"), Op("out", "StatefulPartitionedCall", "in", "v", "v", "fn=f")),
				Returning(Func("f", "x a b", Op("n", "AssignAddVariableOp", "a", "x"), Op("r", "ReadVariableOp", "b")), "r:value:0")), "AssignAddVariableOp",
		},
		{
			"another result of the function",
			Library(nodes(Op("v", "VarHandleOp"), Op("call", "StatefulPartitionedCall", "in", "v", "fn=f"), Op("out", "Identity", "call:1")),
				Returning(Func("f", "x a", Op("n", "AssignAddVariableOp", "a", "x"), Op("r", "ReadVariableOp", "a")), "r:value:0 x")), "",
		},
		{
			"in a branch", Library(nodes(Op("v", "VarHandleOp"), Op("out", "If", "in", "in", "v", "fn=then", "fn=else")),
				Returning(Func("then", "x a", Op("n", "AssignAddVariableOp", "a", "x"), Op("r", "ReadVariableOp", "a")), "r:value:0"), Returning(Func("else", "x a"), "x")), "AssignAddVariableOp",
		},
		{
			"in a loop, carried from turn to turn",
			Library(nodes(Op("v", "VarHandleOp"), Op("loop", "While", "in", "in", "v", "fn=cond", "fn=body"), Op("out", "Identity", "loop:0")),
				Returning(Func("cond", "i s a"), "i"),
				Returning(Func("body", "i s a", Op("n", "AssignAddVariableOp", "a", "i"), Op("r", "ReadVariableOp", "a")), "s r:value:0 a")), "AssignAddVariableOp",
		},
		{
			"in a loop, beside what it gives",
			Library(nodes(Op("v", "VarHandleOp"), Op("loop", "While", "in", "in", "v", "fn=cond", "fn=body"), Op("out", "Identity", "loop:0")),
				Returning(Func("cond", "i s a"), "i"),
				Returning(Func("body", "i s a", Op("n", "AssignAddVariableOp", "a", "i"), Op("r", "ReadVariableOp", "a")), "i r:value:0 a")), "",
		},
		{
			"it decides how often a loop turns",
			Library(nodes(Op("v", "VarHandleOp"), Op("loop", "While", "in", "in", "v", "fn=cond", "fn=body"), Op("out", "Identity", "loop:0")),
				Returning(Func("cond", "i s a", Op("r", "ReadVariableOp", "a")), "r:value:0"),
				Returning(Func("body", "i s a", Op("n", "AssignAddVariableOp", "a", "i")), "i s a")), "AssignAddVariableOp",
		},
		{
			"called by its name", Library(nodes(Op("v", "VariableV2"), Op("out", "f", "in", "v")),
				Returning(Func("f", "x a", Op("n", "AssignAdd", "a", "x")), "n:output_ref:0")), "AssignAdd",
		},
		{
			"in the function that the optimizer may put in another's place",
			func() *pb.MetaGraphDef {
				def := Library(nodes(Op("v", "VarHandleOp"), Op("out", "PartitionedCall", "in", "v", "fn=cpu")), Returning(Func("cpu", "x a"), "x"),
					Returning(Func("gpu", "x a", Op("n", "AssignAddVariableOp", "a", "x"), Op("r", "ReadVariableOp", "a")), "r:value:0"))
				for _, f := range def.GraphDef.Library.Function {
					f.Attr = map[string]*attrpb.AttrValue{"api_implements": {Value: &attrpb.AttrValue_S{S: []byte("lstm")}}}
				}
				return def
			}(),
			"AssignAddVariableOp",
		},
		{"a handle out of nowhere", Library(nodes(Op("v", "Mystery"), assign("v"), Op("out", "Identity", "in", "^assign_v"))), "AssignVariableOp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mg := OpenGraph(t, tt.def)
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
