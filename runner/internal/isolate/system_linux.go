package isolate

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// self is this program, even where its file was replaced meanwhile.
func self() string { return "/proc/self/exe" }

// ownGroup keeps Ctrl-C from the process: it is for us to end it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// oomVictim makes a process the one that the kernel ends when memory runs out.
func oomVictim(pid int) {
	// else the kernel decides
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("1000"), 0)
}

// growPipe lets a pipe hold a batch.
func growPipe(f *os.File) {
	_, _ = unix.FcntlInt(f.Fd(), unix.F_SETPIPE_SZ, 1<<20) // else it holds 64 KiB
}

func signalName(s syscall.Signal) string { return unix.SignalName(s) }

// limitMemory bounds what the process may allocate from here on, 0 for no bound: TensorFlow's heap,
// Go's, and the threads' stacks.
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
