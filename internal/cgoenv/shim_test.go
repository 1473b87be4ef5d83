package cgoenv

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeLibrary has a function of the C API that adds up what it is given: more arguments than
// registers hold, of both kinds.
const fakeLibrary = `
const char *TF_Version(void) { return "2.21.0"; }
double TF_NewGraph(long a, long b, long c, long d, long e, long f, long g, long h, long i,
                   double q, double r, double s, double t, double u, double v, double w, double x, double y) {
  return a + 2*b + 3*c + 4*d + 5*e + 6*f + 7*g + 8*h + 9*i + q/2 + r/4 + s/8 + t/16 + u/32 + v/64 + w/128 + x/256 + y/512;
}
`

const fakeProgram = `
#include <stdio.h>
double TF_NewGraph(long, long, long, long, long, long, long, long, long, double, double, double, double, double, double, double, double, double);
void TF_DeleteGraph(void);
int main(int argc, char **argv) {
  for (int k = 0; k < 2; k++)
    printf("%.9f ", TF_NewGraph(1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1));
  fflush(stdout);
  if (argc > 1) TF_DeleteGraph();
}
`

// A function of the stand-in that is called before anybody has opened the library opens it, where
// the environment or the dynamic linker says, and gets its arguments as they are.
func TestFirstCall(t *testing.T) {
	t.Run("here", func(t *testing.T) {
		t.Parallel()
		firstCall(t, "gcc")
	})
	t.Run("arm64", func(t *testing.T) {
		t.Parallel()
		firstCall(t, "aarch64-linux-gnu-gcc", "qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")
	})
}

// firstCall compiles the fakes and runs the program, under an emulator where one is given.
func firstCall(t *testing.T, cc string, emulator ...string) {
	for _, name := range append([]string{cc}, emulator[:min(len(emulator), 1)]...) {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(name + " is not installed")
		}
	}
	dir := t.TempDir()
	sources := map[string]string{"fake.c": fakeLibrary, "main.c": fakeProgram}
	for name, text := range sources {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lib := filepath.Join(dir, "far", "lib", "libtensorflow.so.2")
	if err := os.MkdirAll(filepath.Dir(lib), 0o700); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	for _, args := range [][]string{
		{"-shared", "-fPIC", filepath.Join(dir, "fake.c"), "-o", lib},
		{"-O2", filepath.Join(dir, "main.c"), "shim/shim.c", "-ldl", "-pthread", "-o", program},
	} {
		if out, err := exec.CommandContext(t.Context(), cc, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", cc, args, err, out)
		}
	}
	const sum = "285.998046875 "
	for _, tt := range []struct {
		env, argument string
		want          string // on stdout
		said          string // on stderr, where the program is ended
	}{
		{"TFRUN_LIBTENSORFLOW=" + lib, "", sum + sum, ""},
		{"TFRUN_LIBTENSORFLOW=" + filepath.Dir(lib), "", sum + sum, ""},
		{"TFRUN_LIBTENSORFLOW=" + filepath.Join(dir, "far"), "", sum + sum, ""},
		{"LD_LIBRARY_PATH=" + filepath.Dir(lib), "", sum + sum, ""},
		{"TFRUN_LIBTENSORFLOW=" + filepath.Join(dir, "none"), "", "", "tfrun: error: " + filepath.Join(dir, "none") + ": cannot open shared object file"},
		{"TFRUN_LIBTENSORFLOW=", "", "", "tfrun: error: libtensorflow is not where the dynamic linker looks"},
		{"TFRUN_LIBTENSORFLOW=" + lib, "more", sum + sum, "lacks a function that was called"},
	} {
		line := append(append(slices.Clone(emulator), program), strings.Fields(tt.argument)...)
		cmd := exec.CommandContext(t.Context(), line[0], line[1:]...)
		cmd.Env = []string{tt.env}
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		var exit *exec.ExitError
		if string(out) != tt.want || !strings.Contains(stderr.String(), tt.said) || errors.As(err, &exit) != (tt.said != "") {
			t.Errorf("%s %s: %v, %q and %q on stderr, want %q and %q", tt.env, tt.argument, err, out, &stderr, tt.want, tt.said)
		}
	}
}

// A library into which the stand-in is linked (-buildmode=c-shared) shows nothing of it:
// TensorFlow, which is opened later, would else call the stand-in's functions in place of its own.
func TestShimIsHidden(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("gcc is not installed")
	}
	file := filepath.Join(t.TempDir(), "lib.so")
	if out, err := exec.CommandContext(t.Context(), "gcc", "-shared", "-fPIC", "shim/shim.c", "-ldl", "-pthread", "-o", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was read only
	list, err := f.DynamicSymbols()
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	for _, s := range list {
		if strings.HasPrefix(s.Name, "TF") || strings.HasPrefix(s.Name, "tfrun_") {
			t.Errorf("%s is seen", s.Name)
		}
	}
}
