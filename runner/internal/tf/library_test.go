package tf

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestTooOld: releases before 2.15 are refused.
func TestTooOld(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"1.15.5": true, "2.9.1": true, "2.14.1": true, "2.15.0": false, "2.21.0": false, "3.0.0": false, "": false, "dev": false} {
		if got := tooOld(version); got != want {
			t.Errorf("tooOld(%q) = %v", version, got)
		}
	}
}

// TestWhyNot: a file that cannot be opened as a library is told why in a few words.
func TestWhyNot(t *testing.T) {
	t.Parallel()
	file := func(machine elf.Machine) string {
		head := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(machine), Version: 1, Ehsize: 64}
		copy(head.Ident[:], "\x7fELF\x02\x01\x01")
		data, err := binary.Append(nil, binary.LittleEndian, head)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "lib.so")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own, other := elf.EM_X86_64, elf.EM_AARCH64
	if runtime.GOARCH == "arm64" {
		own, other = other, own
	}
	if got := whyNot(file(other), "x"); !strings.HasPrefix(got, "is built for another processor (") {
		t.Errorf("a library for another processor: %q", got)
	}
	if got := whyNot(file(own), "x"); got != "x" {
		t.Errorf("a library for this one: %q", got)
	}
	if got := whyNot(os.DevNull, "x"); got != "x" {
		t.Errorf("no library: %q", got)
	}
}

// TestCannotRun: a build that needs AVX is not opened by a processor without it.
func TestCannotRun(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("AVX is of x86-64")
	}
	lib := filepath.Join(t.TempDir(), "libtensorflow_cc.so.2")
	if got := cannotRun(lib, false, false); got != "" {
		t.Errorf("no library: %q", got)
	}
	if err := os.WriteFile(lib, []byte(strings.Repeat("no library ", 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{lib, "libtensorflow.so.2"} {
		if got := cannotRun(path, true, false); got != "" {
			t.Errorf("%s with AVX: %q", path, got)
		}
		if got := cannotRun(path, false, false); !strings.HasPrefix(got, "needs a processor with AVX") {
			t.Errorf("%s without AVX: %q", path, got)
		}
	}
	t.Setenv("TFRUN_NO_AVX", "1")
	if got := cannotRun(lib, false, false); got != "" {
		t.Errorf("a build that does without: %q", got)
	}
	if got := cannotRun(lib, true, true); !strings.Contains(got, "statically") {
		t.Errorf("in a program that is linked statically: %q", got)
	}
}

// The linker says nothing of a variable that is not there: what the build sets has to be libraryDir
// of this package.
func TestLibraryDirIsWhereTheBuildSetsIt(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../../../scripts/libtensorflow.sh")
	if err != nil {
		t.Fatal(err)
	}
	_, set, _ := strings.Cut(string(script), "TFRUN_LDFLAGS=")
	if want := reflect.TypeFor[Config]().PkgPath() + ".libraryDir="; !strings.Contains(strings.SplitN(set, "\n", 2)[0], want) {
		t.Errorf("the build does not set %s", want)
	}
}

// The order of the search: what is named, and nothing else; the environment; beside the program;
// what the build knew; the dynamic linker; the cache.
func TestLibraryOrder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TFRUN_LIBTENSORFLOW", "")
	cached := filepath.Join(dir, "cache")
	t.Setenv("TFRUN_CACHE", cached)
	touch := func(parts ...string) string {
		t.Helper()
		file := filepath.Join(append([]string{dir}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	name := libraryNames[0]
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	inCache := touch("cache", "libtensorflow", runtime.GOOS+"-"+machine, "cpu-2.21.0", "lib", name)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(filepath.Dir(exe), name)
	if err := os.WriteFile(beside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(beside) //nolint:errcheck // the test's own folder goes with it
	known := touch("known", name)
	defer func(dir string) { libraryDir = dir }(libraryDir)
	libraryDir = filepath.Dir(known)
	want := append(append([]string{beside, known}, libraryNames...), inCache)
	if got := libraryFiles(""); !slices.Equal(got, want) {
		t.Errorf("the search goes through\n%q\nwant\n%q", got, want)
	}
	variable, option := touch("variable", "lib", name), touch("option", name)
	t.Setenv("TFRUN_LIBTENSORFLOW", filepath.Join(dir, "variable"))
	if got := libraryFiles(""); !slices.Equal(got, []string{variable}) {
		t.Errorf("with the variable: %q", got)
	}
	for _, named := range []string{option, filepath.Dir(option)} {
		if got := libraryFiles(named); !slices.Equal(got, []string{option}) {
			t.Errorf("named %q: %q", named, got)
		}
	}
	t.Chdir(dir)
	if got := libraryFiles("option"); !slices.Equal(got, []string{option}) {
		t.Errorf("named by a relative path: %q", got)
	}
	err = &LibraryError{Tried: []LibraryTry{{Path: libraryFiles("none")[0]}, {Path: libraryFiles("none")[1]}}}
	if got, want := err.Error(), "libtensorflow is not in "+filepath.Join(dir, "none")+", "+filepath.Join(dir, "none", "lib"); got != want {
		t.Errorf("nothing there: %q, want %q", got, want)
	}
}

// A library that is named counts when another one is open, too: it is that one, by whatever path,
// or an error.
func TestLibraryIsObeyed(t *testing.T) {
	lib, err := OpenLibrary("")
	if errors.Is(err, ErrNoTensorFlow) {
		t.Skip("built without libtensorflow")
	}
	if err != nil {
		t.Fatal(err)
	}
	if lib.Path == "" {
		t.Skip("linked with libtensorflow itself")
	}
	dir := t.TempDir()
	link, other := filepath.Join(dir, "link.so"), filepath.Join(dir, "other.so")
	if err := errors.Join(os.Symlink(lib.Path, link), os.WriteFile(other, []byte("another"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, named := range []string{"", lib.Path, filepath.Dir(lib.Path), link} {
		if got, err := OpenLibrary(named); err != nil || got != lib {
			t.Errorf("%q: %v, %v, want %v", named, got, err, lib)
		}
	}
	for named, want := range map[string]string{other: "this process has opened another one already", dir + "/none": "libtensorflow is not in " + dir + "/none"} {
		_, err := OpenLibrary(named)
		var e *LibraryError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", named, err, want)
		}
	}
}

// TestCutOffLibrary cuts a program's file short, as either of a library's two.
func TestCutOffLibrary(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f, err := elf.Open(self)
	if err != nil {
		t.Skip("programs are no ELF files here")
	}
	defer f.Close() //nolint:errcheck // it was read only
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	lib, framework := filepath.Join(dir, "libtensorflow_cc.so.2"), filepath.Join(dir, "libtensorflow_framework.so.2")
	for _, n := range []int{0, 16, 64, 4096, len(data) / 2, len(data) - 64, len(data)} {
		for _, cut := range []string{lib, framework} {
			for _, file := range []string{lib, framework} {
				size := len(data)
				if file == cut {
					size = n
				}
				if err := os.WriteFile(file, data[:size], 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want := ""
			if n < len(data) {
				want = filepath.Base(cut) + " is cut off: get it anew"
			}
			if got := cannotRun(lib, true, false); got != want {
				t.Errorf("%d of %d bytes of %s: %q, want %q", n, len(data), filepath.Base(cut), got, want)
			}
		}
	}
}
