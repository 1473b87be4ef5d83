package job

import (
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
)

// jsonSource reads rows from a text.
func jsonSource(rows string) Source {
	return Source{Files: []string{"-"}, Stdin: strings.NewReader(rows), Format: "jsonl"}
}

// mustRows returns the rows of a source.
func mustRows(t *testing.T, p *runner.Predictor, src Source) *dataset.Dataset {
	t.Helper()
	rows, err := src.Rows(p)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
