package partfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A file that is made anew appears whole, with the mode of the one it replaces, and leaves nothing
// else behind.
func TestWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	for _, step := range []struct {
		before  func() error
		text    string
		abandon bool
		want    string
		mode    os.FileMode
	}{
		{text: "gone", abandon: true},
		{text: "first", want: "first", mode: newFileMode(t)},
		{before: func() error { return os.Chmod(path, 0o640) }, text: "second", want: "second", mode: 0o640},
		{text: "third", abandon: true, want: "second", mode: 0o640},
	} {
		if step.before != nil {
			if err := step.before(); err != nil {
				t.Fatal(err)
			}
		}
		w, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		other, err := Create(path)
		if err != nil {
			t.Fatalf("a second writer: %v", err)
		}
		other.Abandon()
		if _, err := w.WriteString(step.text); err != nil {
			t.Fatal(err)
		}
		if !step.abandon {
			if err := w.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		w.Abandon()
		got, err := os.ReadFile(path)
		if step.want == "" && !errors.Is(err, os.ErrNotExist) || string(got) != step.want {
			t.Errorf("the file holds %q, %v, want %q", got, err, step.want)
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Perm() != step.mode {
			t.Errorf("mode %v, want %v", info.Mode().Perm(), step.mode)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	var output *OutputFileError
	if _, err := Create(filepath.Join(dir, "none", "out")); !errors.As(err, &output) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Create in no directory = %v, want an *OutputFileError", err)
	}
	if _, err := Create(dir); err == nil {
		t.Error("Create of a directory went well")
	}
}

// newFileMode is the mode that a new file gets here.
func newFileMode(t *testing.T) os.FileMode {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "x"), os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}
