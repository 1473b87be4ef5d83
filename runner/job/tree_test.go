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
