package getlib

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// fetch downloads the wheel into a folder, in place of any other, with its sha256 in a file beside
// it if that is not pinned. It returns the file and its sha256, which has been checked.
func (g *getter) fetch(ctx context.Context, dir, work string) (file, sum string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // for all users
		return "", "", err
	}
	conf := readConfig()
	c, err := newClient(conf)
	if err != nil {
		return "", "", err
	}
	c.pause = cmp.Or(g.pause, c.pause)
	found, err := g.find(ctx, c, conf)
	var unread *indexError
	part := filepath.Join(dir, found.name+".part")
	switch {
	case errors.As(err, &unread):
		if part, err = g.fetchByPip(ctx, work, unread); err == nil {
			found.name = filepath.Base(part)
			sum, err = g.sum(ctx, part)
		}
	case err == nil:
		sum, err = g.bringRight(ctx, c, found, part)
	}
	// pip's wheel is another one than the pinned one.
	if err == nil && g.want != "" && sum != g.want {
		err = fmt.Errorf("%s has sha256 %s, want %s", found.name, sum, g.want)
	}
	if err == nil && g.want == "" {
		err = g.record(dir, sum, found.sum != "" || unread != nil)
	}
	if err == nil {
		err = removeWheels(dir)
	}
	file = filepath.Join(dir, found.name)
	if err == nil {
		err = os.Rename(part, file)
	}
	return file, sum, err
}

// bringRight downloads a wheel and checks its sha256, if that is known. An unfinished download of
// an earlier run may be of another file: then all of it is downloaded again, once.
func (g *getter) bringRight(ctx context.Context, c *client, found wheelFile, part string) (sum string, err error) {
	info, err := os.Stat(part)
	left := err == nil && info.Size() > 0
	for {
		if err := g.bring(ctx, c, found, part); err != nil {
			return "", err
		}
		if sum, err = g.sum(ctx, part); err != nil {
			return "", err
		}
		want := cmp.Or(g.want, found.sum)
		if want == "" || sum == want {
			return sum, nil
		}
		if err := os.Remove(part); err != nil {
			return "", err
		}
		switch {
		case left:
		case g.want == "":
			return "", fmt.Errorf("%s has sha256 %s, and the package index says %s", found.name, sum, want)
		default:
			return "", fmt.Errorf("%s has sha256 %s, want %s", found.name, sum, want)
		}
		left = false
		g.Say("what an earlier run left was of another file: fetching all of it")
	}
}

// bring copies or downloads a wheel to a file, which may hold a part of it already.
func (g *getter) bring(ctx context.Context, c *client, found wheelFile, part string) error {
	size := cmp.Or(found.size, g.size)
	if have, known := free(filepath.Dir(part)); known && have < size {
		return fmt.Errorf("the wheel needs %d MB in %s, which has %d MB free", size/1e6, filepath.Dir(part), have/1e6)
	}
	if found.url.Scheme == "file" {
		g.Say("taking the wheel of %s %s out of %s", g.project(), g.version, filepath.Dir(found.url.Path))
		return copyFile(ctx, found.url, part)
	}
	g.Say("downloading the wheel of %s %s, %s, into %s", g.project(), g.version, megabytes(size), g.Cache)
	return c.download(ctx, found.url, part, func(done, total int64) { g.Progress("downloading", done, cmp.Or(total, size)) }, g.Say)
}

func megabytes(size int64) string {
	if size == 0 {
		return "some hundred MB"
	}
	return fmt.Sprintf("%d MB", size/1e6)
}

// record keeps the sha256 of a wheel that is not pinned, and says what it was compared with.
func (g *getter) record(dir, sum string, listed bool) error {
	with := "it was compared with the package index's alone"
	if !listed {
		with = "and there was nothing to compare it with"
	}
	g.Say("no sha256 of %s %s is pinned: %s", g.variant, g.version, with)
	return os.WriteFile(filepath.Join(dir, "sha256"), []byte(sum+"\n"), 0o644) //nolint:gosec // no secret
}

// removeWheels removes whole wheels from a folder.
func removeWheels(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	for _, file := range files {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

// copyFile copies a local file given by its address.
func copyFile(ctx context.Context, from *url.URL, to string) error {
	in, err := os.Open(from.Path)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was read only
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, stopping{ctx, in})
	return errors.Join(err, out.Close())
}

// fetchByPip downloads the wheel with pip, which knows further logins, keyrings and certificates.
func (g *getter) fetchByPip(ctx context.Context, work string, why error) (file string, err error) {
	pip := findPip(ctx)
	if pip == nil {
		return "", fmt.Errorf("the package index cannot be read: %w (and there is no pip to ask)", why)
	}
	g.Say("the package index cannot be read (%v): asking pip", why)
	platform := "manylinux_2_27_" + g.machine
	if release := strings.Split(g.version, "."); release[1] <= "20" {
		platform = "manylinux_2_17_" + g.machine
	}
	requirement := g.project() + "==" + g.version
	if g.want != "" {
		requirement += " --hash=sha256:" + g.want
	}
	list, fresh, temp := filepath.Join(work, "requirements.txt"), filepath.Join(work, "wheel"), filepath.Join(work, "pip")
	if err := errors.Join(os.WriteFile(list, []byte(requirement+"\n"), 0o600), os.Mkdir(fresh, 0o755), os.Mkdir(temp, 0o755)); err != nil { //nolint:gosec // for all users
		return "", err
	}
	// pip's cache would be a second copy.
	args := append(pip[1:len(pip):len(pip)], "--disable-pip-version-check", "download", "--no-cache-dir", "--no-deps", "--only-binary=:all:",
		"--implementation", "cp", "--python-version", "311", "--abi", "cp311", "--platform", platform, "-d", fresh, "-r", list)
	cmd := exec.CommandContext(ctx, pip[0], args...) //nolint:gosec // pip
	// pip collects the wheel in TMPDIR, and /tmp may be small.
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	cmd.Stdout, cmd.Stderr = g.Stderr, g.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("pip could not get %s %s: see its message above", g.project(), g.version)
	}
	if file, err = wheelIn(fresh); err == nil && file == "" {
		err = fmt.Errorf("pip fetched no wheel of %s %s", g.project(), g.version)
	}
	return file, err
}

// findPip returns a command that runs pip, or nil.
func findPip(ctx context.Context) []string {
	for _, pip := range [][]string{{cmp.Or(os.Getenv("PYTHON"), "python3"), "-m", "pip"}, {"pip3"}} {
		args := append(pip[1:len(pip):len(pip)], "--version")
		if exec.CommandContext(ctx, pip[0], args...).Run() == nil { //nolint:gosec // pip
			return pip
		}
	}
	return nil
}
