//go:build !unix

package partfile

import (
	"io/fs"
	"os"
)

// openOwn opens a file that becomes the output, the journal or a side file.
func openOwn(name string, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, mode)
}

func mayFollow(string) bool { return true }
