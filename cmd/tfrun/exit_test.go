package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/runner"
)

// TestExit runs a model whose kernel ends the process of its own accord. Whatever exit status it
// has in mind, 0 above all, the run has failed: one line says so, and what was finished is there.
func TestExit(t *testing.T) {
	t.Parallel()
	if !runner.HasTensorFlow {
		t.Skip("NOT TRIED: it needs TensorFlow")
	}
	dir := t.TempDir()
	model, rows, tfrun := filepath.Join(dir, "model"), filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "tfrun")
	self, err := os.Executable()
	err = errors.Join(err, os.Symlink(self, tfrun), os.Mkdir(model, 0o700), os.WriteFile(filepath.Join(model, "saved_model.pb"), modeltest.Twice(t), 0o600), os.WriteFile(rows, []byte("1\n2\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for first, want := range map[string]string{
		"exit(0)": "exit(0)", "_exit(0)": "exit(0)", "_Exit(7)": "exit(7)", "abort()": "SIGABRT",
	} {
		library := modeltest.TwiceLibrary(t, first)
		for _, isolate := range []bool{false, true} {
			args := []string{"predict", model, rows, "--op-library", library, "--quiet", "--batch-size", "1", "-o", filepath.Join(dir, "out.jsonl")}
			if isolate && first != "exit(0)" {
				continue // where the process ends is no matter there
			}
			if isolate {
				args = append(args, "--isolate")
				want = strings.NewReplacer("exit(", "exit status ", ")", "").Replace(want)
			}
			cmd := exec.CommandContext(t.Context(), tfrun, args...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			err := cmd.Run()
			text := stderr.String()
			if cmd.ProcessState.ExitCode() != exitDied || !strings.Contains(text, want) || strings.Count(text, "tfrun: error: ") != 1 {
				t.Errorf("%s, isolated %v: %v, exit code %d, want %d and %q:\n%s", first, isolate, err, cmd.ProcessState.ExitCode(), exitDied, want, text)
			}
			if _, err := os.Stat(filepath.Join(dir, "out.jsonl")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s, isolated %v: there is an output: %v", first, isolate, err)
			}
		}
	}
}
