package modeltest

import (
	"syscall"
	"time"
)

// longest is what work that ends may take of the process's processor time.
const longest = 20 * time.Second

// Ends watches over work that must come to an end, and panics if it does not. It counts what the
// process takes of a processor, since a busy machine may leave the work waiting. stop ends the
// watch.
func Ends(work string) (stop func()) {
	done := make(chan struct{})
	begin := processorTime()
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(longest):
				if processorTime()-begin > longest {
					panic(work + " does not come to an end")
				}
			}
		}
	}()
	return func() { close(done) }
}

// processorTime is what the process has taken so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
