//go:build cgo && !notf

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A module of somebody else's builds with what `tfrun env -w` writes and nothing else, and its
// program finds the library when it runs: no flags, no libtensorflow at the linker, no rpath.
func TestEnvOtherModule(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the binding")
	}
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	goenv := filepath.Join(dir, "goenv")
	environ := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "CGO_") || strings.HasPrefix(v, "GOFLAGS=") || strings.HasPrefix(v, "TFRUN_LIBTENSORFLOW=")
	})
	environ = append(environ, "GOENV="+goenv)
	do := func(name string, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), name, args...)
		c.Dir, c.Env = dir, environ
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	// the versions of this module, so that nothing has to be fetched
	text := strings.Replace(string(mod), "module github.com/tfrun/tfrun", "module example.com/service", 1) +
		"\nrequire github.com/tfrun/tfrun v0.0.0\nreplace github.com/tfrun/tfrun => " + root + "\n"
	program, err := os.ReadFile("testdata/service/main.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"go.mod": []byte(text), "go.sum": sums, "main.go": program} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "web"), os.DirFS(filepath.Join(root, "examples", "service"))); err != nil {
		t.Fatal(err)
	}
	tfrun := filepath.Join(dir, "tfrun")
	c := exec.CommandContext(t.Context(), "go", "build", "-o", tfrun, "./cmd/tfrun")
	c.Dir, c.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	do(tfrun, "env", "-w")
	do("go", "build", "-o", "service", ".")
	do("go", "build", "-o", "webservice", "./web")
	model := filepath.Join(root, "testdata/models/k3_seed/model")
	if got := do(filepath.Join(dir, "service"), model, "[3, 5, 7]", "[3, 5]"); strings.Count(got, "output_0") != 2 {
		t.Errorf("the program prints %q, want two answers", got)
	}
	do(tfrun, "env", "-u")
	if left, err := os.ReadFile(goenv); err == nil && strings.TrimSpace(string(left)) != "" {
		t.Errorf("left in Go's environment: %q", left)
	}
}

// TestEnvQuotes evaluates what libtensorflow.sh prints for eval, with a path that a shell would
// run.
func TestEnvQuotes(t *testing.T) {
	t.Parallel()
	const path = `/x $(touch ran) it's "here"`
	script := `source <(sed '/^main "\$@"$/d' ../../scripts/libtensorflow.sh); include=$1 lib=$1; out=$(print_env) || exit; eval "$out"; printf %s "$CGO_CFLAGS"; [ ! -e ran ]`
	cmd := exec.Command("bash", "-c", script, "bash", path)
	cmd.Env = append(os.Environ(), "CGO_CFLAGS=", "CGO_LDFLAGS=")
	out, err := cmd.Output()
	if err != nil || string(out) != "-g -O2 '-I"+path+"'" {
		t.Errorf("CGO_CFLAGS is %q, %v", out, err)
	}
}
