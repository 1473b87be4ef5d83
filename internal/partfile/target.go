package partfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// IsStream reports whether an output exists and is no regular file: a device, a named pipe, a
// terminal. Such an output is written to directly.
func IsStream(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// pipeWait is how long opening a named pipe waits for a reader, as it does for a writer of rows.
const pipeWait = 5 * time.Second

// errNoReader says that an output is a named pipe, and that no process opened it for reading.
var errNoReader = errors.New("is a pipe that nobody reads")

// OpenStream opens an output for which [IsStream] is true. A named pipe opens when another process
// opens its other end; OpenStream waits 5 seconds for that, then fails, instead of waiting for
// ever.
func OpenStream(path string) (*os.File, error) {
	flags := os.O_WRONLY
	if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		flags |= syscall.O_NONBLOCK // says ENXIO where there is no reader
	}
	for end := time.Now().Add(pipeWait); ; time.Sleep(pipeWait / 500) {
		f, err := os.OpenFile(path, flags, 0)
		switch {
		case err == nil:
			return f, nil
		case flags == os.O_WRONLY || !errors.Is(err, syscall.ENXIO):
			return nil, outputError(path, err)
		case time.Now().After(end):
			return nil, outputError(path, errNoReader)
		}
	}
}

// target returns the file that an output's name stands for, which for a link is the file that it
// leads to, and the mode of the file that will be replaced.
func target(path string) (file string, mode fs.FileMode, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		// A new file; or creating it reports the error.
		return path, 0o666, nil //nolint:nilerr
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		return path, info.Mode().Perm(), errors.Join(refuseDirectory(path), RefuseModel(path))
	}
	if !mayFollow(path) {
		return "", 0, fmt.Errorf("output %q: is a link that another user has put there", path)
	}
	file, err = filepath.EvalSymlinks(path)
	if err != nil {
		return "", 0, fmt.Errorf("output %q: is a link that leads nowhere", path)
	}
	info, err = os.Stat(file)
	if err != nil {
		return "", 0, outputError(path, err)
	}
	return file, info.Mode().Perm(), errors.Join(refuseDirectory(file), RefuseModel(file))
}

// RefuseModel returns an error for an output that is a file of a SavedModel. Its user has mixed up
// input and output, and a model is expensive to make again.
func RefuseModel(path string) error {
	path, err := filepath.EvalSymlinks(path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil //nolint:nilerr // there is no file to lose
	}
	dir, base := filepath.Split(path)
	of := ""
	switch base {
	case "saved_model.pb", "saved_model.pbtxt":
		of = path
	case "fingerprint.pb", "keras_metadata.pb":
		of = filepath.Join(dir, "saved_model.pb")
	default:
		for folder := filepath.Dir(path); of == "" && filepath.Dir(folder) != folder; folder = filepath.Dir(folder) {
			if name := filepath.Base(folder); name == "variables" || name == "assets" || name == "assets.extra" {
				of = filepath.Join(filepath.Dir(folder), "saved_model.pb")
			}
		}
	}
	if info, err := os.Stat(of); of == "" || err != nil || !info.Mode().IsRegular() {
		return nil //nolint:nilerr // there is no model
	}
	return fmt.Errorf("output %q: is a file of the model %q", path, filepath.Dir(of))
}

// refuseDirectory returns an error if the output is a directory.
func refuseDirectory(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("output %q: is a directory; name a file", path)
	}
	return nil
}

// sameFile reports whether an open file still has its name. A run that has just ended has renamed
// its file.
func sameFile(f *os.File, name string) bool {
	a, err := f.Stat()
	b, err2 := os.Lstat(name)
	return err == nil && err2 == nil && os.SameFile(a, b)
}
