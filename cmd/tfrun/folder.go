package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tfrun/tfrun/internal/store"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
)

// isDirectory reports whether a path is a folder.
func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// isFolder is isDirectory for an input, which may be in a store.
func isFolder(ctx context.Context, name string) bool {
	if store.Is(name) {
		return store.IsFolder(ctx, name)
	}
	return isDirectory(name)
}

// overFolder reports whether the run writes a file of results for each input file: the input is a
// folder, or a pattern with **, or the output is a folder.
func (o *predictOptions) overFolder(ctx context.Context) bool {
	if len(o.inputs) != 1 || o.inputs[0] == "-" || o.output == "" {
		return false
	}
	return strings.Contains(o.inputs[0], "**") || strings.HasSuffix(o.output, "/") || isDirectory(o.output) || isFolder(ctx, o.inputs[0])
}

// checkFolder makes the run a run over a folder, and finds its files.
func (o *predictOptions) checkFolder() error {
	const command = "tfrun predict"
	if info, err := os.Stat(o.output); err == nil && !info.IsDir() {
		return usagef(command, "output %q: is a file; the results of %q are one for each input: name a folder", o.output, o.inputs[0])
	}
	if o.errors != "" {
		return usagef(command, "--errors: over a folder the bad rows stay in the results of their file")
	}
	o.tree = &job.Tree{Input: o.inputs[0], Output: cleanFolder(o.output)}
	o.tree.Job.Source.Format = o.inputFormat
	o.tree.Shard, o.tree.Shards = int(o.predict.Shard), int(o.predict.Shards)
	o.predict.Shard, o.predict.Shards = 0, 0
	var err error
	o.inputs, err = o.tree.Files()
	return err
}

// cleanFolder returns a folder's name without superfluous slashes and dots.
func cleanFolder(name string) string {
	if store.Is(name) {
		return strings.TrimRight(name, "/")
	}
	return filepath.Clean(name)
}

// runFolder runs the job for each file.
func (o *predictOptions) runFolder(ctx context.Context, s *runner.Session, p *runner.Predictor, j job.Job, std stdio) error {
	bar := o.bar(std)
	j.Progress = report(bar)
	j.Began, j.Output, j.Source.Files = nil, "", nil
	tree := *o.tree
	tree.Job = j
	tree.Began = func(sum job.TreeSummary) {
		if o.quiet {
			return
		}
		if len(sum.Other) > 0 {
			std.note("%s not read, such as %q: the name tells of no format of rows", fileCount(len(sum.Other)), sum.Other[0])
		}
		if sum.Done > 0 {
			std.note("%s of %s done already", words.Thousands(int64(sum.Done)), fileCount(sum.Done+sum.Files))
		}
	}
	sum, err := tree.Run(ctx, p)
	bar.Done()
	if writeErr := o.writeSummary(tree.Job, sum.Summary, err, std); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	switch {
	case err != nil && (sum.Kept || sum.Rows > 0):
		return &keptError{err}
	case err != nil:
		return err
	}
	if !o.quiet {
		std.note("%s: %s%s", fileCount(sum.Files), summary(sum.Summary), xlaSummary(s.XLA()))
	}
	if sum.BadRows > 0 {
		return &badRowsError{sum.BadRows}
	}
	return nil
}

// fileCount returns "1 file", "5,000 files".
func fileCount(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%s files", words.Thousands(int64(n)))
}
