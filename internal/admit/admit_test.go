package admit

import (
	"errors"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/ops"
)

// node makes a node whose attributes are text, types, tensors, functions, or "$name" for one that
// the caller fills in.
func node(name, op string, inputs []string, attrs map[string]any) *nodepb.NodeDef {
	n := &nodepb.NodeDef{Name: name, Op: op, Input: inputs, Attr: map[string]*attrpb.AttrValue{}}
	for k, v := range attrs {
		a := &attrpb.AttrValue{}
		switch v := v.(type) {
		case string:
			if name, ok := strings.CutPrefix(v, "$"); ok {
				a.Value = &attrpb.AttrValue_Placeholder{Placeholder: name}
			} else {
				a.Value = &attrpb.AttrValue_S{S: []byte(v)}
			}
		case bool:
			a.Value = &attrpb.AttrValue_B{B: v}
		case typespb.DataType:
			a.Value = &attrpb.AttrValue_Type{Type: v}
		case []typespb.DataType:
			a.Value = &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{Type: v}}
		case *tensorpb.TensorProto:
			a.Value = &attrpb.AttrValue_Tensor{Tensor: v}
		case *attrpb.NameAttrList:
			a.Value = &attrpb.AttrValue_Func{Func: v}
		}
		n.Attr[k] = a
	}
	return n
}

// text is a constant of strings.
func text(name string, values ...string) *nodepb.NodeDef {
	t := &tensorpb.TensorProto{Dtype: typespb.DataType_DT_STRING}
	for _, v := range values {
		t.StringVal = append(t.StringVal, []byte(v))
	}
	return node(name, "Const", nil, map[string]any{"dtype": typespb.DataType_DT_STRING, "value": t})
}

func function(name string, nodes ...*nodepb.NodeDef) *functionpb.FunctionDef {
	return &functionpb.FunctionDef{Signature: &opdefpb.OpDef{Name: name}, NodeDef: nodes}
}

// TestEncode has a graph for each rule. "" is one that is let through.
func TestEncode(t *testing.T) {
	const str, resource, variant, variantRef = typespb.DataType_DT_STRING, typespb.DataType_DT_RESOURCE, typespb.DataType_DT_VARIANT, typespb.DataType_DT_VARIANT_REF
	files := map[string]ops.Own{"/m/variables/variables": ops.Checkpoint, "/m/assets/v.txt": ops.Asset}
	for _, c := range []struct {
		name  string
		nodes []*nodepb.NodeDef
		allow []string
		want  string
	}{
		{"an operation that computes", []*nodepb.NodeDef{node("a", "Add", nil, nil)}, nil, ""},
		{"one that keeps state", []*nodepb.NodeDef{node("a", "VarHandleOp", nil, nil)}, nil, ""},
		{"one that nobody knows", []*nodepb.NodeDef{node("a", "Addons>Gelu", nil, nil)}, nil, "is not one that tfrun knows"},
		{"the same, allowed", []*nodepb.NodeDef{node("a", "Addons>Gelu", nil, nil)}, []string{"Addons>Gelu"}, ""},
		{"a call of a function by its name", []*nodepb.NodeDef{node("a", "f", nil, nil)}, nil, ""},
		{"one that writes", []*nodepb.NodeDef{text("p", "/m/assets/v.txt"), node("a", "WriteFile", []string{"p", "p"}, nil)}, nil, "writes the file"},
		{"the checkpoint", []*nodepb.NodeDef{text("p", "/m/variables/variables"), node("a", "RestoreV2", []string{"p", "p", "p"}, nil)}, nil, ""},
		{"an asset", []*nodepb.NodeDef{text("p", "/m/assets/v.txt"), node("a", "InitializeTableFromTextFileV2", []string{"t", "p:0"}, nil)}, nil, ""},
		{"an asset, as a function writes it", []*nodepb.NodeDef{text("p", "/m/assets/v.txt"), node("a", "ReadFile", []string{"p:output:0"}, nil)}, nil, ""},
		{"two files, one of them an asset", []*nodepb.NodeDef{text("p", "/m/assets/v.txt", "/etc/passwd"), node("a", "TextLineDataset", []string{"p"}, nil)}, nil, "reads the files"},
		{"an asset as the checkpoint", []*nodepb.NodeDef{text("p", "/m/assets/v.txt"), node("a", "RestoreV2", []string{"p", "p", "p"}, nil)}, nil, "reads the checkpoint"},
		{"another file", []*nodepb.NodeDef{text("p", "/etc/passwd"), node("a", "ReadFile", []string{"p"}, nil)}, nil, "gives the bytes"},
		{"an asset in another output", []*nodepb.NodeDef{text("p", "/m/assets/v.txt"), node("a", "ReadFile", []string{"p:1"}, nil)}, nil, "gives the bytes"},
		{"an asset behind an identity", []*nodepb.NodeDef{text("p", "/m/assets/v.txt"), node("i", "Identity", []string{"p"}, nil), node("a", "ReadFile", []string{"i"}, nil)}, nil, "gives the bytes"},
		{"an asset in the order of operations", []*nodepb.NodeDef{text("p", "/m/assets/v.txt"), node("a", "ReadFile", []string{"^p"}, nil)}, nil, "gives the bytes"},
		{"a cache in memory", []*nodepb.NodeDef{text("p", ""), node("a", "CacheDatasetV2", []string{"d", "p", "c"}, nil)}, nil, ""},
		{"a cache in a file", []*nodepb.NodeDef{text("p", "/m/assets/v.txt"), node("a", "CacheDatasetV2", []string{"d", "p", "c"}, nil)}, nil, "keeps what it gives in the file"},
		{"prints on standard error", []*nodepb.NodeDef{node("a", "PrintV2", nil, map[string]any{"output_stream": "stderr"})}, nil, ""},
		{"prints by default", []*nodepb.NodeDef{node("a", "PrintV2", nil, nil)}, nil, ""},
		{"prints to a file", []*nodepb.NodeDef{node("a", "PrintV2", nil, map[string]any{"output_stream": "file:///x"})}, nil, "writes the file"},
		{"prints to a value of another type", []*nodepb.NodeDef{node("a", "PrintV2", nil, map[string]any{"output_stream": true})}, nil, "writes the file"},
		{"memory that is cleared", []*nodepb.NodeDef{node("a", "Empty", nil, map[string]any{"init": true})}, nil, ""},
		{"memory that is not", []*nodepb.NodeDef{node("a", "Empty", nil, nil)}, nil, "gives memory as it was left"},
		{"a file of descriptors", []*nodepb.NodeDef{node("a", "DecodeProtoV2", nil, map[string]any{"descriptor_source": "/etc/passwd"})}, nil, "reads the file of descriptors"},
		{"an attribute that callers fill in", []*nodepb.NodeDef{node("a", "Pack", nil, map[string]any{"N": "$n"})}, nil, `has an attribute "N" that its caller fills in`},
		{"the same of an allowed operation", []*nodepb.NodeDef{node("a", "PrintV2", nil, map[string]any{"output_stream": "$s"})}, []string{"PrintV2"}, `has an attribute "output_stream" that its caller fills in`},
		{"the same, in a function's attributes", []*nodepb.NodeDef{node("a", "PartitionedCall", nil, map[string]any{"f": &attrpb.NameAttrList{Name: "f", Attr: node("", "", nil, map[string]any{"x": "$y"}).Attr}})}, nil, `has an attribute "f" that its caller fills in`},
		{"a constant of handles", []*nodepb.NodeDef{node("a", "Const", nil, map[string]any{"value": &tensorpb.TensorProto{Dtype: variant}})}, nil, "is a constant that holds handles"},
		{"handles of bytes", []*nodepb.NodeDef{node("a", "ParseTensor", nil, map[string]any{"out_type": resource})}, nil, "makes handles of data"},
		{"references to handles of bytes", []*nodepb.NodeDef{node("a", "ParseTensor", nil, map[string]any{"out_type": variantRef})}, nil, "makes handles of data"},
		{"handles of a checkpoint", []*nodepb.NodeDef{text("p", "/m/variables/variables"), node("a", "RestoreV2", []string{"p"}, map[string]any{"dtypes": []typespb.DataType{str, variant}})}, nil, "makes handles of data"},
		{"values that stand twice", []*nodepb.NodeDef{node("a", "Const", nil, map[string]any{"value": &tensorpb.TensorProto{Dtype: str, StringVal: [][]byte{nil}, TensorContent: []byte("x")}})}, nil, "holds its values twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, inside := range []bool{false, true} {
				g := &graphpb.GraphDef{Node: c.nodes, Library: &functionpb.FunctionDefLibrary{Function: []*functionpb.FunctionDef{function("f")}}}
				if inside {
					g.Node, g.Library.Function[0].NodeDef = nil, c.nodes
				}
				_, err := Encode(g, Policy{Allow: c.allow, Files: files})
				var e *Error
				switch {
				case c.want == "" && err != nil:
					t.Errorf("inside %v: %v", inside, err)
				case c.want != "" && (!errors.As(err, &e) || !strings.HasPrefix(e.Msg, c.want) && !strings.HasSuffix(e.Msg, c.want)):
					t.Errorf("inside %v: %v, want %q", inside, err, c.want)
				case c.want != "" && inside != (e.Function == "f"):
					t.Errorf("inside %v: the error says %q", inside, e.Function)
				}
			}
		})
	}
}

// TestFunctions has libraries that no reader should take.
func TestFunctions(t *testing.T) {
	template := function("g")
	template.Signature.Attr = []*opdefpb.OpDef_AttrDef{{Name: "s", Type: "string"}}
	for _, c := range []struct {
		functions []*functionpb.FunctionDef
		want      string
	}{
		{[]*functionpb.FunctionDef{function("f"), function("g")}, ""},
		{[]*functionpb.FunctionDef{function("f"), function("f")}, "stands twice"},
		{[]*functionpb.FunctionDef{function("MatMul")}, "has the name of an operation"},
		{[]*functionpb.FunctionDef{function("Mine")}, "has the name of an operation"},
		{[]*functionpb.FunctionDef{template}, Template},
	} {
		_, err := Encode(&graphpb.GraphDef{Library: &functionpb.FunctionDefLibrary{Function: c.functions}}, Policy{Allow: []string{"Mine"}})
		if got := ""; err != nil {
			if got = err.(*Error).Msg; got != c.want {
				t.Errorf("%v, want %q", err, c.want)
			}
		} else if c.want != "" {
			t.Errorf("no error, want %q", c.want)
		}
	}
}

// TestConfig has a configuration that names an optimizer, and switches beside it.
func TestConfig(t *testing.T) {
	config, err := proto.Marshal(&pb.ConfigProto{
		DeviceCount: map[string]int32{"GPU": 0}, AllowSoftPlacement: true, LogDevicePlacement: true,
		GraphOptions: &pb.GraphOptions{RewriteOptions: &pb.RewriterConfig{
			DisableMetaOptimizer: true, MinGraphNodes: -1, Remapping: pb.RewriterConfig_OFF, Optimizers: []string{"x"},
			CustomOptimizers: []*pb.RewriterConfig_CustomGraphOptimizer{{Name: "tfg_optimizer{}"}}, MemoryOptimizerTargetNodeNameScope: "x",
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	n := node("c", "PartitionedCall", nil, map[string]any{"config": "\x08\x01", "config_proto": string(config)})
	data, err := Encode(&graphpb.GraphDef{Node: []*nodepb.NodeDef{n}}, Policy{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	got := &pb.ConfigProto{}
	if err := proto.Unmarshal(g.Node[0].Attr["config_proto"].GetS(), got); err != nil {
		t.Fatal(err)
	}
	want := &pb.ConfigProto{
		DeviceCount: map[string]int32{"GPU": 0}, AllowSoftPlacement: true,
		GraphOptions: &pb.GraphOptions{RewriteOptions: &pb.RewriterConfig{DisableMetaOptimizer: true, MinGraphNodes: -1, Remapping: pb.RewriterConfig_OFF}},
	}
	if !proto.Equal(got, want) || g.Node[0].Attr["config"] != nil {
		t.Errorf("the configuration became %v, and the older one %v", got, g.Node[0].Attr["config"])
	}
}

// TestDecode refuses what readers differ about, and drops what later releases keep beside a graph.
func TestDecode(t *testing.T) {
	data, err := proto.Marshal(&graphpb.GraphDef{Node: []*nodepb.NodeDef{node("a", "Add", nil, nil)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(append(data, 0x12, 0x00, 0x12, 0x00)); err == nil || !strings.Contains(err.Error(), "library: stands twice") {
		t.Errorf("two libraries: %v", err)
	}
	g, err := Decode(append(data, 0x2a, 0x01, 'x'))
	if err != nil || len(g.ProtoReflect().GetUnknown()) > 0 {
		t.Errorf("debug_info: %v, %v", g, err)
	}
}

// TestDevices holds that no device of a graph names another machine, or is one that TensorFlow
// cannot read.
func TestDevices(t *testing.T) {
	for device, want := range map[string]string{
		"":                            "",
		"/device:GPU:1":               "/device:GPU:1",
		"/gpu:1":                      "/gpu:1",
		"/device:CPU:*":               "/device:CPU:*",
		"/job:localhost":              "",
		"/job:ps":                     "",
		"/task:1":                     "",
		"/job:worker/task:1":          "",
		"/job:worker/device:cpu:0":    "/device:cpu:0",
		"/device:GPU:2/job:ps/task:3": "/device:GPU:2",
		"/job:localhost/replica:0/task:0/device:TPU_SYSTEM:0": "/device:TPU_SYSTEM:0",
		"/job:worker/replica:1/task:2/device:CPU:0":           "/device:CPU:0",
		"/job:gpu:1":                "",
		"/device:CPU:99999999999":   "",
		"/device::0":                "",
		"hello":                     "",
		"/job:ps/device:GPU:1hello": "",
	} {
		n := node("x", "NoOp", nil, nil)
		n.Device = device
		inside := proto.Clone(n).(*nodepb.NodeDef)
		data, err := Encode(&graphpb.GraphDef{
			Node:    []*nodepb.NodeDef{n},
			Library: &functionpb.FunctionDefLibrary{Function: []*functionpb.FunctionDef{function("f", inside)}},
		}, Policy{})
		if err != nil {
			t.Fatal(err)
		}
		g, err := Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		for place, n := range map[string]*nodepb.NodeDef{"main graph": g.GetNode()[0], "function": g.GetLibrary().GetFunction()[0].GetNodeDef()[0]} {
			if n.GetDevice() != want {
				t.Errorf("%s: device %q became %q, want %q", place, device, n.GetDevice(), want)
			}
		}
	}
}

// TestFakeParam holds that what stands for the values that a branch lacks gives no memory as it was
// left: with values it is a constant of zeros, in the main graph and in functions.
func TestFakeParam(t *testing.T) {
	for _, c := range []struct {
		dtype typespb.DataType
		shape *shapepb.TensorShapeProto
		want  string
	}{
		{typespb.DataType_DT_FLOAT, sized(2, 3), "Const"},
		{typespb.DataType_DT_INT64, sized(), "Const"},
		{typespb.DataType_DT_BOOL, &shapepb.TensorShapeProto{UnknownRank: true}, "Const"},
		{typespb.DataType_DT_FLOAT, sized(-1, 3), "FakeParam"},
		{typespb.DataType_DT_STRING, sized(2), "FakeParam"},
		{typespb.DataType_DT_VARIANT, sized(), "FakeParam"},
		{typespb.DataType_DT_RESOURCE, sized(), "FakeParam"},
		{typespb.DataType_DT_FLOAT_REF, sized(2), "FakeParam"},
		{typespb.DataType_DT_INVALID, sized(2), "FakeParam"},
	} {
		n := node("a", "FakeParam", nil, map[string]any{"dtype": c.dtype})
		n.Attr["shape"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: c.shape}}
		g := &graphpb.GraphDef{Node: []*nodepb.NodeDef{n}, Library: &functionpb.FunctionDefLibrary{Function: []*functionpb.FunctionDef{function("f", proto.CloneOf(n))}}}
		data, err := Encode(g, Policy{})
		if err != nil {
			t.Fatal(err)
		}
		got := &graphpb.GraphDef{}
		if err := proto.Unmarshal(data, got); err != nil {
			t.Fatal(err)
		}
		for _, n := range []*nodepb.NodeDef{got.GetNode()[0], got.GetLibrary().GetFunction()[0].GetNodeDef()[0]} {
			if value := n.GetAttr()["value"].GetTensor(); n.GetOp() != c.want || n.GetAttr()["dtype"].GetType() != c.dtype ||
				c.want == "Const" && (value.GetDtype() != c.dtype || len(value.GetTensorShape().GetDim()) != len(c.shape.GetDim())) {
				t.Errorf("%v of shape %v: %v", c.dtype, c.shape, n)
			}
		}
	}
}

func sized(dims ...int64) *shapepb.TensorShapeProto {
	s := &shapepb.TensorShapeProto{}
	for _, d := range dims {
		s.Dim = append(s.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	return s
}
