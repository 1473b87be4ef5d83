package scan

import (
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/internal/ops"
)

// loading says which tensor is the path of an asset, and which node loading runs.
func loading(def *pb.MetaGraphDef, asset, init string) *pb.MetaGraphDef {
	if asset != "" {
		def.AssetFileDef = append(def.AssetFileDef, &pb.AssetFileDef{TensorInfo: &pb.TensorInfo{Encoding: &pb.TensorInfo_Name{Name: asset}}, Filename: "vocab.txt"})
	}
	if init != "" {
		def.SignatureDef["__saved_model_init_op"] = &pb.SignatureDef{Outputs: map[string]*pb.TensorInfo{"__saved_model_init_op": {Encoding: &pb.TensorInfo_Name{Name: init}}}}
	}
	return def
}

// handle is a handle of the variable of a name.
func handle(name, variable string) *nodepb.NodeDef {
	n := modeltest.Op(name, "VarHandleOp")
	n.Attr["shared_name"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(variable)}}
	return n
}

// TestPaths holds which tensors are the paths of the model's own files, and that nothing that only
// looks like one is.
func TestPaths(t *testing.T) {
	t.Parallel()
	nodes := func(n ...*nodepb.NodeDef) []*nodepb.NodeDef { return append(n, modeltest.Op("out", "Identity", "in")) }
	table := func(path string) *nodepb.NodeDef {
		return modeltest.Op("table", "InitializeTableFromTextFileV2", "in", path)
	}
	const madeInGraph = "unsafe reads-files InitializeTableFromTextFileV2 when loading: a path made in the graph"
	pin := &Pin{Node: "table", Input: 1, Own: ops.Asset, Path: "vocab.txt"}
	for name, c := range map[string]struct {
		def *pb.MetaGraphDef
		pin *Pin // nil: unsafe
		say string
	}{
		"the asset's tensor": {def: loading(modeltest.Library(nodes(modeltest.Text("a", "x"), table("a"))), "a:0", "table"), pin: pin},
		"behind an identity": {def: loading(modeltest.Library(nodes(modeltest.Text("a", "x"), modeltest.Op("i", "Identity", "a"), table("i:0"))), "a", "table"), pin: pin},
		"another output of the asset's node": {
			def: loading(modeltest.Library(nodes(modeltest.Text("a", "/etc/passwd"), modeltest.Text("b", "x"), modeltest.Op("pair", "IdentityN", "a", "b"), table("pair:0"))), "pair:1", "table"),
			say: `unsafe reads-files InitializeTableFromTextFileV2 when loading: the path "/etc/passwd"`,
		},
		"the asset's output of that node": {
			def: loading(modeltest.Library(nodes(modeltest.Text("a", "/etc/passwd"), modeltest.Text("b", "x"), modeltest.Op("pair", "IdentityN", "a", "b"), table("pair:1"))), "pair:1", "table"),
			pin: pin,
		},
		"an asset in a variable": {
			def: loading(modeltest.Library(nodes(modeltest.Op("a", "Placeholder"), handle("v", "v"), modeltest.Op("w", "AssignVariableOp", "v", "a"), modeltest.Op("r", "ReadVariableOp", "v", "^w"), table("r"))), "a:0", "table"),
			pin: pin,
		},
		"an asset in a variable of two names": {
			def: loading(modeltest.Library(nodes(modeltest.Op("a", "Placeholder"), modeltest.Text("b", "/etc/passwd"), handle("v", "v"), handle("v2", "v"), modeltest.Op("w", "AssignVariableOp", "v", "a"),
				modeltest.Op("w2", "AssignVariableOp", "v2", "b"), modeltest.Op("r", "ReadVariableOp", "v", "^w"), table("r"))), "a:0", "table"),
			say: madeInGraph,
		},
		"an asset in a variable that a function has a handle of": {
			def: loading(modeltest.Library(nodes(modeltest.Op("a", "Placeholder"), handle("v", "v"), modeltest.Op("w", "AssignVariableOp", "v", "a"), modeltest.Op("r", "ReadVariableOp", "v", "^w"), table("r")),
				modeltest.Func("f", "x", handle("h", "v"))), "a:0", "table"),
			say: madeInGraph,
		},
		"an asset in a variable that each run makes anew": {
			def: loading(modeltest.Library(nodes(modeltest.Op("a", "Placeholder"), handle("v", "cd2c89b7-88b7-44c8-ad83-06c2a9158347"), modeltest.Op("w", "AssignVariableOp", "v", "a"), modeltest.Op("r", "ReadVariableOp", "v", "^w"), table("r"))), "a:0", "table"),
			say: madeInGraph,
		},
		"the checkpoint's path, where it is not fed": {
			def: loading(modeltest.Library(nodes(modeltest.Text("saver_filename", "/etc/passwd"), modeltest.Op("table", "RestoreV2", "saver_filename"))), "", "table"),
			say: "unsafe reads-files RestoreV2 when loading: the model's checkpoint",
		},
		"the checkpoint's path, where it is": {
			def: modeltest.Library(nodes(modeltest.Op("saver_filename", "Placeholder"), modeltest.Op("restore", "RestoreV2", "saver_filename"))),
			pin: &Pin{Node: "restore", Own: ops.Checkpoint},
		},
		"an asset as a checkpoint": {
			def: loading(modeltest.Library(nodes(modeltest.Text("a", "x"), modeltest.Op("table", "RestoreV2", "a"))), "a", "table"),
			say: `unsafe reads-files RestoreV2 when loading: the model's asset "vocab.txt"`,
		},
		"two assets in one function": {
			def: func() *pb.MetaGraphDef {
				def := loading(modeltest.Library(nodes(modeltest.Text("a", "x"), modeltest.Text("b", "x"), modeltest.Op("one", "PartitionedCall", "a", "fn=f"), modeltest.Op("two", "PartitionedCall", "b", "^one", "fn=f")),
					modeltest.Func("f", "p", modeltest.Op("table", "ReadFile", "p"))), "a", "two")
				def.AssetFileDef = append(def.AssetFileDef, &pb.AssetFileDef{TensorInfo: &pb.TensorInfo{Encoding: &pb.TensorInfo_Name{Name: "b"}}, Filename: "other.txt"})
				return def
			}(),
			say: `unsafe reads-files ReadFile when loading: the model's asset "other.txt", the model's asset "vocab.txt"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Scan(modeltest.OpenGraph(t, c.def))
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, f := range r.Findings {
				if f.Severity != Expected {
					lines = append(lines, line(f))
				}
			}
			if c.pin != nil {
				if diff := cmp.Diff([]Pin{*c.pin}, r.Pins); diff != "" || lines != nil {
					t.Errorf("%v, pins (-want +got):\n%s", lines, diff)
				}
				return
			}
			if diff := cmp.Diff([]string{c.say}, lines); diff != "" || r.Pins != nil {
				t.Errorf("pins %v, findings (-want +got):\n%s", r.Pins, diff)
			}
		})
	}
}

// TestAmbiguous has graphs in which something is not what it seems to be.
func TestAmbiguous(t *testing.T) {
	t.Parallel()
	graph := func(functions ...*functionpb.FunctionDef) *pb.MetaGraphDef {
		return modeltest.Library([]*nodepb.NodeDef{modeltest.Op("out", "PartitionedCall", "in", "fn=f")}, functions...)
	}
	template := modeltest.Func("f", "x")
	template.Signature.Attr = []*opdefpb.OpDef_AttrDef{{Name: "s", Type: "string"}}
	filled := modeltest.Op("p", "PrintV2", "x")
	filled.Attr["output_stream"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Placeholder{Placeholder: "s"}}
	both := modeltest.Text("c", "")
	both.Attr["value"].GetTensor().TensorContent = []byte("\x01x")
	handles := modeltest.Op("c", "ParseTensor", "x")
	handles.Attr["out_type"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_VARIANT}}
	bytes := func(def *pb.MetaGraphDef, more ...byte) []byte {
		data, err := proto.Marshal(def)
		if err != nil {
			t.Fatal(err)
		}
		return protowire.AppendBytes([]byte{0x12}, append(data, more...))
	}
	honest := graph(modeltest.Func("f", "x"))
	newer := proto.CloneOf(honest)
	newer.GraphDef.ProtoReflect().SetUnknown([]byte{0x7a, 0x01, 'x'})
	twice := modeltest.Library([]*nodepb.NodeDef{modeltest.Op("out", "Identity", "in"), modeltest.Op("out", "ReadFile", "in")})
	for name, c := range map[string]struct {
		model []byte
		want  string
	}{
		"an honest one":                           {bytes(honest), ""},
		"a template":                              {bytes(graph(template)), "is a template, whose attributes its callers fill in"},
		"an attribute that is filled in":          {bytes(graph(modeltest.Func("f", "x", filled))), `has an attribute "output_stream" that its caller fills in`},
		"a constant with two values":              {bytes(graph(modeltest.Func("f", "x", both))), `has an attribute "value" that holds its values twice`},
		"handles of bytes":                        {bytes(graph(modeltest.Func("f", "x", handles))), "makes handles of data (out_type)"},
		"a function with an operation's name":     {bytes(graph(modeltest.Func("f", "x"), modeltest.Func("MatMul", "x"))), ""},
		"one that is called":                      {bytes(graph(modeltest.Func("f", "x", modeltest.Op("m", "MatMul", "x")), modeltest.Func("MatMul", "x"))), "has the name of an operation"},
		"two nodes of a name":                     {bytes(twice), "can be read in two ways: out: stands twice"},
		"a second graph_def":                      {bytes(honest, 0x12, 0x00), "can be read in two ways: graph_def: stands twice"},
		"a second library in it":                  {bytes(honest, 0x12, 0x02, 0x12, 0x00), "can be read in two ways: graph_def: stands twice"},
		"a second saver":                          {bytes(honest, 0x1a, 0x00), "can be read in two ways: saver_def: stands twice"},
		"a second signature of a name":            {bytes(honest, 0x2a, 0x05, 0x0a, 0x03, 'r', 'u', 'n'), `can be read in two ways: signature_def["run"]: stands twice`},
		"an asset whose name stands twice":        {bytes(honest, 0x32, 0x06, 0x12, 0x01, 'a', 0x12, 0x01, 'b'), "can be read in two ways: asset_file_def.filename: stands twice"},
		"a field of a later release":              {bytes(honest, 0x7a, 0x01, 'x'), ""},
		"a field of a later release in the graph": {bytes(newer), "can be read in two ways: has a field 15, which tensorflow.GraphDef does not have"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Scan(modeltest.OpenBytes(t, c.model).MetaGraphs[0])
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, f := range r.Findings {
				if f.Kind == Ambiguous && f.Severity == Unsafe {
					got = f.Detail
					if f.Kind.Allowable() || !f.RunsWith("run") {
						t.Errorf("%+v can be allowed, or is not run", f)
					}
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestUnreached has nodes that nothing takes anything of: they are dormant, and reached where
// another has to stand beside them, for then they are part of what TensorFlow is given.
func TestUnreached(t *testing.T) {
	t.Parallel()
	both := modeltest.Text("odd", "")
	both.Attr["value"].GetTensor().TensorContent = []byte("\x01x")
	beside := modeltest.Op("out", "Identity", "in")
	beside.Attr["_class"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{S: [][]byte{[]byte("loc:@odd")}}}}
	read := modeltest.Op("odd", "ReadFile", "in")
	for name, c := range map[string]struct {
		out, odd *nodepb.NodeDef
		want     Severity
	}{
		"a constant with two values":            {modeltest.Op("out", "Identity", "in"), both, Dormant},
		"the same, beside an output":            {beside, both, Unsafe},
		"an operation that reads":               {modeltest.Op("out", "Identity", "in"), read, Dormant},
		"an operation that reads, at an output": {beside, read, Unsafe},
	} {
		r, err := Scan(modeltest.OpenGraph(t, modeltest.Library([]*nodepb.NodeDef{c.out, c.odd})))
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) != 1 || r.Findings[0].Severity != c.want || r.Findings[0].RunsWith("run") != (c.want == Unsafe) {
			t.Errorf("%s: Scan = %+v, want one finding, %s", name, r.Findings, c.want)
		}
	}
}

// TestGradients holds that a gradient runs with its function, and that tags are a set.
func TestGradients(t *testing.T) {
	t.Parallel()
	def := modeltest.Library([]*nodepb.NodeDef{modeltest.Op("out", "SymbolicGradient", "in", "fn=f")},
		modeltest.Func("f", "x"), modeltest.Func("g", "x", modeltest.Op("w", "WriteFile", "x", "x")))
	def.GraphDef.Library.Gradient = []*functionpb.GradientDef{{FunctionName: "f", GradientFunc: "g"}}
	def.MetaInfoDef.Tags = []string{"serve", "serve"}
	mg := modeltest.OpenGraph(t, def)
	r, err := Scan(mg)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 1 || !r.Findings[0].RunsWith("run") {
		t.Errorf("Scan = %+v, want an unsafe WriteFile", r.Findings)
	}
	if strings.Join(mg.Tags, " ") != "serve" {
		t.Errorf("the tags are %q", mg.Tags)
	}
}
