package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/tfrun/tfrun/internal/store"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner/job"
)

// expand replaces globs that the shell has not expanded, and patterns of objects, by the names that
// match. format is that of all inputs; "": their names show it.
func expand(ctx context.Context, inputs []string, format string) ([]string, error) {
	var files []string
	for _, in := range inputs {
		if store.Is(in) {
			found, err := objects(ctx, in, format)
			if err != nil {
				return nil, err
			}
			files = append(files, found...)
			continue
		}
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
		if name == "-" || store.Is(name) {
			continue
		}
		switch info, err := os.Stat(name); {
		case err != nil:
			return nil, fmt.Errorf("input %q: %w", name, cause(err))
		case info.IsDir():
			return nil, fmt.Errorf("input %q: is a directory; name a folder for its results with -o, or its files: %s", name, filesOf(name, format))
		}
	}
	return files, nil
}

// filesOf is a pattern for files of rows in a folder, of the kind that is found first.
func filesOf(folder, format string) string {
	files, err := job.Tree{Input: folder, Job: job.Job{Source: job.Source{Format: format}}}.Files()
	if err != nil || len(files) == 0 {
		files = []string{folder + "/x"}
	}
	dir, name := path.Split(filepath.ToSlash(files[0]))
	base := strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	return words.Shell(dir + "*" + path.Ext(base) + strings.TrimPrefix(name, base))
}

// sameFile reports whether two names, not empty, are of one file or object, be it there or not.
func sameFile(a, b string) bool {
	if a == "" || b == "" || store.Is(a) || a == b {
		return a != "" && a == b
	}
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	if err != nil && err2 != nil {
		return filepath.Clean(a) == filepath.Clean(b)
	}
	return err == nil && err2 == nil && os.SameFile(x, y)
}
