//go:build linux && !race

package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tfrun/tfrun/internal/modeltest"
)

// TestPlaces puts each kind of thing that a file system may hold into each place of a model's
// folder. What describes such a model ends soon, with an answer or one line that names the file,
// and shows nothing of what lies elsewhere.
func TestPlaces(t *testing.T) {
	t.Parallel()
	const secret = "what lies elsewhere"
	elsewhere := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(elsewhere, []byte(strings.Repeat(secret+"\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	link := func(to string) func(string) error { return func(name string) error { return os.Symlink(to, name) } }
	content := func(b []byte) func(string) error {
		return func(name string) error { return os.WriteFile(name, b, 0o600) }
	}
	noise := make([]byte, 5000)
	for i := range noise {
		noise[i] = byte(i * 7919)
	}
	kinds := []struct {
		name string
		put  func(name string) error
	}{
		{"nothing", func(string) error { return nil }},
		{"a directory", func(name string) error { return os.Mkdir(name, 0o777) }},
		{"a pipe", func(name string) error { return syscall.Mkfifo(name, 0o600) }},
		{"a socket", putSocket},
		{"a link to nowhere", link("nowhere")},
		{"a link to itself", func(name string) error { return os.Symlink(filepath.Base(name), name) }},
		{"a link to the folder above", link("..")},
		{"a link to a process", link("/proc/self")},
		{"a link to a process' memory", link("/proc/self/mem")},
		{"a link to /dev/zero", link("/dev/zero")},
		{"a link to /dev/null", link("/dev/null")},
		{"a link to standard input", link("/dev/stdin")},
		{"a link to a file elsewhere", link(elsewhere)},
		{"a link to a folder elsewhere", link(filepath.Dir(elsewhere))},
		{"no bytes", content(nil)},
		{"noise", content(noise)},
		{"50 GB of zeros", func(name string) error {
			if err := content(nil)(name); err != nil {
				return err
			}
			return os.Truncate(name, 50<<30)
		}},
	}
	for _, p := range []struct{ model, place string }{
		{"k3_autoencoder", "saved_model.pb"},
		{"k3_autoencoder", "saved_model.pbtxt"},
		{"k3_autoencoder", "fingerprint.pb"},
		{"k2_autoencoder", "keras_metadata.pb"},
		{"k3_autoencoder", "variables"},
		{"k3_autoencoder", "variables/variables.index"},
		{"k3_autoencoder", "variables/variables.data-00000-of-00001"},
		{"mod_vocab_asset", "assets"},
		{"mod_vocab_asset", "assets/vocab.txt"},
		{"k3_autoencoder", "assets.extra"},
		{"k3_autoencoder", "."},
	} {
		t.Run(p.model+"/"+p.place, func(t *testing.T) {
			t.Parallel()
			honest := modeltest.Dir(p.model)
			for _, k := range kinds {
				model := filepath.Join(t.TempDir(), "m")
				if err := os.CopyFS(model, os.DirFS(honest)); err != nil {
					t.Fatal(err)
				}
				name := filepath.Join(model, p.place)
				if err := os.RemoveAll(filepath.Clean(name)); err != nil {
					t.Fatal(err)
				}
				if err := k.put(name); err != nil {
					t.Fatal(k.name, err)
				}
				for _, args := range [][]string{{"scan", model}, {"shapes", model, "--variables", "--stats"}, {"shapes", model, honest}} {
					begun := time.Now()
					code, stdout, stderr := command(args...)
					lines := strings.Count(stderr, "tfrun: error: ")
					failed := code == exitFailed && lines == 1 && strings.Contains(stderr, filepath.Base(model))
					if done := code == exitDone && lines == 0; !done && !failed || time.Since(begun) > 10*time.Second || strings.Contains(stdout+stderr, secret) {
						t.Errorf("%s: tfrun %q: exit code %d after %v: %s", k.name, args, code, time.Since(begun), stderr)
					}
				}
			}
		})
	}
}

// putSocket makes a socket. Its path must be short, so it is made elsewhere and moved.
func putSocket(name string) error {
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for tests
	short := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		return err
	}
	return os.Rename(short, name)
}
