package scan

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/google/go-cmp/cmp"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
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
		if f.Severity != Expected || !ofSaver[f.Op] {
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
		"mod_file_io_nested":    {`unsafe reads-files ReadFile in cond by serving_default: a path given by input "path"`},
		"bad_metadata_bad_json": {`unsafe odd-metadata `},
		"bad_metadata_garbage":  {`unsafe odd-metadata `},
		"mod_py_function":       {`unsafe python PyFunc by serving_default: runs a function of the Python that made the graph`},
		"k2_lambda_layer":       {`unsafe bytecode  in lambda`, `expected lambda  in lambda`},
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
	for _, c := range modeltest.Cases(t) {
		t.Run(c.Want.Name, func(t *testing.T) {
			t.Parallel()
			m, err := savedmodel.Open(filepath.Join(c.Dir, "model"))
			if err != nil {
				t.Skipf("the model is broken: %v", err)
			}
			for _, mg := range m.MetaGraphs {
				result, err := Scan(mg)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want[c.Want.Name], found(result.Findings)); diff != "" && strings.HasPrefix(c.Dir, modeltest.Models()) {
					t.Errorf("Scan (-want +got):\n%s", diff)
				}
			}
		})
	}
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
		{"clean", modeltest.Library(nodes(modeltest.Op("out", "Identity", "in"))), nil},
		{
			"a constant path, in a branch of a branch, in a layer's scope",
			modeltest.Library(nodes(modeltest.Op("out", "StatefulPartitionedCall", "in", "fn=serve")),
				modeltest.Func("serve", "x", modeltest.Text("c", "/etc/passwd"), modeltest.Op("model/lambda/cond", "If", "x", "c:output:0", "fn=then", "fn=else")),
				modeltest.Func("then", "p", modeltest.Op("again", "StatelessIf", "p", "p", "fn=inner", "fn=else")),
				modeltest.Func("else", "p"),
				modeltest.Func("inner", "p", modeltest.Op("i", "Identity", "p"), modeltest.Op("ReadFile", "ReadFile", "i:output:0"))),
			[]string{`unsafe reads-files ReadFile in model/lambda by run: the path "/etc/passwd"`},
		},
		{
			"several paths",
			modeltest.Library(nodes(modeltest.Text("a", "/a"), modeltest.Text("b", "/b"), modeltest.Op("one", "PartitionedCall", "a", "fn=w"), modeltest.Op("two", "PartitionedCall", "b", "fn=w"),
				modeltest.Op("three", "PartitionedCall", "in", "fn=w"), modeltest.Op("out", "Pack", "one", "two", "three")),
				modeltest.Func("w", "p", modeltest.Op("WriteFile", "WriteFile", "p"))),
			[]string{`unsafe writes-files WriteFile by run: a path given by input "x", the path "/a", the path "/b"`},
		},
		{
			"functions in a list, and one called by its name",
			modeltest.Library(nodes(modeltest.Op("out", "outer", "in")), modeltest.Func("outer", "x", modeltest.Op("d", "GeneratorDataset", "x", "fn=gen")), modeltest.Func("gen", "", modeltest.Op("p", "PyFunc"))),
			[]string{`unsafe python PyFunc by run: runs a function of the Python that made the graph`},
		},
		{
			"by the init op's control input alone",
			func() *pb.MetaGraphDef {
				def := modeltest.Library(nodes(modeltest.Op("out", "Identity", "in"), modeltest.Op("init", "NoOp", "^evil"), modeltest.Op("evil", "StatefulPartitionedCall", "fn=evil")),
					modeltest.Func("evil", "", modeltest.Text("c", "a\nb"), modeltest.Op("w", "WriteFile", "c:output:0")))
				def.SignatureDef["__saved_model_init_op"] = &pb.SignatureDef{
					Outputs: map[string]*pb.TensorInfo{"__saved_model_init_op": {Encoding: &pb.TensorInfo_Name{Name: "init"}}},
				}
				return def
			}(),
			[]string{`unsafe writes-files WriteFile when loading: the path "a\nb"`},
		},
		{
			"dormant", modeltest.Library(nodes(modeltest.Op("out", "Identity", "in"), modeltest.Op("debug", "RpcClient")), modeltest.Func("unused", "x", modeltest.Op("r", "ReadFile", "x"))),
			[]string{`dormant network RpcClient: talks to another process at an address`, `dormant reads-files ReadFile: gives the bytes of the file that input 0 names`},
		},
		{
			"a checkpoint of its own choice",
			modeltest.Library(nodes(modeltest.Text("c", "/tmp/other"), modeltest.Op("restore", "RestoreV2", "c"), modeltest.Op("saver_filename", "Placeholder"), modeltest.Op("out", "Identity", "in"))),
			[]string{`unsafe reads-files RestoreV2 when loading: the path "/tmp/other"`},
		},
		{
			"restoring in a signature", modeltest.Library(nodes(modeltest.Op("saver_filename", "Placeholder"), modeltest.Op("out", "RestoreV2", "saver_filename"))),
			[]string{`unsafe reads-files RestoreV2 by run: the model's checkpoint`},
		},
		{
			"an asset read by a signature, whose path the loader does not fill in",
			withAsset(modeltest.Library(nodes(modeltest.Text("a", "/etc/passwd"), modeltest.Op("out", "ReadFile", "a"))), "a:0", "vocab.txt"),
			[]string{`unsafe reads-files ReadFile by run: the model's asset "vocab.txt"`},
		},
		{
			"an asset outside", withAsset(modeltest.Library(nodes(modeltest.Text("a", "x"), modeltest.Op("out", "Identity", "in"))), "a:0", "../../etc/passwd"),
			[]string{`unsafe asset-path  when loading`},
		},
		{
			"a variable with an asset's path that something else may change",
			withAsset(modeltest.Library(nodes(modeltest.Op("path", "Placeholder"), modeltest.Op("v", "VarHandleOp"), modeltest.Op("assign", "AssignVariableOp", "v", "path"), modeltest.Op("read", "ReadVariableOp", "v"),
				modeltest.Op("restore", "NoOp", "^table"), modeltest.Op("table", "InitializeTableFromTextFileV2", "in", "read"), modeltest.Op("change", "PartitionedCall", "v", "fn=f"), modeltest.Op("out", "Identity", "in")),
				modeltest.Func("f", "v")), "path:0", "vocab.txt"),
			[]string{`unsafe reads-files InitializeTableFromTextFileV2 when loading: a path made in the graph`},
		},
		{
			"what looks worse than it is",
			modeltest.Library(nodes(modeltest.Text("empty", ""), modeltest.Op("cache", "CacheDataset", "in", "empty"), withAttr(modeltest.Op("print", "PrintV2", "in"), "output_stream", "stderr"),
				withAttr(modeltest.Op("sample", "FixedUnigramCandidateSampler", "in"), "vocab_file", ""), modeltest.Op("out", "Pack", "cache", "print", "sample"))),
			nil,
		},
		{
			"and its worse forms",
			modeltest.Library(nodes(modeltest.Text("file", "/tmp/c"), modeltest.Op("cache", "CacheDataset", "in", "file"), withAttr(modeltest.Op("print", "PrintV2", "in"), "output_stream", "file:///tmp/p"),
				withAttr(modeltest.Op("sample", "FixedUnigramCandidateSampler", "in"), "vocab_file", "/tmp/v"), modeltest.Op("out", "Pack", "cache", "print", "sample"))),
			[]string{
				`unsafe writes-files CacheDataset by run: the path "/tmp/c"`, `unsafe writes-files PrintV2 by run: the path "file:///tmp/p"`,
				`unsafe reads-files FixedUnigramCandidateSampler by run: the path "/tmp/v"`,
			},
		},
		{
			"an op of another library", modeltest.Library(nodes(modeltest.Op("out", "Addons>Gelu", "in"))), []string{`unsafe unknown-op Addons>Gelu by run: custom operation, of no TensorFlow from 2.15 to 2.21, probably of TensorFlow Addons (pip install tensorflow-addons): needs --op-library`},
		},
		{
			"in the function that the optimizer may put in another's place",
			func() *pb.MetaGraphDef {
				def := modeltest.Library(nodes(modeltest.Op("out", "PartitionedCall", "in", "fn=cpu")), modeltest.Func("cpu", "x"), modeltest.Func("gpu", "x", modeltest.Op("p", "EagerPyFunc", "x")))
				for _, f := range def.GraphDef.Library.Function {
					f.Attr = map[string]*attrpb.AttrValue{"api_implements": {Value: &attrpb.AttrValue_S{S: []byte("lstm")}}}
				}
				return def
			}(),
			[]string{`unsafe python EagerPyFunc by run: runs a function of the Python that made the graph`},
		},
		{
			"in a function named by an attribute of a function's name",
			func() *pb.MetaGraphDef {
				call := modeltest.Op("out", "PartitionedCall", "in", "fn=outer")
				call.Attr["f0"].GetFunc().Attr = map[string]*attrpb.AttrValue{"g": {Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: "inner"}}}}
				return modeltest.Library(nodes(call), modeltest.Func("outer", "x"), modeltest.Func("inner", "x", modeltest.Op("p", "PyFunc", "x")))
			}(),
			[]string{`unsafe python PyFunc by run: runs a function of the Python that made the graph`},
		},
		{
			"functions that call each other in a circle",
			modeltest.Library(nodes(modeltest.Op("out", "PartitionedCall", "in", "fn=a")),
				modeltest.Func("a", "x", modeltest.Op("b", "PartitionedCall", "x", "fn=b")), modeltest.Func("b", "x", modeltest.Op("a", "PartitionedCall", "x", "fn=a"), modeltest.Op("r", "ReadFile", "x"))),
			[]string{"unsafe endless-calls  by run", `unsafe reads-files ReadFile by run: a path given by input "x"`},
		},
		{
			"a circle that nothing reaches", modeltest.Library(nodes(modeltest.Op("out", "Identity", "in")), modeltest.Func("a", "x", modeltest.Op("a", "PartitionedCall", "x", "fn=a"))),
			[]string{"dormant endless-calls "},
		},
		{
			"a call of a function that does not exist", modeltest.Library(nodes(modeltest.Op("out", "PartitionedCall", "in", "fn=gone"))), nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			result, err := Scan(modeltest.OpenGraph(t, tt.def))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, found(result.Findings)); diff != "" {
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
	depth := modeltest.Many()
	functions := make([]*functionpb.FunctionDef, depth)
	for i := range functions {
		functions[i] = modeltest.Func(fmt.Sprint("f", i), "x", modeltest.Op("call", "PartitionedCall", "x", fmt.Sprint("fn=f", i+1)))
	}
	functions = append(functions, modeltest.Func(fmt.Sprint("f", depth), "x", modeltest.Op("r", "ReadFile", "x")))
	mg := modeltest.OpenGraph(t, modeltest.Library([]*nodepb.NodeDef{modeltest.Op("out", "PartitionedCall", "in", "fn=f0")}, functions...))
	start := time.Now()
	result, err := Scan(mg)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []FindingKind
	for _, f := range result.Findings[:min(2, len(result.Findings))] {
		kinds = append(kinds, f.Kind)
	}
	if len(result.Findings) != 2 || !slices.Contains(kinds, ReadsFiles) || !slices.Contains(kinds, EndlessCalls) {
		t.Errorf("%d findings, of kinds %v, …, want a ReadFile, and calls that nest too deep", len(result.Findings), kinds)
	}
	if d := time.Since(start); d > 3*time.Minute { // out of proportion on any machine
		t.Errorf("Scan took %v", d)
	}
}

// FuzzScan holds that no graph, however damaged, makes the scan, or the look for state, panic or
// hang.
func FuzzScan(f *testing.F) {
	def := modeltest.Library([]*nodepb.NodeDef{modeltest.Text("c", "/p"), modeltest.Op("out", "If", "in", "c", "fn=a", "fn=b"), modeltest.Op("v", "VarHandleOp"), modeltest.Op("w", "AssignVariableOp", "v", "c")},
		modeltest.Func("a", "x", modeltest.Op("b", "PartitionedCall", "x", "fn=b")), modeltest.Func("b", "x", modeltest.Op("i", "Identity", "x"), modeltest.Op("r", "ReadFile", "i:output:0"), modeltest.Op("a", "b", "x")))
	data, err := proto.Marshal(&pb.SavedModel{MetaGraphs: []*pb.MetaGraphDef{def}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(_ *testing.T, data []byte) {
		m, err := savedmodel.FromBytes("model", data)
		if err != nil {
			return
		}
		for _, mg := range m.MetaGraphs {
			_, _ = Scan(mg) // an error is as good as an answer
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
	f.Fuzz(func(_ *testing.T, class, config string) {
		scanMetadata(savedmodel.KerasMetadata{0: {ClassName: class, Config: []byte(config)}})
	})
}
