package job

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tfrun/tfrun/internal/regular"
	"github.com/tfrun/tfrun/internal/store"
)

// results says which results exist in a tree's folder of results.
type results struct {
	folder  string
	objects map[string]store.Info // of a folder in a store, by path
}

// results looks at the folder of results. A folder in a store is listed.
func (t Tree) results(ctx context.Context) (results, error) {
	r := results{folder: t.Output}
	if !store.Is(t.Output) {
		return r, nil
	}
	var err error
	_, r.objects, err = store.List(ctx, t.Output, 0)
	return r, err
}

// has reports whether a file of results exists.
func (r results) has(name string) bool {
	if store.Is(r.folder) {
		_, ok := r.objects[strings.TrimPrefix(name, store.Join(r.folder, ""))]
		return ok
	}
	_, err := os.Stat(name)
	return err == nil
}

// journals lists the journals in the folder.
func (r results) journals() ([]string, error) {
	const pattern = "_tfrun*.jsonl"
	if !store.Is(r.folder) {
		return filepath.Glob(filepath.Join(r.folder, pattern))
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(r.objects)), func(path string) bool {
		ok, err := filepath.Match(pattern, path)
		return err != nil || !ok
	}), nil
}

// makeFolder makes the folder of results.
func (t Tree) makeFolder() error {
	if store.Is(t.Output) {
		return nil
	}
	return os.MkdirAll(t.Output, 0o755) //nolint:gosec // as others' folders of results
}

// notDone removes what says that the results are whole.
func (t Tree) notDone(ctx context.Context) error {
	if store.Is(t.Output) {
		return store.Remove(ctx, store.Join(t.Output, treeSuccess))
	}
	for _, stale := range []string{treeSuccess, "." + treeSuccess + ".crc"} {
		if err := removeStale(filepath.Join(t.Output, stale)); err != nil {
			return err
		}
	}
	return nil
}

// localJournal returns the file that this shard's journal is written to. For a folder in a store,
// it is in the state folder.
func (t Tree) localJournal() (string, error) {
	name := t.journal(t.Shard)
	if !store.Is(name) {
		return name, nil
	}
	return stateFile(t.Job.State, name)
}

// journalText reads the journal of a shard. For a folder in a store, this shard's own may be in the
// state folder; others are in the folder of results.
func (t Tree) journalText(ctx context.Context, shard int) ([]byte, error) {
	name := t.journal(shard)
	if shard == t.Shard || !store.Is(name) {
		local := name
		if store.Is(name) {
			var err error
			if local, err = t.localJournal(); err != nil {
				return nil, err
			}
		}
		text, err := readLocal(local)
		if err == nil && !bytes.ContainsRune(text, '\n') {
			err = os.ErrNotExist // begun by a run that has written nothing yet
		}
		if err == nil || !store.Is(name) || !errors.Is(err, os.ErrNotExist) {
			return text, err
		}
	}
	if _, err := store.Stat(ctx, name); err != nil {
		return nil, err
	}
	f, err := store.Open(ctx, name, nil)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxJournal)) // files beyond it are done once more
	return text, errors.Join(err, f.Close())
}

// maxJournal bounds the journal of a folder: a line for each file, of some 200 bytes.
const maxJournal = 512 << 20

// readLocal reads a journal on this machine. Other shards' are others' files.
func readLocal(name string) ([]byte, error) {
	f, _, err := regular.Open(name)
	if err != nil && !errors.Is(err, regular.ErrOther) {
		return nil, err
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(f, maxJournal+1))
		err = errors.Join(err, f.Close())
	}
	if errors.Is(err, regular.ErrOther) || len(text) > maxJournal {
		return nil, &ResumeError{Output: name, Msg: "it is no journal"}
	}
	return text, err
}

// keepJournal copies this shard's journal into a folder in a store, for other shards and other
// machines. An interrupted run does so too.
func (t Tree) keepJournal(ctx context.Context) error {
	name := t.journal(t.Shard)
	if !store.Is(name) {
		return nil
	}
	within := 20 * time.Second
	if ctx.Err() != nil {
		within = 2 * time.Second // the user who interrupted the run waits
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	local, err := t.localJournal()
	if err != nil {
		return err
	}
	f, err := os.Open(local)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return store.Put(ctx, name, io.NewSectionReader(f, 0, info.Size()))
}

// makePlace prepares the writing of a results file: it makes its folder and removes what belongs to
// an older file.
func makePlace(output string) error {
	if store.Is(output) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil { //nolint:gosec // as others' folders of results
		return err
	}
	// Hadoop's checksum of the older file would not fit the new one.
	return removeStale(filepath.Join(filepath.Dir(output), "."+filepath.Base(output)+".crc"))
}

// removeStale removes a file, if it is there.
func removeStale(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// succeed writes _SUCCESS.
func (t Tree) succeed(ctx context.Context) error {
	name := store.Join(t.Output, treeSuccess)
	if store.Is(name) {
		return store.Put(ctx, name, io.NewSectionReader(bytes.NewReader(nil), 0, 0))
	}
	return os.WriteFile(name, nil, 0o644) //nolint:gosec // as readable as the results
}
