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

// Files that were finished without waiting for the disk are waited for together, whichever folders
// they are in.
func TestSync(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for _, name := range []string{"a/1", "a/2", "b/1"} {
		path := filepath.Join(dir, name)
		w, err := Create(mkdir(t, path))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
		if err := w.CommitUnsynced(); err != nil {
			t.Fatal(err)
		}
		w.Abandon() // does nothing
		if got, err := os.ReadFile(path); err != nil || string(got) != name {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
		paths = append(paths, path)
	}
	if err := Sync(paths); err != nil {
		t.Error(err)
	}
	if err := Sync(nil); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	var gone *OutputFileError
	if err := Sync(paths); !errors.As(err, &gone) {
		t.Errorf("of a folder that is gone: %v, want an *OutputFileError", err)
	}
}

// mkdir makes the folder of a path.
func mkdir(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}
