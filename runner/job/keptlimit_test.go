//go:build cgo && !notf

package job

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
)

// TestKeptLimit has a row that keeps more than a quarter of what a row may take, in files of
// several formats: it is a bad row, with the limit as its cause and without what it keeps, and the
// row after it has its result. Without SkipBadRows it is the end of the run.
func TestKeptLimit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rows := filepath.Join(dir, "rows.jsonl")
	writeFile(t, rows, `{"x":1,"text":"`+strings.Repeat("a", 2000)+`"}`+"\n"+`{"x":2,"text":"b"}`+"\n")
	wide, err := load(t, "tf1_half_plus_two/model").NewPredictor(runner.PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := load(t, "tf1_half_plus_two/model").NewPredictor(runner.PredictOptions{
		SkipBadRows: true, Limits: dataset.Limits{RowBytes: 4096},
	})
	if err != nil {
		t.Fatal(err)
	}
	strict, err := load(t, "tf1_half_plus_two/model").NewPredictor(runner.PredictOptions{Limits: dataset.Limits{RowBytes: 4096}})
	if err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{"jsonl", "csv", "tfrecord", "parquet", "arrow"} {
		in := rows
		if ext != "jsonl" {
			in = filepath.Join(dir, "in."+ext)
			j := Job{Source: Source{Files: []string{rows}, Keep: []string{"x", "text"}}, Output: in}
			if _, err := j.Run(t.Context(), wide); err != nil {
				t.Fatal(ext, err)
			}
		}
		out := filepath.Join(dir, ext+".out.jsonl")
		j := Job{Source: Source{Files: []string{in}, Keep: []string{"text"}, Columns: map[string]string{"x": "x"}}, Output: out}
		sum, err := j.Run(t.Context(), p)
		text, readErr := os.ReadFile(out)
		lines := strings.Split(string(text), "\n")
		if err != nil || readErr != nil || sum.BadRows != 1 || len(lines) != 3 {
			t.Errorf("%s: %+v, %v, %s", ext, sum, err, text)
			continue
		}
		if !strings.Contains(lines[0], "what is kept of the row comes to more than 1024 bytes, a quarter of what a row may take") || strings.Contains(lines[0], "aaa") || !strings.Contains(lines[1], `"text":"b"`) {
			t.Errorf("%s: %s", ext, text)
		}
		j.Output = filepath.Join(dir, ext+".strict.jsonl")
		var limit *dataset.LimitError
		if _, err := j.Run(t.Context(), strict); !errors.As(err, &limit) || limit.Limit != dataset.LimitRowBytes {
			t.Errorf("%s: %v, want the error of a limit", ext, err)
		}
	}
}
