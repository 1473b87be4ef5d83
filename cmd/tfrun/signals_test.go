//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/runner"
)

// hangs is what the kernel of a model does that never answers: it says that it has begun.
const hangs = `for (ssize_t n = write(2, "it runs\n", 8);; n++) pause()`

// TestSignals sends SIGTERM, SIGINT twice, SIGQUIT, or SIGSEGV to runs that do not end by
// themselves: one that waits for its next row, and one inside a kernel that does not return. They
// end, with a line of error at most, and leave no output. The signals are sent once the run has
// shown where it is.
func TestSignals(t *testing.T) {
	t.Parallel()
	if !runner.HasTensorFlow {
		t.Skip("NOT TRIED: it needs TensorFlow")
	}
	dir := t.TempDir()
	model, tfrun := filepath.Join(dir, "model"), filepath.Join(dir, "tfrun")
	self, err := os.Executable()
	err = errors.Join(err, os.Symlink(self, tfrun), os.Mkdir(model, 0o700), os.WriteFile(filepath.Join(model, "saved_model.pb"), modeltest.Twice(t), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	works, hung := modeltest.TwiceLibrary(t, "(void)0"), modeltest.TwiceLibrary(t, hangs)
	for _, flags := range []string{"", "--isolate", "--timeout 1h", "--isolate --timeout 1h"} {
		for _, s := range [][]syscall.Signal{{syscall.SIGTERM}, {syscall.SIGINT, syscall.SIGINT}, {syscall.SIGQUIT}, {syscall.SIGSEGV}} {
			for _, library := range []string{works, hung} {
				waits := library == works
				if waits && strings.Contains(flags, "--timeout") {
					continue // nothing runs that could be late
				}
				t.Run(strings.TrimSpace(flags+" "+s[0].String()), func(t *testing.T) {
					t.Parallel()
					out := filepath.Join(t.TempDir(), "out.jsonl")
					args := []string{"predict", model, "-", "--op-library", library, "--quiet", "--batch-size", "1"}
					if !waits {
						args = append(args, "-o", out)
					}
					interrupted(t, exec.CommandContext(t.Context(), tfrun, append(args, strings.Fields(flags)...)...), waits, s)
					if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
						t.Errorf("there is an output: %v", err)
					}
				})
			}
		}
	}
}

// interrupted starts a command, gives it a row and waits for the answer, or for what its kernel
// says; then it sends the signals, and looks at the end.
func interrupted(t *testing.T, cmd *exec.Cmd, answers bool, signals []syscall.Signal) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "1\n"); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	first, want := io.Reader(out), "2"
	if !answers {
		first, want = io.TeeReader(errs, &said), "it runs"
	}
	lines := bufio.NewScanner(first)
	for lines.Scan() && !strings.Contains(lines.Text(), want) {
	}
	if !strings.Contains(lines.Text(), want) {
		t.Errorf("it is not where it should be: %v, %s", lines.Err(), said.String())
	}
	for i, s := range signals {
		if i > 0 {
			time.Sleep(50 * time.Millisecond)
		}
		_ = cmd.Process.Signal(s) // it may have ended
	}
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if _, err := io.Copy(&said, errs); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // as is seen
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	failures := strings.Count(said.String(), "tfrun: error: ")
	code := exitInterrupted
	if signals[0] == syscall.SIGSEGV {
		code = exitDied
	}
	second := len(signals) > 1 && status.Signaled() && slices.Contains(signals, status.Signal())
	if !second && (status.ExitStatus() != code || failures != 1) || failures > 1 {
		t.Errorf("%v with %d lines of error, want %d with one:\n%s", cmd.ProcessState, failures, code, said.String())
	}
}
