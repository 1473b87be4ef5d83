package isolate

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// self returns this program, even if its file was replaced meanwhile.
func self() string { return "/proc/self/exe" }

// ownGroup keeps Ctrl-C away from the process, which this process has to end.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// oomVictim makes the kernel end this process first when memory runs out.
func oomVictim(pid int) {
	// If that fails the kernel decides.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("1000"), 0)
}

// growPipe makes a pipe large enough for a batch.
func growPipe(f *os.File) {
	_, _ = unix.FcntlInt(f.Fd(), unix.F_SETPIPE_SZ, 1<<20) // otherwise it holds 64 KiB
}

func signalName(s syscall.Signal) string { return unix.SignalName(s) }

// limitMemory bounds what the process may allocate from now on: TensorFlow's heap, Go's, and
// threads' stacks. 0: no bound.
func limitMemory(bytes int64) error {
	if bytes <= 0 {
		return nil
	}
	limit := unix.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)}
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &limit); err != nil {
		return fmt.Errorf("bound the memory of the model's process: %w", err)
	}
	return nil
}
