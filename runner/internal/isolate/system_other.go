//go:build !linux

package isolate

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

func self() string {
	if exe, err := os.Executable(); err == nil {
		return exe
	}
	return os.Args[0]
}

func ownGroup(*exec.Cmd) {}

func oomVictim(int) {}

func growPipe(*os.File) {}

func signalName(s syscall.Signal) string { return s.String() }

func limitMemory(bytes int64) error {
	if bytes <= 0 {
		return nil
	}
	return errors.New("the memory of the model's process can be bounded on Linux alone")
}
