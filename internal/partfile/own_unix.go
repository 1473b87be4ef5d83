//go:build unix

package partfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// openOwn opens a file that becomes the output, the journal or a side file. The file is new, with
// the mode of the file that the output will replace, or one that an interrupted run of the same
// user has left. Anything else of that name is refused: a link would lead the results elsewhere,
// and a file of another user's would belong to that user.
func openOwn(name string, mode fs.FileMode) (*os.File, error) {
	const flags = os.O_RDWR | syscall.O_NOFOLLOW
	for range 10 { // a run that ends removes its files
		f, err := os.OpenFile(name, flags|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
		if info, statErr := os.Lstat(name); statErr == nil && !isOwn(info) {
			return nil, fmt.Errorf("%s is in the way: want a regular file of this user's own", filepath.Base(name))
		}
		f, err = os.OpenFile(name, flags, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && !isOwn(info) {
			err = fmt.Errorf("%s is in the way: want a regular file of this user's own", filepath.Base(name))
		}
		if err == nil && info.Mode().Perm()&^mode != 0 {
			err = f.Chmod(info.Mode().Perm() & mode)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
	return nil, fmt.Errorf("%s is made and removed again and again by another process", filepath.Base(name))
}

// isOwn reports whether a file is a regular file of this user's with a single name.
func isOwn(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().IsRegular() && int(s.Uid) == os.Geteuid() && s.Nlink == 1
}

// mayFollow reports whether a link belongs to this user, or to the owner of its directory. Linux
// has this rule for links in /tmp (fs.protected_symlinks).
func mayFollow(link string) bool {
	l, err := os.Lstat(link)
	dir, err2 := os.Stat(filepath.Dir(link))
	if err != nil || err2 != nil {
		return false
	}
	a, ok := l.Sys().(*syscall.Stat_t)
	b, ok2 := dir.Sys().(*syscall.Stat_t)
	return ok && ok2 && (int(a.Uid) == os.Geteuid() || a.Uid == b.Uid)
}
