package partfile

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Sync waits until files that [Whole.CommitUnsynced] has finished are on the disk, under their
// names. It asks each of their file systems to write all that it holds back, once: for hundreds of
// small files that takes as long as for a few.
func Sync(paths []string) error {
	done := map[uint64]bool{} // by device
	looked := map[string]bool{}
	for _, path := range paths {
		dir := filepath.Dir(path)
		if looked[dir] {
			continue
		}
		looked[dir] = true
		var info unix.Stat_t
		if err := unix.Stat(dir, &info); err != nil {
			return outputError(path, err)
		}
		if done[info.Dev] {
			continue
		}
		done[info.Dev] = true
		f, err := os.Open(dir)
		if err == nil {
			err = errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
		}
		if err != nil {
			return outputError(path, err)
		}
	}
	return nil
}
