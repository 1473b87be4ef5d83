package rewrite

import (
	"slices"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"google.golang.org/protobuf/proto"
)

// graphReduced returns what is left of a model's graph when its default signature is to run.
func graphReduced(t *testing.T, mg *savedmodel.MetaGraph, r Reduction) *graphpb.GraphDef {
	t.Helper()
	r.Signatures = []string{savedmodel.DefaultSignature}
	data, err := Reduced(mg, r)
	if err != nil {
		t.Fatal(err)
	}
	return graphOf(t, modeltest.OpenBytes(t, data).MetaGraphs[0])
}

func graphOf(t *testing.T, mg *savedmodel.MetaGraph) *graphpb.GraphDef {
	t.Helper()
	g := &graphpb.GraphDef{}
	if err := proto.Unmarshal(mg.Graph().Raw(), g); err != nil {
		t.Fatal(err)
	}
	return g
}

// changedGraph is a model's graph with a change made to it.
func changedGraph(t *testing.T, model string, change func(g *graphpb.GraphDef)) *savedmodel.MetaGraph {
	t.Helper()
	m, err := savedmodel.Open("../../testdata/models/" + model + "/model")
	if err != nil {
		t.Fatal(err)
	}
	def, err := m.MetaGraphs[0].Proto()
	if err != nil {
		t.Fatal(err)
	}
	change(def.GraphDef)
	return modeltest.OpenGraph(t, def)
}

// countOps counts operations of some types in the functions of a graph, those of its loops apart.
func countOps(g *graphpb.GraphDef, ops ...string) (outside, inLoops int) {
	bodies := map[string]bool{}
	for _, f := range g.GetLibrary().GetFunction() {
		for _, n := range f.GetNodeDef() {
			bodies[n.GetAttr()["body"].GetFunc().GetName()] = true
		}
	}
	for _, f := range g.GetLibrary().GetFunction() {
		for _, n := range f.GetNodeDef() {
			switch {
			case !slices.Contains(ops, n.GetOp()):
			case bodies[f.GetSignature().GetName()]:
				inLoops++
			default:
				outside++
			}
		}
	}
	return outside, inLoops
}

// The loops of recurrent layers over an embedding look up products: one multiplication in each is
// gone, and its weights are in a table. That the answers are the same is tested in runner, on every
// model.
func TestLookups(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		model         string
		tables        int // those of numbers included
		before, after int // multiplications in loops
		rows          int // lookups of rows that are left
	}{
		{"full_seed/k2", 3, 4, 2, 0},
		{"full_seed/k3", 3, 4, 2, 0},
		{"k2_stacked", 3, 8, 6, 0},
		{"k3_gru", 2, 2, 1, 0},
		{"k3_masked", 3, 4, 2, 0},
		{"own_k3_siamese_shared_layers", 2, 4, 2, 0}, // both towers take the same table
		// two embeddings as long as each other: one table of numbers
		{"k3_seq2seq", 3, 4, 2, 0},
	} {
		m, err := savedmodel.Open("../../testdata/models/" + test.model + "/model")
		if err != nil {
			t.Fatal(err)
		}
		mg := m.MetaGraphs[0]
		_, before := countOps(graphReduced(t, mg, Reduction{CPUOnly: true}), "MatMul")
		g := graphReduced(t, mg, Reduction{CPUOnly: true, Lookups: true})
		_, after := countOps(g, "MatMul")
		rows, _ := countOps(g, "ResourceGather")
		tables, filled := 0, 0
		for _, n := range g.GetNode() {
			if !strings.HasPrefix(n.GetName(), tableScope) {
				continue
			}
			switch n.GetOp() {
			case "VarHandleOp":
				tables++
			case "AssignVariableOp":
				filled++
			}
		}
		if before != test.before || after != test.after || tables != test.tables || filled != tables || rows != test.rows {
			t.Errorf("%s: %d multiplications in loops, then %d; %d tables, %d filled; %d lookups of rows", test.model, before, after, tables, filled, rows)
		}
	}
}

// Models without a loop over looked-up rows, and those that change variables, are left as they are.
func TestNoLookups(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"k3_cnn1d", "k3_td_lstm", "k2_stateful_rnn", "mod_control_flow", "tf1_while"} {
		m, err := savedmodel.Open("../../testdata/models/" + model + "/model")
		if err != nil {
			t.Fatal(err)
		}
		if has, err := HasLookups(m.MetaGraphs[0]); err != nil || has {
			t.Errorf("%s has lookups: %v, %v", model, has, err)
		}
	}
}

// The graph that was opened is left as it is, and what is made of it is made once.
func TestLookupsApart(t *testing.T) {
	t.Parallel()
	m, err := savedmodel.Open("../../testdata/models/k3_seed/model")
	if err != nil {
		t.Fatal(err)
	}
	mg := m.MetaGraphs[0]
	before, err := Pruned(mg)
	if err != nil {
		t.Fatal(err)
	}
	one, err := Reduced(mg, Reduction{Lookups: true})
	if err != nil {
		t.Fatal(err)
	}
	two, err := Reduced(mg, Reduction{Lookups: true})
	if err != nil || !slices.Equal(one, two) {
		t.Errorf("two reductions differ, %v", err)
	}
	after, err := Pruned(mg)
	if err != nil || !slices.Equal(before, after) || slices.Equal(before, one) {
		t.Errorf("the graph has changed, %v", err)
	}
}

// eachNode calls f with the nodes of all functions.
func eachNode(g *graphpb.GraphDef, f func(fn *functionpb.FunctionDef, n *nodepb.NodeDef)) {
	for _, fn := range g.GetLibrary().GetFunction() {
		for _, n := range slices.Clone(fn.GetNodeDef()) {
			f(fn, n)
		}
	}
}

// Where a loop does anything else with its rows than multiply them with weights that stay the same,
// where rows are not moved whole, or where the values of variables are not known when the model is
// loaded, nothing is changed.
func TestLookupsNotTaken(t *testing.T) {
	t.Parallel()
	setInts := func(g *graphpb.GraphDef, part string, values ...int32) {
		eachNode(g, func(_ *functionpb.FunctionDef, n *nodepb.NodeDef) {
			if strings.HasSuffix(n.GetName(), part) && n.GetOp() == "Const" {
				n.Attr["value"] = constNode("", []int64{int64(len(values))}, values).Attr["value"]
			}
		})
	}
	variables := func(g *graphpb.GraphDef, f func(n *nodepb.NodeDef)) {
		for _, n := range g.GetNode() {
			if n.GetOp() == "VarHandleOp" && strings.Contains(n.GetName(), "embeddings") {
				f(n)
			}
		}
	}
	sized := func(axis int, size int64) func(*graphpb.GraphDef) {
		return func(g *graphpb.GraphDef) {
			variables(g, func(n *nodepb.NodeDef) { n.Attr["shape"].GetShape().Dim[axis].Size = size })
		}
	}
	for name, change := range map[string]func(g *graphpb.GraphDef){
		"rows are cut": func(g *graphpb.GraphDef) { setInts(g, "transpose/perm", 1, 2, 0) },
		"rows are taken by something else, too": func(g *graphpb.GraphDef) {
			eachNode(g, func(fn *functionpb.FunctionDef, n *nodepb.NodeDef) {
				if n.GetOp() == "TensorListGetItem" {
					fn.NodeDef = append(fn.NodeDef, &nodepb.NodeDef{
						Name: "also", Op: "Exp", Input: []string{n.GetName() + ":item:0"}, Attr: map[string]*attrpb.AttrValue{"T": typeAttr(typespb.DataType_DT_FLOAT)},
					})
					fn.ControlRet = map[string]string{"also": "also"}
				}
			})
		},
		"weights are another value in each step": func(g *graphpb.GraphDef) {
			eachNode(g, func(fn *functionpb.FunctionDef, n *nodepb.NodeDef) {
				if n.GetOp() == "MatMul" && strings.Contains(n.GetInput()[0], "TensorListGetItem") {
					n.Input[1] = fn.GetSignature().GetInputArg()[4].GetName()
				}
			})
		},
		"rows are turned round inside": func(g *graphpb.GraphDef) {
			eachNode(g, func(_ *functionpb.FunctionDef, n *nodepb.NodeDef) {
				if n.GetOp() == "MatMul" {
					n.Attr["transpose_a"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: true}}
				}
			})
		},
		"rows of another type": func(g *graphpb.GraphDef) {
			variables(g, func(n *nodepb.NodeDef) { n.Attr["dtype"] = typeAttr(typespb.DataType_DT_HALF) })
		},
		"a table of unknown size": sized(0, -1),
		"a table too large":       sized(0, 1<<21),
		"another width":           sized(1, 9),
		"numbers of a byte": func(g *graphpb.GraphDef) {
			eachNode(g, func(_ *functionpb.FunctionDef, n *nodepb.NodeDef) {
				if n.GetAttr()["Tindices"] != nil {
					n.Attr["Tindices"] = typeAttr(typespb.DataType_DT_INT16)
				}
			})
		},
		"variables that no file fills": func(g *graphpb.GraphDef) {
			for _, n := range g.GetNode() {
				if strings.Contains(n.GetAttr()["f"].GetFunc().GetName(), "restore") {
					n.Input = n.Input[:1]
				}
			}
		},
		"a signature that changes variables": func(g *graphpb.GraphDef) {
			eachNode(g, func(fn *functionpb.FunctionDef, n *nodepb.NodeDef) {
				if n.GetOp() == "ReadVariableOp" && strings.HasSuffix(n.GetName(), "Cast/ReadVariableOp") && !strings.Contains(n.GetName(), "while") {
					fn.NodeDef = append(fn.NodeDef, &nodepb.NodeDef{
						Name: "learn" + n.GetName(), Op: "AssignAddVariableOp", Input: []string{n.GetInput()[0], n.GetName() + ":value:0"},
						Attr: map[string]*attrpb.AttrValue{"dtype": typeAttr(typespb.DataType_DT_FLOAT)},
					})
					n.Input = append(n.Input, "^learn"+n.GetName())
				}
			})
		},
		"no operation for the loader": func(g *graphpb.GraphDef) {
			g.Node = slices.DeleteFunc(g.Node, func(n *nodepb.NodeDef) bool { return n.GetName() == "NoOp" })
		},
	} {
		mg := changedGraph(t, "k3_seed", change)
		if has, err := HasLookups(mg); err != nil || has {
			t.Errorf("%s: %v, %v", name, has, err)
		}
	}
	for name, change := range map[string]func(g *graphpb.GraphDef){
		"nothing":               func(*graphpb.GraphDef) {},
		"a table that has room": sized(0, 1<<16),
		"turned round twice":    func(g *graphpb.GraphDef) { setInts(g, "ReverseV2/axis", 0, 1) },
	} {
		mg := changedGraph(t, "k3_seed", change)
		if has, err := HasLookups(mg); err != nil || !has {
			t.Errorf("%s: %v, %v", name, has, err)
		}
	}
}

// Both directions of a layer are compiled as one program, and its length is padded to few sizes, as
// nothing but numbers is padded.
func TestLookupsCompiled(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"full_seed/k2", "full_seed/k3"} {
		marked, _ := compiledFunctions(t, model, Reduction{CPUOnly: true, Lengths: true, Lookups: true})
		if len(marked) != 1 {
			t.Errorf("%s: %d programs", model, len(marked))
		}
		m, err := savedmodel.Open("../../testdata/models/" + model + "/model")
		if err != nil {
			t.Fatal(err)
		}
		mg := m.MetaGraphs[0]
		c, err := CompilationOf(mg, mg.Signatures[savedmodel.DefaultSignature], Reduction{CPUOnly: true, Lengths: true, Lookups: true})
		if err != nil || c.Loops != 2 || c.Size(300) != 4096 || slices.Contains(c.Ops, "GatherV2") || slices.Contains(c.Ops, "ResourceGather") {
			t.Errorf("%s: %+v, %v", model, c, err)
		}
	}
}
