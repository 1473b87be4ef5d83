package getlib

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
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

// Find returns the library where it is ready; nothing is made.
func Find(o Options) (Library, error) {
	g, err := newGetter(o)
	if err != nil {
		return Library{}, err
	}
	if !whole(g.dest, g.want) {
		return Library{}, fmt.Errorf("there is no TensorFlow %s (%s) in %s", g.version, g.variant, o.Cache)
	}
	return g.library(), nil
}

// Get makes the library ready, unless it is: it fetches the wheel, checks its sha256, takes the
// library out and looks whether it works. Calls at the same time, of other processes too, take
// turns. The error is one line; an [*OptionError] where an option makes no sense.
func Get(ctx context.Context, o Options) (Library, error) {
	g, err := newGetter(o)
	if err != nil {
		return Library{}, err
	}
	if whole(g.dest, g.want) {
		return g.library(), nil
	}
	if err := os.MkdirAll(filepath.Dir(g.dest), 0o755); err != nil {
		return Library{}, fmt.Errorf("the cache cannot be written to (TFRUN_CACHE names another): %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(o.Cache, "lock"), func() { o.Say("another run is at it: waiting for it to end") })
	if err != nil {
		return Library{}, err
	}
	defer unlock()
	if whole(g.dest, g.want) {
		return g.library(), nil
	}
	return g.library(), g.make(ctx)
}

// getter gets one library.
type getter struct {
	Options
	build
	dest string // the library's folder
	want string // sha256 of the wheel; "" where none is known
	size int64  // of the wheel, roughly; 0 where it is not known
}

func newGetter(o Options) (*getter, error) {
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	host, err := machine()
	if err != nil {
		return nil, err
	}
	g := &getter{Options: o, build: build{host, o.Variant, o.Version}}
	if o.Wheel != "" {
		if err := g.takeWheel(); err != nil {
			return nil, err
		}
	}
	g.variant, g.version = cmp.Or(g.variant, "cpu"), cmp.Or(g.version, DefaultVersion)
	if err := g.validate(); err != nil {
		return nil, err
	}
	g.want, g.size = g.pinned()
	g.want = cmp.Or(strings.ToLower(o.SHA256), g.want)
	g.dest = g.folder(o.Cache)
	return g, nil
}

// takeWheel fills in, from a wheel that is named, what the options leave open.
func (g *getter) takeWheel() error {
	project, version, err := wheelIdentity(g.Wheel)
	if err != nil {
		return fmt.Errorf("%s: %w", g.Wheel, err)
	}
	g.build.version = cmp.Or(g.build.version, version)
	if g.build.variant == "" && g.machine == "x86_64" && project == "tensorflow" {
		g.build.variant = "gpu"
	}
	return nil
}

func (g *getter) library() Library { return Library{g.dest, g.version, g.variant} }

// make makes the library. The caller has the lock.
func (g *getter) make(ctx context.Context) error {
	left, _ := filepath.Glob(filepath.Join(g.Cache, "run.*")) // of runs that were killed
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
	work, err := os.MkdirTemp(g.Cache, "run.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // the next run removes it
	wheel, sum, err := g.wheel(ctx, work)
	if err != nil {
		return err
	}
	g.Say("sha256 %s is right", sum)
	fresh := filepath.Join(work, "new")
	g.Say("unpacking %s", filepath.Base(wheel))
	if err := unpack(ctx, wheel, fresh, g.Progress); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(wheel), err)
	}
	if err := g.check(ctx, wheel, fresh); err != nil {
		return fmt.Errorf("the library of %s does not work here: %w", filepath.Base(wheel), err)
	}
	sizes, err := librarySizes(fresh)
	if err != nil {
		return err
	}
	stamp := fmt.Sprintf("%s %s\n%s\n", sum, g.version, sizes)
	if err := os.WriteFile(filepath.Join(fresh, "stamp"), []byte(stamp), 0o644); err != nil { //nolint:gosec // for all users
		return err
	}
	if err := readable(fresh); err != nil {
		return err
	}
	if err := os.Rename(g.dest, filepath.Join(work, "old")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(fresh, g.dest)
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

// wheel returns a wheel whose sha256 is right: the one that is named, the one in the cache, or one
// that it fetches.
func (g *getter) wheel(ctx context.Context, work string) (file, sum string, err error) {
	if g.Wheel != "" {
		sum, err := g.sum(ctx, g.Wheel)
		if err == nil && g.want != "" && sum != g.want {
			err = fmt.Errorf("%s has sha256 %s, want %s", g.Wheel, sum, g.want)
		}
		return g.Wheel, sum, err
	}
	dir := filepath.Join(g.Cache, "wheels", g.system(), g.name())
	if file, err = wheelIn(dir); err != nil {
		return "", "", err
	}
	if file != "" {
		want := g.want
		if want == "" {
			recorded, _ := os.ReadFile(filepath.Join(dir, "sha256"))
			want = cmp.Or(strings.TrimSpace(string(recorded)), "a recorded one")
		}
		if sum, err = g.sum(ctx, file); err != nil || sum == want {
			return file, sum, err
		}
		g.Say("the wheel in the cache is damaged (sha256 %s, want %s): fetching it again", sum, want)
	}
	return g.fetch(ctx, dir, work)
}

// wheelIn returns the wheel in a folder, or "".
func wheelIn(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(files) == 0 {
		return "", err
	}
	return files[0], nil
}

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
