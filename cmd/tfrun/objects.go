package main

import (
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/cache"
	"github.com/tfrun/tfrun/internal/store"
	"github.com/tfrun/tfrun/runner/job"
	_ "github.com/tfrun/tfrun/runner/job/stores" // s3://
	"github.com/tfrun/tfrun/savedmodel"
)

// cleanNames removes options, after "?", from the names of objects.
func (o *predictOptions) cleanNames() error {
	names := []*string{&o.model, &o.output, &o.vocab, &o.labels}
	for i := range o.inputs {
		names = append(names, &o.inputs[i])
	}
	if err := store.Clean(names...); err != nil {
		return err
	}
	for flag, name := range map[string]string{"errors": o.errors, "summary": o.summary, "plot": o.plot, "state": o.state} {
		if store.Is(name) {
			return usagef("tfrun predict", "--%s %q: want a file of this machine", flag, name)
		}
	}
	return nil
}

// openNamed opens a file or an object.
func openNamed(ctx context.Context, name string) (io.ReadCloser, error) {
	if store.Is(name) {
		return store.Open(ctx, name, nil)
	}
	return dataset.OpenFile(name)
}

// mostModelFiles bounds the number of a model's objects.
const mostModelFiles = 10000

// localModel returns the folder or file of a model. A model in a store is copied to the user's
// cache, once for each version; note is called before that.
func localModel(ctx context.Context, name string, note func(format string, args ...any)) (string, error) {
	if !store.Is(name) {
		return name, nil
	}
	all, err := cache.Dir()
	if err != nil {
		return "", err
	}
	dir, base := filepath.Join(all, "models"), path.Base(strings.TrimRight(name, "/"))
	paths, infos, err := store.List(ctx, name, mostModelFiles)
	if err != nil {
		return "", err
	}
	if len(paths) == 0 { // a Keras file, or nothing
		info, err := store.Stat(ctx, name)
		if err != nil {
			return "", err
		}
		copied, err := store.Fetch(ctx, strings.TrimSuffix(name, base), []string{base}, map[string]store.Info{base: info}, dir, "file", nil)
		return filepath.Join(copied, base), err
	}
	if paths = modelPaths(paths); len(paths) == 0 || len(infos) == mostModelFiles {
		return "", &savedmodel.FileError{File: name, Msg: "no saved_model.pb or saved_model.pbtxt in this folder", Err: savedmodel.ErrNotFound}
	}
	return store.Fetch(ctx, name, paths, infos, dir, base, func() {
		bytes := int64(0)
		for _, p := range paths {
			bytes += infos[p].Size
		}
		note("model %s: copying %s of %s to the cache", name, fileCount(len(paths)), byteCount(bytes))
	})
}

// localModels replaces the names of models in stores by those of local copies.
func localModels(ctx context.Context, names []string, std stdio) (err error) {
	for i := range names {
		if err = store.Clean(&names[i]); err == nil {
			names[i], err = localModel(ctx, names[i], std.note)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// modelPaths returns the files of a model: all of them, or, for a folder of versions, those of the
// highest version.
func modelPaths(paths []string) []string {
	is := func(p string) bool {
		return p == "saved_model.pb" || p == "saved_model.pbtxt" || p == "config.json"
	}
	version := ""
	for _, p := range paths {
		dir, file, _ := strings.Cut(p, "/")
		switch {
		case is(p):
			return paths
		case is(file) && strings.Trim(dir, "0123456789") == "" && (version == "" || lessVersion(version, dir)):
			version = dir
		}
	}
	var list []string
	for _, p := range paths {
		if version != "" && strings.HasPrefix(p, version+"/") {
			list = append(list, p)
		}
	}
	return list
}

// lessVersion compares numbers of any length.
func lessVersion(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return len(a) < len(b) || len(a) == len(b) && a < b
}

// objects lists the objects that an input stands for: one, or those that match a pattern.
func objects(ctx context.Context, input, format string) ([]string, error) {
	if !strings.ContainsAny(input, "*?[") {
		if _, err := store.Stat(ctx, input); err != nil {
			if store.IsFolder(ctx, input) {
				return nil, fmt.Errorf("input %q: is a folder; name one for its results with -o, or its files: %s", input, filesOf(input, format))
			}
			return nil, err
		}
		return []string{input}, nil
	}
	files, err := job.Tree{Input: input, Job: job.Job{Source: job.Source{Format: format}}}.Files()
	return files, err
}
