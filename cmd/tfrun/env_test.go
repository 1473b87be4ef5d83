//go:build cgo && !notf

package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
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
	beside, err := os.ReadFile("testdata/tfgo/main.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "tfgo"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tfgo", "main.go"), beside, 0o600); err != nil {
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
	do("go", "build", "-o", "beside", "./tfgo")
	model := filepath.Join(root, "testdata/models/k3_seed/model")
	if got := do(filepath.Join(dir, "service"), model, "[3, 5, 7]", "[3, 5]"); strings.Count(got, "output_0") != 2 {
		t.Errorf("the program prints %q, want two answers", got)
	}
	if got := do(filepath.Join(dir, "beside"), model); !strings.Contains(got, "[[210] [-210]]") || !strings.Contains(got, "loaded with 2.") {
		t.Errorf("the program with tfgo prints %q, want a product and a version", got)
	}
	do("go", "build", "-ldflags", "-linkmode external -extldflags -static", "-o", "static", ".")
	static := exec.CommandContext(t.Context(), filepath.Join(dir, "static"), model, "[3, 5, 7]")
	static.Env = environ
	if out, err := static.CombinedOutput(); err == nil || strings.Count(string(out), "\n") > 1 || !strings.Contains(string(out), "linked statically") && !strings.Contains(string(out), "libtensorflow is not in") {
		t.Errorf("a program that is linked statically: %v, %s; want one line", err, out)
	}
	tryService(t, filepath.Join(dir, "webservice"), environ, filepath.Join(root, "testdata/models"))
	do(tfrun, "env", "-u")
	if left, err := os.ReadFile(goenv); err == nil && strings.TrimSpace(string(left)) != "" {
		t.Errorf("left in Go's environment: %q", left)
	}
}

// tryService asks a program of examples/service for rows of two models, a row that is wrong, and
// the first model anew, and ends it.
func tryService(t *testing.T, program string, environ []string, models string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, "text="+filepath.Join(models, "k3_seed/model"), "dense="+filepath.Join(models, "k3_autoencoder/model"))
	c.Env = append(environ, "LISTEN="+address)
	var log strings.Builder
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	post := func(path, body string) (int, string) {
		for {
			resp, err := http.Post("http://"+address+path, "application/json", strings.NewReader(body)) //nolint:noctx // a test
			if err == nil {
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				return resp.StatusCode, string(text)
			}
			select { // it does not listen yet
			case err := <-ended:
				t.Fatalf("%v\n%s", err, &log)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	defer http.DefaultClient.CloseIdleConnections()
	_, first := post("/text", "[3, 5, 7]")
	for _, tt := range []struct {
		path, body string
		code       int
		want       string
	}{
		{"/text", "[3, 5, 7]", http.StatusOK, first},
		{"/dense", "[1, 2, 3, 4, 5, 6, 7, 8]", http.StatusOK, `{"output_0":[`},
		{"/dense", "[1]", http.StatusBadRequest, "want the shape (8,), got (1,)"},
		{"/text/reload", "", http.StatusOK, ""},
		{"/text", "[3, 5, 7]", http.StatusOK, first},
	} {
		if code, got := post(tt.path, tt.body); code != tt.code || !strings.Contains(got, tt.want) || first == "" {
			t.Errorf("%s %s: %d %s, want %d %s", tt.path, tt.body, code, got, tt.code, tt.want)
		}
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("%v\n%s", err, &log)
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
