package scripts

import (
	"archive/zip"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// clone is a folder with the scripts in it, a cache of its own, and the environment to run them in.
type clone struct {
	dir, cache string
	wheel      wheel
	env        []string
	command    string
}

// newClone makes a clone for which pip's configuration names the folder of the small wheel. It
// skips the test where the programs are missing that the script itself asks for, and on machines
// that the small wheel is not named for.
func newClone(t *testing.T) *clone {
	t.Helper()
	if system := runtime.GOOS + "/" + runtime.GOARCH; system != "linux/amd64" {
		t.Skipf("the wheel of these tests is for linux/amd64, this is %s", system)
	}
	for _, name := range []string{"bash", "gcc"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
	return cloneWith(t, sharedWheel(t))
}

func cloneWith(t *testing.T, w wheel) *clone {
	t.Helper()
	base := t.TempDir()
	c := &clone{dir: filepath.Join(base, "clone"), cache: filepath.Join(base, "cache"), wheel: w}
	writeFile(t, filepath.Join(c.dir, "scripts/libtensorflow.sh"), readFile(t, "libtensorflow.sh"), 0o755)
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch {
		case strings.HasPrefix(name, "TFRUN_"), strings.HasPrefix(name, "PIP_"), strings.HasPrefix(name, "CGO_"):
		case name == "TF", name == "VARIANT", name == "PYTHON", name == "CC":
		default:
			c.env = append(c.env, v)
		}
	}
	c.env = append(c.env,
		"TFRUN_CACHE="+c.cache, "TFRUN_SHA256="+w.sha256, "TFRUN_COMMAND="+builtTfrun(t),
		"PIP_CONFIG_FILE="+os.DevNull, "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+filepath.Dir(w.file))
	return c
}

// sibling returns a fresh clone with the same wheel.
func (c *clone) sibling(t *testing.T) *clone {
	t.Helper()
	return cloneWith(t, c.wheel)
}

func (c *clone) cmd(env ...string) *exec.Cmd {
	command := c.command
	if command == "" {
		command = "get"
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		bash = "bash"
	}
	cmd := exec.Command(bash, "scripts/libtensorflow.sh", command)
	cmd.Dir, cmd.Env = c.dir, append(c.env[:len(c.env):len(c.env)], env...)
	return cmd
}

// run runs the script, which must succeed, and returns what it said on stderr.
func (c *clone) run(t *testing.T, env ...string) string {
	t.Helper()
	var stderr strings.Builder
	cmd := c.cmd(env...)
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v:\n%s", err, stderr.String())
	}
	return stderr.String()
}

// assertFails runs the script, which must fail with status 1 and one error that matches want. It
// returns all that was said.
func (c *clone) assertFails(t *testing.T, want *regexp.Regexp, env ...string) string {
	t.Helper()
	cmd := c.cmd(env...)
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit status %d, want 1", code)
	}
	if errs := regexp.MustCompile(`(?m)^\w+: error: .*$`).FindAllString(string(out), -1); len(errs) != 1 || !want.MatchString(errs[0]) {
		t.Errorf("want one error that matches %q:\n%s", want, out)
	}
	return string(out)
}

// assertWorks builds a C program with the flags that env prints, and runs it.
func (c *clone) assertWorks(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "main.c"), `#include <stdio.h>
#include "tensorflow/c/c_api.h"
int main(void) { return puts(TF_Version()) < 0; }
`, 0o644)
	// The flags are quoted for Go, which reads quotes as a shell does.
	c.assertBuilds(t, dir, `eval "gcc -o m $CGO_CFLAGS main.c $CGO_LDFLAGS -ltensorflow"`)
}

// assertGoWorks is assertWorks with a Go program; it is slow, as Go builds runtime/cgo for each set
// of flags.
func (c *clone) assertGoWorks(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "go.mod"), "module m\n\ngo 1.26\n", 0o644)
	writeFile(t, filepath.Join(dir, "main.go"), `package main

// #cgo LDFLAGS: -ltensorflow
// #include "tensorflow/c/c_api.h"
import "C"
import "fmt"

func main() { fmt.Println(C.GoString(C.TF_Version())) }
`, 0o644)
	c.assertBuilds(t, dir, "go build -o m")
}

// assertBuilds has build make the program m in dir, with the flags that env prints, and runs it.
func (c *clone) assertBuilds(t *testing.T, dir, build string) {
	t.Helper()
	cmd := exec.Command("bash", "-c", `env=$(bash scripts/libtensorflow.sh env) && eval "$env" && cd "$0" && `+build+` && exec ./m`, dir)
	cmd.Dir, cmd.Env = c.dir, append(c.env[:len(c.env):len(c.env)], "GOFLAGS=")
	if out, err := cmd.Output(); err != nil || string(out) != c.wheel.version+"\n" {
		t.Errorf("%s with the flags of env: %v, says %q, want %s", build, err, out, c.wheel.version)
	}
}

// assertClean checks that no temporary folder is left in the cache.
func (c *clone) assertClean(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(c.cache, "run.*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in the cache: %v %v", left, err)
	}
}

// installLibrary lays the small library out below prefix as lib and include.
func (c *clone) installLibrary(t *testing.T, prefix string) {
	t.Helper()
	lib := filepath.Join(prefix, "lib")
	for name, text := range c.wheel.members {
		if base := filepath.Base(name); strings.HasPrefix(base, "lib") {
			writeFile(t, filepath.Join(lib, base), text, 0o755)
			if err := os.Symlink(base, filepath.Join(lib, strings.NewReplacer("_cc", "", ".2", "").Replace(base))); err != nil {
				t.Fatal(err)
			}
		} else if header, ok := strings.CutPrefix(name, "tensorflow/include/"); ok {
			writeFile(t, filepath.Join(prefix, "include", header), text, 0o644)
		}
	}
}

// pathWithout returns a PATH with the programs that the script may use, except one.
func pathWithout(t *testing.T, missing string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range strings.Fields(`bash cat chmod cksum cut dirname gcc go grep head id ln ls mkdir
		mktemp mv paste python3 readlink rm stat tail uname`) {
		file, err := exec.LookPath(name)
		if err != nil || name == missing {
			continue
		}
		// Not a link: some of these find their parts through PATH, which is the full one again for
		// them.
		writeFile(t, filepath.Join(dir, name), "#!/bin/sh\nPATH='"+os.Getenv("PATH")+"' exec '"+file+"' \"$@\"\n", 0o755)
	}
	return dir
}

// wheel is a wheel file with TensorFlow's layout and a library that has TF_Version alone.
type wheel struct {
	file, sha256, version string
	members               map[string]string
}

type wheelOptions struct {
	version string // as the wheel says
	library string // as the library says, "" says the same
}

// shared holds the wheel that most tests use, and tfrun, in a folder that TestMain removes.
var shared struct {
	once, tfrun sync.Once
	dir         string
	wheel
}

// builtTfrun returns a tfrun without cgo, as the script builds one where it is not given one.
func builtTfrun(t *testing.T) string {
	t.Helper()
	file := filepath.Join(shared.dir, "tfrun")
	shared.tfrun.Do(func() {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", file, "../cmd/tfrun")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
	return file
}

func sharedWheel(t *testing.T) wheel {
	t.Helper()
	shared.once.Do(func() { shared.wheel = buildWheel(t, shared.dir, wheelOptions{version: "2.21.0"}) })
	if shared.file == "" {
		t.Fatal("no wheel: an earlier test could not build it")
	}
	return shared.wheel
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "wheel")
	if err != nil {
		panic(err)
	}
	shared.dir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func newWheel(t *testing.T, o wheelOptions) wheel {
	t.Helper()
	return buildWheel(t, t.TempDir(), o)
}

func buildWheel(t *testing.T, dir string, o wheelOptions) wheel {
	t.Helper()
	build := t.TempDir()
	compile(t, build, "libtensorflow_framework.so.2", "int tf_framework;", "")
	compile(t, build, "libtensorflow_cc.so.2", `void TF_NewGraph(void) {} void TF_SessionRun(void) {} void TF_AllocateTensor(void) {}
		const char* TF_Version(void) { return "`+cmp.Or(o.library, o.version)+`"; }`, "-Wl,-rpath,$ORIGIN")
	members := map[string]string{
		"tensorflow/libtensorflow_cc.so.2":                    readFile(t, filepath.Join(build, "libtensorflow_cc.so.2")),
		"tensorflow/libtensorflow_framework.so.2":             readFile(t, filepath.Join(build, "libtensorflow_framework.so.2")),
		"tensorflow/include/tensorflow/c/c_api.h":             "const char* TF_Version(void);\n",
		"tensorflow/include/tensorflow/c/eager/c_api.h":       "#include \"tensorflow/c/c_api.h\"\n",
		"tensorflow/include/tsl/platform/ctstring.h":          "\n",
		"tensorflow/THIRD_PARTY_NOTICES.txt":                  "notices\n",
		"tensorflow/python/__init__.py":                       "raise ImportError\n",
		"tensorflow_cpu-" + o.version + ".dist-info/METADATA": "Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: " + o.version + "\n",
		"tensorflow_cpu-" + o.version + ".dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_27_x86_64\n",
		"tensorflow_cpu-" + o.version + ".dist-info/RECORD":   "",
	}
	file := filepath.Join(dir, "tensorflow_cpu-"+o.version+"-cp311-cp311-manylinux_2_27_x86_64.whl")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, data := range members {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return wheel{file, sha256File(t, file), o.version, members}
}

// compile builds a shared library from C source, with its name as soname.
func compile(t *testing.T, dir, name, source, flag string) {
	t.Helper()
	args := []string{"-shared", "-fPIC", "-x", "c", "-o", filepath.Join(dir, name), "-Wl,-soname," + name, "-"}
	if flag != "" {
		args = append(args, flag)
	}
	cmd := exec.Command("gcc", args...)
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
}

func writeFile(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func sha256File(t *testing.T, name string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(readFile(t, name)))
	return hex.EncodeToString(sum[:])
}
