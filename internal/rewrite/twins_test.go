package rewrite

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
)

// The twin stands beside the call as it is, and calls a function of its own. That it gives the same
// answers is tested in runner.
func TestReducedCompiled(t *testing.T) {
	t.Parallel()
	m, err := savedmodel.Open("../../testdata/models/k2_gru/model")
	if err != nil {
		t.Fatal(err)
	}
	data, err := Reduced(m.MetaGraphs[0], Reduction{Signatures: []string{"serving_default"}, CPUOnly: true, Compiled: true})
	if err != nil {
		t.Fatal(err)
	}
	small := modeltest.OpenBytes(t, data)
	mg := small.MetaGraphs[0]
	sig := mg.Signatures["serving_default"]
	output := sig.Outputs[sig.OutputNames()[0]].Tensor
	plain, err := mg.Graph().Node(graph.NodeOf(output))
	if err != nil || plain == nil {
		t.Fatalf("%v, %v", plain, err)
	}
	twin, err := mg.Graph().Node(graph.NodeOf(CompiledTensor(output)))
	if err != nil || twin == nil {
		t.Fatalf("%v, %v", twin, err)
	}
	if plain.Attr[mustCompile].GetB() || !twin.Attr[mustCompile].GetB() || !slices.Equal(plain.Input, twin.Input) {
		t.Errorf("plain: %v, twin: %v", plain, twin)
	}
	f, err := mg.Graph().Function(twin.Attr["f"].GetFunc().GetName())
	if err != nil || f == nil || !f.Attr[mustCompile].GetB() {
		t.Errorf("the twin's function: %v, %v", f, err)
	}
	names, err := mg.Graph().FunctionNames()
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(names, func(s string) bool { return strings.Contains(s, "gpu_gru") }); i >= 0 {
		t.Errorf("function %q is for GPUs", names[i])
	}
}

func TestCheckCompile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ model, want string }{
		{"full_seed/k3", ""},
		{"k2_cnn2d", ""},
		{"mod_control_flow", ""},
		{"mod_strings", `signature "serving_default": XLA has no strings, and "s" is made of them`},
		{"tf1_while", `signature "serving_default": output "power" does not come from a function, which is what XLA compiles; TensorFlow 1 has none`},
		{"mod_assert_positive", `signature "serving_default": XLA would leave out its checks (Assert)`},
	} {
		m, err := savedmodel.Open("../../testdata/models/" + test.model + "/model")
		if err != nil {
			t.Fatal(err)
		}
		mg := m.MetaGraphs[0]
		sig, err := mg.Signature("")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		var refused *CompileError
		if err := CheckCompile(mg, sig); errors.As(err, &refused) {
			got = err.Error()
		} else if err != nil {
			t.Error(err)
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.model, got, test.want)
		}
	}
}
