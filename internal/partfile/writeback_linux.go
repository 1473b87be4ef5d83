package partfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// beginWriteback makes the kernel begin to write size bytes of a file to its disk, without waiting
// for it. Where the file system cannot do that, Sync does all of it later.
func beginWriteback(f *os.File, from, size int64) {
	_ = unix.SyncFileRange(int(f.Fd()), from, size, unix.SYNC_FILE_RANGE_WRITE)
}
