// Package scripts tests libtensorflow.sh the way a user runs it: as a command, in a clone of its
// own.
//
// TensorFlow's wheel is 274 MB, so the tests build a small one of the same layout whose library has
// TF_Version and nothing else. pip gets it from a folder, as it would from a mirror. Variables that
// the script documents (TFRUN_SHA256, TFRUN_CACHE, PYTHON) are all that it is told.
package scripts

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestGetTwice(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	first := c.run(t)
	for _, want := range []string{
		"downloading the wheel of tensorflow-cpu 2.21.0, 274 MB",
		"sha256 " + c.wheel.sha256 + " is right",
		"ready: TensorFlow 2.21.0 (cpu) in third_party/tensorflow/cpu-2.21.0",
	} {
		if !strings.Contains(first, want) {
			t.Errorf("first run does not say %q:\n%s", want, first)
		}
	}
	if got, want := c.run(t), "libtensorflow: ready: TensorFlow 2.21.0 (cpu) in third_party/tensorflow/cpu-2.21.0\n"; got != want {
		t.Errorf("second run = %q, want %q", got, want)
	}
	prefix := filepath.Join(c.dir, "third_party/tensorflow/cpu-2.21.0")
	for link, want := range map[string]string{
		"libtensorflow.so":           "libtensorflow_cc.so.2",
		"libtensorflow_framework.so": "libtensorflow_framework.so.2",
	} {
		if got, err := os.Readlink(filepath.Join(prefix, "lib", link)); got != want {
			t.Errorf("link %s -> %q (%v), want %q", link, got, err, want)
		}
	}
	var got []string
	for _, pattern := range []string{"*/*", "include/*/*/*"} {
		names, err := filepath.Glob(filepath.Join(prefix, pattern))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, names...)
	}
	if list := strings.Join(got, " "); strings.Contains(list, "python") || !strings.Contains(list, "licenses/THIRD_PARTY_NOTICES.txt") {
		t.Errorf("layout holds what it should not, or lacks the notices: %s", list)
	}
	c.assertClean(t)
}

// TestSecondClone has another clone use the same cache: no download, no unpacking.
func TestSecondClone(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	c.run(t)
	other := newClone(t)
	other.env = append(other.env, "TFRUN_CACHE="+c.cache)
	if got := other.run(t, "TFRUN_SHA256="+c.wheel.sha256); strings.Contains(got, "unpacking") || !strings.Contains(got, "ready") {
		t.Errorf("second clone = %q, want no more than that it is ready", got)
	}
}

func TestHeals(t *testing.T) {
	t.Parallel()
	const library = "libtensorflow/linux-x86_64/cpu-2.21.0"
	tests := []struct {
		name     string
		damage   func(c *clone) error
		download bool // whether the wheel is needed again
	}{
		{"cache deleted", func(c *clone) error { return os.RemoveAll(c.cache) }, true},
		{"library deleted", func(c *clone) error { return os.RemoveAll(filepath.Join(c.cache, library)) }, false},
		{"third_party deleted", func(c *clone) error { return os.RemoveAll(filepath.Join(c.dir, "third_party")) }, false},
		{"library cut short", func(c *clone) error {
			return os.Truncate(filepath.Join(c.cache, library, "lib/libtensorflow_cc.so.2"), 100)
		}, false},
		{"headers deleted", func(c *clone) error { return os.RemoveAll(filepath.Join(c.cache, library, "include")) }, false},
		{"wheel and library damaged", func(c *clone) error {
			wheel, err := filepath.Glob(filepath.Join(c.cache, "wheels/*/*/*.whl"))
			if err != nil || len(wheel) != 1 {
				return errors.New("no wheel in the cache")
			}
			return errors.Join(
				os.WriteFile(wheel[0], []byte("PK cut short"), 0o644),
				os.RemoveAll(filepath.Join(c.cache, library)))
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newClone(t)
			c.run(t)
			if err := tt.damage(c); err != nil {
				t.Fatal(err)
			}
			got := c.run(t)
			if downloads := strings.Contains(got, "downloading"); downloads != tt.download {
				t.Errorf("downloaded again: %v, want %v:\n%s", downloads, tt.download, got)
			}
			c.assertWorks(t)
			c.assertClean(t)
		})
	}
}

// TestTwoAtOnce holds the first run while it unpacks, until the second has said that it waits.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	gate := filepath.Join(t.TempDir(), "gate")
	slow := "PYTHON=" + c.slowPython(t, gate)
	first := c.start(t, slow)
	c.waitFor(t, first, "unpacking")
	second := c.start(t, slow)
	c.waitFor(t, second, "waiting for it to end")
	writeFile(t, gate, "", 0o644)
	for _, run := range []*process{first, second} {
		if err := run.cmd.Wait(); err != nil {
			t.Errorf("%v:\n%s", err, run.text(t))
		}
	}
	if both := first.text(t) + second.text(t); strings.Count(both, "unpacking") != 1 || strings.Count(both, "downloading") != 1 {
		t.Errorf("want one download and one unpacking in:\n%s", both)
	}
	if got := second.text(t); !strings.Contains(got, "ready: TensorFlow 2.21.0") {
		t.Errorf("the second run does not end ready:\n%s", got)
	}
	c.assertWorks(t)
	c.assertClean(t)
}

// TestInterrupted ends a run in the middle of unpacking, politely and not.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{
		"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM, "SIGKILL": syscall.SIGKILL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClone(t)
			run := c.start(t, "PYTHON="+c.slowPython(t, filepath.Join(t.TempDir(), "never")))
			c.waitFor(t, run, "python waits") // so that a child is there to be told
			// Like a terminal's Ctrl-C, the signal goes to the whole process group.
			if err := syscall.Kill(-run.cmd.Process.Pid, signal); err != nil {
				t.Fatal(err)
			}
			if err := run.cmd.Wait(); err == nil {
				t.Error("an interrupted run ended with status 0")
			}
			if _, err := os.Stat(filepath.Join(c.cache, "libtensorflow/linux-x86_64/cpu-2.21.0")); err == nil {
				t.Error("an interrupted run left a library")
			}
			if signal != syscall.SIGKILL {
				c.assertClean(t)
			}
			if got := c.run(t); strings.Contains(got, "downloading") {
				t.Errorf("the next run downloaded a wheel that was whole:\n%s", got)
			}
			c.assertWorks(t)
			c.assertClean(t)
		})
	}
}

func TestRefusesWheel(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	wrong := strings.Repeat("0", 64)
	broken := filepath.Join(t.TempDir(), "broken.whl")
	writeFile(t, broken, "PK not a zip", 0o644)
	sum := sha256File(t, broken)
	python := newWheel(t, wheelOptions{version: "2.21.0", without: "tensorflow/libtensorflow_framework.so.2"})
	older := newWheel(t, wheelOptions{version: "2.20.0"})
	tests := []struct {
		name, want string
		env        []string
	}{
		{"pip's wheel has another hash", `pip could not get tensorflow-cpu 2.21.0`, []string{"TFRUN_SHA256=" + wrong}},
		{"the pinned hash holds for TFRUN_WHEEL", `TFRUN_WHEEL=\S+ has sha256 ` + c.wheel.sha256 + `, want 2b847d21`, []string{"TFRUN_SHA256=", "TFRUN_WHEEL=" + c.wheel.file}},
		{"no such file", `TFRUN_WHEEL=/no/such.whl is no file`, []string{"TFRUN_WHEEL=/no/such.whl"}},
		{"no zip", `broken.whl: File is not a zip file`, []string{"TFRUN_WHEEL=" + broken, "TFRUN_SHA256=" + sum}},
		{"no library inside", `holds no tensorflow/libtensorflow_framework.so.2`, []string{"TFRUN_WHEEL=" + python.file, "TFRUN_SHA256=" + python.sha256}},
		{"another version inside", `says it is TensorFlow 2.20.0, want 2.21.0`, []string{"TFRUN_WHEEL=" + older.file, "TFRUN_SHA256=" + older.sha256}},
		{"no such version", `TF=latest: want a release`, []string{"TF=latest"}},
		{"a version too old", `TF=2.14.0: want a release such as 2.21.0, 2.15.0 or later`, []string{"TF=2.14.0"}},
		{"no such variant", `VARIANT=tpu: want cpu or gpu`, []string{"VARIANT=tpu"}},
		{"a wheel that pip does not find", `pip could not get tensorflow 2.21.0: .*this is pip \d`, []string{"VARIANT=gpu", "TFRUN_SHA256=" + wrong}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := c.sibling(t)
			c.assertFails(t, regexp.MustCompile(tt.want), tt.env...)
			c.assertClean(t)
			if _, err := os.Stat(filepath.Join(c.dir, "third_party/tensorflow")); err == nil {
				t.Error("a refused wheel left something in third_party")
			}
		})
	}
}

// TestUnpinnedVersion takes a version that the script has no hash for, and keeps a record of its
// hash.
func TestUnpinnedVersion(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	w := newWheel(t, wheelOptions{version: "2.99.0"})
	env := []string{"TF=2.99.0", "TFRUN_SHA256=", "PIP_FIND_LINKS=" + filepath.Dir(w.file)}
	got := c.run(t, env...)
	if !strings.Contains(got, "no sha256 of cpu 2.99.0 is pinned here") || !strings.Contains(got, w.sha256) {
		t.Errorf("want the hash and that it is not pinned:\n%s", got)
	}
	if got := c.run(t, env...); strings.Count(got, "\n") != 1 {
		t.Errorf("second run = %q, want one line", got)
	}
}

// TestNoHome puts the cache into the clone where the home folder cannot be written.
func TestNoHome(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	c.cache = filepath.Join(c.dir, "third_party/.cache")
	c.env = append(c.env, "TFRUN_CACHE=", "XDG_CACHE_HOME=", "HOME=/proc/none", "TFRUN_WHEEL="+c.wheel.file)
	c.run(t)
	if _, err := os.Stat(filepath.Join(c.cache, "libtensorflow")); err != nil {
		t.Error(err)
	}
	c.assertWorks(t)
	c.assertClean(t)
}

func TestMissingPrerequisite(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	badPython := filepath.Join(t.TempDir(), "python3")
	writeFile(t, badPython, "#!/bin/sh\ncase $* in *'-m pip'*) exit 1;; esac\nexec python3 \"$@\"\n", 0o755)
	tests := []struct {
		name, without, command, want string
		env                          []string
	}{
		{name: "C compiler", without: "gcc", want: `a C compiler \(gcc\) is missing: .*install`},
		{name: "named C compiler", command: "get", want: `a C compiler \(no-such-cc\) is missing: .*install`, env: []string{"CC=no-such-cc"}},
		{name: "Python", without: "python3", want: `Python 3 is missing: .*install`},
		{name: "pip", without: "pip3", want: `pip is missing: .*install`, env: []string{"PYTHON=" + badPython}},
		{name: "flock", without: "flock", want: `flock is missing: .*install`},
		{name: "Go", without: "go", command: "go", want: `Go is missing: install Go 1.26 or later`},
		{name: "newer Go", command: "go", want: `install Go 1.26 or later .*go.mod requires go >= 1.99`, env: []string{"GOTOOLCHAIN=local", "GOFLAGS="}},
		{name: "writable cache", want: `cannot write to TFRUN_CACHE=/proc/no`, env: []string{"TFRUN_CACHE=/proc/no"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := c.sibling(t)
			c.command = tt.command
			writeFile(t, filepath.Join(c.dir, "go.mod"), "module m\n\ngo 1.99\n", 0o644)
			got := c.assertFails(t, regexp.MustCompile(tt.want), append(tt.env, "PATH="+pathWithout(t, tt.without))...)
			if strings.Count(got, "\n") != 1 {
				t.Errorf("want one line, got:\n%s", got)
			}
		})
	}
}

// TestUnsupportedSystem has uname name other systems.
func TestUnsupportedSystem(t *testing.T) {
	t.Parallel()
	for system, want := range map[string]string{
		"Darwin arm64":  "Darwin is not supported: use Linux",
		"Linux riscv64": "there is no build for Linux riscv64: point TFRUN_LIBTENSORFLOW at",
	} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			c := newClone(t)
			bin := t.TempDir()
			name, machine, _ := strings.Cut(system, " ")
			writeFile(t, filepath.Join(bin, "uname"), "#!/bin/sh\n[ $1 = -s ] && echo "+name+" || echo "+machine+"\n", 0o755)
			got := c.assertFails(t, regexp.MustCompile(want), "PATH="+bin+":"+os.Getenv("PATH"))
			if strings.Count(got, "\n") != 1 {
				t.Errorf("want one line, got:\n%s", got)
			}
		})
	}
}

func TestExistingLibrary(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	prefix := filepath.Join(t.TempDir(), "usr local")
	c.installLibrary(t, prefix)
	// The official C library has one more soname and no _cc.
	tarball := filepath.Join(t.TempDir(), "tarball")
	c.installLibrary(t, tarball)
	for _, name := range []string{"lib/libtensorflow_framework.so.2", "lib/libtensorflow_framework.so"} {
		if err := os.Remove(filepath.Join(tarball, name)); err != nil {
			t.Fatal(err)
		}
	}
	site := filepath.Join(t.TempDir(), "site-packages/tensorflow")
	c.installLibrary(t, site)
	for _, name := range []string{"libtensorflow_cc.so.2", "libtensorflow_framework.so.2"} {
		if err := os.Rename(filepath.Join(site, "lib", name), filepath.Join(site, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(site, "lib")); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"prefix": prefix, "single library": tarball, "Python package": site} {
		t.Run(name, func(t *testing.T) {
			c := c.sibling(t)
			c.env = append(c.env, "TFRUN_LIBTENSORFLOW="+dir, "PATH="+pathWithout(t, "python3"))
			want := "libtensorflow: ready: TensorFlow 2.21.0 in " + dir + " (TFRUN_LIBTENSORFLOW)\n"
			for range 2 {
				if got := c.run(t); got != want {
					t.Errorf("run = %q, want %q", got, want)
				}
			}
			c.assertWorks(t)
			if _, err := os.Stat(c.cache); err == nil {
				t.Error("a cache was made though nothing was downloaded")
			}
		})
	}
}

func TestRefusesExistingLibrary(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	bogus := filepath.Join(t.TempDir(), "bogus")
	c.installLibrary(t, bogus)
	writeFile(t, filepath.Join(bogus, "lib/libtensorflow_cc.so.2"), "not a library", 0o755)
	headless := filepath.Join(t.TempDir(), "headless")
	c.installLibrary(t, headless)
	if err := os.RemoveAll(filepath.Join(headless, "include")); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"/no/such":    `TFRUN_LIBTENSORFLOW=/no/such is no folder`,
		t.TempDir():   `holds no lib/libtensorflow\.so`,
		headless:      `holds no include/tensorflow/c/c_api\.h`,
		bogus:         `the libtensorflow in \S+ does not work: .*libtensorflow`,
		c.dir + "/..": `holds no lib/libtensorflow\.so`,
	} {
		got := c.assertFails(t, regexp.MustCompile(want), "TFRUN_LIBTENSORFLOW="+dir)
		if strings.Count(got, "\n") != 1 {
			t.Errorf("want one line, got:\n%s", got)
		}
	}
}

// TestEnv builds and runs a cgo program with nothing but what env prints, from a cache with a space
// in its name.
func TestEnv(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	c.cache = filepath.Join(t.TempDir(), "a cache")
	c.env = append(c.env, "TFRUN_CACHE="+c.cache)
	c.command = "env"
	c.run(t)
	if got := c.run(t); got != "" {
		t.Errorf("env says %q though nothing was to do", got)
	}
	c.assertGoWorks(t)

	script := `eval "$(bash scripts/libtensorflow.sh env)" && once=$CGO_CFLAGS$CGO_LDFLAGS &&
		eval "$(bash scripts/libtensorflow.sh env)" && [ "$once" = "$CGO_CFLAGS$CGO_LDFLAGS" ]`
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir, cmd.Env = c.dir, c.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("evaluating env twice changes the flags: %v\n%s", err, out)
	}
}

// waitFor waits until a run has said text.
func (c *clone) waitFor(t *testing.T, p *process, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if strings.Contains(p.text(t), text) {
			return
		}
	}
	t.Fatalf("run did not say %q within a minute:\n%s", text, p.text(t))
}
