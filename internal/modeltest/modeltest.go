package modeltest

import (
	"archive/zip"
	"encoding/json"
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
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/savedmodel"
	"google.golang.org/protobuf/proto"
)

// Expectation is the part of a test model's expect.json that tests use.
type Expectation struct {
	Name       string                       `json:"name"`
	Kind       string                       `json:"kind"`
	Framework  string                       `json:"framework"`
	TFVersion  string                       `json:"tf_version"`
	TagSets    [][]string                   `json:"tag_sets"`
	Signatures map[string]ExpectedSignature `json:"signatures"`
	Rows       []ExpectedRow                `json:"summary_rows"`
	Totals     *ExpectedTotals              `json:"totals"`
	Connected  bool                         `json:"connected"`
	Load       map[string]ExpectedLoad      `json:"load"`
	SavedWith  string                       `json:"saved_with"`
	ModelName  string                       `json:"model_name"`
	NotInFiles map[string][]string          `json:"not_in_files"`
}

type ExpectedSignature struct {
	Inputs     map[string]ExpectedTensor `json:"inputs"`
	Outputs    map[string]ExpectedTensor `json:"outputs"`
	MethodName string                    `json:"method_name"`
}

type ExpectedTensor struct {
	DType      string           `json:"dtype"`
	Shape      json.RawMessage  `json:"shape"`
	Tensor     string           `json:"tensor"`
	Encoding   string           `json:"encoding"`
	Class      string           `json:"class"`
	Tensors    []string         `json:"tensors"`
	Components []ExpectedTensor `json:"components"`
}

type ExpectedRow struct {
	Name        string          `json:"name"`
	Class       string          `json:"class"`
	OutputShape json.RawMessage `json:"output_shape"`
	Params      int64           `json:"params"`
	ConnectedTo []string        `json:"connected_to"`
	// TrainableParams and Layers, those of a nested model, are nil where they were not recorded.
	TrainableParams *int64        `json:"trainable_params"`
	Layers          []ExpectedRow `json:"layers"`
}

type ExpectedTotals struct {
	Total        int64 `json:"total"`
	Trainable    int64 `json:"trainable"`
	NonTrainable int64 `json:"non_trainable"`
}

type ExpectedLoad struct {
	OK bool `json:"ok"`
}

// Models returns the folder testdata/models of this module. Tests need it, as they run in the
// folders of their packages.
func Models() string {
	root := "."
	for range 10 {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		root = filepath.Join(root, "..")
	}
	return filepath.Join(root, "testdata", "models")
}

// Dir returns the folder of a model of testdata/models.
func Dir(name string) string { return filepath.Join(Models(), name, "model") }

// Case is a folder with model/ and expect.json.
type Case struct {
	Dir  string
	Want Expectation
}

// Cases returns the models in testdata/models and in the folders that TFRUN_MODELS lists, separated
// by commas or as in PATH.
func Cases(tb testing.TB) []Case {
	tb.Helper()
	folders := []string{Models()}
	folders = append(folders, strings.FieldsFunc(os.Getenv("TFRUN_MODELS"), func(r rune) bool { return r == ',' || r == filepath.ListSeparator })...)
	var cases []Case
	for _, folder := range folders {
		for _, pattern := range []string{"*/expect.json", "*/*/expect.json"} {
			files, err := filepath.Glob(filepath.Join(folder, pattern))
			if err != nil {
				tb.Fatal(err)
			}
			for _, file := range files {
				data, err := os.ReadFile(file)
				if err != nil {
					tb.Fatal(err)
				}
				c := Case{Dir: filepath.Dir(file)}
				if err := json.Unmarshal(data, &c.Want); err != nil {
					tb.Fatalf("%s: %v", file, err)
				}
				cases = append(cases, c)
			}
		}
	}
	if len(cases) == 0 {
		tb.Fatal("no models found")
	}
	return cases
}

// Sample returns every eighth of a list in -short mode, in which the race detector runs: it finds
// nothing where one goroutine reads a model. Else it returns all.
func Sample[T any](list []T) []T {
	if !testing.Short() {
		return list
	}
	var few []T
	for i := 0; i < len(list); i += 8 {
		few = append(few, list[i])
	}
	return few
}

func (c Case) Model() string { return filepath.Join(c.Dir, "model") }

// Op makes a node. An input "fn=NAME" is none: it names the function that the node calls.
func Op(name, kind string, inputs ...string) *nodepb.NodeDef {
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

// Text makes a constant string.
func Text(name, value string) *nodepb.NodeDef {
	n := Op(name, "Const")
	n.Attr["value"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Tensor{Tensor: &tensorpb.TensorProto{
		Dtype: typespb.DataType_DT_STRING, StringVal: [][]byte{[]byte(value)},
	}}}
	return n
}

// Func makes a function with the named arguments.
func Func(name, args string, nodes ...*nodepb.NodeDef) *functionpb.FunctionDef {
	def := &functionpb.FunctionDef{Signature: &opdefpb.OpDef{Name: name}, NodeDef: nodes}
	for _, a := range strings.Fields(args) {
		def.Signature.InputArg = append(def.Signature.InputArg, &opdefpb.OpDef_ArgDef{Name: a})
	}
	return def
}

// Library makes a graph with a signature "run" whose output is the node "out" and whose input is
// "in".
func Library(main []*nodepb.NodeDef, functions ...*functionpb.FunctionDef) *pb.MetaGraphDef {
	return &pb.MetaGraphDef{
		MetaInfoDef: &pb.MetaGraphDef_MetaInfoDef{Tags: []string{"serve"}},
		GraphDef:    &graphpb.GraphDef{Node: append(main, Op("in", "Placeholder")), Library: &functionpb.FunctionDefLibrary{Function: functions}},
		SignatureDef: map[string]*pb.SignatureDef{"run": {
			Inputs:  map[string]*pb.TensorInfo{"x": {Encoding: &pb.TensorInfo_Name{Name: "in:0"}}},
			Outputs: map[string]*pb.TensorInfo{"y": {Encoding: &pb.TensorInfo_Name{Name: "out:0"}}},
		}},
		SaverDef: &pb.SaverDef{FilenameTensorName: "saver_filename:0", RestoreOpName: "restore", SaveTensorName: "save:0"},
	}
}

// OpenGraph writes the graph as a SavedModel and opens it.
func OpenGraph(tb testing.TB, def *pb.MetaGraphDef) *savedmodel.MetaGraph {
	tb.Helper()
	data, err := proto.Marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{def}})
	if err != nil {
		tb.Fatal(err)
	}
	return OpenBytes(tb, data).MetaGraphs[0]
}

// OpenBytes opens a SavedModel whose saved_model.pb holds data.
func OpenBytes(tb testing.TB, data []byte) *savedmodel.Model {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "saved_model.pb"), data, 0o600); err != nil {
		tb.Fatal(err)
	}
	m, err := savedmodel.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Const makes a constant.
func Const(name string, t *tensorpb.TensorProto) *nodepb.NodeDef {
	n := Op(name, "Const")
	n.Attr["value"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Tensor{Tensor: t}}
	return n
}

func Shape(dims ...int64) *shapepb.TensorShapeProto {
	s := &shapepb.TensorShapeProto{}
	for _, d := range dims {
		s.Dim = append(s.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	return s
}

// Open opens a model of testdata/models.
func Open(tb testing.TB, name string) *savedmodel.Model {
	tb.Helper()
	m, err := savedmodel.Open(Dir(name))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Returning adds results, the given tensors, to a function.
func Returning(def *functionpb.FunctionDef, tensors string) *functionpb.FunctionDef {
	def.Ret = map[string]string{}
	for i, name := range strings.Fields(tensors) {
		out := "out" + string(rune('0'+i))
		def.Signature.OutputArg = append(def.Signature.OutputArg, &opdefpb.OpDef_ArgDef{Name: out})
		def.Ret[out] = name
	}
	return def
}

// Within fails the test if f takes longer than limit, as it might for a hostile file.
func Within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if d := time.Since(start); d > limit {
		t.Errorf("took %v, want at most %v", d, limit)
	}
}

// Many returns the size of hostile models. Under the race detector, which is ten times slower, it
// is a tenth.
func Many() int {
	if raceEnabled && os.Getenv("TFRUN_MUTATIONS") == "" {
		return 10_000
	}
	return 100_000
}

// Copy copies a test model, so that a test may damage the copy.
func Copy(tb testing.TB, name string) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.CopyFS(dir, os.DirFS(Dir(name))); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// Unzip unpacks an archive into a folder.
func Unzip(tb testing.TB, archive, dir string) {
	tb.Helper()
	z, err := zip.OpenReader(archive)
	if err != nil {
		tb.Fatal(err)
	}
	defer z.Close()
	if err := os.CopyFS(dir, z); err != nil {
		tb.Fatal(err)
	}
}
