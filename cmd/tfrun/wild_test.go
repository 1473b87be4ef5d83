package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/runner"
)

// TestWild runs the models of testdata/wild, of kinds that stand in public repositories, and
// compares with what TensorFlow in Python gave (make_wild.py).
func TestWild(t *testing.T) {
	t.Parallel()
	if !runner.HasTensorFlow {
		t.Skip("NOT TRIED: built without TensorFlow")
	}
	root := filepath.Join("..", "..", "testdata", "wild")
	models, err := filepath.Glob(filepath.Join(root, "*", "model"))
	if err != nil || len(models) == 0 {
		t.Fatalf("no models in %s: %v", root, err)
	}
	for _, model := range models {
		dir := filepath.Dir(model)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			runWild(t, dir, model)
		})
	}
	t.Run("compressed index", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(root, "asset_unused")
		model := filepath.Join(t.TempDir(), "model")
		if err := os.CopyFS(model, os.DirFS(filepath.Join(dir, "model"))); err != nil {
			t.Fatal(err)
		}
		modeltest.CompressIndex(t, filepath.Join(model, "variables", "variables.index"))
		runWild(t, dir, model)
	})
}

// runWild runs the rows of a folder through a model.
func runWild(t *testing.T, dir, model string) {
	t.Helper()
	text := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(data)
	}
	rows := filepath.Join(dir, "rows.jsonl")
	if text("rows.jsonl") == "" {
		rows = filepath.Join(dir, "rows.tfrecord")
	}
	args := append([]string{"predict", model, rows, "--quiet"}, strings.Fields(text("flags"))...)
	code, out, stderr := command(args...)
	if want := strings.TrimSpace(text("error")); want != "" {
		if code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("tfrun %s: exit code %d, %s, want an error with %q", strings.Join(args, " "), code, stderr, want)
		}
		return
	}
	if want := text("want.jsonl"); code != 0 || strings.ReplaceAll(out, "\r", "") != want {
		t.Errorf("tfrun %s: exit code %d, %s\n%s\nwant\n%s", strings.Join(args, " "), code, stderr, out, want)
	}
}

// command runs tfrun within this process.
func command(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, stdio{in: strings.NewReader(""), out: &out, err: &errs})
	return code, out.String(), errs.String()
}

// TestWildDescribed looks at what describes such models.
func TestWildDescribed(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "testdata", "wild")
	for _, c := range []struct{ args, want string }{
		{"shapes no_variables --variables", "No variables: this model has none."},
		{"shapes no_tags --tags=", "no tags"},
		{"shapes no_tags --tags []", "no tags"},
		{"scan no_tags --tags []", "clean"},
		{"shapes examples", "· ids     int64    (None,)  sparse feature"},
	} {
		args := strings.Fields(c.args)
		args[1] = filepath.Join(root, args[1], "model")
		if code, out, stderr := command(args...); code != 0 || !strings.Contains(out, c.want) {
			t.Errorf("tfrun %s: exit code %d, %s%s, want %q", c.args, code, stderr, out, c.want)
		}
	}
	args := []string{"shapes", filepath.Join(root, "asset_unused", "model"), "--tags", "[]"}
	if code, _, stderr := command(args...); code == 0 || !strings.Contains(stderr, "no graph with tags []") {
		t.Errorf("a graph without tags that there is not: exit code %d, %s", code, stderr)
	}
}

// TestMadeUpExamples lets doctor make up serialized tf.Examples from the features that the model
// parses out of them.
func TestMadeUpExamples(t *testing.T) {
	t.Parallel()
	if !runner.HasTensorFlow {
		t.Skip("NOT TRIED: built without TensorFlow")
	}
	code, out, stderr := command("doctor", filepath.Join("..", "..", "testdata", "wild", "examples", "model"))
	if code != 0 || !strings.Contains(out, "runs           yes") || strings.Contains(out, "refused") {
		t.Errorf("doctor: exit code %d, %s%s", code, stderr, out)
	}
}

// TestWholeRowHint says what to type where each row is a whole tensor, as of a model of sounds.
func TestWholeRowHint(t *testing.T) {
	t.Parallel()
	if !runner.HasTensorFlow {
		t.Skip("NOT TRIED: built without TensorFlow")
	}
	dir := filepath.Join("..", "..", "testdata", "wild", "waveform")
	code, _, stderr := command("predict", filepath.Join(dir, "model"), filepath.Join(dir, "rows.jsonl"), "--quiet")
	if code != exitData || !strings.Contains(stderr, "hint: if each row holds a whole tensor, as the signature takes it: --no-batch") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
