package source

import (
	"context"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/store"
)

// findObjects is [FindTree] for a folder of a store.
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

// splitObjects is [SplitPattern] for a store, in which there need be no folder to ask.
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
