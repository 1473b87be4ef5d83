// Package bench_test runs the tests of the benchmark's harness, which is written in Python's standard library. They need no TensorFlow.
package bench_test

import (
	"os/exec"
	"testing"
)

func TestHarness(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not there")
	}
	cmd := exec.Command(python, "-m", "unittest", "discover", "-t", ".", "-s", "tests")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", cmd.Args, err, out)
	}
}
