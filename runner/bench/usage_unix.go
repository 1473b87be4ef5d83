//go:build unix

package bench

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// processTime returns the processor time of this process so far, in user mode and in the kernel.
func processTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// peakOf returns the largest resident memory of a process that has ended, in bytes; 0: not known.
func peakOf(p *os.ProcessState) int64 {
	r, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(r.Maxrss)
	}
	return int64(r.Maxrss) << 10 // other systems count KiB
}
