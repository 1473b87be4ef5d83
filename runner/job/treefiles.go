package job

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/hive"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/internal/store"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
)

// Files lists the files of rows.
func (t Tree) Files() ([]string, error) {
	found, err := source.FindTree(t.Input, t.Job.Source.Format)
	files := make([]string, len(found.Files))
	for i, name := range found.Files {
		files[i] = store.Join(found.Root, name)
	}
	return files, err
}

// First returns the job for the first file, which stands for all in [Job.Describe].
func (t Tree) First() (Job, error) {
	files, found, err := t.find()
	if err != nil {
		return Job{}, err
	}
	return t.job(found.Root, &files[0]), nil
}

// job returns the job for a file.
func (t Tree) job(root string, f *treeFile) Job {
	j := t.Job
	j.Source.Files, j.Source.Partition = []string{store.Join(root, f.File)}, f.partition
	j.Source.Part, j.Source.Parts = f.Part, f.Parts
	j.Output, j.Format = f.output, f.format
	return j
}

// partitions are the kept columns in the paths of a tree's files.
type partitions struct {
	hive.Partitions
	kept []string
}

func (t Tree) partitions(found source.Tree) partitions {
	files := make([]string, len(found.Files))
	for i, file := range found.Files {
		files[i] = filepath.ToSlash(file)
	}
	p := partitions{Partitions: hive.Of(files)}
	for _, name := range p.Names() {
		if slices.ContainsFunc(t.Job.Source.Keep, func(keep string) bool { return matchesName(keep, name) }) {
			p.kept = append(p.kept, name)
		}
	}
	return p
}

// String lists the columns and their types.
func (p partitions) String() string {
	list := make([]string, len(p.kept))
	for i, name := range p.kept {
		list[i] = name + " " + p.Type(name).String()
	}
	return strings.Join(list, ", ")
}

// of returns the columns in the path of a file.
func (p partitions) of(file string) ([]dataset.Field, error) {
	return p.Fields(filepath.ToSlash(file), p.kept)
}

// find lists all files to run, with their outputs.
func (t Tree) find() ([]treeFile, source.Tree, error) {
	found, err := source.FindTree(t.Input, t.Job.Source.Format)
	if err != nil {
		return nil, found, err
	}
	if inside, err := below(found.Root, t.Output); err != nil || inside {
		return nil, found, errors.Join(err, &runner.OptionError{Option: "Output", Msg: fmt.Sprintf("output %q: lies in the input folder %q; name another place", t.Output, found.Root)})
	}
	columns := t.partitions(found)
	var list []treeFile
	from := map[string]string{}
	for i, name := range found.Files {
		info, err := source.Stat(store.Join(found.Root, name))
		if err != nil {
			return nil, found, err
		}
		f := treeFile{File: name, Size: info.Size, Modified: info.Modified, ETag: info.ETag}
		if f.partition, err = columns.of(name); err != nil {
			return nil, found, err
		}
		var form source.Format
		if f.output, form, err = t.output(name); err != nil {
			return nil, found, err
		}
		f.format = form.Name
		parts, err := t.split(found, i)
		if err != nil {
			return nil, found, err
		}
		for part := range parts {
			f := f.part(part, parts)
			if other, twice := from[f.output]; twice {
				return nil, found, &runner.OptionError{Option: "Output", Msg: fmt.Sprintf("%q and %q would have the same results file %q; run them one after the other", other, name, f.output)}
			}
			from[f.output] = name
			list = append(list, f)
		}
	}
	return list, found, nil
}

// split returns in how many parts a file is run. It is more than one if there are shards and the
// file has more than a shard's share of all bytes. Parts are of whole row groups, so that each row
// is read once.
func (t Tree) split(found source.Tree, i int) (int, error) {
	all := int64(0)
	for _, size := range found.Sizes {
		all += size
	}
	shards := int64(max(t.Shards, 1))
	// The number of shares in the file, rounded up from a quarter on: a file of about one share
	// stays whole.
	parts := int(math.Ceil(float64(found.Sizes[i])/max(float64(all)/float64(shards), 1) - 0.25))
	own, err := source.FindFormat(t.Job.Source.Format, found.Files[i], func(source.Format) bool { return true })
	if err != nil || own.Name != "parquet" || parts < 2 {
		return 1, err
	}
	name := store.Join(found.Root, found.Files[i])
	groups, err := parquet.Groups(parquet.Options{Open: t.Job.Source.files().Open}, name)
	return max(min(parts, groups), 1), err
}

// part returns a part of a file, with results of its own, or f itself if there is one part.
func (f treeFile) part(part, parts int) treeFile {
	if parts == 1 {
		return f
	}
	f.Part, f.Parts = part, parts
	ext := filepath.Ext(f.output)
	if ext == ".gz" || ext == ".zst" {
		ext = filepath.Ext(strings.TrimSuffix(f.output, ext)) + ext
	}
	f.output = fmt.Sprintf("%s-%05d-of-%05d%s", strings.TrimSuffix(f.output, ext), part, parts, ext)
	return f
}

// output returns the file for the results of an input, and its format: the job's, or else the
// input's own if it can be written, or else JSON lines. Results are compressed as the input is.
func (t Tree) output(name string) (file string, form source.Format, err error) {
	own, err := source.FindFormat(t.Job.Source.Format, name, func(source.Format) bool { return true })
	if err != nil {
		return "", form, err
	}
	if form = own; t.Job.Format != "" || !writable(own) {
		if form, err = source.FindFormat(cmp.Or(t.Job.Format, "jsonl"), "", writable); err != nil {
			return "", form, err
		}
	}
	plain := strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	packed := name[len(plain):]
	if byName, err := source.FindFormat("", plain, writable); err != nil || byName.Name != form.Name {
		plain = strings.TrimSuffix(plain, filepath.Ext(plain)) + "." + form.Name
	}
	if z, err := compressor(plain+packed, form); err != nil || z == nil {
		packed = "" // the format compresses by itself
	}
	return store.Join(t.Output, plain+packed), form, nil
}

// below reports whether a path is a folder's or lies in it.
func below(folder, path string) (bool, error) {
	if store.Is(folder) || store.Is(path) {
		return store.Below(folder, path), nil
	}
	a, err := resolved(folder)
	if err != nil {
		return false, err
	}
	b, err := resolved(path)
	if err != nil {
		return false, err
	}
	rel, err := filepath.Rel(a, b)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)), nil
}

// resolved returns a path without links, as far as it exists.
func resolved(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for rest := ""; ; {
		whole, err := filepath.EvalSymlinks(path)
		if err == nil {
			return filepath.Join(whole, rest), nil
		}
		up := filepath.Dir(path)
		if !errors.Is(err, os.ErrNotExist) || up == path {
			return "", err
		}
		path, rest = up, filepath.Join(filepath.Base(path), rest)
	}
}
