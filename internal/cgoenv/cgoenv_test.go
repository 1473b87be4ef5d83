package cgoenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestHeader compares the header with the library's own: each function is declared again after
// theirs, which a compiler refuses where the types differ, and each constant and size has to agree.
func TestHeader(t *testing.T) {
	own, err := files.ReadFile("include/tensorflow/c/c_api.h")
	if err != nil {
		t.Fatal(err)
	}
	includes, _ := filepath.Glob("../../third_party/tensorflow/*/include")
	if len(includes) == 0 {
		t.Skip("NOT CHECKED: no headers of libtensorflow in third_party")
	}
	var checks strings.Builder
	constants := regexp.MustCompile(`(TF_[A-Z0-9_]+) = (\d+),`).FindAllStringSubmatch(string(own), -1)
	if len(constants) < 30 {
		t.Fatalf("%d constants found", len(constants))
	}
	for _, m := range constants {
		fmt.Fprintf(&checks, "_Static_assert(%s == %s, \"%s\");\n", m[1], m[2], m[1])
	}
	for name, size := range map[string]int{"TF_TString": 24, "TF_Buffer": 24, "TF_Output": 16, "TF_Input": 16, "TF_AttrMetadata": 32} {
		fmt.Fprintf(&checks, "_Static_assert(sizeof(%s) == %d, \"%s\");\n", name, size, name)
	}
	functions := strings.Count(string(own), ");\n")
	if functions < 100 {
		t.Fatalf("%d functions found", functions)
	}
	dir := t.TempDir()
	again := strings.Replace(string(own), "TENSORFLOW_C_C_API_H_", "TFRUN_AGAIN", 2)
	for name, text := range map[string]string{
		"again.h": again,
		"theirs.c": `#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"
#define TFRUN_ONLY_FUNCTIONS
#include "again.h"
` + checks.String(),
		"ours.c": "#include \"tensorflow/c/eager/c_api.h\"\n" + checks.String(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for source, include := range map[string]string{"theirs.c": includes[len(includes)-1], "ours.c": "include"} {
		out, err := exec.CommandContext(t.Context(), "gcc", "-std=gnu11", "-Werror=incompatible-pointer-types", "-fsyntax-only", "-I", include, "-I", dir,
			filepath.Join(dir, source)).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", source, err, out)
		}
	}
}

// The flags stand beside what is there, once, and go without a trace, those of other versions too.
func TestFlags(t *testing.T) {
	for _, dir := range []string{"/cache/cgo/amd64-0123", "/my cache/cgo/amd64-0123"} {
		for _, before := range []string{"", "-O2 -g", "'-I/with space' -O3", `-DX="a b"`} {
			for _, f := range Flags(dir) {
				with := f.With(before)
				if f.With(with) != with {
					t.Errorf("%q twice: %q", with, f.With(with))
				}
				older := strings.ReplaceAll(with, "0123", "4567")
				if f.With(older) != with {
					t.Errorf("after another version: %q, want %q", f.With(older), with)
				}
				if f.Without(with) != before || f.Without(older) != before {
					t.Errorf("taken out of %q: %q, want %q", with, f.Without(with), before)
				}
			}
		}
	}
}
