package job

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/internal/store"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
)

// identity returns what the results of a tree depend on.
func (t Tree) identity(p *runner.Predictor, found source.Tree) (partfile.Identity, error) {
	id, err := t.Job.identity(p)
	delete(id, "shard") // it is of rows
	if err == nil {
		id["output format"] = t.Job.Format
		// The columns' types depend on all files.
		id["partition columns"] = t.partitions(found).String()
	}
	return id, err
}

// journal returns the name of the journal of a shard.
func (t Tree) journal(shard int) string {
	name := treeJournal
	if t.Shards > 1 {
		name = fmt.Sprintf(shardJournal, shard, t.Shards)
	}
	return store.Join(t.Output, name)
}

// open opens the journal of a folder of results, and returns what it says is done. Until it is
// closed, no other run of this shard writes into the folder.
func (t Tree) open(ctx context.Context, id partfile.Identity, there results) (*os.File, map[string]treeFile, error) {
	if err := t.makeFolder(); err != nil {
		return nil, nil, err
	}
	if err := t.checkShards(there); err != nil {
		return nil, nil, err
	}
	name, err := t.localJournal()
	if err != nil {
		return nil, nil, err
	}
	f, err := partfile.OpenLines(name)
	if err != nil {
		return nil, nil, err
	}
	done, err := t.goOn(ctx, f, id)
	if err == nil {
		err = t.notDone(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, done, nil
}

// goOn reads what the journal says is done, if the run is to go on after that, and leaves it ready
// for further lines. A journal is not written anew where it stays the same: a run that is killed
// meanwhile would have lost it.
func (t Tree) goOn(ctx context.Context, f *os.File, id partfile.Identity) (map[string]treeFile, error) {
	head, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	done := map[string]treeFile{}
	if t.Job.Resume {
		if done, err = t.readJournal(ctx, t.Shard, id); errors.Is(err, os.ErrNotExist) {
			done = map[string]treeFile{}
		} else if err != nil {
			return nil, err
		}
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if size == 0 || len(done) == 0 {
		_, err = f.Seek(0, io.SeekStart)
		return done, errors.Join(err, f.Truncate(0), writeTree(f, head, done))
	}
	last := make([]byte, 1)
	if _, err = f.ReadAt(last, size-1); err == nil && last[0] != '\n' {
		_, err = f.WriteString("\n") // the line that was cut off ends here
	}
	return done, err
}

// checkShards refuses a folder with results of another number of shards, whose parts of files would
// stand beside those of this run.
func (t Tree) checkShards(there results) error {
	names, err := there.journals()
	if err != nil {
		return err
	}
	for _, name := range names {
		var shard, shards int
		if _, err := fmt.Sscanf(filepath.Base(name), shardJournal, &shard, &shards); err != nil {
			shards = 1 // treeJournal is that of one shard
		}
		if shards != max(t.Shards, 1) {
			return &runner.OptionError{Option: "Shards", Msg: fmt.Sprintf("output %q: holds results of a run in %d shards, not %d; go on with as many, or name another place", t.Output, shards, max(t.Shards, 1))}
		}
	}
	return nil
}

// whole reports whether all files of all shards are done.
func (t Tree) whole(ctx context.Context, id partfile.Identity, all []treeFile) (bool, error) {
	there, err := t.results(ctx)
	if err != nil {
		return false, err
	}
	for shard := range max(t.Shards, 1) {
		done, err := t.readJournal(ctx, shard, id)
		if err != nil {
			return false, nil //nolint:nilerr // its shard will say what is wrong
		}
		for _, f := range shardOf(all, shard, t.Shards) {
			if was, ok := done[f.output]; !ok || !f.done(was, there) {
				return false, nil
			}
		}
	}
	return true, nil
}

// readJournal reads the journal of an earlier run of a shard, whose last line may be cut off, and
// returns what is done by output. A journal of a run with other options is a *[ResumeError].
func (t Tree) readJournal(ctx context.Context, shard int, id partfile.Identity) (map[string]treeFile, error) {
	text, err := t.journalText(ctx, shard)
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if !bytes.Equal(first, head) {
		return nil, &ResumeError{Output: t.journal(shard), Msg: partfile.Difference(first, id)}
	}
	done := map[string]treeFile{}
	for line := range bytes.Lines(rest) {
		var f treeFile
		if json.Unmarshal(line, &f) != nil {
			continue
		}
		if f.output, _, err = t.output(f.File); err == nil {
			f = f.part(f.Part, max(f.Parts, 1))
			done[f.output] = f
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
