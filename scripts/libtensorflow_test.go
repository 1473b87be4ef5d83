// Package scripts tests libtensorflow.sh the way a user runs it: as a command, in a clone of its
// own.
//
// TensorFlow's wheel is 274 MB, so the tests build a small one of the same layout whose library has
// TF_Version and little else. It lies in a folder that pip's configuration names. Variables that
// the script documents (TFRUN_SHA256, TFRUN_CACHE, TFRUN_COMMAND) are all that it is told. What
// tfrun lib does by itself is tested in internal/getlib.
package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestGetTwice(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	first := c.run(t)
	for _, want := range []string{
		"taking the wheel of tensorflow-cpu 2.21.0 out of ",
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

// TestSecondClone has another clone use the same cache: it unpacks nothing and needs no tfrun.
func TestSecondClone(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	c.run(t)
	other := newClone(t)
	other.env = append(other.env, "TFRUN_CACHE="+c.cache)
	if got := other.run(t, "TFRUN_COMMAND=/none"); strings.Contains(got, "unpacking") || !strings.Contains(got, "ready") {
		t.Errorf("second clone = %q, want no more than that it is ready", got)
	}
}

// TestHeals makes again what is missing.
func TestHeals(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	c.run(t)
	library := filepath.Join(c.cache, "libtensorflow/linux-x86_64/cpu-2.21.0/lib/libtensorflow_cc.so.2")
	for name, damage := range map[string]func() error{
		"third_party deleted": func() error { return os.RemoveAll(filepath.Join(c.dir, "third_party")) },
		"library cut short":   func() error { return os.Truncate(library, 100) },
		"cache deleted":       func() error { return os.RemoveAll(c.cache) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if got := c.run(t); strings.Contains(got, "unpacking") != (name != "third_party deleted") {
			t.Errorf("%s: %s", name, got)
		}
		c.assertWorks(t)
		c.assertClean(t)
	}
}

// TestRefusesWheel shows that what tfrun lib refuses, and what a C program says of the library,
// ends the script with one error.
func TestRefusesWheel(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	liar := newWheel(t, wheelOptions{version: "2.21.0", library: "2.20.0"})
	tests := []struct {
		name, want string
		env        []string
	}{
		{"the pinned hash holds for TFRUN_WHEEL", `^tfrun: error: \S+ has sha256 ` + c.wheel.sha256 + `, want 2b847d21`, []string{"TFRUN_SHA256=", "TFRUN_WHEEL=" + c.wheel.file}},
		{"no such file", `/no/such.whl: no such file`, []string{"TFRUN_WHEEL=/no/such.whl"}},
		{"another version inside", `says it is TensorFlow 2.20.0, want 2.21.0`, []string{"TFRUN_WHEEL=" + liar.file, "TFRUN_SHA256=" + liar.sha256}},
		{"a library that does not work", `does not work here: `, []string{"CC=gcc -lnone"}},
		{"no such version", `--version "latest": want a release`, []string{"TF=latest"}},
		{"no such variant", `--variant "tpu": want cpu or gpu`, []string{"VARIANT=tpu"}},
		{"no wheel", `there is no wheel of tensorflow 2.21.0`, []string{"VARIANT=gpu"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := c.sibling(t)
			c.assertFails(t, regexp.MustCompile(tt.want), tt.env...)
			c.assertClean(t)
			if _, err := os.Stat(filepath.Join(c.dir, "third_party/tensorflow")); err == nil {
				t.Error("a refused wheel left something in third_party")
			}
		})
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
	tests := []struct {
		name, without, command, want string
		env                          []string
	}{
		{name: "C compiler", without: "gcc", want: `a C compiler \(gcc\) is missing: .*install`},
		{name: "named C compiler", command: "get", want: `a C compiler \(no-such-cc\) is missing: .*install`, env: []string{"CC=no-such-cc"}},
		{name: "Go", without: "go", command: "go", want: `Go is missing: install Go 1.26 or later`},
		{name: "Go for tfrun", without: "go", want: `Go is missing: install Go 1.26 or later`, env: []string{"TFRUN_COMMAND="}},
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

// TestUnsupportedSystem has uname name another system.
func TestUnsupportedSystem(t *testing.T) {
	t.Parallel()
	c := newClone(t)
	bin := t.TempDir()
	writeFile(t, filepath.Join(bin, "uname"), "#!/bin/sh\n[ $1 = -s ] && echo Darwin || echo arm64\n", 0o755)
	got := c.assertFails(t, regexp.MustCompile("Darwin is not supported: use Linux"), "TFRUN_LIBTENSORFLOW="+bin, "PATH="+bin+":"+os.Getenv("PATH"))
	if strings.Count(got, "\n") != 1 {
		t.Errorf("want one line, got:\n%s", got)
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
