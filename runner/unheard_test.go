//go:build cgo && !notf && linux && !race

package runner

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// unheardEnv is set in the process of TestUnheardDeath that dies.
const unheardEnv = "TFRUN_TEST_UNHEARD"

// TestUnheardDeath has a process that dies of a row and cannot say so, as where it gets no thread
// or no memory: then the line is written without Go.
func TestUnheardDeath(t *testing.T) {
	t.Parallel()
	if os.Getenv(unheardEnv) != "" {
		if err := CatchDeath(func(string) { select {} }); err != nil {
			t.Fatal(err)
		}
		s := loadDir(t, "testdata/deadly", Options{AllowOps: []string{"Abort"}})
		got, err := lines(t, s, PredictOptions{BatchSize: 1}, "[1]\n[13]\n")
		t.Fatal("it lives: ", got, err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUnheardDeath$")
	cmd.Env = append(os.Environ(), unheardEnv+"=1")
	said, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 5 || !strings.Contains(string(said), "\ntfrun: error: SIGABRT has ended the process; it may lack memory or threads: see ulimit -a\n") {
		t.Errorf("exit code %d, %v: %s", code, err, said)
	}
}

// ends are ways in which Go's runtime ends a process, by name.
var ends = map[string]func(){
	"a panic": func() { go panic("of a\x1blibrary") },
	"a fault": func() { go func() { *(*int)(nil) = 1 }() },
	"a stack": func() {
		debug.SetMaxStack(1 << 20)
		var deeper func(n int) int
		deeper = func(n int) int { return deeper(n+1) + n }
		deeper(0)
	},
	"no memory": func() { useUp(nil) },
	"a map": func() {
		m := map[int]int{}
		for range 8 {
			go func() {
				for i := 0; ; i++ {
					m[i&7]++
				}
			}()
		}
	},
}

// useUp takes all memory that the process may have.
func useUp(have [][]byte) {
	limit := unix.Rlimit{Cur: 600 << 20, Max: 600 << 20}
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &limit); err != nil {
		panic(err)
	}
	for {
		have = append(have, make([]byte, 8<<20))
	}
}

// TestFatal has Go's runtime end a process, in each way that it has, with more stacks to print than
// a pipe holds: a line says so, and with stacks Go's own text stands before it.
func TestFatal(t *testing.T) {
	t.Parallel()
	if end := ends[os.Getenv(unheardEnv)]; end != nil {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := CatchDeath(func(string) {}); err != nil {
			t.Fatal(err)
		}
		from, err := CatchFatal(r, os.Getenv(unheardEnv+"_STACKS") != "")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, from) }()
		if err := unix.Dup2(int(w.Fd()), 2); err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			go func() { select {} }()
		}
		for i := range 3000 { // what a model prints must not be taken for Go's
			fmt.Fprintf(os.Stderr, "a line\nfatal error: of model %d\n", i)
		}
		end()
		select {}
	}
	for name, want := range map[string]string{
		"a panic": "panic: of a?library", "a fault": "panic: runtime error: invalid memory address or nil pointer dereference",
		"a stack": "stack overflow", "no memory": "out of memory", "a map": "concurrent map writes",
	} {
		for _, stacks := range []string{"", "1"} {
			if stacks != "" && name != "no memory" {
				continue // they come the same way
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFatal$")
			cmd.Env = append(os.Environ(), unheardEnv+"="+name, unheardEnv+"_STACKS="+stacks)
			said, err := cmd.CombinedOutput()
			text := string(said)
			_, line, _ := strings.Cut(text, "tfrun: error: Go's runtime has ended the process: ")
			line, _, _ = strings.Cut(line, "\n")
			code := cmd.ProcessState.ExitCode()
			if name == "no memory" && code == 5 && strings.HasSuffix(text, "\ntfrun: error: SIGABRT has ended the process; it may lack memory or threads: see ulimit -a\n") {
				continue // C had none for a thread before Go had none
			}
			if code != 5 || !strings.Contains(line, want) || strings.Contains(text, "goroutine ") != (stacks != "") {
				t.Errorf("%s, stacks %q: exit code %d, %v, %q: %s", name, stacks, code, err, line, text[:min(len(text), 2000)])
			}
		}
	}
}
