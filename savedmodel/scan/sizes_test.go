package scan

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/google/go-cmp/cmp"
	"github.com/tfrun/tfrun/internal/modeltest"
)

// shapeOf64 makes a constant that is a shape.
func shapeOf64(name string, dims ...int64) *nodepb.NodeDef {
	var b []byte
	for _, d := range dims {
		b = binary.LittleEndian.AppendUint64(b, uint64(d))
	}
	return modeltest.Const(name, &tensorpb.TensorProto{Dtype: typespb.DataType_DT_INT64, TensorShape: modeltest.Shape(int64(len(dims))), TensorContent: b})
}

// TestScanHugeTensors holds that sizes which the graph itself tells are looked at, in the main
// graph and in functions.
func TestScanHugeTensors(t *testing.T) {
	t.Parallel()
	splat := func(dims ...int64) *nodepb.NodeDef {
		return modeltest.Const("c", &tensorpb.TensorProto{Dtype: typespb.DataType_DT_FLOAT, TensorShape: modeltest.Shape(dims...), FloatVal: []float32{1}})
	}
	fill := modeltest.Op("out", "Fill", "s", "v")
	call := modeltest.Op("out", "PartitionedCall", "in", "fn=f")
	lacking := modeltest.Op("c", "FakeParam")
	lacking.Attr["shape"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: modeltest.Shape(1<<40, 1<<40)}}
	for name, c := range map[string]struct {
		main []*nodepb.NodeDef
		body []*nodepb.NodeDef
		want []string
	}{
		"a constant":                {main: []*nodepb.NodeDef{splat(1<<30, 1<<30), modeltest.Op("out", "Neg", "c")}, want: []string{"unsafe huge-tensor  by run"}},
		"one that overflows":        {main: []*nodepb.NodeDef{splat(1<<40, 1<<40), modeltest.Op("out", "Neg", "c")}, want: []string{"unsafe huge-tensor  by run"}},
		"one that nothing reads":    {main: []*nodepb.NodeDef{splat(1<<40, 1<<40), modeltest.Op("out", "Neg", "in")}, want: []string{"dormant huge-tensor "}},
		"what a branch lacks":       {main: []*nodepb.NodeDef{lacking, modeltest.Op("out", "Neg", "c")}, want: []string{"unsafe huge-tensor  by run"}},
		"one as large as can be":    {main: []*nodepb.NodeDef{splat(1 << 28), modeltest.Op("out", "Neg", "c")}},
		"nothing of a great length": {main: []*nodepb.NodeDef{splat(1<<40, 0, 1<<40), modeltest.Op("out", "Neg", "c")}},
		"a fill":                    {main: []*nodepb.NodeDef{shapeOf64("s", 1<<25, 1<<25), fill}, want: []string{"unsafe huge-tensor  by run"}},
		"a fill of a sane size":     {main: []*nodepb.NodeDef{shapeOf64("s", 1<<10, 1<<10), fill}},
		"a fill behind an identity": {main: []*nodepb.NodeDef{shapeOf64("k", 1<<62), modeltest.Op("s", "Identity", "k"), fill}, want: []string{"unsafe huge-tensor  by run"}},
		"identities in a circle":    {main: []*nodepb.NodeDef{modeltest.Op("s", "Identity", "s"), fill}},
		"a constant in a function":  {main: []*nodepb.NodeDef{call}, body: []*nodepb.NodeDef{splat(1 << 60)}, want: []string{"unsafe huge-tensor  by run"}},
		"a fill in a function":      {main: []*nodepb.NodeDef{call}, body: []*nodepb.NodeDef{shapeOf64("s", 1<<60), modeltest.Op("f", "Fill", "s:output:0", "x")}, want: []string{"unsafe huge-tensor  by run"}},
		"a shape of one number, 4 times": {
			main: []*nodepb.NodeDef{modeltest.Const("s", &tensorpb.TensorProto{Dtype: typespb.DataType_DT_INT32, TensorShape: modeltest.Shape(4), IntVal: []int32{1 << 10}}), fill},
			want: []string{"unsafe huge-tensor  by run"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, err := Scan(modeltest.OpenGraph(t, modeltest.Library(c.main, modeltest.Func("f", "x", c.body...))))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range result.Findings {
				got = append(got, line(f))
				if f.Kind.Allowable() || !strings.Contains(f.Detail, "more than 2147483647 values") {
					t.Errorf("finding %+v", f)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Scan (-want +got):\n%s", diff)
			}
		})
	}
}

// TestScanLargeConstants holds that what constants take beside their bytes in the file is counted,
// of all together, wherever they stand, and may be allowed.
func TestScanLargeConstants(t *testing.T) {
	t.Parallel()
	constant := func(name string, of typespb.DataType, t *tensorpb.TensorProto, dims ...int64) *nodepb.NodeDef {
		t.Dtype, t.TensorShape = of, modeltest.Shape(dims...)
		return modeltest.Const(name, t)
	}
	zeros := func(name string, of typespb.DataType, dims ...int64) *nodepb.NodeDef {
		return constant(name, of, &tensorpb.TensorProto{}, dims...)
	}
	const half = 1 << 29
	call := modeltest.Op("out", "PartitionedCall", "in", "fn=f")
	sum := modeltest.Op("out", "AddN", "in", "a", "b", "c")
	for name, c := range map[string]struct {
		main, body []*nodepb.NodeDef
		want       int // findings
	}{
		"1 GiB in two":           {main: []*nodepb.NodeDef{zeros("a", typespb.DataType_DT_UINT8, half), zeros("b", typespb.DataType_DT_UINT8, half), sum}},
		"and 2,000 bytes":        {main: []*nodepb.NodeDef{zeros("a", typespb.DataType_DT_UINT8, half), zeros("b", typespb.DataType_DT_UINT8, half), zeros("c", typespb.DataType_DT_UINT8, 2000), sum}, want: 1},
		"complex numbers":        {main: []*nodepb.NodeDef{zeros("a", typespb.DataType_DT_COMPLEX128, half/8), sum}},
		"and 200 more":           {main: []*nodepb.NodeDef{zeros("a", typespb.DataType_DT_COMPLEX128, half/8+200), sum}, want: 1},
		"texts":                  {main: []*nodepb.NodeDef{zeros("a", typespb.DataType_DT_STRING, 1<<20, 64), sum}, want: 1},
		"in the file":            {main: []*nodepb.NodeDef{constant("a", typespb.DataType_DT_UINT8, &tensorpb.TensorProto{TensorContent: make([]byte, 100)}, half*3), sum}},
		"nothing":                {main: []*nodepb.NodeDef{zeros("a", typespb.DataType_DT_UINT8, half*3, 0), sum}},
		"of a function":          {main: []*nodepb.NodeDef{call}, body: []*nodepb.NodeDef{zeros("a", typespb.DataType_DT_DOUBLE, half)}, want: 1},
		"of both":                {main: []*nodepb.NodeDef{zeros("a", typespb.DataType_DT_UINT8, half+1), call}, body: []*nodepb.NodeDef{zeros("a", typespb.DataType_DT_UINT8, half+100)}, want: 1},
		"of a size that is none": {main: []*nodepb.NodeDef{zeros("a", typespb.DataType_DT_UINT8, -1, 1<<30), sum}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, err := Scan(modeltest.OpenGraph(t, modeltest.Library(c.main, modeltest.Func("f", "x", c.body...))))
			if err != nil {
				t.Fatal(err)
			}
			if len(result.Findings) != c.want {
				t.Errorf("%d findings, want %d: %+v", len(result.Findings), c.want, result.Findings)
			}
			for _, f := range result.Findings {
				if f.Kind != LargeConstant || f.Op != "Const" || !f.Kind.Allowable() {
					t.Errorf("finding %+v", f)
				}
			}
		})
	}
}

// TestScanBrokenNodes holds that what a node says of itself, and TensorFlow does not survive, is
// found in the main graph and in functions.
func TestScanBrokenNodes(t *testing.T) {
	t.Parallel()
	constant := func(says, is typespb.DataType) *nodepb.NodeDef {
		n := modeltest.Const("c", &tensorpb.TensorProto{Dtype: is, FloatVal: []float32{1}})
		n.Attr["dtype"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: says}}
		return n
	}
	counts := func(op string, attr string, n int64, inputs ...string) *nodepb.NodeDef {
		def := &nodepb.NodeDef{Name: "out", Op: op, Input: inputs, Attr: map[string]*attrpb.AttrValue{attr: {Value: &attrpb.AttrValue_I{I: n}}}}
		return def
	}
	named := func(name string, def *nodepb.NodeDef) *nodepb.NodeDef { def.Name = name; return def }
	// loop's entry takes the given inputs
	loop := func(entry ...string) []*nodepb.NodeDef {
		return []*nodepb.NodeDef{modeltest.Op("enter", "Enter", "in"), modeltest.Op("out", "Merge", entry...), modeltest.Op("next", "NextIteration", "out")}
	}
	inside := func(entry ...string) []*nodepb.NodeDef {
		return []*nodepb.NodeDef{modeltest.Op("enter", "Enter", "x"), modeltest.Op("m", "Merge", entry...), modeltest.Op("next", "NextIteration", "m:output:0")}
	}
	const float, whole = typespb.DataType_DT_FLOAT, typespb.DataType_DT_INT32
	call := modeltest.Op("out", "PartitionedCall", "in", "fn=f")
	for name, c := range map[string]struct {
		main, body []*nodepb.NodeDef
		want       string // of the only finding
		detail     string
	}{
		"an honest constant":           {main: []*nodepb.NodeDef{constant(float, float), modeltest.Op("out", "Neg", "c")}},
		"one of another dtype":         {main: []*nodepb.NodeDef{constant(whole, float), modeltest.Op("out", "Neg", "c")}, want: "unsafe broken-node  by run", detail: "is a constant of int32 that holds float32"},
		"one that nothing reads":       {main: []*nodepb.NodeDef{constant(whole, float), modeltest.Op("out", "Neg", "in")}, want: "dormant broken-node ", detail: "holds float32"},
		"one in a function":            {main: []*nodepb.NodeDef{call}, body: []*nodepb.NodeDef{constant(whole, float)}, want: "unsafe broken-node  by run", detail: "holds float32"},
		"two inputs":                   {main: []*nodepb.NodeDef{counts("Pack", "N", 2, "in", "in")}},
		"2^31 - 1 inputs":              {main: []*nodepb.NodeDef{counts("Pack", "N", 1<<31-1, "in", "in")}, want: "unsafe broken-node  by run", detail: "lists 2147483647 inputs or outputs (N): more than 65536"},
		"-2 inputs":                    {main: []*nodepb.NodeDef{counts("Pack", "N", -2, "in", "in")}, want: "unsafe broken-node  by run", detail: "lists -2 inputs or outputs (N)"},
		"2^62 outputs":                 {main: []*nodepb.NodeDef{counts("Split", "num_split", 1<<62, "in", "in")}, want: "unsafe broken-node  by run", detail: "(num_split)"},
		"a loop":                       {main: loop("enter", "next")},
		"a loop that waits":            {main: loop("enter", "next", "^in")},
		"values that meet":             {main: loop("enter", "in", "in")},
		"a loop with two ways back":    {main: loop("enter", "next", "next:0")},
		"a loop that two values enter": {main: loop("enter", "next", "in:0"), want: "unsafe broken-node  by run", detail: "is the entry of a loop that 2 values enter"},
		"a value that enters twice":    {main: loop("next", "enter", "enter:0", "^in"), want: "unsafe broken-node  by run", detail: "that 2 values enter"},
		"a loop in a function":         {main: []*nodepb.NodeDef{call}, body: inside("enter:output:0", "next:output:0")},
		"such a loop in a function":    {main: []*nodepb.NodeDef{call}, body: inside("x", "next:output:0", "enter:output:0"), want: "unsafe broken-node  by run", detail: "that 2 values enter"},
		"a loop of no step at a time":  {main: []*nodepb.NodeDef{counts("Enter", "parallel_iterations", 0, "in")}},
		"one of -1 step":               {main: []*nodepb.NodeDef{counts("Enter", "parallel_iterations", -1, "in")}, want: "unsafe broken-node  by run", detail: "runs -1 steps of a loop at a time"},
		"one of 2^16 steps":            {main: []*nodepb.NodeDef{counts("RefEnter", "parallel_iterations", 1<<16, "in")}},
		"one of 2^16 + 1":              {main: []*nodepb.NodeDef{counts("While", "parallel_iterations", 1<<16+1, "in")}, want: "unsafe broken-node  by run", detail: "more than 65536"},
		"one of 2^30 in a function":    {main: []*nodepb.NodeDef{call}, body: []*nodepb.NodeDef{counts("Enter", "parallel_iterations", 1<<30, "x")}, want: "unsafe broken-node  by run", detail: "runs 1073741824 steps"},
		"1,024 threads":                {main: []*nodepb.NodeDef{counts("BatchFunction", "num_batch_threads", 1<<10, "in")}},
		"1,025 threads":                {main: []*nodepb.NodeDef{counts("BatchFunction", "num_batch_threads", 1<<10+1, "in")}, want: "unsafe broken-node  by run", detail: "starts 1025 threads (num_batch_threads)"},
		"600 threads and 600 more": {
			main: []*nodepb.NodeDef{call}, want: "unsafe broken-node  by run", detail: "starts 600 threads (num_threads); operations may start 1024 in all",
			body: []*nodepb.NodeDef{counts("ThreadPoolHandle", "num_threads", 600), named("more", counts("ThreadPoolHandle", "num_threads", 600))},
		},
		"a large number of what it is": {main: []*nodepb.NodeDef{counts("StringToHashBucketFast", "num_buckets", 1<<62, "in")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, err := Scan(modeltest.OpenGraph(t, modeltest.Library(c.main, modeltest.Func("f", "x", c.body...))))
			if err != nil {
				t.Fatal(err)
			}
			findings := result.Findings
			if c.want == "" && len(findings) == 0 {
				return
			}
			if len(findings) != 1 || line(findings[0]) != c.want || !strings.Contains(findings[0].Detail, c.detail) || findings[0].Kind.Allowable() {
				t.Errorf("Scan = %+v, want %q with %q", findings, c.want, c.detail)
			}
		})
	}
}

// TestScanDeepCalls holds that functions may call each other so deep, and no deeper.
func TestScanDeepCalls(t *testing.T) {
	t.Parallel()
	for levels, want := range map[int]int{1: 0, 101: 0, 102: 1, 250: 1} {
		functions := make([]*functionpb.FunctionDef, levels)
		for i := range functions {
			body := modeltest.Op("f", "Identity", "x")
			if i+1 < levels {
				body = modeltest.Op("f", "PartitionedCall", "x", fmt.Sprintf("fn=f%d", i+1))
			}
			functions[i] = modeltest.Func(fmt.Sprintf("f%d", i), "x", body)
		}
		main := []*nodepb.NodeDef{modeltest.Op("out", "PartitionedCall", "in", "fn=f0")}
		result, err := Scan(modeltest.OpenGraph(t, modeltest.Library(main, functions...)))
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Findings) != want {
			t.Errorf("%d levels: %+v, want %d findings", levels, result.Findings, want)
		}
		for _, f := range result.Findings {
			if f.Kind != EndlessCalls || f.Severity != Unsafe || f.Detail != "nests calls more than 100 deep" {
				t.Errorf("%d levels: %+v", levels, f)
			}
		}
	}
}
