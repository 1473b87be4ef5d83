package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWheel installs a wheel of tfrun from a folder as an index, with pip alone, and looks what the
// command gets: the library of an installed TensorFlow, unless the environment names another.
func TestWheel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "python3", "-m", "pip", "--version").CombinedOutput(); err != nil {
		t.Skipf("NOT CHECKED: there is no pip: %v: %s", err, out)
	}
	do := func(env []string, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	program, index := filepath.Join(dir, "program"), filepath.Join(dir, "index")
	writeFile(t, program, "#!/bin/sh\necho \"$TFRUN_LIBTENSORFLOW|$*\"\nexit 3\n", 0o755)
	if err := os.Mkdir(index, 0o755); err != nil {
		t.Fatal(err)
	}
	make := func() string { //nolint:predeclared // what it does
		return do([]string{"SOURCE_DATE_EPOCH=1700000000"}, "python3", "dist/wheel.py", "--version", "1.2.0+4.gabc", "--platform", "manylinux_2_17_x86_64", "--program", program, index)
	}
	name := make()
	first := sha256File(t, filepath.Join(index, name))
	if make() != name || sha256File(t, filepath.Join(index, name)) != first {
		t.Error("the same content gives other bytes")
	}
	site := filepath.Join(dir, "site")
	do(nil, "python3", "-m", "pip", "install", "--quiet", "--no-index", "--find-links", index, "--target", site, "tfrun")
	command := filepath.Join(site, "bin", "tfrun")
	ask := func(env ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), command, "shapes", "a b")
		cmd.Env = append(os.Environ(), append([]string{"TFRUN_LIBTENSORFLOW=", "PYTHONPATH=" + site}, env...)...)
		out, err := cmd.Output()
		if code := cmd.ProcessState.ExitCode(); code != 3 {
			t.Errorf("exit code %d (%v), want that of the program", code, err)
		}
		return strings.TrimSpace(string(out))
	}
	if got := ask(); !strings.HasSuffix(got, "|shapes a b") {
		t.Errorf("without TensorFlow: %q", got)
	}
	tensorflow := filepath.Join(site, "tensorflow")
	writeFile(t, filepath.Join(tensorflow, "__init__.py"), "raise SystemExit('TensorFlow was imported')\n", 0o644)
	writeFile(t, filepath.Join(tensorflow, "libtensorflow_cc.so.2"), "", 0o644)
	if got := ask(); got != tensorflow+"|shapes a b" {
		t.Errorf("with TensorFlow: %q", got)
	}
	if got := ask("TFRUN_LIBTENSORFLOW=/own"); got != "/own|shapes a b" {
		t.Errorf("with a library that is named: %q", got)
	}
	words := do([]string{"PYTHONPATH=" + site}, "python3", "-c", "import tfrun; print(*tfrun.command(), *tfrun.command('/own'))")
	if !strings.HasSuffix(words, " -m tfrun /own") {
		t.Errorf("the command of the wheel: %q", words)
	}
	if got := do([]string{"PYTHONPATH=" + site, "TFRUN_LIBTENSORFLOW=", "DIR=" + dir}, "python3", "-c", keepsArchives); got != "ok" {
		t.Errorf("archives that are not read anew: %s", got)
	}
}

// keepsArchives is a program that looks how often archives of Python's path are read while what is
// known of modules is forgotten, as Spark does before each task, and that a changed one is seen.
const keepsArchives = `
import importlib, os, sys, zipfile, zipimport
from tfrun import _zips

def add(module):
    with zipfile.ZipFile(archive, "a") as z:
        z.writestr(module + ".py", "")

archive = os.path.join(os.environ["DIR"], "modules.zip")
add("first_module")
sys.path.insert(0, archive)
import first_module
_zips.keep()
_zips.keep()
importlib.invalidate_caches()
reads, read = [], zipimport._read_directory
zipimport._read_directory = lambda a: reads.append(a) or read(a)
for _ in range(5):
    importlib.invalidate_caches()
assert not reads, "read again: %s" % reads
if sys.version_info < (3, 10):  # it forgets nothing of archives
    print("ok")
    sys.exit()
add("second_module")
importlib.invalidate_caches()
import second_module
assert len(reads) == 1, "a changed one was read %d times" % len(reads)
os.remove(archive)
importlib.invalidate_caches()
try:
    import third_module
    raise SystemExit("found in an archive that is gone")
except ImportError:
    print("ok")
`
