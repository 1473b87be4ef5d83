package job

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/hive"
	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
)

// Tree is a job over a folder: for each file of rows in it, one with the results at the same path
// below another folder.
type Tree struct {
	// Job is what is done with each file. Its files, and Output, are not used.
	Job Job
	// Input is a folder, or a pattern such as "data/**/*.parquet". What begins with a dot or an
	// underscore is no data.
	Input string
	// Output is the folder of the results. It holds _tfrun.jsonl, which says what is done, and at
	// the end of a run over all files _SUCCESS.
	Output string
	// Shard, of Shards, runs only the files whose number, by path, leaves that remainder; 0 Shards
	// means all.
	Shard, Shards int
	// Began, if not nil, is told what was found, before the first file is run.
	Began func(TreeSummary)
}

// TreeSummary is what a [Tree] did, or is about to do.
type TreeSummary struct {
	Summary
	Files int      // to run, or that were run
	Done  int      // that an earlier run has done
	Other []string // files that are not read: their names tell of no format
}

// treeJournal is the file that says what of a tree is done; its name is passed over by readers of
// folders, and so is that of treeSuccess.
const (
	treeJournal = "_tfrun.jsonl"
	treeSuccess = "_SUCCESS"
)

// treeFile is a line of the journal, and a file to run.
type treeFile struct {
	File     string    `json:"file"` // below the input folder
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	Rows     int64     `json:"rows"`
	BadRows  int64     `json:"bad_rows,omitempty"`

	output, format string
	partition      []dataset.Field
}

// Run runs a job for each file of the folder. The model is loaded already, once for all of them.
// With Job.Resume, files that an earlier run with the same model and options has done are left
// alone, as long as they have not changed since, and a file that was interrupted is gone on with.
// An error ends the run; what is done stays, for a run with Resume.
func (t Tree) Run(ctx context.Context, p *runner.Predictor) (sum TreeSummary, err error) {
	start := time.Now()
	defer func() { sum.Duration = time.Since(start) }()
	todo, found, err := t.find()
	if err != nil {
		return sum, err
	}
	sum.Other = found.Other
	journal, done, err := t.open(p, t.partitions(found))
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	todo = slices.DeleteFunc(todo, func(f treeFile) bool {
		was, ok := done[f.File]
		if ok = ok && was.Size == f.Size && was.Modified.Equal(f.Modified) && exists(f.output); ok {
			sum.Done++
			sum.Resumed += was.Rows
			sum.BadRows += was.BadRows
		}
		return ok
	})
	sum.Files, sum.Missing = len(todo), map[string]int64{}
	if t.Began != nil {
		t.Began(sum)
	}
	r := &treeRun{t: t, root: found.Root, journal: journal, sum: &sum}
	for _, f := range todo {
		r.now.Size += f.Size
	}
	if err := r.all(ctx, p, todo); err != nil {
		return sum, err
	}
	if t.Shards > 1 {
		return sum, nil // others may be at it
	}
	return sum, os.WriteFile(filepath.Join(t.Output, treeSuccess), nil, 0o644) //nolint:gosec // as readable as the results
}

// Files lists the files of rows.
func (t Tree) Files() ([]string, error) {
	found, err := source.FindTree(t.Input, t.Job.Source.Format)
	files := make([]string, len(found.Files))
	for i, name := range found.Files {
		files[i] = filepath.Join(found.Root, name)
	}
	return files, err
}

// First is the job over the first file, which stands for all in [Job.Describe].
func (t Tree) First() (Job, error) {
	t.Shards = 0
	files, found, err := t.find()
	if err != nil {
		return Job{}, err
	}
	return t.job(found.Root, &files[0]), nil
}

// job is the job over a file.
func (t Tree) job(root string, f *treeFile) Job {
	j := t.Job
	j.Source.Files, j.Source.Partition = []string{filepath.Join(root, f.File)}, f.partition
	j.Output, j.Format = f.output, f.format
	return j
}

// partitions are the columns in the paths of a tree's files that are kept.
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

// of returns the columns of a file.
func (p partitions) of(file string) ([]dataset.Field, error) {
	return p.Fields(filepath.ToSlash(file), p.kept)
}

// find lists the files of the shard, with their outputs.
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
		info, err := os.Stat(filepath.Join(found.Root, name))
		if err != nil {
			return nil, found, err
		}
		output, form, err := t.output(name)
		if err != nil {
			return nil, found, err
		}
		if other, twice := from[output]; twice {
			return nil, found, &runner.OptionError{Option: "Output", Msg: fmt.Sprintf("%q and %q would have the same results file %q; run them one after the other", other, name, output)}
		}
		from[output] = name
		partition, err := columns.of(name)
		if err != nil {
			return nil, found, err
		}
		if t.Shards > 1 && i%t.Shards != t.Shard {
			continue
		}
		list = append(list, treeFile{File: name, Size: info.Size(), Modified: info.ModTime().UTC(), output: output, format: form.Name, partition: partition})
	}
	return list, found, nil
}

// output is the file for the results of an input, and its format: that of the job, or else the
// input's own where it can be written, or else JSON lines. Results are compressed as the input is.
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
	return filepath.Join(t.Output, plain+packed), form, nil
}

// open opens the journal of a folder of results, and says what it tells is done.
func (t Tree) open(p *runner.Predictor, columns partitions) (*os.File, map[string]treeFile, error) {
	id, err := t.Job.identity(p)
	if err != nil {
		return nil, nil, err
	}
	delete(id, "shard") // of rows
	id["output format"] = t.Job.Format
	id["partition columns"] = columns.String() // whose types go by all files
	head, err := json.Marshal(id)
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(t.Output, 0o755); err != nil { //nolint:gosec // as others' folders of results
		return nil, nil, err
	}
	for _, stale := range []string{treeSuccess, "." + treeSuccess + ".crc"} {
		if err := os.Remove(filepath.Join(t.Output, stale)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, nil, err
		}
	}
	name := filepath.Join(t.Output, treeJournal)
	if t.Shards > 1 {
		name = filepath.Join(t.Output, fmt.Sprintf("_tfrun-%d-of-%d.jsonl", t.Shard, t.Shards))
	}
	done := map[string]treeFile{}
	if t.Job.Resume {
		text, err := os.ReadFile(name)
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return nil, nil, err
		default:
			if done, err = readTree(name, text, head, id); err != nil {
				return nil, nil, err
			}
		}
	}
	whole, err := partfile.Create(name)
	if err != nil {
		return nil, nil, err
	}
	defer whole.Abandon()
	if err := writeTree(whole, head, done); err != nil {
		return nil, nil, err
	}
	if err := whole.Commit(); err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	return f, done, err
}

// readTree reads the journal of an earlier run, whose last line may be cut off.
func readTree(name string, text, head []byte, id partfile.Identity) (map[string]treeFile, error) {
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if !bytes.Equal(first, head) {
		return nil, &ResumeError{Output: name, Msg: partfile.Difference(first, id)}
	}
	done := map[string]treeFile{}
	for line := range bytes.Lines(rest) {
		var f treeFile
		if json.Unmarshal(line, &f) == nil {
			done[f.File] = f
		}
	}
	return done, nil
}

func writeTree(w io.Writer, head []byte, done map[string]treeFile) error {
	b := bufio.NewWriter(w)
	b.Write(append(head, '\n')) //nolint:errcheck // Flush has the error
	e := json.NewEncoder(b)
	for _, name := range slices.Sorted(maps.Keys(done)) {
		if err := e.Encode(done[name]); err != nil {
			return err
		}
	}
	return b.Flush()
}

// treeRun is a run over the files of a tree. Small ones run side by side: most of a small file's
// time is spent waiting, for its rows to come through the stages and for the disk.
type treeRun struct {
	t       Tree
	root    string
	journal *os.File

	mu  sync.Mutex // of what follows
	sum *TreeSummary
	now Progress
}

// Files at the same time, and the size from which one runs by itself.
const (
	treeAtOnce = 4
	treeLarge  = 1 << 20
)

// all runs the files, and ends with the first error.
func (r *treeRun) all(ctx context.Context, p *runner.Predictor, todo []treeFile) error {
	group, each := crash.WithContext(ctx)
	places := semaphore.NewWeighted(treeAtOnce)
	for _, f := range todo {
		weight := 1 + f.Size*(treeAtOnce-1)/treeLarge
		if weight > treeAtOnce || p.State().Stateful() {
			weight = treeAtOnce
		}
		if err := places.Acquire(each, weight); err != nil {
			break // a file's error, or the context's
		}
		group.Go(func() error {
			defer places.Release(weight)
			err := r.file(each, p, &f)
			if name := filepath.Join(r.root, f.File); err != nil && !strings.Contains(err.Error(), name) {
				return fmt.Errorf("%s: %w", name, err)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// file runs one file, and writes down that it is done.
func (r *treeRun) file(ctx context.Context, p *runner.Predictor, f *treeFile) error {
	if err := os.MkdirAll(filepath.Dir(f.output), 0o755); err != nil { //nolint:gosec // as others' folders of results
		return err
	}
	// Hadoop's checksum of a file that is about to be another one
	crc := filepath.Join(filepath.Dir(f.output), "."+filepath.Base(f.output)+".crc")
	if err := os.Remove(crc); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	j := r.t.job(r.root, f)
	j.Began, j.Progress = nil, r.progress()
	one, err := j.Run(ctx, p)
	f.Rows, f.BadRows = one.Resumed+one.Rows, one.BadRows
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Rows += one.Rows
	r.sum.Resumed += one.Resumed
	r.sum.BadRows += one.BadRows
	r.sum.Waste = r.now.Waste()
	r.sum.Restarts, r.sum.Kept = one.Restarts, r.sum.Kept || one.Kept
	for key, n := range one.Missing {
		r.sum.Missing[key] += n
	}
	if err != nil {
		return err
	}
	line, err := json.Marshal(f)
	if err == nil {
		_, err = r.journal.Write(append(line, '\n'))
	}
	return err
}

// progress adds what a file tells to the job's.
func (r *treeRun) progress() func(Progress) {
	var last Progress
	return func(now Progress) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.now.Rows += now.Rows - last.Rows
		r.now.Read += now.Read - last.Read
		r.now.Real += now.Real - last.Real
		r.now.Padded += now.Padded - last.Padded
		last = now
		if r.t.Job.Progress != nil {
			r.t.Job.Progress(r.now)
		}
	}
}

// below reports whether a path lies in a folder, or is it.
func below(folder, path string) (bool, error) {
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

// resolved is a path without links, as far as it exists.
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

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
