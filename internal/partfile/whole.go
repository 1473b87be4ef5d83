package partfile

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Whole is a file that appears under its name only when it is whole. Unlike a [File] it cannot be
// resumed, and two processes may write the same output: the last one to finish wins.
type Whole struct {
	*bufio.Writer
	file *os.File
	path string
	done bool
	// stream: the output is no regular file, and is written to directly.
	stream bool
}

// wholeBuffer is the size of the write buffer. It is small, since thousands of small files have one
// each.
const wholeBuffer = 32 << 10

// unfinished holds each Whole that is neither committed nor abandoned.
var unfinished sync.Map

// AbandonAll removes the unfinished files, for a process that has to end in the middle of its work.
func AbandonAll() {
	unfinished.Range(func(w, _ any) bool {
		// Nobody could be told of an error.
		_ = os.Remove(w.(*Whole).file.Name())
		return true
	})
}

// Create begins a file under a temporary name in its own directory, and locks it. A process that is
// killed leaves that file behind: see [Sweep]. An output for which [IsStream]
// is true is opened directly.
func Create(path string) (*Whole, error) {
	if IsStream(path) {
		f, err := OpenStream(path)
		if err != nil {
			return nil, err
		}
		return &Whole{Writer: bufio.NewWriterSize(f, wholeBuffer), file: f, path: path, stream: true}, nil
	}
	file, mode, err := target(path)
	if err != nil {
		return nil, err
	}
	dir, base := filepath.Split(file)
	for try := 0; ; try++ {
		name := fmt.Sprintf("%s.%s.%d-%d.part", dir, base, os.Getpid(), try)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		switch {
		case err == nil:
			if err := lockFile(f); errors.Is(err, errLocked) || !sameFile(f, name) {
				_ = f.Close() // a Sweep came first
				continue
			}
			w := &Whole{Writer: bufio.NewWriterSize(f, wholeBuffer), file: f, path: file}
			unfinished.Store(w, nil)
			return w, nil
		case !errors.Is(err, fs.ErrExist):
			return nil, outputError(path, err)
		}
	}
}

// Write adds bytes. Its errors are *[OutputFileError].
func (w *Whole) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	if err != nil {
		err = outputError(w.path, err)
	}
	return n, err
}

// Commit writes the buffered bytes to the disk and gives the file its name.
func (w *Whole) Commit() error { return w.commit((*os.File).Sync) }

// CommitUnsynced is Commit without the wait for the disk, which for a small file takes longer than
// all the rest: see [Sync].
func (w *Whole) CommitUnsynced() error {
	return w.commit(func(*os.File) error { return nil })
}

func (w *Whole) commit(sync func(*os.File) error) error {
	err := w.Flush()
	if err == nil && !w.stream {
		err = finish(w.file, w.file.Name(), w.path, sync)
	}
	if err != nil {
		w.Abandon()
		return outputError(w.path, err)
	}
	w.done = true
	unfinished.Delete(w)
	return w.file.Close()
}

// Abandon removes the unfinished file. After Commit it does nothing.
func (w *Whole) Abandon() {
	if w.done {
		return
	}
	w.done = true
	unfinished.Delete(w)
	// The contents are not wanted.
	_ = w.file.Close()
	if !w.stream {
		// Nobody could be told of an error.
		_ = os.Remove(w.file.Name())
	}
}

// finish renames a written file to the output's name, with the mode of the file that it replaces,
// once sync has brought its bytes to the disk.
func finish(f *os.File, temporary, path string, sync func(*os.File) error) error {
	info, err := os.Stat(path)
	switch {
	case err == nil:
		err = f.Chmod(info.Mode().Perm())
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err == nil {
		err = sync(f)
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	return err
}
