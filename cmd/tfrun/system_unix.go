//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// ownStderr returns stderr on a descriptor of its own. runner.OpenLibrary keeps descriptor 2 from
// TensorFlow for a while, and what tfrun has to say meanwhile must not be lost.
func ownStderr() *os.File {
	fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return os.Stderr
	}
	return os.NewFile(uintptr(fd), os.Stderr.Name())
}
