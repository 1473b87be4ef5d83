package partfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// outputError puts the output's name into an error of the file system, in place of the temporary
// name.
func outputError(path string, err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) {
		err = linkErr.Err
	}
	return &OutputFileError{Path: path, Err: err}
}

// OutputFileError is an error of writing an output, such as a full disk or a missing directory.
type OutputFileError struct {
	Path string
	Err  error
}

// Error names the output and the cause.
func (e *OutputFileError) Error() string {
	return fmt.Sprintf("output %q: %s", e.Path, strings.TrimSpace(e.Err.Error()))
}

// Hints returns what the user can type next, if the run had begun.
func (e *OutputFileError) Hints() []string {
	if data, _ := workNames(e.Path); exists(data) {
		return []string{"what is finished is kept: mend that and go on with --resume"}
	}
	return nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// Unwrap returns the cause.
func (e *OutputFileError) Unwrap() error { return e.Err }

// workNames returns the names of the file and of its journal until the file is whole.
func workNames(path string) (data, journal string) {
	dir, base := filepath.Split(path)
	return dir + "." + base + ".tfrun-part", dir + "." + base + ".tfrun-journal"
}

// errLocked says that another run is writing the file.
var errLocked = errors.New("locked by another process")
