package rewrite

import (
	"strings"
	"testing"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
)

// calledFunction is a function of two arguments that gives its second one away as it is.
func calledFunction() *functionpb.FunctionDef {
	f := graphFunction("e:y:0", "w = Save(x)", "e = Exp(x, ^z, ^w)").Def
	f.Signature.InputArg = append(f.Signature.InputArg, &opdefpb.OpDef_ArgDef{Name: "z"})
	f.Signature.OutputArg = append(f.Signature.OutputArg, &opdefpb.OpDef_ArgDef{Name: "same"})
	f.Ret["same"] = "z"
	f.ControlRet = map[string]string{"w": "w"}
	return f
}

// A function in the place of its call takes what the call took, and gives what it gave; what came
// before and after the call still does.
func TestInline(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, result string
		nodes        []string
		want         string // "": not put there
	}{
		{
			"values and order", "y:z:0",
			[]string{"b = Before()", "c = StatefulPartitionedCall(x, b:out:0, ^b)", "n = After(^c)", "y = AddV2(c:output:0, c:output:1, ^n)"},
			`b = Before()
c/tfrun_begin = NoOp(^b)
c/w = Save(x, ^c/tfrun_begin)
c/e = Exp(x, ^b, ^c/w, ^c/tfrun_begin)
c/tfrun_end = NoOp(^b, ^c/e, ^c/w)
n = After(^c/tfrun_end)
y = AddV2(c/e:y:0, b:out:0, ^n)
y = y:z:0
`,
		},
		{
			"the result itself, names that are taken", "c:output:1",
			[]string{"c/e = Exp(x)", "c = PartitionedCall(c/e:y:0, x)"},
			`c/e = Exp(x)
c/_/w = Save(c/e:y:0)
c/_/e = Exp(c/e:y:0, ^x, ^c/_/w)
c/_/tfrun_end = NoOp(^c/_/e, ^c/_/w, ^x)
y = x
`,
		},
		{"an argument too few", "c:output:0", []string{"c = PartitionedCall(x)"}, ""},
		{"an output that there is not", "c:output:2", []string{"c = PartitionedCall(x, x)"}, ""},
	} {
		def := graphFunction(test.result, test.nodes...).Def
		at := -1
		for i, n := range def.GetNodeDef() {
			if graph.IsCall(n.GetOp()) {
				at = i
			}
		}
		var text strings.Builder
		ok := inline(def, at, calledFunction())
		for _, n := range def.GetNodeDef() {
			text.WriteString(n.GetName() + " = " + n.GetOp() + "(" + strings.Join(n.GetInput(), ", ") + ")\n")
		}
		text.WriteString("y = " + def.GetRet()["y"] + "\n")
		if ok != (test.want != "") || ok && text.String() != test.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", test.name, ok, text.String(), test.want)
		}
	}
	for name, change := range map[string]func(f *functionpb.FunctionDef){
		"a list of arguments": func(f *functionpb.FunctionDef) { f.Signature.InputArg[0].NumberAttr = "N" },
		"a list of outputs":   func(f *functionpb.FunctionDef) { f.Signature.OutputArg[0].TypeListAttr = "T" },
		"an attribute":        func(f *functionpb.FunctionDef) { f.Signature.Attr = []*opdefpb.OpDef_AttrDef{{Name: "T"}} },
	} {
		called := calledFunction()
		change(called)
		if inline(graphFunction("c:output:0", "c = PartitionedCall(x, x)").Def, 0, called) {
			t.Errorf("a function with %s was put in the place of its call", name)
		}
	}
}
