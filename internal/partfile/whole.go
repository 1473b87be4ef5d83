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

// Whole is a file that appears under its name only when it is whole. Unlike a [File] it keeps
// nothing of a run that was interrupted, and two processes may write the same output: the last one
// to end wins.
type Whole struct {
	*bufio.Writer
	file *os.File
	path string
	done bool
	// stream is an output that is no regular file: it is written to under its own name.
	stream bool
}

// wholeBuffer is how much is written at a time: little, as thousands of small files have one each.
const wholeBuffer = 32 << 10

// unfinished holds every Whole that is neither committed nor abandoned.
var unfinished sync.Map

// AbandonAll takes away what was written of files that did not become whole, when the process has
// to end in the middle of its work.
func AbandonAll() {
	unfinished.Range(func(w, _ any) bool {
		_ = os.Remove(w.(*Whole).file.Name()) // an error has nobody to go to
		return true
	})
}

// Create begins a file, under a temporary name in its own directory. An output that [IsStream] is
// true of is written to as it is.
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

// Commit makes the file whole: it writes out what is buffered and gives the file its name.
func (w *Whole) Commit() error {
	err := w.Flush()
	if err == nil && !w.stream {
		err = finish(w.file, w.file.Name(), w.path)
	}
	if err != nil {
		w.Abandon()
		return outputError(w.path, err)
	}
	w.done = true
	unfinished.Delete(w)
	return w.file.Close()
}

// Abandon takes away what was written of a file that did not become whole. After Commit it does
// nothing.
func (w *Whole) Abandon() {
	if w.done {
		return
	}
	w.done = true
	unfinished.Delete(w)
	_ = w.file.Close() // its content is not wanted
	if !w.stream {
		_ = os.Remove(w.file.Name()) // an error has nobody to go to
	}
}

// refuseDirectory says that an output is a directory.
func refuseDirectory(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("output %q: is a directory; name a file", path)
	}
	return nil
}

// finish gives a file that is written, under the name of temporary, the name and the mode of the
// one that it replaces.
func finish(f *os.File, temporary, path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil:
		err = f.Chmod(info.Mode().Perm())
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	return err
}
