//go:build unix

package partfile

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// temporaryName is the form of the names that [Create] gives to files that are not whole yet.
var temporaryName = regexp.MustCompile(`^\.(.+)\.\d+-\d+\.part$`)

// Sweep removes what processes that were killed have left of files with these paths, begun with
// [Create]. What another process is writing at the moment is locked, and stays.
func Sweep(paths ...string) {
	folders := map[string]map[string]bool{} // names of files, by folder
	for _, path := range paths {
		file, _, err := target(path)
		if err != nil {
			continue // Create says so
		}
		dir, base := filepath.Split(file)
		if folders[dir] == nil {
			folders[dir] = map[string]bool{}
		}
		folders[dir][base] = true
	}
	for dir, names := range folders {
		entries, err := os.ReadDir(cmp.Or(dir, "."))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if m := temporaryName.FindStringSubmatch(e.Name()); m != nil && names[m[1]] {
				removeUnlocked(filepath.Join(dir, e.Name()))
			}
		}
	}
}

// removeUnlocked removes a file of this user's that no process has locked.
func removeUnlocked(name string) {
	f, err := os.OpenFile(name, os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && isOwn(info) && lockFile(f) == nil && sameFile(f, name) {
		_ = os.Remove(name) // it is in nobody's way
	}
}
