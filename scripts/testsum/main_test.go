package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		events string
		counts [3]int
		want   string
	}{
		{
			name: "passed tests are counted, subtests too",
			events: `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"pass","Package":"p","Test":"TestA/x","Elapsed":0.1}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.25s\n"}
{"Action":"pass","Package":"p","Elapsed":0.25}`,
			counts: [3]int{2, 0, 0},
			want:   "ok   p (2 tests, 0.2 s)\n",
		},
		{
			name: "a failed test shows its output",
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: got 1\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p"}`,
			counts: [3]int{1, 1, 0},
			want:   "FAIL p TestA\n    a_test.go:3: got 1\nFAIL p\n",
		},
		{
			name: "a skipped test shows its reason",
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: no GPU\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`,
			counts: [3]int{0, 0, 1},
			want:   "skip p TestA: a_test.go:3: no GPU\nok   p (1 tests, 0.0 s)\n",
		},
		{
			name: "a package that does not build is one failure",
			events: `{"ImportPath":"p","Action":"build-output","Output":"./p.go:3: undefined: x\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			counts: [3]int{0, 1, 0},
			want:   "./p.go:3: undefined: x\nFAIL\tp [build failed]\nFAIL p\n",
		},
		{
			name: "a test that never ended keeps its output",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"SIGSEGV: segmentation violation\n"}
{"Action":"fail","Package":"p"}`,
			counts: [3]int{0, 1, 0},
			want:   "SIGSEGV: segmentation violation\nFAIL p\n",
		},
		{
			name:   "a package without tests is nothing",
			events: `{"Action":"output","Package":"p","Output":"?\tp\t[no test files]\n"}` + "\n" + `{"Action":"skip","Package":"p"}`,
		},
		{
			name:   "what is no event is passed on",
			events: "go: downloading x v1\n{\"a\":1}",
			want:   "go: downloading x v1\n{\"a\":1}",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			s := newSummary(&out)
			if err := s.read(strings.NewReader(tt.events)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if got := [3]int{s.passed, s.failed, s.skipped}; got != tt.counts {
				t.Errorf("passed, failed, skipped = %v, want %v", got, tt.counts)
			}
		})
	}
}

// TestRun runs a real go test over a module with one test of each kind.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module m\n\ngo 1.26\n")
	write(t, filepath.Join(dir, "m_test.go"), `package m

import "testing"

func TestPass(t *testing.T) { t.Run("sub", func(*testing.T) {}) }
func TestFail(t *testing.T) { t.Fatal("as it should") }
func TestSkip(t *testing.T) { t.Skip("not today") }
`)
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "")

	counts := filepath.Join(t.TempDir(), "counts")
	var out strings.Builder
	if err := run(counts, []string{"./..."}, &out, os.Stderr); err == nil {
		t.Error("run of a failing test gave no error")
	}
	if err := run(counts, []string{"-run", "Pass", "./..."}, &out, os.Stderr); err != nil {
		t.Errorf("run of a passing test: %v", err)
	}
	if err := run(counts, []string{"-no-such-flag"}, &out, &out); err == nil {
		t.Error("run with a bad flag gave no error")
	}
	got, err := os.ReadFile(counts)
	if err != nil {
		t.Fatal(err)
	}
	if want := "2 1 1\n2 0 0\n0 1 0\n"; string(got) != want {
		t.Errorf("counts = %q, want %q; output:\n%s", got, want, out.String())
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
