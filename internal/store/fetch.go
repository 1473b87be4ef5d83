package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tfrun/tfrun/internal/crash"
)

// fetchAtOnce is how many objects are fetched at the same time.
const fetchAtOnce = 4

// Fetch copies objects of a folder in a store into a local folder below dir, whose name ends in
// base, and returns that folder's name. Each version of the objects is copied once, by whichever
// process is first, and the folder appears when it is whole. begin, if not nil, is called before
// copying.
func Fetch(ctx context.Context, folder string, paths []string, infos map[string]Info, dir, base string, begin func()) (string, error) {
	h := sha256.New()
	for _, path := range paths {
		if !filepath.IsLocal(filepath.FromSlash(path)) || strings.Contains(path, `\`) {
			return "", &Error{Name: Join(folder, path), Msg: "no file can have a name like this"}
		}
		fmt.Fprintf(h, "%q %d %s %s\n", Join(folder, path), infos[path].Size, infos[path].ETag, infos[path].Modified)
	}
	whole := filepath.Join(dir, fmt.Sprintf("%x", h.Sum(nil)[:12]))
	copied := filepath.Join(whole, base)
	if _, err := os.Stat(copied); err == nil {
		return copied, nil
	}
	if begin != nil {
		begin()
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	removeLeft(dir)
	temp, err := os.MkdirTemp(dir, "part-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp) //nolint:errcheck // it is a cache
	group, each := crash.WithContext(ctx)
	group.SetLimit(fetchAtOnce)
	for _, path := range paths {
		group.Go(func() error {
			return fetchFile(each, Join(folder, path), filepath.Join(temp, base, filepath.FromSlash(path)))
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	if err := os.Rename(temp, whole); err != nil {
		if _, there := os.Stat(copied); there != nil {
			return "", err
		}
	}
	return copied, nil
}

// fetchFile copies an object to a file.
func fetchFile(ctx context.Context, name, path string) (err error) {
	o, err := Open(ctx, name, nil)
	if err != nil {
		return err
	}
	defer o.Close() //nolint:errcheck // nothing was written
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, o)
	return errors.Join(err, f.Close())
}

// removeLeft removes unfinished copies of processes that were killed a day ago or earlier.
func removeLeft(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, "part-*")) // the pattern is right
	for _, name := range left {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.RemoveAll(name) // it is a cache
		}
	}
}
