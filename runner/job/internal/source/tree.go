package source

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/store"
	"github.com/tfrun/tfrun/runner/internal/option"
)

// Tree is a folder of files of rows.
type Tree struct {
	Root  string   // the folder
	Files []string // below Root, in the order of their paths
	Sizes []int64  // of the files, in bytes
	Other []string // files whose names show no format that is read
}

// FindTree looks for files of rows in a folder and below it, or for those that match a pattern, in
// which ** stands for any number of folders. Files and folders whose names begin with a dot or an
// underscore are passed over, as by Hadoop, Spark and Hive. format is the format of all files. "":
// the names show it, and files whose names do not are left out.
func FindTree(input, format string) (Tree, error) {
	if store.Is(input) {
		return findObjects(input, format)
	}
	root, pattern := SplitPattern(input)
	t := Tree{Root: root}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == root {
			return nil
		}
		if strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		below, err := filepath.Rel(root, path)
		if err != nil || d.IsDir() {
			return err
		}
		if pattern != "" && !matches(strings.Split(pattern, "/"), strings.Split(filepath.ToSlash(below), "/")) {
			return nil
		}
		info, err := os.Stat(path) // follows links
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		t.add(below, info.Size(), format)
		return nil
	})
	if err == nil {
		err = t.empty(input)
	}
	return t, err
}

// findObjects is [FindTree] for a folder in a store.
func findObjects(input, format string) (Tree, error) {
	root, pattern := splitObjects(input)
	t := Tree{Root: root}
	paths, infos, err := store.List(context.Background(), root, 0)
	if err != nil {
		return t, err
	}
	for _, path := range paths {
		parts := strings.Split(path, "/")
		hidden := slices.ContainsFunc(parts, func(p string) bool { return strings.HasPrefix(p, ".") || strings.HasPrefix(p, "_") })
		if hidden || pattern != "" && !matches(strings.Split(pattern, "/"), parts) {
			continue
		}
		t.add(path, infos[path].Size, format)
	}
	return t, t.empty(input)
}

// splitObjects is [SplitPattern] for a store, where no folder has to exist.
func splitObjects(input string) (root, pattern string) {
	bucket := store.Root(input)
	parts := strings.Split(strings.Trim(strings.TrimPrefix(input, bucket), "/"), "/")
	i := slices.IndexFunc(parts, func(p string) bool { return strings.ContainsAny(p, "*?[") })
	if i < 0 {
		i = len(parts)
	}
	for _, p := range parts[:i] {
		if p != "" {
			bucket += "/" + p
		}
	}
	return bucket, strings.Join(parts[i:], "/")
}

// add adds a file, to Files or to Other.
func (t *Tree) add(below string, size int64, format string) {
	if _, err := FindFormat(format, below, func(Format) bool { return true }); err != nil {
		t.Other = append(t.Other, below)
		return
	}
	t.Files, t.Sizes = append(t.Files, below), append(t.Sizes, size)
}

// empty returns an error if there are no files of rows.
func (t *Tree) empty(input string) error {
	if len(t.Files) > 0 {
		return nil
	}
	return &option.Error{Option: "Input", Msg: fmt.Sprintf("input %q: no files of rows there%s", input, passedOver(t.Other))}
}

// passedOver names a file that was left out, for that error.
func passedOver(other []string) string {
	if len(other) == 0 {
		return ""
	}
	return fmt.Sprintf(", but %d whose names tell of no format, such as %q; --input-format says what they are", len(other), other[0])
}

// SplitPattern splits an input into the folder before its first wildcard and the pattern below that
// folder; the pattern is "" if the input is a folder.
func SplitPattern(input string) (root, pattern string) {
	if info, err := os.Stat(input); err == nil && info.IsDir() {
		return filepath.Clean(input), ""
	}
	parts := strings.Split(filepath.ToSlash(input), "/")
	i := slices.IndexFunc(parts, func(p string) bool { return strings.ContainsAny(p, "*?[") })
	if i < 0 {
		i = len(parts) - 1
	}
	root = strings.Join(parts[:i], "/")
	if root == "" && !strings.HasPrefix(input, "/") {
		root = "."
	}
	return filepath.Clean(filepath.FromSlash(root + map[bool]string{true: "/"}[root == ""])), strings.Join(parts[i:], "/")
}

// matches reports whether a path matches a pattern, part by part. A part that is not a valid
// pattern matches only itself.
func matches(pattern, path []string) bool {
	switch {
	case len(pattern) == 0:
		return len(path) == 0
	case pattern[0] == "**":
		return matches(pattern[1:], path) || len(path) > 0 && matches(pattern, path[1:])
	case len(path) == 0:
		return false
	}
	ok, err := filepath.Match(pattern[0], path[0])
	return err == nil && ok && matches(pattern[1:], path[1:])
}
