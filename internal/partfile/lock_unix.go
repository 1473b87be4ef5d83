//go:build unix

package partfile

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile locks the file for this process until it is closed. Where another process has it, the
// error is errLocked. It tries for a moment: a process that is just being started has copies of all
// files that this process has open, until its own program begins.
func lockFile(f *os.File) error {
	const patience, pause = 200 * time.Millisecond, 10 * time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock: %w", err)
		case waited >= patience:
			return errLocked
		}
		time.Sleep(pause)
	}
}
