//go:build cgo && !notf

package tf

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// checkLimits returns an error if the process may take too little memory for libtensorflow and a
// small model, or lacks a file that libtensorflow cannot do without. The C library or Go's runtime
// would end the process, at a place of chance, without a word of tfrun's or with hundreds.
func checkLimits() error {
	for _, l := range []struct {
		resource     int
		what, ulimit string
		least        uint64
	}{
		{unix.RLIMIT_AS, "address space", "-v", 3 << 30},
		{unix.RLIMIT_DATA, "data", "-d", 384 << 20},
	} {
		var is unix.Rlimit
		if err := unix.Getrlimit(l.resource, &is); err == nil && is.Cur < l.least {
			return fmt.Errorf("the limit of the process' %s is %d MiB (ulimit %s): TensorFlow needs %d MiB, and what the model takes", l.what, is.Cur>>20, l.ulimit, l.least>>20)
		}
	}
	// Both are opened at the first operation.
	for _, name := range []string{"/proc/self/exe", "/dev/urandom"} {
		if _, err := os.Lstat(name); err != nil {
			return fmt.Errorf("%s is not there: TensorFlow would end the process without it", name)
		}
	}
	return nil
}
