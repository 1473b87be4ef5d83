package tf

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestTooOld(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"1.15.5": true, "2.9.1": true, "2.14.1": true, "2.15.0": false, "2.21.0": false, "3.0.0": false, "": false, "dev": false} {
		if got := tooOld(version); got != want {
			t.Errorf("tooOld(%q) = %v", version, got)
		}
	}
}

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

func TestCannotRun(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("AVX is of x86-64")
	}
	lib := filepath.Join(t.TempDir(), "libtensorflow_cc.so.2")
	if got := cannotRun(lib, false); got != "" {
		t.Errorf("no library: %q", got)
	}
	if err := os.WriteFile(lib, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{lib, "libtensorflow.so.2"} {
		if got := cannotRun(path, true); got != "" {
			t.Errorf("%s with AVX: %q", path, got)
		}
		if got := cannotRun(path, false); !strings.HasPrefix(got, "needs a processor with AVX") {
			t.Errorf("%s without AVX: %q", path, got)
		}
	}
	t.Setenv("TFRUN_NO_AVX", "1")
	if got := cannotRun(lib, false); got != "" {
		t.Errorf("a build that does without: %q", got)
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
