package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

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
	if err := goleak.Find(); err != nil && code == 0 {
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
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		// 1 and 2 are different things to say: scripts name the exit code that they want.
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
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
