//go:build cgo && !notf

package job

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/runner"
)

// What is finished when TensorFlow fails is not lost: the failure may be one of the moment.
func TestRunKeepsRowsWhenTensorFlowFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var rows strings.Builder
	long := strings.Repeat("long ", 4000)
	for i := range 1000 {
		x := 1
		if i == 900 {
			x = -1 // which the model asserts that there is not
		}
		fmt.Fprintf(&rows, `{"x":%d,"text":%q}`+"\n", x, long)
	}
	in := filepath.Join(dir, "rows.jsonl")
	if err := os.WriteFile(in, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := load(t, "mod_assert_positive/model").NewPredictor(runner.PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	job := Job{Source: Source{Files: []string{in}, Keep: []string{"text"}}, Output: filepath.Join(dir, "out.parquet")}
	for _, job.Resume = range []bool{false, true} {
		sum, err := job.Run(t.Context(), p)
		var row *runner.RowError
		if !errors.As(err, &row) || row.Row != 900 || !sum.Kept || job.Resume != (sum.Resumed > 0) {
			t.Fatalf("Run = %+v, %v, want a *runner.RowError of row 900 and rows kept", sum, err)
		}
		if _, err := os.Stat(job.Output); err == nil {
			t.Fatal("the file has its name, but is not whole")
		}
	}
}
