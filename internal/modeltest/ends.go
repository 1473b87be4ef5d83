package modeltest

import (
	"sync/atomic"
	"syscall"
	"time"
)

// longest is what work that ends may take of the process's processor time.
const longest = 20 * time.Second

// Ends watches over work that must come to an end, and panics if it does not. It counts what the
// process takes of a processor, since a busy machine may leave the work waiting. stop ends the
// watch.
func Ends(work string) (stop func()) {
	begin := processorTime()
	var over atomic.Bool
	var look func()
	look = func() {
		if over.Load() {
			return
		}
		if processorTime()-begin > longest {
			panic(work + " does not come to an end")
		}
		time.AfterFunc(longest, look)
	}
	first := time.AfterFunc(longest, look)
	return func() {
		first.Stop()
		over.Store(true)
	}
}

// processorTime is what the process has taken so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
