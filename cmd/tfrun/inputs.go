package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

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
			return nil, fmt.Errorf("input %q: is a directory; name a folder for its results with -o, or its files: '%s'", name, filepath.Join(name, "*.jsonl"))
		}
	}
	return files, nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(x, y)
}
