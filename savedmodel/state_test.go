package savedmodel_test

import (
	"path/filepath"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/google/go-cmp/cmp"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
)

func TestState(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		model, signature string
		want             savedmodel.State
	}{
		{"mod_counter", "", savedmodel.State{Changes: []string{"AssignAddVariableOp"}}},
		{"k2_stateful_rnn", "", savedmodel.State{Changes: []string{"AssignVariableOp"}}},
		{"k3_stateful_rnn", "", savedmodel.State{Changes: []string{"AssignVariableOp"}}},
		// flips by a seed that it counts on
		{"own_k3_image_preproc", "", savedmodel.State{Changes: []string{"AssignVariableOp"}}},
		// draws a seed for an idle dropout
		{"k3_td_lstm", "", savedmodel.State{Unseen: []string{"AssignVariableOp"}}},
		{"mod_random", "", savedmodel.State{Random: []string{"RandomStandardNormal"}}},
		{"mod_vocab_asset", "", savedmodel.State{}},  // its loader fills a variable and a table
		{"mod_lookup_table", "", savedmodel.State{}}, // a mutable table that nobody inserts into
		// the optimizer's assignments are in other functions
		{"k2_compiled", "", savedmodel.State{}},
		{"k2_cnn2d", "", savedmodel.State{}},
		{"own_k3_norms_all", "", savedmodel.State{}}, // so are batch normalization's
		{"tf1_while", "", savedmodel.State{}},
		{"mod_control_flow", "", savedmodel.State{}},
	} {
		m, err := savedmodel.Open(filepath.Join("../testdata/models", test.model, "model"))
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
	assign := func(v string) *nodepb.NodeDef { return modeltest.Op("assign_"+v, "AssignVariableOp", v, "in") }
	for _, tt := range []struct {
		name string
		def  *pb.MetaGraphDef
		want string
	}{
		{"read and assigned", modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), assign("v"), modeltest.Op("out", "ReadVariableOp", "v", "^assign_v"))), "AssignVariableOp"},
		{"assigned and not read", modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), assign("v"), modeltest.Op("out", "Identity", "in", "^assign_v"))), ""},
		{"read, and assigned by nobody that runs", modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), assign("v"), modeltest.Op("out", "ReadVariableOp", "v"))), ""},
		{
			"one assigned, another read",
			modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), modeltest.Op("w", "VarHandleOp"), assign("v"), modeltest.Op("out", "ReadVariableOp", "w", "^assign_v"))), "",
		},
		{
			"what is read is assigned from another that counts",
			modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), modeltest.Op("w", "VarHandleOp"), modeltest.Op("count", "AssignAddVariableOp", "v", "in"), modeltest.Op("r", "ReadVariableOp", "v", "^count"),
				modeltest.Op("set", "AssignVariableOp", "w", "r"), modeltest.Op("out", "ReadVariableOp", "w", "^set"))), "AssignAddVariableOp AssignVariableOp",
		},
		{"a variable of one run", modeltest.Library(nodes(shared(modeltest.Op("v", "VarHandleOp"), savedmodel.AnonymousName), assign("v"), modeltest.Op("out", "ReadVariableOp", "v", "^assign_v"))), ""},
		{"a reference", modeltest.Library(nodes(modeltest.Op("v", "VariableV2"), modeltest.Op("out", "AssignAdd", "v", "in"))), "AssignAdd"},
		{"a temporary one", modeltest.Library(nodes(modeltest.Op("v", "TemporaryVariable"), modeltest.Op("a", "AssignAdd", "v", "in"), modeltest.Op("out", "DestroyTemporaryVariable", "a"))), ""},
		{
			"a temporary one that holds a reference's value",
			modeltest.Library(nodes(modeltest.Op("t", "TemporaryVariable"), modeltest.Op("v", "VariableV2"), modeltest.Op("n", "AssignAdd", "v", "in"), modeltest.Op("a", "Assign", "t", "n"),
				modeltest.Op("out", "DestroyTemporaryVariable", "a"))), "AssignAdd",
		},
		{"a table", modeltest.Library(nodes(modeltest.Op("t", "MutableHashTableV2"), modeltest.Op("i", "LookupTableInsertV2", "t", "in", "in"), modeltest.Op("out", "LookupTableFindV2", "t", "in", "in", "^i"))), "LookupTableInsertV2"},
		{"a table of one run", modeltest.Library(nodes(modeltest.Op("t", "AnonymousMutableHashTable"), modeltest.Op("i", "LookupTableInsertV2", "t", "in", "in"), modeltest.Op("out", "LookupTableFindV2", "t", "in", "in", "^i"))), ""},
		{"a queue", modeltest.Library(nodes(modeltest.Op("q", "FIFOQueueV2"), modeltest.Op("e", "QueueEnqueueV2", "q", "in"), modeltest.Op("out", "QueueDequeueV2", "q", "^e"))), "QueueDequeueV2 QueueEnqueueV2"},
		{"behind what is fed", modeltest.Library(nodes(modeltest.Op("q", "FIFOQueueV2"), modeltest.Op("in", "QueueDequeueV2", "q"), modeltest.Op("out", "Identity", "in"))), ""},
		{"an iterator that goes on", modeltest.Library(nodes(modeltest.Op("it", "OneShotIterator"), modeltest.Op("out", "IteratorGetNext", "it"))), "IteratorGetNext"},
		{"an iterator of one run", modeltest.Library(nodes(modeltest.Op("it", "AnonymousIteratorV3"), modeltest.Op("m", "MakeIterator", "in", "it"), modeltest.Op("out", "IteratorGetNext", "it", "^m"))), ""},
		{
			"a data set of one run that reads what is counted",
			modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), modeltest.Op("count", "AssignAddVariableOp", "v", "in"), modeltest.Op("ds", "MapDataset", "in", "v", "fn=f"), modeltest.Op("it", "AnonymousIteratorV3"),
				modeltest.Op("m", "MakeIterator", "ds", "it", "^count"), modeltest.Op("out", "IteratorGetNext", "it", "^m")),
				modeltest.Returning(modeltest.Func("f", "x v", modeltest.Op("r", "ReadVariableOp", "v")), "r:value:0")), "AssignAddVariableOp",
		},
		{
			"in functions, by their arguments",
			modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), modeltest.Op("w", "VarHandleOp"), modeltest.Op("out", "StatefulPartitionedCall", "in", "v", "w", "fn=f")),
				modeltest.Returning(modeltest.Func("f", "x a b", modeltest.Op("n", "AssignAddVariableOp", "a", "x"), modeltest.Op("r", "ReadVariableOp", "b")), "r:value:0")), "",
		},
		{
			"in functions, the same one",
			modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), modeltest.Op("out", "StatefulPartitionedCall", "in", "v", "v", "fn=f")),
				modeltest.Returning(modeltest.Func("f", "x a b", modeltest.Op("n", "AssignAddVariableOp", "a", "x"), modeltest.Op("r", "ReadVariableOp", "b")), "r:value:0")), "AssignAddVariableOp",
		},
		{
			"another result of the function",
			modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), modeltest.Op("call", "StatefulPartitionedCall", "in", "v", "fn=f"), modeltest.Op("out", "Identity", "call:1")),
				modeltest.Returning(modeltest.Func("f", "x a", modeltest.Op("n", "AssignAddVariableOp", "a", "x"), modeltest.Op("r", "ReadVariableOp", "a")), "r:value:0 x")), "",
		},
		{
			"in a branch", modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), modeltest.Op("out", "If", "in", "in", "v", "fn=then", "fn=else")),
				modeltest.Returning(modeltest.Func("then", "x a", modeltest.Op("n", "AssignAddVariableOp", "a", "x"), modeltest.Op("r", "ReadVariableOp", "a")), "r:value:0"), modeltest.Returning(modeltest.Func("else", "x a"), "x")), "AssignAddVariableOp",
		},
		{
			"in a loop, carried from turn to turn",
			modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), modeltest.Op("loop", "While", "in", "in", "v", "fn=cond", "fn=body"), modeltest.Op("out", "Identity", "loop:0")),
				modeltest.Returning(modeltest.Func("cond", "i s a"), "i"),
				modeltest.Returning(modeltest.Func("body", "i s a", modeltest.Op("n", "AssignAddVariableOp", "a", "i"), modeltest.Op("r", "ReadVariableOp", "a")), "s r:value:0 a")), "AssignAddVariableOp",
		},
		{
			"in a loop, beside what it gives",
			modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), modeltest.Op("loop", "While", "in", "in", "v", "fn=cond", "fn=body"), modeltest.Op("out", "Identity", "loop:0")),
				modeltest.Returning(modeltest.Func("cond", "i s a"), "i"),
				modeltest.Returning(modeltest.Func("body", "i s a", modeltest.Op("n", "AssignAddVariableOp", "a", "i"), modeltest.Op("r", "ReadVariableOp", "a")), "i r:value:0 a")), "",
		},
		{
			"it decides how often a loop turns",
			modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), modeltest.Op("loop", "While", "in", "in", "v", "fn=cond", "fn=body"), modeltest.Op("out", "Identity", "loop:0")),
				modeltest.Returning(modeltest.Func("cond", "i s a", modeltest.Op("r", "ReadVariableOp", "a")), "r:value:0"),
				modeltest.Returning(modeltest.Func("body", "i s a", modeltest.Op("n", "AssignAddVariableOp", "a", "i")), "i s a")), "AssignAddVariableOp",
		},
		{
			"called by its name", modeltest.Library(nodes(modeltest.Op("v", "VariableV2"), modeltest.Op("out", "f", "in", "v")),
				modeltest.Returning(modeltest.Func("f", "x a", modeltest.Op("n", "AssignAdd", "a", "x")), "n:output_ref:0")), "AssignAdd",
		},
		{
			"in the function that the optimizer may put in another's place",
			func() *pb.MetaGraphDef {
				def := modeltest.Library(nodes(modeltest.Op("v", "VarHandleOp"), modeltest.Op("out", "PartitionedCall", "in", "v", "fn=cpu")), modeltest.Returning(modeltest.Func("cpu", "x a"), "x"),
					modeltest.Returning(modeltest.Func("gpu", "x a", modeltest.Op("n", "AssignAddVariableOp", "a", "x"), modeltest.Op("r", "ReadVariableOp", "a")), "r:value:0"))
				for _, f := range def.GraphDef.Library.Function {
					f.Attr = map[string]*attrpb.AttrValue{"api_implements": {Value: &attrpb.AttrValue_S{S: []byte("lstm")}}}
				}
				return def
			}(),
			"AssignAddVariableOp",
		},
		{"a handle out of nowhere", modeltest.Library(nodes(modeltest.Op("v", "Mystery"), assign("v"), modeltest.Op("out", "Identity", "in", "^assign_v"))), "AssignVariableOp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mg := modeltest.OpenGraph(t, tt.def)
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
