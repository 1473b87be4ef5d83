//go:build unix

package partfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a process that was killed has left is swept away; what is being written, what another file's
// is, and what is no file stay.
func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	for _, name := range []string{".out.77-0.part", ".out.77-1.part", ".other.77-0.part", ".out.part", "out.77-0.part", ".out.x-0.part"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("left"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".out.78-0.part"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(".out.part", filepath.Join(dir, ".out.79-0.part")); err != nil {
		t.Fatal(err)
	}
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	Sweep(path, filepath.Join(dir, "nosuch", "out"))
	if _, err := w.WriteString("whole"); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{".other.77-0.part", ".out.78-0.part", ".out.79-0.part", ".out.part", ".out.x-0.part", "out", "out.77-0.part"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files, -want +got:\n%s", diff)
	}
}
