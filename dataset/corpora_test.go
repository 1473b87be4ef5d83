package dataset_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/dataset/parquet"
)

// corpusColumn is what a referee says of a column, see scripts/corpora/record.py.
type corpusColumn struct {
	File, Column string
	Rows         int
	Sum          string
	Error        string // the referee refuses the file
	Refused      string // the referee refuses the value, and so must we
	DuckDB       *bool  // whether DuckDB reads the same; nil: it cannot be compared
}

// corpusReaders return the rows of a file with a kept column, by how its name ends.
var corpusReaders = map[string]func(name string, keep []string) *dataset.Dataset{
	".csv": func(name string, keep []string) *dataset.Dataset {
		return csv.Rows(dataset.Dict(map[string]dataset.Spec{}), csv.Options{Keep: keep, Header: csv.WithHeader, Comma: ','}, name)
	},
	".json": func(name string, keep []string) *dataset.Dataset {
		return dataset.JSONLFiles(dataset.Dict(map[string]dataset.Spec{}), dataset.JSONLOptions{Keep: keep}, name)
	},
	".npz": func(name string, keep []string) *dataset.Dataset {
		return npy.ZipRows(dataset.Dict(map[string]dataset.Spec{}), npy.Options{Keep: keep}, name)
	},
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
		if c.DuckDB != nil {
			counts["DuckDB"]++
		}
		if outcome != "right" {
			t.Logf("%s: %s, column %q: %s", outcome, c.File, c.Column, why)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("of these, DuckDB was asked about %d too", counts["DuckDB"])
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
	h, rows := sha256.New(), 0
	for e, err := range c.read(name).All(ctx) {
		if err != nil && c.Refused != "" {
			return "right", ""
		}
		if err != nil {
			return "refused", strings.TrimPrefix(err.Error(), name+": ")
		}
		_, _ = h.Write(append(c.text(e), '\n'))
		rows++
	}
	if c.Refused != "" {
		return "wrong", "it is read, the referee says: " + c.Refused
	}
	if sum := fmt.Sprintf("%x", h.Sum(nil))[:16]; rows != c.Rows || sum != c.Sum {
		return "wrong", fmt.Sprintf("%d rows of %d, or other values", rows, c.Rows)
	}
	return "right", ""
}

// read returns the rows of the file.
func (c corpusColumn) read(name string) *dataset.Dataset {
	keep := []string{c.Column}
	read := corpusReaders[filepath.Ext(name)]
	switch {
	case strings.Contains(c.File, "JSONTestSuite/"):
		data, err := os.ReadFile(name)
		if err != nil {
			return dataset.Failed(err)
		}
		row := slices.Concat([]byte(`{"v":`), bytes.TrimSpace(data), []byte("}"))
		return dataset.JSONL(bytes.NewReader(row), dataset.Dict(map[string]dataset.Spec{}), dataset.JSONLOptions{Keep: keep})
	case strings.Contains(c.File, "fuzzing/"):
		read = corpusReaders[".parquet"]
	case read == nil:
		read = corpusReaders[""]
	}
	return read(name, keep)
}

// text returns the kept value of a row as the referee has recorded it: the JSON of columns with
// types, the text of a cell, and the one form of JSON values that scripts/corpora/plain.py has.
func (c corpusColumn) text(e dataset.Element) []byte {
	if len(e.Extra) == 0 {
		return []byte("-")
	}
	value := e.Extra[0].AppendJSON(nil)
	switch filepath.Ext(c.File) {
	case ".csv":
		return jsontext.AsText(value)
	case ".json":
		var v any
		d := json.NewDecoder(bytes.NewReader(jsontext.NullNaN(value)))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return []byte(err.Error())
		}
		return canonical(nil, v)
	}
	return value
}

// canonical appends a JSON value in the one form of all: keys sorted, numbers as 64-bit floats.
func canonical(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return hex.AppendEncode(append(dst, 's'), []byte(v))
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return append(dst, "null"...)
		}
		return strconv.AppendFloat(dst, f, 'e', 16, 64)
	case []any:
		dst = append(dst, '[')
		for i, x := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = canonical(dst, x)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = canonical(append(canonical(dst, key), ':'), v[key])
		}
		return append(dst, '}')
	}
	return fmt.Append(dst, map[any]string{nil: "null", true: "true", false: "false"}[v])
}
