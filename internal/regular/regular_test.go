//go:build unix

package regular

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOpen: a file and a link to one are opened; nothing else is, or is waited for.
func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.WriteFile(at("file"), []byte("content"), 0o600),
		os.Symlink("file", at("link")),
		os.Mkdir(at("folder"), 0o700),
		syscall.Mkfifo(at("pipe"), 0o600),
		os.Symlink("pipe", at("link to a pipe")),
		os.Symlink("nowhere", at("link to nothing")),
	); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // a test's own
	for name, want := range map[string]error{
		at("file"): nil, at("link"): nil,
		at("folder"): ErrOther, at("pipe"): ErrOther, at("link to a pipe"): ErrOther, at("socket"): ErrOther, os.DevNull: ErrOther, "/dev/zero": ErrOther,
		at("link to nothing"): os.ErrNotExist, at("nothing"): os.ErrNotExist,
	} {
		f, size, err := Open(name)
		if !errors.Is(err, want) || (f == nil) != (want != nil) {
			t.Errorf("%s: %v, %v, want %v", name, f, err, want)
		}
		head := string(Head(name, 4))
		if f == nil {
			if head != "" {
				t.Errorf("%s: head %q", name, head)
			}
			continue
		}
		all, readErr := io.ReadAll(f)
		if err := errors.Join(readErr, f.Close()); err != nil || string(all) != "content" || size != 7 || head != "cont" || string(Head(name, 99)) != "content" {
			t.Errorf("%s: %q, size %d, head %q, %v", name, all, size, head, err)
		}
	}
}
