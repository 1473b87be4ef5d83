// Package bench_test runs the tests of the benchmark's harness, which is written in Python's
// standard library. They need no TensorFlow.
package bench_test

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestHarness runs the harness's own tests, in Python.
func TestHarness(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not there")
	}
	// go test takes a result out of its cache unless a file has changed that the test itself has
	// looked at.
	err = filepath.WalkDir(".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		_, err = d.Info()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-B", "-m", "unittest", "discover", "-t", ".", "-s", "tests")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", cmd.Args, err, out)
	}
}
