//go:build cgo && !notf

package job

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// writeRows writes a Parquet file of rows x and their number, in row groups of ten.
func writeRows(t *testing.T, name string, first, rows int) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	spec := dataset.Dict(map[string]dataset.Spec{"n": dataset.TensorSpec(tensor.Int64), "x": dataset.TensorSpec(tensor.Float32)})
	w, err := parquet.NewWriter(f, spec, parquet.WriterOptions{GroupRows: 10})
	for i := first; i < first+rows && err == nil; i++ {
		err = w.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar(int64(i)), tensor.Scalar(float32(i))}})
	}
	if err := errors.Join(err, w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// Shards of a folder share out the row groups of its large files, and small files whole: every row
// has one result, and whoever is the last writes _SUCCESS. A second run does nothing.
func TestTreeShards(t *testing.T) {
	t.Parallel()
	p, err := load(t, "tf1_half_plus_two/model").NewPredictor(runner.PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	in := t.TempDir()
	for _, f := range []struct {
		name        string
		first, rows int
	}{{"big.parquet", 0, 2000}, {"few.parquet", 2000, 3}, {"large.parquet", 2003, 1000}, {"single.parquet", 3003, 9}} {
		writeRows(t, filepath.Join(in, f.name), f.first, f.rows)
	}
	for _, shards := range []int{1, 2, 3, 7, 40} {
		tree := Tree{Input: in, Output: t.TempDir(), Shards: shards, Job: Job{Format: "csv", Resume: true, Source: Source{Keep: []string{"n"}}}}
		for tree.Shard = range shards {
			if exists(filepath.Join(tree.Output, treeSuccess)) {
				t.Errorf("%d shards: _SUCCESS before shard %d", shards, tree.Shard)
			}
			if _, err := tree.Run(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		checkOnce(t, tree.Output, 3012)
		if !exists(filepath.Join(tree.Output, treeSuccess)) {
			t.Errorf("%d shards: no _SUCCESS", shards)
		}
		if parts, _ := filepath.Glob(filepath.Join(tree.Output, "big-*")); (len(parts) > 0) != (shards > 1) {
			t.Errorf("%d shards: %q", shards, parts)
		}
		tree.Shard = 0
		if sum, err := tree.Run(t.Context(), p); err != nil || sum.Files != 0 || sum.Done == 0 {
			t.Errorf("%d shards, again: %d files, %d done, %v", shards, sum.Files, sum.Done, err)
		}
		tree.Shards = shards + 1
		var option *runner.OptionError
		if _, err := tree.Run(t.Context(), p); !errors.As(err, &option) || option.Option != "Shards" {
			t.Errorf("%d shards after %d: %v", tree.Shards, shards, err)
		}
	}
}

// A shard that was interrupted goes on within its part.
func TestTreeShardResumed(t *testing.T) {
	t.Parallel()
	p, err := load(t, "tf1_half_plus_two/model").NewPredictor(runner.PredictOptions{BatchSize: 10})
	if err != nil {
		t.Fatal(err)
	}
	in := t.TempDir()
	writeRows(t, filepath.Join(in, "big.parquet"), 0, 3000)
	tree := Tree{Input: in, Output: t.TempDir(), Shards: 3, Job: Job{Format: "csv", Resume: true, Source: Source{Keep: []string{"n"}}}}
	for tree.Shard = range tree.Shards {
		ctx, cancel := context.WithCancel(t.Context())
		tree.Job.Progress = func(now Progress) {
			if now.Rows > 0 {
				cancel()
			}
		}
		_, _ = tree.Run(ctx, p)
		tree.Job.Progress = nil
		if _, err := tree.Run(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	checkOnce(t, tree.Output, 3000)
}

// A second run of a shard that is running ends at once, and takes nothing from the first: its
// results, its journal and _SUCCESS are there. What a kill has left of the journal's last line, or
// of its first, does no harm.
func TestTreeRunsOnce(t *testing.T) {
	t.Parallel()
	p, err := load(t, "tf1_half_plus_two/model").NewPredictor(runner.PredictOptions{BatchSize: 10})
	if err != nil {
		t.Fatal(err)
	}
	in := t.TempDir()
	writeRows(t, filepath.Join(in, "a.parquet"), 0, 500)
	writeRows(t, filepath.Join(in, "b.parquet"), 500, 500)
	tree := Tree{Input: in, Output: t.TempDir(), Job: Job{Format: "csv", Resume: true, Source: Source{Keep: []string{"n"}}}}
	var second error
	tree.Job.Progress = func(Progress) {
		again := tree
		again.Job.Progress = nil
		if _, err := again.Run(t.Context(), p); second == nil {
			second = err
		}
	}
	if _, err := tree.Run(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if second == nil || !strings.Contains(second.Error(), "another run is writing it") {
		t.Errorf("a second run beside the first: %v", second)
	}
	tree.Job.Progress = nil
	journal := filepath.Join(tree.Output, treeJournal)
	whole := mustRead(t, journal)
	for name, c := range map[string]struct {
		text string
		done int
	}{
		"whole":                    {whole, 2},
		"its last line cut off":    {whole[:len(whole)-5], 1},
		"its last newline cut off": {whole[:len(whole)-1], 2},
		"its first line cut off":   {whole[:20], 0},
		"empty":                    {"", 0},
	} {
		for _, want := range []int{c.done, 2} { // the second time all is done
			if want == c.done {
				if err := os.WriteFile(journal, []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			sum, err := tree.Run(t.Context(), p)
			if err != nil || sum.Done != want {
				t.Errorf("a journal, %s: %d done, %v, want %d", name, sum.Done, err, want)
			}
			if !exists(filepath.Join(tree.Output, treeSuccess)) {
				t.Errorf("a journal, %s: no _SUCCESS", name)
			}
			checkOnce(t, tree.Output, 1000)
		}
	}
}

// What stands under the name of a shard's journal and cannot be one is refused: a pipe would be
// waited for, and a file of zeros may be larger than memory.
func TestTreeNoJournal(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(name string) error{
		"a folder": func(name string) error { return os.Mkdir(name, 0o700) },
		"a pipe":   func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"zeros": func(name string) error {
			return errors.Join(os.WriteFile(name, nil, 0o600), os.Truncate(name, 1<<40))
		},
	} {
		tree := Tree{Output: t.TempDir(), Shards: 2}
		for shard := range tree.Shards {
			if err := put(tree.journal(shard)); err != nil {
				t.Skip(err)
			}
			var resume *ResumeError
			if _, err := tree.journalText(t.Context(), shard); !errors.As(err, &resume) {
				t.Errorf("%s: shard %d: %v, want a *ResumeError", name, shard, err)
			}
		}
	}
}

// checkOnce checks that the results of a folder hold rows 0 to n, each once and with its answer.
func checkOnce(t *testing.T, folder string, n int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, name := range names {
		lines = append(lines, strings.Split(strings.TrimSpace(mustRead(t, name)), "\n")[1:]...)
	}
	slices.Sort(lines)
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("%g,%d", float32(i)/2+2, i))
	}
	slices.Sort(want)
	if !slices.Equal(lines, want) {
		t.Errorf("%d results of %d rows, or others than theirs", len(lines), n)
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
