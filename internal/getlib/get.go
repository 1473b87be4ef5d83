package getlib

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Find returns the library if it is ready. It makes nothing.
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

// Get makes the library ready, unless it is. It downloads the wheel, checks its sha256, unpacks the
// library and tries it. Simultaneous calls, of other processes too, take turns. An error is one
// line; it is an [*OptionError] for an invalid option.
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
	return g.library(), g.makeLibrary(ctx)
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

// takeWheel sets what the options leave open from a wheel that they name.
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

// makeLibrary makes the library. The caller has the lock.
func (g *getter) makeLibrary(ctx context.Context) error {
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

// wheel returns a wheel with a checked sha256: the one that the options name, the one in the cache,
// or one that it downloads.
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
