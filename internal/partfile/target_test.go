//go:build unix

package partfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// writeBoth writes "new" to an output in both ways.
func writeBoth(t *testing.T, path string) (whole, file error) {
	t.Helper()
	w, whole := Create(path)
	if whole == nil {
		_, _ = io.WriteString(w, "new")
		whole = w.Commit()
	}
	p, file := Open(context.Background(), path, Identity{}, false, 0)
	if file == nil {
		_, _ = io.WriteString(p, "new")
		file = p.Commit()
	}
	return whole, file
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestOutputsOfOthers has files, links and pipes under the names of an output and of what it is
// until it is whole. Nothing but the output changes.
func TestOutputsOfOthers(t *testing.T) {
	t.Run("the mode of what is replaced", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "out")
		if err := os.WriteFile(out, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Open(context.Background(), out, Identity{}, false, 0)
		if err != nil {
			t.Fatal(err)
		}
		data, journal := workNames(out)
		for _, name := range []string{data, journal} {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
		if err := p.Remove(); err != nil {
			t.Fatal(err)
		}
	})
	for i, helper := range []string{"part", "journal"} {
		for kind, put := range map[string]func(victim, name string) error{"a link": os.Symlink, "another name of a file": os.Link} {
			t.Run(helper+" is "+kind, func(t *testing.T) {
				dir := t.TempDir()
				victim, out := filepath.Join(dir, "victim"), filepath.Join(dir, "out")
				if err := os.WriteFile(victim, []byte("precious"), 0o666); err != nil {
					t.Fatal(err)
				}
				data, journal := workNames(out)
				if err := put(victim, []string{data, journal}[i]); err != nil {
					t.Fatal(err)
				}
				_, err := Open(context.Background(), out, Identity{}, false, 0)
				if err == nil || !strings.Contains(err.Error(), "is in the way: want a regular file of this user's own") {
					t.Errorf("Open: %v", err)
				}
				if got := read(t, victim); got != "precious" {
					t.Errorf("the file is %q now", got)
				}
			})
		}
	}
	t.Run("a link is followed", func(t *testing.T) {
		dir := t.TempDir()
		real, out := filepath.Join(dir, "real"), filepath.Join(dir, "out")
		if err := os.WriteFile(real, []byte("old"), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("real", out); err != nil {
			t.Fatal(err)
		}
		if whole, file := writeBoth(t, out); whole != nil || file != nil {
			t.Fatal(whole, file)
		}
		if info, err := os.Lstat(out); err != nil || info.Mode()&os.ModeSymlink == 0 || read(t, real) != "new" {
			t.Errorf("%v, %v, %q", info.Mode(), err, read(t, real))
		}
	})
	t.Run("a link to nowhere", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "out")
		if err := os.Symlink("nowhere", out); err != nil {
			t.Fatal(err)
		}
		if whole, file := writeBoth(t, out); whole == nil || file == nil {
			t.Error("was written")
		}
	})
	t.Run("a pipe is written to", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "out")
		if err := syscall.Mkfifo(out, 0o600); err != nil {
			t.Skip(err)
		}
		got := make(chan string)
		go func() {
			data, _ := os.ReadFile(out)
			got <- string(data)
		}()
		w, err := Create(out)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, "new")
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != "new" {
			t.Errorf("%q arrived", s)
		}
		if info, err := os.Lstat(out); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
			t.Errorf("it is %v now", info.Mode())
		}
	})
}

// TestModelFiles names files of a model as outputs, also by a link: they are left alone. Others of
// the same names, in no model, are replaced.
func TestModelFiles(t *testing.T) {
	t.Parallel()
	for _, model := range []bool{true, false} {
		dir := t.TempDir()
		files := []string{"fingerprint.pb", "variables/variables.index", "assets/deep/vocab.txt", "mine.jsonl"}
		if model {
			files = append(files, "saved_model.pb")
		}
		for _, name := range files {
			path := filepath.Join(dir, name)
			link := filepath.Join(dir, strings.ReplaceAll(name, "/", "_")+".link")
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("old"), 0o600), os.Symlink(path, link)); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range files {
			for _, path := range []string{filepath.Join(dir, name), filepath.Join(dir, strings.ReplaceAll(name, "/", "_")+".link")} {
				whole, file := writeBoth(t, path)
				now, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				want := "new"
				if model && name != "mine.jsonl" {
					want = "old"
				}
				if (whole != nil || file != nil) != (want == "old") || string(now) != want {
					t.Errorf("a model %v, %s: %v and %v; it holds %q, want %q", model, name, whole, file, now, want)
				}
			}
		}
	}
}

// TestOpenStreamLate: a named pipe opens as soon as somebody reads it.
func TestOpenStreamLate(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		time.Sleep(300 * time.Millisecond)
		text, err := os.ReadFile(name)
		read <- fmt.Sprint(string(text), err)
	}()
	f, err := OpenStream(name)
	if err != nil {
		t.Fatal(err)
	}
	// more than a pipe holds
	_, err = io.WriteString(f, strings.Repeat("results\n", 100_000))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if got, want := <-read, strings.Repeat("results\n", 100_000)+"<nil>"; got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}
