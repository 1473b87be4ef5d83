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

// Options say which library [Get] makes ready, and out of what. All but Cache may be left open.
type Options struct {
	Cache   string // the folder
	Variant string // "cpu", the default, or "gpu"
	Version string // such as "2.20.0"; [DefaultVersion]
	Wheel   string // a file to take instead of downloading one
	SHA256  string // of the wheel, instead of the pinned one
	// Say is told, line by line, what is done that takes time.
	Say func(format string, args ...any)
	// Progress is told how many bytes of all are done, often; total is 0 where it is not known.
	Progress func(what string, done, total int64)
	// Try opens the library in a folder and returns its version. nil looks at the file alone.
	Try func(ctx context.Context, dir string) (version string, err error)
	// Stderr gets what pip says, where it is needed.
	Stderr io.Writer

	pause time.Duration // before a broken download goes on; 0: a second
}

// Library is a libtensorflow that is ready.
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
	want string // sha256 of the wheel; "" where none is known
	size int64  // of the wheel, roughly; 0 where it is not known
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

// stopping is a reader that ends with its context.
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

// readable lets every user read what is in a folder, whatever the umask.
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
