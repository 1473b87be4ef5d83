package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	versionspb "github.com/galeone/tensorflow/tensorflow/go/core/framework/versions_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/runner"
)

var update = flag.Bool("update", false, "rewrite the golden parts of the scripts")

// TestMain lets the scripts in testdata run this very binary as tfrun.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"tfrun": main})
}

// leakChecked are the package's tests, which fail where they leave goroutines behind.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	// It waits until the process ends.
	watching := goleak.IgnoreTopFunction("github.com/tfrun/tfrun/runner/internal/tf._Cfunc_watch_go")
	if err := goleak.Find(watching); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		return 1
	}
	return code
}

// TestScripts runs the command lines of testdata/*.txtar: what is typed, the exit status, stdout,
// stderr, and the files that are left.
func TestScripts(t *testing.T) {
	t.Parallel()
	models, err := filepath.Abs(filepath.Join("..", "..", "testdata", "models"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() { // the race detector finds nothing where one goroutine describes a model
		files = slices.DeleteFunc(files, func(name string) bool { return !strings.HasPrefix(filepath.Base(name), "predict") })
	}
	testscript.Run(t, testscript.Params{
		Files:         files,
		UpdateScripts: *update,
		// 1 and 2 are different things to say: scripts name the exit code that they want.
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			if err := writePrinting(filepath.Join(env.WorkDir, "printing")); err != nil {
				return err
			}
			env.Setenv("MODELS", models)
			env.Setenv("DEADLY", filepath.Join(models, "..", "..", "runner", "testdata", "deadly"))
			env.Setenv("KERAS", filepath.Join(models, "..", "..", "savedmodel", "kerasfile", "testdata"))
			env.Setenv("REVIEWS", filepath.Join(models, "..", "..", "examples", "reviews"))
			env.Setenv("TFRUN_LIBTENSORFLOW", os.Getenv("TFRUN_LIBTENSORFLOW"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": wantCode},
		Condition: func(cond string) (bool, error) {
			if cond != "tensorflow" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return runner.HasTensorFlow, nil
		},
	})
}

// writePrinting writes a model that gives its input back, and prints what would steer a terminal to
// standard output.
func writePrinting(dir string) error {
	const float, text = typespb.DataType_DT_FLOAT, typespb.DataType_DT_STRING
	kind := func(t typespb.DataType) *attrpb.AttrValue {
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: t}}
	}
	in, out := modeltest.Op("in", "Placeholder"), modeltest.Op("out", "Identity", "in", "^print")
	in.Attr["dtype"], out.Attr["T"] = kind(float), kind(float)
	in.Attr["shape"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: modeltest.Shape(-1)}}
	says := modeltest.Text("says", "{\"y\":666}\n\x1b]0;a title\a")
	says.Attr["dtype"] = kind(text)
	print := modeltest.Op("print", "PrintV2", "says") //nolint:predeclared,revive // what it is
	print.Attr["output_stream"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte("stdout")}}
	def := modeltest.Library([]*nodepb.NodeDef{in, says, print, out})
	def.GraphDef.Node = def.GraphDef.Node[:4] // it has its own placeholder
	def.GraphDef.Versions = &versionspb.VersionDef{Producer: 1994}
	def.SaverDef = nil
	sig := def.SignatureDef["run"]
	sig.Inputs["x"].Dtype, sig.Inputs["x"].TensorShape = float, modeltest.Shape(-1)
	sig.Outputs["y"].Dtype, sig.Outputs["y"].TensorShape = float, modeltest.Shape(-1)
	data, err := proto.Marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{def}})
	if err != nil {
		return err
	}
	return errors.Join(os.Mkdir(dir, 0o777), os.WriteFile(filepath.Join(dir, "saved_model.pb"), data, 0o666))
}

// wantCode is the script command "code N tfrun …": it runs a command that must end with exit code
// N.
func wantCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND [ARG…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if exit, ok := err.(interface{ ExitCode() int }); ok { //nolint:errorlint // testscript hands on os/exec's own error
		code = strconv.Itoa(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if code != args[0] {
		ts.Fatalf("%v: exit code %s, want %s", args[1:], code, args[0])
	}
}
