package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// shortJobBytes is how much input, uncompressed or not, makes a short job. The optimizer takes as
// long as running some hundred rows of the tutorial's model.
const shortJobBytes = 16 << 10

// regular reports whether all inputs are files, and none a pipe.
func regular(files []string) bool {
	return !slices.ContainsFunc(files, func(name string) bool {
		info, err := os.Stat(name)
		return err != nil || !info.Mode().IsRegular()
	})
}

// shortJob reports whether the files hold so little that the optimizer would not earn its time
// back.
func shortJob(files []string) bool {
	total := int64(0)
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return false
		}
		total += info.Size()
	}
	return total <= shortJobBytes
}

// expand replaces globs that the shell has left alone by the files they stand for.
func expand(inputs []string) ([]string, error) {
	var files []string
	for _, in := range inputs {
		if _, err := os.Stat(in); err == nil || in == "-" || !strings.ContainsAny(in, "*?[") {
			files = append(files, in)
			continue
		}
		found, err := filepath.Glob(in)
		if err != nil || len(found) == 0 {
			return nil, usagef("tfrun predict", "input %q: no file has a name like this", in)
		}
		files = append(files, found...)
	}
	for _, name := range files {
		if name == "-" {
			continue
		}
		switch info, err := os.Stat(name); {
		case err != nil:
			return nil, fmt.Errorf("input %q: %w", name, cause(err))
		case info.IsDir():
			return nil, fmt.Errorf("input %q: is a directory; name its files: '%s'", name, filepath.Join(name, "*.jsonl"))
		}
	}
	return files, nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(x, y)
}
