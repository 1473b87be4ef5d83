//go:build unix

package partfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openWhile opens an output that another run has, and calls meanwhile once it is being waited for.
func openWhile(t *testing.T, path string, meanwhile func() error) (*File, error) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		time.Sleep(50 * time.Millisecond) // less than lockFile waits
		done <- meanwhile()
	}()
	p, err := Open(t.Context(), path, Identity{}, false, 0)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return p, err
}

// The other run's end takes the name from the file that this one has opened.
func TestFileBeginsWhenAnotherRunEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out")
	other, err := Open(t.Context(), path, Identity{}, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	writeRows(t, other, "theirs\n")
	p, err := openWhile(t, path, other.Commit)
	if err != nil {
		t.Fatalf("Open while another run ends = %v", err)
	}
	writeRows(t, p, "ours\n")
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "ours\n" {
		t.Errorf("the output holds %q, %v", data, err)
	}
}

func TestFileSaysThatItsDirectoryIsGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "results")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "out")
	other, err := Open(t.Context(), path, Identity{}, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = openWhile(t, path, func() error { return errors.Join(os.RemoveAll(dir), other.close()) })
	var output *OutputFileError
	if !errors.As(err, &output) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open whose directory goes = %v, want an *OutputFileError that it does not exist", err)
	}
}

func TestFileWaitsForAnotherRunInVain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out")
	other, err := Open(t.Context(), path, Identity{}, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Remove() //nolint:errcheck // a directory of the test's
	if _, err := Open(t.Context(), path, Identity{}, false, 0); err == nil || !strings.Contains(err.Error(), "another run is writing it") {
		t.Errorf("Open of an output that is being written = %v", err)
	}
}
