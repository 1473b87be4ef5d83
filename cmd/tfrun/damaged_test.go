//go:build cgo && !notf

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDamagedVariablesAreSaid runs the commands that read variables on models whose variables are
// damaged: each says in one line which file it is, and which variable where it is one's. What
// savedmodel's TestDamagedVariables finds in many ways is shown here for one of each sort.
func TestDamagedVariablesAreSaid(t *testing.T) {
	t.Parallel()
	const data = "variables.data-00000-of-00001"
	change := func(name string, change func(b []byte) []byte) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			name := filepath.Join(dir, name)
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, change(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		file   string
		says   string
	}{
		{"an index cut off", change("variables.index", func(b []byte) []byte { return b[:len(b)/2] }), "variables.index", "cut off"},
		{"values cut off", change(data, func(b []byte) []byte { return b[:len(b)/2] }), data, "is cut off"},
		{"a value with a bit changed", change(data, func(b []byte) []byte { b[161] ^= 1; return b }), data, `the values of "enc/dense/bias" are damaged`},
		{"the object graph with a bit changed", change(data, func(b []byte) []byte { b[1500] ^= 1; return b }), data, "are damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "m")
			if err := os.CopyFS(dir, os.DirFS("../../testdata/models/k3_autoencoder/model")); err != nil {
				t.Fatal(err)
			}
			c.damage(t, filepath.Join(dir, "variables"))
			rows := filepath.Join(t.TempDir(), "rows.jsonl")
			if err := os.WriteFile(rows, []byte("[1,2,3,4,5,6,7,8]\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			want := "tfrun: error: " + filepath.Join(dir, "variables", c.file) + ": "
			for _, args := range [][]string{
				{"predict", dir, rows, "-q"},
				{"predict", dir, rows, "-q", "--isolate"},
				{"doctor", dir},
				{"shapes", dir, "--variables", "--stats"},
			} {
				cmd := exec.CommandContext(t.Context(), "tfrun", args...)
				var stderr strings.Builder
				cmd.Stderr = &stderr
				_ = cmd.Run() // the exit code tells
				said := stderr.String()
				if first, rest, _ := strings.Cut(said, "\n"); strings.Contains(first, "fingerprint.pb: is of another variables/variables.index: ") {
					said = rest // true, too, of an index that was changed
				}
				if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.HasPrefix(said, want) || !strings.Contains(said, c.says) || strings.Count(said, "\n") != 1 {
					t.Errorf("tfrun %q: exit code %d, %s\nwant %s… %s", args, code, said, want, c.says)
				}
			}
		})
	}
}
