package runner

import (
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
)

// jsonSource reads rows from a text.
func jsonSource(rows string) Source {
	return Source{Files: []string{"-"}, Stdin: strings.NewReader(rows), Format: "jsonl"}
}

// mustRows returns the rows of a source.
func mustRows(t *testing.T, p *Predictor, src Source) *dataset.Dataset {
	t.Helper()
	rows, err := p.Rows(src)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
