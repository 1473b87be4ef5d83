//go:build cgo && !notf && linux && !race

package runner

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// unheardEnv is set in the process of TestUnheardDeath that dies.
const unheardEnv = "TFRUN_TEST_UNHEARD"

// TestUnheardDeath has a process that dies of a row and cannot say so, as where it gets no thread
// or no memory: then the line is written without Go.
func TestUnheardDeath(t *testing.T) {
	t.Parallel()
	if os.Getenv(unheardEnv) != "" {
		if err := CatchDeath(func(string) { select {} }); err != nil {
			t.Fatal(err)
		}
		s := loadDir(t, "testdata/deadly", Options{AllowOps: []string{"Abort"}})
		got, err := lines(t, s, PredictOptions{BatchSize: 1}, "[1]\n[13]\n")
		t.Fatal("it lives: ", got, err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUnheardDeath$")
	cmd.Env = append(os.Environ(), unheardEnv+"=1")
	said, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 5 || !strings.Contains(string(said), "\ntfrun: error: SIGABRT has ended the process; it may lack memory or threads: see ulimit -a\n") {
		t.Errorf("exit code %d, %v: %s", code, err, said)
	}
}
