package savedmodel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

// line writes a finding in one line, without the names that TensorFlow numbers as it likes.
func line(f Finding) string {
	s := fmt.Sprintf("%s %s %s", f.Severity, f.Kind, f.Op)
	if f.Layer != "" {
		s += " in " + f.Layer
	}
	if len(f.Signatures) > 0 {
		s += " by " + strings.Join(f.Signatures, ",")
	}
	if f.Loading {
		s += " when loading"
	}
	if f.Detail != "" && f.Op != "" {
		s += ": " + f.Detail
	}
	return s
}

// found returns the findings as lines, but not what every model's saver does.
func found(findings []Finding) []string {
	var lines []string
	for _, f := range findings {
		if r := scanRules[f.Op]; f.Severity != Expected || !r.checkpoint {
			lines = append(lines, line(f))
		}
	}
	return lines
}

func TestScanOfTestModels(t *testing.T) {
	t.Parallel()
	// What is not listed here must come out clean.
	want := map[string][]string{
		"mod_file_io": {
			`unsafe reads-files ReadFile by serving_default: a path given by input "path"`,
			`unsafe writes-files WriteFile by write: a path given by input "path"`,
		},
		"mod_file_io_nested": {`unsafe reads-files ReadFile in cond by serving_default: a path given by input "path"`},
		"mod_py_function":    {`unsafe python PyFunc by serving_default`},
		"k2_lambda_layer":    {`unsafe bytecode  in lambda`, `expected lambda  in lambda`},
		"mod_vocab_asset": {
			`expected reads-files InitializeTableFromTextFileV2 in text_file_init when loading: the model's asset "vocab.txt"`,
		},
		"bad_asset_missing": {
			`expected reads-files InitializeTableFromTextFileV2 in text_file_init when loading: the model's asset "labels.txt"`,
		},
		"tf1_main_op": {
			`expected reads-files InitializeTableFromTextFileV2 in text_file_init when loading: the model's asset "labels.txt"`,
		},
		"tf1_legacy_init_op": {
			`expected reads-files InitializeTableFromTextFileV2 in text_file_init when loading: the model's asset "labels.txt"`,
		},
	}
	for _, c := range modelCases(t) {
		t.Run(c.want.Name, func(t *testing.T) {
			t.Parallel()
			m, err := Open(filepath.Join(c.dir, "model"))
			if err != nil {
				t.Skipf("the model is broken: %v", err)
			}
			for _, mg := range m.MetaGraphs {
				findings, err := mg.Scan()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want[c.want.Name], found(findings)); diff != "" && strings.HasPrefix(c.dir, filepath.Join("..", "testdata")) {
					t.Errorf("Scan (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// op makes a node. An input that begins with "fn=" is not one: it names the function that the node
// calls.
func op(name, kind string, inputs ...string) *nodepb.NodeDef {
	n := &nodepb.NodeDef{Name: name, Op: kind, Attr: map[string]*attrpb.AttrValue{}}
	for _, in := range inputs {
		if f, ok := strings.CutPrefix(in, "fn="); ok {
			n.Attr["f"+fmt.Sprint(len(n.Attr))] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: f}}}
			continue
		}
		n.Input = append(n.Input, in)
	}
	return n
}

// text makes a constant string.
func text(name, value string) *nodepb.NodeDef {
	n := op(name, "Const")
	n.Attr["value"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Tensor{Tensor: &tensorpb.TensorProto{
		Dtype: typespb.DataType_DT_STRING, StringVal: [][]byte{[]byte(value)},
	}}}
	return n
}

// fn makes a function with the named arguments.
func fn(name, args string, nodes ...*nodepb.NodeDef) *functionpb.FunctionDef {
	def := &functionpb.FunctionDef{Signature: &opdefpb.OpDef{Name: name}, NodeDef: nodes}
	for _, a := range strings.Fields(args) {
		def.Signature.InputArg = append(def.Signature.InputArg, &opdefpb.OpDef_ArgDef{Name: a})
	}
	return def
}

// library makes a graph with a signature "run" whose output is the node "out" and whose input is
// "in".
func library(main []*nodepb.NodeDef, functions ...*functionpb.FunctionDef) *pb.MetaGraphDef {
	return &pb.MetaGraphDef{
		MetaInfoDef: &pb.MetaGraphDef_MetaInfoDef{Tags: []string{"serve"}},
		GraphDef:    &graphpb.GraphDef{Node: append(main, op("in", "Placeholder")), Library: &functionpb.FunctionDefLibrary{Function: functions}},
		SignatureDef: map[string]*pb.SignatureDef{"run": {
			Inputs:  map[string]*pb.TensorInfo{"x": {Encoding: &pb.TensorInfo_Name{Name: "in:0"}}},
			Outputs: map[string]*pb.TensorInfo{"y": {Encoding: &pb.TensorInfo_Name{Name: "out:0"}}},
		}},
		SaverDef: &pb.SaverDef{FilenameTensorName: "saver_filename:0", RestoreOpName: "restore", SaveTensorName: "save:0"},
	}
}

// openGraph writes the graph as a SavedModel and opens it.
func openGraph(tb testing.TB, def *pb.MetaGraphDef) *MetaGraph {
	tb.Helper()
	data, err := proto.Marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{def}})
	if err != nil {
		tb.Fatal(err)
	}
	return openBytes(tb, data).MetaGraphs[0]
}

// openBytes opens a SavedModel whose saved_model.pb holds data.
func openBytes(tb testing.TB, data []byte) *Model {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "saved_model.pb"), data, 0o600); err != nil {
		tb.Fatal(err)
	}
	m, err := Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestScanFollowsCalls(t *testing.T) {
	t.Parallel()
	nodes := func(n ...*nodepb.NodeDef) []*nodepb.NodeDef { return n }
	withAttr := func(n *nodepb.NodeDef, name, value string) *nodepb.NodeDef {
		n.Attr[name] = &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(value)}}
		return n
	}
	withAsset := func(def *pb.MetaGraphDef, tensor, file string) *pb.MetaGraphDef {
		def.AssetFileDef = append(def.AssetFileDef, &pb.AssetFileDef{
			TensorInfo: &pb.TensorInfo{Encoding: &pb.TensorInfo_Name{Name: tensor}}, Filename: file,
		})
		return def
	}
	tests := []struct {
		name string
		def  *pb.MetaGraphDef
		want []string
	}{
		{"clean", library(nodes(op("out", "Identity", "in"))), nil},
		{
			"a constant path, in a branch of a branch, in a layer's scope",
			library(nodes(op("out", "StatefulPartitionedCall", "in", "fn=serve")),
				fn("serve", "x", text("c", "/etc/passwd"), op("model/lambda/cond", "If", "x", "c:output:0", "fn=then", "fn=else")),
				fn("then", "p", op("again", "StatelessIf", "p", "p", "fn=inner", "fn=else")),
				fn("else", "p"),
				fn("inner", "p", op("i", "Identity", "p"), op("ReadFile", "ReadFile", "i:output:0"))),
			[]string{`unsafe reads-files ReadFile in model/lambda by run: the path "/etc/passwd"`},
		},
		{
			"several paths",
			library(nodes(text("a", "/a"), text("b", "/b"), op("one", "PartitionedCall", "a", "fn=w"), op("two", "PartitionedCall", "b", "fn=w"),
				op("three", "PartitionedCall", "in", "fn=w"), op("out", "Pack", "one", "two", "three")),
				fn("w", "p", op("WriteFile", "WriteFile", "p"))),
			[]string{`unsafe writes-files WriteFile by run: a path given by input "x", the path "/a", the path "/b"`},
		},
		{
			"functions in a list, and one called by its name",
			library(nodes(op("out", "outer", "in")), fn("outer", "x", op("d", "GeneratorDataset", "x", "fn=gen")), fn("gen", "", op("p", "PyFunc"))),
			[]string{`unsafe python PyFunc by run`},
		},
		{
			"by the init op's control input alone",
			func() *pb.MetaGraphDef {
				def := library(nodes(op("out", "Identity", "in"), op("init", "NoOp", "^evil"), op("evil", "StatefulPartitionedCall", "fn=evil")),
					fn("evil", "", text("c", "a\nb"), op("w", "WriteFile", "c:output:0")))
				def.SignatureDef["__saved_model_init_op"] = &pb.SignatureDef{
					Outputs: map[string]*pb.TensorInfo{"__saved_model_init_op": {Encoding: &pb.TensorInfo_Name{Name: "init"}}},
				}
				return def
			}(),
			[]string{`unsafe writes-files WriteFile when loading: the path "a\nb"`},
		},
		{
			"dormant", library(nodes(op("out", "Identity", "in"), op("debug", "RpcClient")), fn("unused", "x", op("r", "ReadFile", "x"))),
			[]string{`dormant network RpcClient`, `dormant reads-files ReadFile`},
		},
		{
			"a checkpoint of its own choice",
			library(nodes(text("c", "/tmp/other"), op("restore", "RestoreV2", "c"), op("saver_filename", "Placeholder"), op("out", "Identity", "in"))),
			[]string{`unsafe reads-files RestoreV2 when loading: the path "/tmp/other"`},
		},
		{
			"restoring in a signature", library(nodes(op("saver_filename", "Placeholder"), op("out", "RestoreV2", "saver_filename"))),
			[]string{`unsafe reads-files RestoreV2 by run: the model's checkpoint`},
		},
		{
			"an asset read by a signature, whose path the loader does not fill in",
			withAsset(library(nodes(text("a", "/etc/passwd"), op("out", "ReadFile", "a"))), "a:0", "vocab.txt"),
			[]string{`unsafe reads-files ReadFile by run: the model's asset "vocab.txt"`},
		},
		{
			"an asset outside", withAsset(library(nodes(text("a", "x"), op("out", "Identity", "in"))), "a:0", "../../etc/passwd"),
			[]string{`unsafe asset-path  when loading`},
		},
		{
			"a variable with an asset's path that something else may change",
			withAsset(library(nodes(op("path", "Placeholder"), op("v", "VarHandleOp"), op("assign", "AssignVariableOp", "v", "path"), op("read", "ReadVariableOp", "v"),
				op("restore", "NoOp", "^table"), op("table", "InitializeTableFromTextFileV2", "in", "read"), op("change", "PartitionedCall", "v", "fn=f"), op("out", "Identity", "in")),
				fn("f", "v")), "path:0", "vocab.txt"),
			[]string{`unsafe reads-files InitializeTableFromTextFileV2 when loading: a path made in the graph`},
		},
		{
			"what looks worse than it is",
			library(nodes(text("empty", ""), op("cache", "CacheDataset", "in", "empty"), withAttr(op("print", "PrintV2", "in"), "output_stream", "stderr"),
				withAttr(op("sample", "FixedUnigramCandidateSampler", "in"), "vocab_file", ""), op("out", "Pack", "cache", "print", "sample"))),
			nil,
		},
		{
			"and its worse forms",
			library(nodes(text("file", "/tmp/c"), op("cache", "CacheDataset", "in", "file"), withAttr(op("print", "PrintV2", "in"), "output_stream", "file:///tmp/p"),
				withAttr(op("sample", "FixedUnigramCandidateSampler", "in"), "vocab_file", "/tmp/v"), op("out", "Pack", "cache", "print", "sample"))),
			[]string{
				`unsafe writes-files CacheDataset by run: the path "/tmp/c"`, `unsafe writes-files PrintV2 by run: the path "file:///tmp/p"`,
				`unsafe reads-files FixedUnigramCandidateSampler by run: the path "/tmp/v"`,
			},
		},
		{
			"an op of another library", library(nodes(op("out", "Addons>Gelu", "in"))), []string{`unsafe native-code Addons>Gelu by run`},
		},
		{
			"in the function that the optimizer may put in another's place",
			func() *pb.MetaGraphDef {
				def := library(nodes(op("out", "PartitionedCall", "in", "fn=cpu")), fn("cpu", "x"), fn("gpu", "x", op("p", "EagerPyFunc", "x")))
				for _, f := range def.GraphDef.Library.Function {
					f.Attr = map[string]*attrpb.AttrValue{"api_implements": {Value: &attrpb.AttrValue_S{S: []byte("lstm")}}}
				}
				return def
			}(),
			[]string{`unsafe python EagerPyFunc by run`},
		},
		{
			"in a function named by an attribute of a function's name",
			func() *pb.MetaGraphDef {
				call := op("out", "PartitionedCall", "in", "fn=outer")
				call.Attr["f0"].GetFunc().Attr = map[string]*attrpb.AttrValue{"g": {Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: "inner"}}}}
				return library(nodes(call), fn("outer", "x"), fn("inner", "x", op("p", "PyFunc", "x")))
			}(),
			[]string{`unsafe python PyFunc by run`},
		},
		{
			"functions that call each other in a circle",
			library(nodes(op("out", "PartitionedCall", "in", "fn=a")),
				fn("a", "x", op("b", "PartitionedCall", "x", "fn=b")), fn("b", "x", op("a", "PartitionedCall", "x", "fn=a"), op("r", "ReadFile", "x"))),
			[]string{"unsafe endless-calls  by run", `unsafe reads-files ReadFile by run: a path given by input "x"`},
		},
		{
			"a circle that nothing reaches", library(nodes(op("out", "Identity", "in")), fn("a", "x", op("a", "PartitionedCall", "x", "fn=a"))),
			[]string{"dormant endless-calls "},
		},
		{
			"a call of a function that does not exist", library(nodes(op("out", "PartitionedCall", "in", "fn=gone"))), nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			findings, err := openGraph(t, tt.def).Scan()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, found(findings)); diff != "" {
				t.Errorf("Scan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindingRunsWith(t *testing.T) {
	t.Parallel()
	unsafe := Finding{Severity: Unsafe, Op: "ReadFile", Signatures: []string{"a"}}
	loading := Finding{Severity: Unsafe, Op: "ReadFile", Loading: true}
	bytecode := Finding{Severity: Unsafe, Kind: Bytecode}
	dormant := Finding{Severity: Dormant, Op: "ReadFile"}
	for _, tt := range []struct {
		f         Finding
		signature string
		want      bool
	}{
		{unsafe, "a", true},
		{unsafe, "b", false},
		{unsafe, "", true},
		{loading, "b", true},
		{loading, "", true},
		{bytecode, "a", false},
		{dormant, "", false},
	} {
		if got := tt.f.RunsWith(tt.signature); got != tt.want {
			t.Errorf("(%+v).RunsWith(%q) = %v, want %v", tt.f, tt.signature, got, tt.want)
		}
	}
}

// TestScanOfDeepCalls holds that neither the depth nor the number of functions makes the scan
// recurse or slow down out of proportion.
func TestScanOfDeepCalls(t *testing.T) {
	t.Parallel()
	depth := many()
	functions := make([]*functionpb.FunctionDef, depth)
	for i := range functions {
		functions[i] = fn(fmt.Sprint("f", i), "x", op("call", "PartitionedCall", "x", fmt.Sprint("fn=f", i+1)))
	}
	functions = append(functions, fn(fmt.Sprint("f", depth), "x", op("r", "ReadFile", "x")))
	mg := openGraph(t, library([]*nodepb.NodeDef{op("out", "PartitionedCall", "in", "fn=f0")}, functions...))
	start := time.Now()
	findings, err := mg.Scan()
	if err != nil {
		t.Fatal(err)
	}
	if len(findings) != 1 || findings[0].Severity != Unsafe {
		t.Errorf("Scan = %+v, want one unsafe ReadFile", findings)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("Scan took %v", d)
	}
}

// FuzzScan holds that no graph, however damaged, makes the scan, or the look for state, panic or
// hang.
func FuzzScan(f *testing.F) {
	def := library([]*nodepb.NodeDef{text("c", "/p"), op("out", "If", "in", "c", "fn=a", "fn=b"), op("v", "VarHandleOp"), op("w", "AssignVariableOp", "v", "c")},
		fn("a", "x", op("b", "PartitionedCall", "x", "fn=b")), fn("b", "x", op("i", "Identity", "x"), op("r", "ReadFile", "i:output:0"), op("a", "b", "x")))
	data, err := proto.Marshal(&pb.SavedModel{MetaGraphs: []*pb.MetaGraphDef{def}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(_ *testing.T, data []byte) {
		m := &Model{Dir: "model", File: "saved_model.pb"}
		m.metadata = func() (kerasMetadata, error) { return nil, nil }
		if m.split(data) != nil {
			return
		}
		for _, mg := range m.MetaGraphs {
			_, _ = mg.Scan() // an error is as good as an answer
			for _, sig := range mg.Signatures {
				_, _ = mg.State(sig)
				_, _ = mg.ExampleFeatures(sig)
			}
		}
	})
}

// FuzzScanMetadata does the same for the config of a layer.
func FuzzScanMetadata(f *testing.F) {
	f.Add("Lambda", `{"name": "l", "function": {"class_name": "__lambda__", "config": {"code": "4w=="}}, "function_type": "lambda"}`)
	f.Add("Sequential", `{"layers": [{"class_name": "Lambda", "config": {"name": "x", "function_type": "lambda"}}, [], 1, null]}`)
	f.Add("Lambda", `[1]`)
	f.Fuzz(func(t *testing.T, class, config string) {
		mg := &MetaGraph{Framework: Keras2, model: &Model{metadata: func() (kerasMetadata, error) {
			return kerasMetadata{0: {ClassName: class, Config: []byte(config)}}, nil
		}}}
		if _, err := mg.scanMetadata(); err != nil {
			t.Error(err)
		}
	})
}
