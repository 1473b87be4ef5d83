package dataset

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/tfrun/tfrun/internal/crash"
)

// pipeWait is how long opening a named pipe waits for a writer.
const pipeWait = 5 * time.Second

// errNoWriter says that a file of rows is a named pipe, and that no process opened it for writing.
var errNoWriter = errors.New("is a pipe that nobody writes to")

var errSocket = errors.New("is a socket, not a file")

// OpenFile is os.Open for files of rows and of vocabularies. A named pipe opens when another
// process opens its other end; OpenFile waits 5 seconds for that, then fails, instead of waiting
// for ever.
func OpenFile(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err == nil && info.Mode()&fs.ModeSocket != 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errSocket}
	}
	if err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return os.Open(name)
	}
	type opened struct {
		f   *os.File
		err error
	}
	done := make(chan opened, 1)
	var f *os.File
	crash.Go(func() (err error) {
		f, err = os.Open(name)
		return err
	}, func(err error) { done <- opened{f, err} })
	select {
	case o := <-done:
		return o.f, o.err
	case <-time.After(pipeWait):
	}
	// Opening the pipe for writing lets the waiting goroutine go on, and end.
	both, err := os.OpenFile(name, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err == nil {
		o := <-done
		err = errors.Join(o.f.Close(), both.Close())
	}
	return nil, errors.Join(&fs.PathError{Op: "open", Path: name, Err: errNoWriter}, err)
}
