package dataset_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/parquet"
)

// corpusColumn is what a referee says of a column, see scripts/corpora/record.py.
type corpusColumn struct {
	File, Column string
	Rows         int
	Sum          string
	Error        string // the referee refuses the file
}

// corpusReaders return the rows of a file with a kept column, by how its name ends.
var corpusReaders = map[string]func(name string, keep []string) *dataset.Dataset{
	".parquet": func(name string, keep []string) *dataset.Dataset {
		return parquet.Rows(dataset.Dict(map[string]dataset.Spec{}), parquet.Options{Keep: keep}, name)
	},
	"": func(name string, keep []string) *dataset.Dataset {
		return arrow.Rows(dataset.Dict(map[string]dataset.Spec{}), arrow.Options{Keep: keep}, name)
	},
}

// TestCorpora compares each column of the files that TFRUN_CORPORA names the folder of with what a
// referee said, and prints how many are right, refused, wrong, and how many panics there were.
func TestCorpora(t *testing.T) {
	root := os.Getenv("TFRUN_CORPORA")
	if root == "" {
		t.Skip("TFRUN_CORPORA names no folder of other projects' files")
	}
	f, err := os.Open("testdata/corpora.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	counts, all := map[string]int{}, 0
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c corpusColumn
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		outcome, why := c.try(t.Context(), filepath.Join(root, filepath.FromSlash(c.File)))
		if c.Error != "" && outcome != "crashed" {
			continue // there is nothing to compare with
		}
		all++
		counts[outcome]++
		if outcome != "right" {
			t.Logf("%s: %s, column %q: %s", outcome, c.File, c.Column, why)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("CORPUS: right %d, refused %d, wrong %d, crashed %d of %d", counts["right"], counts["refused"], counts["wrong"], counts["crashed"], all)
	if counts["wrong"]+counts["crashed"] > 0 {
		t.Fail()
	}
}

// try reads a column, and says how that went.
func (c corpusColumn) try(ctx context.Context, name string) (outcome, why string) {
	defer func() {
		if r := recover(); r != nil {
			outcome, why = "crashed", fmt.Sprint(r)
		}
	}()
	read := corpusReaders[filepath.Ext(name)]
	switch {
	case strings.Contains(c.File, "fuzzing/"):
		read = corpusReaders[".parquet"]
	case read == nil:
		read = corpusReaders[""]
	}
	h, rows := sha256.New(), 0
	for e, err := range read(name, []string{c.Column}).All(ctx) {
		if err != nil {
			return "refused", strings.TrimPrefix(err.Error(), name+": ")
		}
		_, _ = h.Write(append(e.Extra[0].AppendJSON(nil), '\n'))
		rows++
	}
	if sum := fmt.Sprintf("%x", h.Sum(nil))[:16]; rows != c.Rows || sum != c.Sum {
		return "wrong", fmt.Sprintf("%d rows of %d, or other values", rows, c.Rows)
	}
	return "right", ""
}
