package rewrite

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/google/go-cmp/cmp"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"google.golang.org/protobuf/proto"
)

// graphText reads a graph written as "name = Op(input, input)", a node a line; "Call:f" calls the
// function f. The lines behind "def f(args) -> tensor" are a function of the library.
func graphText(text string) *graphpb.GraphDef {
	g := &graphpb.GraphDef{Library: &functionpb.FunctionDefLibrary{}}
	var f *functionpb.FunctionDef
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if head, ok := strings.CutPrefix(line, "def "); ok {
			name, rest, _ := strings.Cut(head, "(")
			args, result, _ := strings.Cut(rest, ") -> ")
			f = &functionpb.FunctionDef{
				Signature: &opdefpb.OpDef{Name: name, OutputArg: []*opdefpb.OpDef_ArgDef{{Name: "out"}}},
				Ret:       map[string]string{"out": result},
			}
			for _, a := range strings.Split(args, ", ") {
				f.Signature.InputArg = append(f.Signature.InputArg, &opdefpb.OpDef_ArgDef{Name: a})
			}
			g.Library.Function = append(g.Library.Function, f)
			continue
		}
		if line == "" {
			continue
		}
		name, rest, _ := strings.Cut(line, " = ")
		op, inputs, _ := strings.Cut(strings.TrimSuffix(rest, ")"), "(")
		n := &nodepb.NodeDef{Name: name, Attr: map[string]*attrpb.AttrValue{
			"T": {Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_FLOAT}},
		}}
		n.Op, op, _ = strings.Cut(op, ":")
		switch n.Op {
		case "Call":
			n.Op = "PartitionedCall"
			n.Attr["f"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: op}}}
		case "Squeeze":
			n.Attr["squeeze_dims"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{I: []int64{-3}}}}
		case "_FusedConv2D":
			n.Attr["fused_ops"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{S: [][]byte{[]byte("BiasAdd"), []byte(op)}}}}
		case "Conv2D64":
			n.Op = "Conv2D"
			n.Attr["T"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_DOUBLE}}
		}
		if inputs != "" {
			n.Input = strings.Split(inputs, ", ")
		}
		if f != nil {
			f.NodeDef = append(f.NodeDef, n)
		} else {
			g.Node = append(g.Node, n)
		}
	}
	return g
}

// heldIn lists the operations that hold a tensor back, as "scope: op/axes(tensor) -> users".
func heldIn(g *graphpb.GraphDef) []string {
	var list []string
	scope := func(name string, nodes []*nodepb.NodeDef, results map[string]string) {
		for _, n := range nodes {
			if !strings.Contains(n.Name, "/apart") {
				continue
			}
			shape := n.Attr["shape"].GetShape()
			axes := fmt.Sprint(len(shape.Dim))
			if shape.UnknownRank {
				axes = "?"
			}
			var users []string
			for _, u := range nodes {
				for i, in := range u.Input {
					if graph.NodeOf(in) == n.Name {
						users = append(users, fmt.Sprintf("%s.%d", u.Name, i))
					}
				}
			}
			for key, tensor := range results {
				if graph.NodeOf(tensor) == n.Name {
					users = append(users, key)
				}
			}
			list = append(list, fmt.Sprintf("%s%s/%s(%s) -> %s", name, n.Op, axes, n.Input[0], strings.Join(users, " ")))
		}
	}
	scope("", g.Node, nil)
	for _, f := range g.Library.Function {
		scope(f.Signature.Name+": ", f.NodeDef, f.Ret)
	}
	slices.Sort(list)
	return list
}

// Between a convolution and a sum that TensorFlow's optimizer would fuse stands an operation; what
// is not fused, and what is fused with no sum, stays as it is.
func TestTakeApart(t *testing.T) {
	t.Parallel()
	const conv = "x = Placeholder()\nw = Const()\nv = VarHandleOp()\nread = ReadVariableOp(v)\nc = Conv2D(x, w)\n"
	for _, tt := range []struct {
		name, graph string
		want        []string
		kernels     []string
	}{
		{"bias and sum", conv + "b = BiasAdd(c, read)\ns = AddV2(b, x)", []string{"EnsureShape/4(b) -> s.0"}, nil},
		{"on the right", conv + "b = BiasAdd(c, read)\ns = Add(x, b)", []string{"EnsureShape/4(b) -> s.1"}, nil},
		{"AddN", conv + "b = BiasAdd(c, read)\ns = AddN(x, b, x)", []string{"EnsureShape/4(b) -> s.1"}, nil},
		{"a difference, which may become a sum", conv + "b = BiasAdd(c, read)\nm = Neg(x)\ns = Sub(b, m)", []string{"EnsureShape/4(b) -> s.0"}, nil},
		{"in three dimensions", strings.ReplaceAll(conv, "Conv2D", "Conv3D") + "b = BiasAdd(c, read)\ns = AddV2(b, x)", []string{"EnsureShape/5(b) -> s.0"}, nil},
		{"two convolutions", conv + "b = BiasAdd(c, read)\nd = Conv2D(b, w)\ne = BiasAdd(d, read)\ns = AddV2(b, e)", []string{"EnsureShape/4(b) -> s.0", "EnsureShape/4(e) -> s.1"}, nil},
		{"one for two sums", conv + "b = BiasAdd(c, read)\ns = AddV2(b, x)\nz = AddV2(b, s)", []string{"EnsureShape/4(b) -> s.0 z.0"}, nil},
		{"handed on", conv + "b = BiasAdd(c, read)\ni = Identity(b)\nj = StopGradient(i)\ns = AddV2(j, x)", []string{"EnsureShape/4(j) -> s.0"}, nil},
		{"by an operation of several", conv + "b = BiasAdd(c, read)\ni = IdentityN(x, b)\ns = AddV2(i:1, x)", []string{"EnsureShape/4(i:1) -> s.0"}, nil},
		{"its other output", conv + "b = BiasAdd(c, read)\ni = IdentityN(x, b)\ns = AddV2(i, x)", nil, nil},
		{"a reshape that may do nothing", conv + "b = BiasAdd(c, read)\nr = Reshape(b, w)\ns = AddV2(r, x)", []string{"PlaceholderWithDefault/?(r) -> s.0"}, nil},
		{"a bias that is added", conv + "b = AddV2(c, read)\ns = AddV2(b, x)", []string{"PlaceholderWithDefault/?(b) -> s.0"}, nil},
		{"a bias that looks like a sum, and a sum that looks like a bias", conv + "b = BiasAdd(c, read)\ns = AddV2(b, read)", []string{"EnsureShape/4(b) -> s.0"}, nil},
		{"no bias yet, and something else", conv + "s = AddV2(c, x)", []string{"EnsureShape/4(c) -> s.0"}, nil},
		{"scaled by constants", conv + "m = Mul(c, w)\nb = AddV2(m, w)\ns = AddV2(b, x)", []string{"PlaceholderWithDefault/?(b) -> s.0"}, nil},
		{"normalized by constants", conv + "n = FusedBatchNormV3(c, w, w, w, w)\ns = AddV2(n, x)", []string{"EnsureShape/4(n) -> s.0"}, nil},
		{"its statistics are another tensor", conv + "n = FusedBatchNormV3(c, w, w, w, w)\ns = AddV2(n:1, x)", nil, nil},
		{"in a loop of TensorFlow 1", conv + "e = Enter(c)\nm = Merge(e, n)\nb = BiasAdd(m, w)\ns = AddV2(b, x)\nn = NextIteration(b)", []string{"EnsureShape/4(b) -> s.0"}, nil},

		{"no sum", conv + "b = BiasAdd(c, read)\nr = Relu(b)", nil, nil},
		{"after an activation", conv + "b = BiasAdd(c, read)\nr = Relu(b)\ns = AddV2(r, x)", nil, nil},
		{"normalized by variables", conv + "n = FusedBatchNormV3(c, read, read, read, read)\ns = AddV2(n, x)", nil, nil},
		{"swish", conv + "b = BiasAdd(c, read)\nh = Sigmoid(b)\nm = Mul(b, h)\ns = AddV2(m, x)", nil, nil},
		{"one dimension: a squeeze stands between", conv + "q = Squeeze(c)\nb = BiasAdd(q, read)\ns = AddV2(b, x)", nil, nil},
		{"depthwise", strings.ReplaceAll(conv, "Conv2D", "DepthwiseConv2dNative") + "b = BiasAdd(c, read)\ns = AddV2(b, x)", nil, nil},
		{"a product of matrices", strings.ReplaceAll(conv, "Conv2D", "MatMul") + "b = BiasAdd(c, read)\ns = AddV2(b, x)", nil, nil},
		{"of doubles", strings.ReplaceAll(conv, "Conv2D", "Conv2D64") + "b = BiasAdd(c, read)\ns = AddV2(b, x)", nil, nil},

		{
			"summed in a function",
			conv + "b = BiasAdd(c, read)\ns = Call:f(b, x)\ndef f(p, q) -> s:z:0\ns = AddV2(p, q)",
			[]string{"EnsureShape/4(b) -> s.0"},
			nil,
		},
		{
			"made in a function",
			"x = Placeholder()\nc = Call:f(x)\ns = AddV2(c, x)\ndef f(p) -> i:output:0\nw = Const()\nc = Conv2D(p, w:output:0)\nb = BiasAdd(c:output:0, w:output:0)\ni = Identity(b:output:0)",
			[]string{"f: EnsureShape/4(i:output:0) -> out"},
			nil,
		},
		{
			"a bias that is added in a function",
			"x = Placeholder()\ny = Call:f(x, x)\ndef f(p, v) -> r:activations:0\nw = Const()\nc = Conv2D(p, w:output:0)\nread = ReadVariableOp(v)\nb = Reshape(read:value:0, w:output:0)\ns = AddV2(c:output:0, b:output:0)\nr = Relu(s:z:0)",
			nil, nil,
		},
		{
			"both in one",
			"x = Placeholder()\nc = Call:f(x)\ndef f(p) -> s:z:0\nw = Const()\nc = Conv2D(p, w:output:0)\nb = BiasAdd(c:output:0, w:output:0)\ns = AddV2(p, b:output:0)",
			[]string{"f: EnsureShape/4(b:output:0) -> s.1"},
			nil,
		},
		{
			"a function's result that nothing is added to",
			"x = Placeholder()\nc = Call:f(x)\nr = Relu(c)\ndef f(p) -> b:output:0\nw = Const()\nc = Conv2D(p, w:output:0)\nb = BiasAdd(c:output:0, w:output:0)",
			nil, nil,
		},

		{"quantized", "x = Placeholder()\nq = QuantizedConv2DWithBias(x)\nm = QuantizedMatMulWithBias(q)\nu = UniformQuantizedConvolution(x)", nil, []string{"QuantizedConv2DWithBias", "QuantizedMatMulWithBias"}},
		{"fused before it was saved", "x = Placeholder()\nc = _FusedConv2D:Add(x, x, x, x)", nil, []string{"_FusedConv2D"}},
		{"fused without a sum", "x = Placeholder()\nc = _FusedConv2D:Relu(x, x, x)", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			graph, err := proto.Marshal(graphText(tt.graph))
			if err != nil {
				t.Fatal(err)
			}
			out, sharing, err := takeApart(graph)
			if err != nil {
				t.Fatal(err)
			}
			var g graphpb.GraphDef
			if err := proto.Unmarshal(out, &g); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, heldIn(&g)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.kernels, sharing.Kernels); diff != "" {
				t.Errorf("kernels: -want +got:\n%s", diff)
			}
			if (sharing.Sums > 0) != (len(tt.want) > 0) {
				t.Errorf("%d sums", sharing.Sums)
			}
			again, sharing, err := takeApart(out)
			if err != nil || sharing.Sums != 0 || !slices.Equal(again, out) {
				t.Errorf("the second time: %d sums, %v", sharing.Sums, err)
			}
		})
	}
}

// Nodes, inputs and results other than those in between are as they were.
func TestTakeApartKeepsTheRest(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("../../testdata/models/*/model/saved_model.pb")
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, file := range dirs {
		m, err := savedmodel.Open(filepath.Dir(file))
		if err != nil {
			continue // some are damaged
		}
		for _, mg := range m.MetaGraphs {
			was, _, err := reducedGraph(mg, Reduction{})
			if err != nil {
				continue
			}
			is, sharing, err := takeApart(was)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if sharing.Sums == 0 {
				continue
			}
			changed++
			var before, after graphpb.GraphDef
			if err := proto.Unmarshal(was, &before); err != nil {
				t.Fatal(err)
			}
			if err := proto.Unmarshal(is, &after); err != nil {
				t.Fatal(err)
			}
			putTogether(&after)
			if !proto.Equal(&before, &after) {
				t.Errorf("%s: something else changed", file)
			}
		}
	}
	if changed == 0 {
		t.Error("no model has a sum behind a convolution")
	}
}

// putTogether undoes takeApart.
func putTogether(g *graphpb.GraphDef) {
	scope := func(nodes []*nodepb.NodeDef, results map[string]string) []*nodepb.NodeDef {
		held := map[string]string{}
		for _, n := range nodes {
			if strings.Contains(n.Name, "/apart") {
				held[n.Name] = n.Input[0]
			}
		}
		var left []*nodepb.NodeDef
		for _, n := range nodes {
			if held[n.Name] != "" {
				continue
			}
			for i, in := range n.Input {
				if was := held[graph.NodeOf(in)]; was != "" {
					n.Input[i] = was
				}
			}
			left = append(left, n)
		}
		for key, tensor := range results {
			if was := held[graph.NodeOf(tensor)]; was != "" {
				results[key] = was
			}
		}
		return left
	}
	g.Node = scope(g.Node, nil)
	for _, f := range g.GetLibrary().GetFunction() {
		f.NodeDef = scope(f.NodeDef, f.Ret)
	}
}

func FuzzTakeApart(f *testing.F) {
	for _, model := range []string{"k3_resnet", "k3_unet", "mod_control_flow", "tf1_while"} {
		data, err := os.ReadFile(filepath.Join("../../testdata/models", model, "model", "saved_model.pb"))
		if err != nil {
			f.Fatal(err)
		}
		m, err := savedmodel.FromBytes("fuzz", data)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.MetaGraphs[0].Graph().Raw())
	}
	f.Fuzz(func(t *testing.T, graph []byte) {
		out, _, err := takeApart(graph)
		if err != nil {
			return // an error is fine, a panic or a hang is not
		}
		if _, sharing, err := takeApart(out); err != nil || sharing.Sums != 0 {
			t.Errorf("the second time: %d sums, %v", sharing.Sums, err)
		}
	})
}
