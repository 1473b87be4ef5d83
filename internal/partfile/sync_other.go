//go:build !linux

package partfile

import (
	"errors"
	"os"
)

// Sync waits until files that [Whole.CommitUnsynced] has finished are on the disk.
func Sync(paths []string) error {
	for _, path := range paths {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		if err != nil {
			return outputError(path, err)
		}
	}
	return nil
}
