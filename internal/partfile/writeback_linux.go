package partfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// beginWriteback lets the kernel begin to write size bytes of a file to its disk, and does not wait
// for the end. Where a file system cannot do that, nothing is lost: Sync does it all.
func beginWriteback(f *os.File, from, size int64) {
	_ = unix.SyncFileRange(int(f.Fd()), from, size, unix.SYNC_FILE_RANGE_WRITE)
}
