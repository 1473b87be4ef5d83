//go:build linux && !race

package main

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
)

// graphs are families of graphs, each of as many parts as is asked for: chains, circles, fans, and
// many of one thing that each look at many of another.
var graphs = []struct {
	name string
	make func(n int) *pb.MetaGraphDef
}{
	{"a chain of identities, and operations that read a file at its end", func(n int) *pb.MetaGraphDef {
		main := chain(n, "Identity", "path")
		main = append(main, modeltest.Text("path", "/x"), modeltest.Op("out", "Identity", "in"))
		return modeltest.Library(append(main, many(n, "CacheDataset", "in", last(n))...))
	}},
	{"the same in a function", func(n int) *pb.MetaGraphDef {
		body := append(chain(n, "Identity", "x"), many(n, "CacheDataset", "x", last(n))...)
		return modeltest.Library(mainCalling("f"), modeltest.Returning(modeltest.Func("f", "x", body...), "x"))
	}},
	{"variables in a circle, and operations that read a file whose name is in them", func(n int) *pb.MetaGraphDef {
		main := many(n, "ReadFile", "r0")
		for k := range n {
			main = append(main, modeltest.Op(fmt.Sprint("v", k), "VarHandleOp"), modeltest.Op(fmt.Sprint("r", k), "ReadVariableOp", fmt.Sprint("v", k)),
				modeltest.Op(fmt.Sprint("a", k), "AssignVariableOp", fmt.Sprint("v", k), fmt.Sprint("r", (k+1)%n)))
		}
		return modeltest.Library(append(main, modeltest.Op("out", "Identity", "in")))
	}},
	{"a function with operations that read a file, and calls of it", func(n int) *pb.MetaGraphDef {
		main := append(many(n, "PartitionedCall", "in", "fn=f"), modeltest.Op("out", "Identity", last(n)))
		return modeltest.Library(main, modeltest.Returning(modeltest.Func("f", "x", many(n, "ReadFile", "x")...), "x"))
	}},
	{"one node that names functions", func(n int) *pb.MetaGraphDef {
		out := modeltest.Op("out", "Case", "in", "in")
		list := &attrpb.AttrValue_ListValue{}
		var functions []*functionpb.FunctionDef
		for k := range n {
			list.Func = append(list.Func, &attrpb.NameAttrList{Name: fmt.Sprint("f", k)})
			functions = append(functions, modeltest.Returning(modeltest.Func(fmt.Sprint("f", k), "x"), "x"))
		}
		out.Attr["branches"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: list}}
		return modeltest.Library([]*nodepb.NodeDef{out}, functions...)
	}},
	{"functions that stand in for each other, and calls of each", func(n int) *pb.MetaGraphDef {
		var main []*nodepb.NodeDef
		var functions []*functionpb.FunctionDef
		for k := range n {
			f := modeltest.Returning(modeltest.Func(fmt.Sprint("f", k), "x", modeltest.Op("i", "AssignVariableOp", "x", "x")), "x")
			f.Attr = map[string]*attrpb.AttrValue{"api_implements": {Value: &attrpb.AttrValue_S{S: []byte("a")}}}
			functions = append(functions, f)
			main = append(main, modeltest.Op(fmt.Sprint("n", k), "PartitionedCall", previous(k, "in"), fmt.Sprint("fn=f", k)))
		}
		return modeltest.Library(append(main, modeltest.Op("out", "Identity", last(n))), functions...)
	}},
	{"functions that call the next", func(n int) *pb.MetaGraphDef {
		var functions []*functionpb.FunctionDef
		for k := range n {
			functions = append(functions, modeltest.Returning(modeltest.Func(fmt.Sprint("f", k), "x", modeltest.Op("c", "PartitionedCall", "x", fmt.Sprint("fn=f", k+1)), modeltest.Op("r", "ReadFile", "x")), "c:output:0"))
		}
		return modeltest.Library(mainCalling("f0"), functions...)
	}},
	{"signatures that reach a chain", func(n int) *pb.MetaGraphDef { // a budget ends it
		def := modeltest.Library(append(chain(n, "Identity", "in"), modeltest.Op("out", "ReadFile", last(n))))
		for k := range n / 2 {
			def.SignatureDef[fmt.Sprint("s", k)] = def.SignatureDef["run"]
		}
		return def
	}},
	{"signatures of many inputs, and placeholders", func(n int) *pb.MetaGraphDef {
		def := modeltest.Library(append(many(n, "Placeholder"), modeltest.Op("out", "Identity", "in")))
		for k := range n / 20 {
			s := &pb.SignatureDef{Inputs: map[string]*pb.TensorInfo{}, Outputs: def.SignatureDef["run"].Outputs}
			for i := range 20 {
				s.Inputs[fmt.Sprint("i", i)] = &pb.TensorInfo{Encoding: &pb.TensorInfo_Name{Name: fmt.Sprintf("p%d:0", i)}}
			}
			def.SignatureDef[fmt.Sprint("s", k)] = s
		}
		return def
	}},
	{"operations that nobody knows", func(n int) *pb.MetaGraphDef {
		main := []*nodepb.NodeDef{modeltest.Op("out", "Identity", "in")}
		for k := range n {
			main = append(main, modeltest.Op(fmt.Sprint("n", k), fmt.Sprint("Mine>", k), "in"))
		}
		return modeltest.Library(main)
	}},
	{"assets", func(n int) *pb.MetaGraphDef {
		def := modeltest.Library(append(many(n, "Const"), modeltest.Op("out", "Identity", "in")))
		for k := range n {
			def.AssetFileDef = append(def.AssetFileDef, &pb.AssetFileDef{TensorInfo: &pb.TensorInfo{Encoding: &pb.TensorInfo_Name{Name: fmt.Sprintf("n%d:0", k)}}, Filename: fmt.Sprint("v", k)})
		}
		return def
	}},
	{"assets without a name", func(n int) *pb.MetaGraphDef {
		def := modeltest.Library([]*nodepb.NodeDef{modeltest.Op("out", "Identity", "in")})
		for range n {
			def.AssetFileDef = append(def.AssetFileDef, &pb.AssetFileDef{})
		}
		return def
	}},
	{"a node of many inputs", func(n int) *pb.MetaGraphDef {
		out := modeltest.Op("out", "AddN")
		for range n {
			out.Input = append(out.Input, "in")
		}
		return modeltest.Library([]*nodepb.NodeDef{out})
	}},
	{"a node of inputs that there are not", func(n int) *pb.MetaGraphDef {
		out := modeltest.Op("out", "AddN", "in")
		for range n {
			out.Input = append(out.Input, "")
		}
		return modeltest.Library([]*nodepb.NodeDef{out})
	}},
	{"a node of many attributes, and one that takes it", func(n int) *pb.MetaGraphDef {
		wide := modeltest.Op("wide", "Identity", "in")
		for k := range n {
			wide.Attr[fmt.Sprint(k)] = &attrpb.AttrValue{}
		}
		return modeltest.Library([]*nodepb.NodeDef{wide, modeltest.Op("out", "Identity", "wide")})
	}},
	{"the same in a function, and as attributes of the function", func(n int) *pb.MetaGraphDef {
		wide := modeltest.Op("wide", "Identity", "x")
		f := modeltest.Returning(modeltest.Func("f", "x", wide), "wide:output:0")
		f.Attr = map[string]*attrpb.AttrValue{}
		for k := range n {
			wide.Attr[fmt.Sprint(k)], f.Attr[fmt.Sprint(k)] = &attrpb.AttrValue{}, &attrpb.AttrValue{}
		}
		return modeltest.Library(mainCalling("f"), f)
	}},
	{"a node of many inputs in a function", func(n int) *pb.MetaGraphDef {
		sum := modeltest.Op("n", "ConcatV2")
		for range n {
			sum.Input = append(sum.Input, "x")
		}
		return modeltest.Library(mainCalling("f"), modeltest.Returning(modeltest.Func("f", "x", sum), "n:output:0"))
	}},
	{"nodes that wait for all before them", func(n int) *pb.MetaGraphDef {
		main := many(n, "NoOp", "in")
		out := modeltest.Op("out", "Identity", "in")
		for k := range n {
			out.Input = append(out.Input, fmt.Sprint("^n", k))
		}
		return modeltest.Library(append(main, out))
	}},
	{"names of many scopes", func(n int) *pb.MetaGraphDef {
		body := []*nodepb.NodeDef{}
		at := "x"
		for k := range n {
			name := strings.Repeat("scope/", 40) + fmt.Sprint("n", k)
			body = append(body, modeltest.Op(name, "Relu", at))
			at = name + ":activations:0"
		}
		return modeltest.Library(mainCalling("f"), modeltest.Returning(modeltest.Func("f", "x", body...), at))
	}},
	{"a tower of layers", func(n int) *pb.MetaGraphDef {
		body := []*nodepb.NodeDef{}
		at := "x"
		for k := range n {
			name := fmt.Sprintf("model/dense_%d/Relu", k)
			body = append(body, modeltest.Op(name, "Relu", at))
			at = name + ":activations:0"
		}
		return modeltest.Library(mainCalling("f"), modeltest.Returning(modeltest.Func("f", "x", body...), at))
	}},
	{"sums of all that was before, twice", func(n int) *pb.MetaGraphDef {
		body := []*nodepb.NodeDef{}
		at := "x"
		for k := range n {
			name := fmt.Sprintf("model/add_%d/add", k)
			body = append(body, modeltest.Op(name, "AddV2", at, at))
			at = name + ":z:0"
		}
		return modeltest.Library(mainCalling("f"), modeltest.Returning(modeltest.Func("f", "x", body...), at))
	}},
	{"a loop in each iteration of a loop", func(n int) *pb.MetaGraphDef {
		var functions []*functionpb.FunctionDef
		for k := range n / 100 {
			for _, kind := range []string{"c", "b"} {
				functions = append(functions, modeltest.Returning(modeltest.Func(fmt.Sprint(kind, k), "x", modeltest.Op("w", "While", "x", fmt.Sprint("fn=c", k+1), fmt.Sprint("fn=b", k+1))), "w:output:0"))
			}
		}
		return modeltest.Library([]*nodepb.NodeDef{modeltest.Op("out", "While", "in", "fn=c0", "fn=b0")}, functions...)
	}},
	{"frames of loops in each other", func(n int) *pb.MetaGraphDef {
		main := chain(n, "Enter", "in")
		return modeltest.Library(append(main, modeltest.Op("out", "Exit", last(n))))
	}},
	{"objects in a chain, and one with many children", func(n int) *pb.MetaGraphDef {
		def := modeltest.Library([]*nodepb.NodeDef{modeltest.Op("out", "Identity", "in")})
		def.ObjectGraphDef = &pb.SavedObjectGraph{}
		root := &pb.SavedObject{Kind: &pb.SavedObject_UserObject{UserObject: &pb.SavedUserObject{Identifier: "_tf_keras_network"}}}
		def.ObjectGraphDef.Nodes = append(def.ObjectGraphDef.Nodes, root)
		for k := range n {
			child := &pb.TrackableObjectGraph_TrackableObject_ObjectReference{NodeId: int32(k + 1), LocalName: fmt.Sprint("layer-", k)}
			root.Children = append(root.Children, child)
			o := &pb.SavedObject{Kind: &pb.SavedObject_Variable{Variable: &pb.SavedVariable{Name: fmt.Sprintf("layer_%d/kernel:0", k), Trainable: true}}}
			if k%2 == 0 {
				o = &pb.SavedObject{Kind: root.Kind}
			}
			o.Children = append(o.Children, &pb.TrackableObjectGraph_TrackableObject_ObjectReference{NodeId: int32((k + 1) % n), LocalName: "layer-0"})
			def.ObjectGraphDef.Nodes = append(def.ObjectGraphDef.Nodes, o)
		}
		return def
	}},
}

// chain makes nodes n0, n1, … that each take the one before.
func chain(n int, op, first string) []*nodepb.NodeDef {
	nodes := make([]*nodepb.NodeDef, n)
	for k := range nodes {
		nodes[k] = modeltest.Op(fmt.Sprint("n", k), op, previous(k, first))
	}
	return nodes
}

func previous(k int, first string) string {
	if k == 0 {
		return first
	}
	return fmt.Sprint("n", k-1)
}

// many makes nodes that all take the same; those of a name that a chain has are called otherwise.
func many(n int, op string, inputs ...string) []*nodepb.NodeDef {
	prefix := "n"
	if len(inputs) > 0 && strings.HasPrefix(inputs[len(inputs)-1], "n") {
		prefix = "m"
	}
	nodes := make([]*nodepb.NodeDef, n)
	for k := range nodes {
		nodes[k] = modeltest.Op(fmt.Sprint(prefix, k), op, inputs...)
	}
	return nodes
}

func last(n int) string { return fmt.Sprint("n", n-1) }

// mainCalling is a main graph that calls one function.
func mainCalling(f string) []*nodepb.NodeDef {
	n := modeltest.Op("out", "PartitionedCall", "in")
	n.Attr["f"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: f}}}
	return []*nodepb.NodeDef{n}
}

// TestWalksAreLinear holds that no walk over a model takes much more than four times the time, or
// memory, for four times the model: whatever in it is long, wide, deep or goes round in circles.
func TestWalksAreLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for _, g := range graphs {
		t.Run(g.name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			const n = 2000
			small, large := marshal(t, g.make(n)), marshal(t, g.make(4*n))
			for _, w := range walks {
				t1, b1 := cost(t, small, w.walk)
				t4, b4 := cost(t, large, w.walk)
				t.Logf("%s: %v and %d MB, then %v and %d MB", w.name, t1, b1>>20, t4, b4>>20)
				// A walk that a budget ends is not linear up to there, which takes 2 s.
				if t4 > 8*t1+2*time.Second || b4 > 8*b1+64<<20 {
					t.Errorf("%s: %v and %d MB for %d parts, %v and %d MB for four times as many", w.name, t1, b1>>20, n, t4, b4>>20)
				}
			}
		})
	}
}

func marshal(t *testing.T, def *pb.MetaGraphDef) []byte {
	data, err := proto.Marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{def}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// cost is what a walk takes of the thread's time, and what memory it asks for, freed or not.
func cost(t *testing.T, data []byte, walk func(*savedmodel.Model)) (time.Duration, uint64) {
	var before, after runtime.MemStats
	m, err := savedmodel.FromBytes(t.TempDir(), data)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&before)
	start := modeltest.ThreadTime(t)
	walk(m)
	d := modeltest.ThreadTime(t) - start
	runtime.ReadMemStats(&after)
	return d, after.TotalAlloc - before.TotalAlloc
}
