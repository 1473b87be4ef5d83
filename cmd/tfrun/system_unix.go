//go:build unix

package main

import (
	"io"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/runner"
)

// ownStreams returns stdout and stderr on new descriptors, since everything that is loaded into the
// process can write to descriptors 1 and 2.
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

// divert makes descriptors 1 and 2 lead to w until restore is called, which waits a moment for what
// is still on its way. Where Go's runtime ends the process, stderr gets a line, and with stacks
// what Go prints then.
func divert(w io.Writer, stacks bool) (restore func()) {
	r, to, err := os.Pipe()
	if err != nil {
		return func() {}
	}
	a, errA := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	b, errB := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if errA != nil || errB != nil {
		return func() {}
	}
	// They are files, not bare numbers, so that the garbage collector closes them when nothing uses
	// them.
	out, errs := os.NewFile(uintptr(a), os.Stdout.Name()), os.NewFile(uintptr(b), os.Stderr.Name())
	_ = debug.SetCrashOutput(errs, debug.CrashOptions{}) // useful, but not necessary
	from, _ := runner.CatchFatal(r, stacks)              // the same
	_ = unix.Dup2(int(to.Fd()), 1)
	_ = unix.Dup2(int(to.Fd()), 2)
	_ = to.Close() // two copies stay open
	arrived := make(chan struct{})
	crash.Go(func() error {
		_, err := io.Copy(w, from)
		return err
	}, func(error) { close(arrived) })
	return func() {
		_ = unix.Dup2(int(out.Fd()), 1)
		_ = unix.Dup2(int(errs.Fd()), 2)
		select {
		case <-arrived:
		case <-time.After(time.Second): // a process that was started has it open too
		}
	}
}
