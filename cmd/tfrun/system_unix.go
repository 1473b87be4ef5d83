//go:build unix

package main

import (
	"io"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tfrun/tfrun/internal/crash"
)

// ownStreams returns stdout and stderr on descriptors of their own. Descriptors 1 and 2 are also
// those of everything that is loaded into the process.
func ownStreams() (out, errs *os.File, ok bool) {
	a, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, nil, false
	}
	b, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		_ = unix.Close(a) // nothing was written
		return nil, nil, false
	}
	return os.NewFile(uintptr(a), os.Stdout.Name()), os.NewFile(uintptr(b), os.Stderr.Name()), true
}

// divert has descriptors 1 and 2 lead to w, until the function that it returns is called. That
// waits a moment for what is on its way. A fault in Go's runtime still goes to stderr.
func divert(w io.Writer) (restore func()) {
	r, to, err := os.Pipe()
	if err != nil {
		return func() {}
	}
	a, errA := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	b, errB := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if errA != nil || errB != nil {
		return func() {}
	}
	// Not as bare numbers: a file that nobody holds on to is closed by the garbage collector.
	out, errs := os.NewFile(uintptr(a), os.Stdout.Name()), os.NewFile(uintptr(b), os.Stderr.Name())
	_ = debug.SetCrashOutput(errs, debug.CrashOptions{}) // a nicety
	_ = unix.Dup2(int(to.Fd()), 1)
	_ = unix.Dup2(int(to.Fd()), 2)
	_ = to.Close() // two copies are left
	arrived := make(chan struct{})
	crash.Go(func() error {
		_, err := io.Copy(w, r)
		return err
	}, func(error) { close(arrived) })
	return func() {
		_ = unix.Dup2(int(out.Fd()), 1)
		_ = unix.Dup2(int(errs.Fd()), 2)
		select {
		case <-arrived:
		case <-time.After(time.Second): // somebody who was started has it too
		}
	}
}
