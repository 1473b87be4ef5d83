//go:build linux

package modeltest

import (
	"syscall"
	"testing"
	"time"
)

// ThreadTime is what the thread has used of a processor so far, in user mode. The caller holds its
// goroutine to the thread ([runtime.LockOSThread]).
func ThreadTime(t testing.TB) time.Duration {
	t.Helper()
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		t.Skip(err)
	}
	return time.Duration(u.Utime.Nano())
}
