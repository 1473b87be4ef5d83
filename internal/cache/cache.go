// Package cache says where tfrun keeps files that are made once for a machine: libtensorflow, and
// what Go needs to build programs with it. scripts/libtensorflow.sh uses the same folder.
package cache

import (
	"errors"
	"os"
	"path/filepath"
)

// Dir returns the folder that TFRUN_CACHE names, or else tfrun in the user's cache folder. It need
// not exist.
func Dir() (string, error) {
	if dir := os.Getenv("TFRUN_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir := os.Getenv("XDG_CACHE_HOME")
	if dir == "" {
		home := os.Getenv("HOME")
		if home == "" {
			return "", errors.New("there is no folder for caches: name one with TFRUN_CACHE")
		}
		dir = filepath.Join(home, ".cache")
	}
	return filepath.Abs(filepath.Join(dir, "tfrun"))
}
