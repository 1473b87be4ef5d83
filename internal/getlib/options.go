package getlib

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options say which library [Get] makes ready, and from what. Only Cache is required.
type Options struct {
	Cache   string // the folder
	Variant string // "cpu", the default, or "gpu"
	Version string // such as "2.20.0"; [DefaultVersion]
	Wheel   string // a file to take instead of downloading one
	SHA256  string // of the wheel, instead of the pinned one
	// Say is called with a line of text for each step that takes time.
	Say func(format string, args ...any)
	// Progress is called often, with the bytes done and the total; total is 0 if it is not known.
	Progress func(what string, done, total int64)
	// Try opens the library in a folder and returns its version. nil: only the file is looked at.
	Try func(ctx context.Context, dir string) (version string, err error)
	// Stderr gets what pip prints, if pip is called.
	Stderr io.Writer

	pause time.Duration // before a download continues; 0: a second
}

// Library is a libtensorflow that is ready to be opened.
type Library struct {
	Dir     string // with lib/ and include/
	Version string
	Variant string
}

// getter gets one library.
type getter struct {
	Options
	build
	dest string // the library's folder
	want string // sha256 of the wheel; "" if none is known
	size int64  // of the wheel, roughly; 0 if it is not known
}

func (g *getter) library() Library { return Library{g.dest, g.version, g.variant} }

// sum returns the sha256 of a file.
func (g *getter) sum(ctx context.Context, file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // it was read only
	h := sha256.New()
	if _, err := io.Copy(h, stopping{ctx, f}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// stopping is a reader that fails once its context is done.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s stopping) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}

// readable makes a folder's files readable for every user, whatever the umask.
func readable(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Type()&os.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if d.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
}

// wheelIn returns the wheel in a folder, or "".
func wheelIn(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(files) == 0 {
		return "", err
	}
	return files[0], nil
}
