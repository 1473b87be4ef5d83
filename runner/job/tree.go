package job

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/internal/store"
	"github.com/tfrun/tfrun/runner"
)

// Tree is a job over a folder: for each file of rows in it, it writes a file of results at the same
// path below another folder.
type Tree struct {
	// Job says what is done with each file. Its Source.Files and its Output are not used.
	Job Job
	// Input is a folder, or a pattern such as "data/**/*.parquet". Names that begin with a dot or
	// an underscore are passed over.
	Input string
	// Output is the folder of the results. It also holds a journal of what is done, _tfrun.jsonl,
	// and, after a run over all files, _SUCCESS. For a folder in a store, the journal is in
	// Job.State too, and is copied to the store at the end of each run.
	Output string
	// Shard and Shards run only the files whose number, by path, gives the remainder Shard when it
	// is divided by Shards; 0 Shards means all files. A Parquet file with more than a shard's share
	// of all bytes counts as several, each with some of its row groups and with results of its own:
	// big-00002-of-00008.parquet.
	Shard, Shards int
	// Began, if not nil, is called before the first file is run, with what was found.
	Began func(TreeSummary)
}

// TreeSummary says what a [Tree] did, or is about to do.
type TreeSummary struct {
	Summary
	Files int      // to run, or that were run
	Done  int      // done by an earlier run
	Other []string // files that are not read, since their names show no format
}

// treeJournal is the file that says which files of a tree are done, and treeSuccess the one that
// says that all are. Readers of folders pass over both names.
const (
	treeJournal = "_tfrun.jsonl"
	treeSuccess = "_SUCCESS"

	shardJournal = "_tfrun-%d-of-%d.jsonl"
)

// treeFile is a line of the journal, and a file to run.
type treeFile struct {
	File     string    `json:"file"` // path below the input folder
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	ETag     string    `json:"etag,omitempty"` // of an object
	Rows     int64     `json:"rows"`
	BadRows  int64     `json:"bad_rows,omitempty"`

	// Part, of Parts, of the file's row groups; 0 Parts: the whole file.
	Part  int `json:"part,omitempty"`
	Parts int `json:"parts,omitempty"`

	output, format string
	partition      []dataset.Field
}

// done reports whether an earlier run has done the same, and its results exist.
func (f *treeFile) done(was treeFile, there results) bool {
	return was.ETag == f.ETag && was.Size == f.Size && was.Modified.Equal(f.Modified) && was.Part == f.Part && was.Parts == f.Parts && there.has(f.output)
}

// Run runs a job for each file of the folder, with one loaded model. With Job.Resume it passes over
// files that an earlier run with the same model and options has done, if they have not changed
// since, and goes on with a file that was interrupted. An error ends the run; what is done stays,
// for a run with Resume.
func (t Tree) Run(ctx context.Context, p *runner.Predictor) (sum TreeSummary, err error) {
	start := time.Now()
	defer func() { sum.Duration = time.Since(start) }()
	all, found, err := t.find()
	if err != nil {
		return sum, err
	}
	sum.Other = found.Other
	id, err := t.identity(p, found)
	if err != nil {
		return sum, err
	}
	there, err := t.results(ctx)
	if err != nil {
		return sum, err
	}
	journal, done, err := t.open(ctx, id, there)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	todo := slices.DeleteFunc(shardOf(all, t.Shard, t.Shards), func(f treeFile) bool {
		was, ok := done[f.output]
		if ok = ok && f.done(was, there); ok {
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
	r := &treeRun{t: t, root: found.Root, journal: journal, sum: &sum, synced: start}
	r.size = sync.OnceValues(func() (BatchSize, error) { return FileBatchSize(p) })
	for _, f := range todo {
		r.now.Size += f.Size
	}
	t.sweep(todo)
	err = r.all(ctx, p, todo)
	if kept := t.keepJournal(ctx); err != nil || kept != nil {
		return sum, cmp.Or(err, kept)
	}
	if whole, err := t.whole(ctx, id, all); err != nil || !whole {
		return sum, err // files that other shards are running
	}
	return sum, t.succeed(ctx)
}

// shardOf returns the files of a shard.
func shardOf(all []treeFile, shard, shards int) (list []treeFile) {
	for i, f := range all {
		if shards < 2 || i%shards == shard {
			list = append(list, f)
		}
	}
	return list
}

// sweep removes what a run that was killed has left of the files to run.
func (t Tree) sweep(todo []treeFile) {
	var paths []string
	for _, f := range todo {
		paths = append(paths, f.output)
	}
	partfile.Sweep(slices.DeleteFunc(paths, store.Is)...)
}

// treeRun is a run over the files of a tree. Small files run at the same time: most of a small
// file's time is spent waiting, for its rows to pass through the stages and for the disk.
type treeRun struct {
	t       Tree
	root    string
	journal *os.File
	size    func() (BatchSize, error) // of batches; finding it takes as long as many a small file

	mu      sync.Mutex // guards the fields below
	sum     *TreeSummary
	now     Progress
	written []*treeFile // small files that may not be on the disk yet
	synced  time.Time   // when there was none last
}

// The number of files that run at the same time, and the size from which on a file runs alone. The
// journal says that small files are done once they are on the disk, which is waited for when there
// are so many, or when the last wait is so long ago.
const (
	treeAtOnce = 8
	treeLarge  = 1 << 20
	treeWrites = 256
	treeEvery  = time.Second
)

// all runs the files. It ends with the first error.
func (r *treeRun) all(ctx context.Context, p *runner.Predictor, todo []treeFile) error {
	group, each := crash.WithContext(ctx)
	places := semaphore.NewWeighted(treeAtOnce)
	for _, f := range todo {
		weight := 1 + f.Size*(treeAtOnce-1)/treeLarge
		if weight > treeAtOnce || p.State().Stateful() {
			weight = treeAtOnce
		}
		if err := places.Acquire(each, weight); err != nil {
			break // an error of a file, or of the context
		}
		group.Go(func() error {
			defer places.Release(weight)
			err := r.file(each, p, &f)
			if name := store.Join(r.root, f.File); err != nil && !strings.Contains(err.Error(), name) {
				return fmt.Errorf("%s: %w", name, err)
			}
			return err
		})
	}
	err := group.Wait()
	if kept := r.sync(0); err != nil || kept != nil {
		return cmp.Or(err, kept)
	}
	return ctx.Err()
}

// file runs one file, and writes into the journal that it is done.
func (r *treeRun) file(ctx context.Context, p *runner.Predictor, f *treeFile) error {
	if err := makePlace(f.output); err != nil {
		return err
	}
	j := r.t.job(r.root, f)
	j.Began, j.Progress, j.Source.size = nil, r.progress(), r.size
	j.small = f.Size < treeLarge && f.Parts == 0 && !store.Is(f.output)
	// Run would look at the objects again, which have just been listed.
	one, err := j.run(ctx, p)
	f.Rows, f.BadRows = one.Resumed+one.Rows, one.BadRows
	r.count(one)
	if err != nil {
		return err
	}
	if !j.small {
		return r.done([]*treeFile{f})
	}
	r.mu.Lock()
	r.written = append(r.written, f)
	r.mu.Unlock()
	return r.sync(treeWrites)
}

// count adds what was done with a file.
func (r *treeRun) count(one Summary) {
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
}

// sync brings the small files to the disk, where there are as many, or where it is time.
func (r *treeRun) sync(many int) error {
	r.mu.Lock()
	if len(r.written) < many && time.Since(r.synced) < treeEvery {
		r.mu.Unlock()
		return nil
	}
	files := r.written
	r.written, r.synced = nil, time.Now()
	r.mu.Unlock()
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.output
	}
	if err := partfile.Sync(paths); err != nil {
		return err
	}
	return r.done(files)
}

// done writes into the journal that files are done.
func (r *treeRun) done(files []*treeFile) error {
	var lines []byte
	for _, f := range files {
		line, err := json.Marshal(f)
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.journal.Write(lines)
	return err
}

// progress returns a function that adds a file's progress to that of the whole run.
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
