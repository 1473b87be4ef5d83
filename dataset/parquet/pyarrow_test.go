package parquet_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/dataset/parquet"
)

// nothing is the spec of rows that only keep columns.
var nothing = dataset.Dict(map[string]dataset.Spec{})

// FuzzAgainstPyarrow lets pyarrow write a table of any types, which the fuzzer's bytes stand for,
// in one of its versions, encodings and codecs: what is read is what pyarrow reads, and what is
// kept of it is that again in a file of one's own.
func FuzzAgainstPyarrow(f *testing.F) {
	for i := range byte(40) {
		f.Add([]byte{3, i, 255 - i, i * 7, 1, i})
	}
	python := rowtest.StartPyarrow(f, rowtest.ParquetFiles)
	f.Fuzz(func(t *testing.T, choices []byte) {
		read := func(open dataset.Opener, spec dataset.Spec, keep []string) *dataset.Dataset {
			return parquet.Rows(spec, parquet.Options{Open: open, Keep: keep}, "f")
		}
		python.CheckDrawn(t, choices, read, map[byte]func([]string, []dataset.Element) []byte{
			rowtest.ParquetFiles: func(keep []string, rows []dataset.Element) []byte { return written(t, keep, rows) },
		})
	})
}

func written(t *testing.T, keep []string, rows []dataset.Element) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := parquet.NewWriter(&b, nothing, parquet.WriterOptions{Keep: keep})
	if err != nil {
		t.Fatal(err)
	}
	rowtest.Write(t, w, rows...)
	return b.Bytes()
}

// FuzzDamagedAgainstPyarrow reads files of all writers, which the fuzzer changes: a column that
// both read has the same values. It begins with those of testdata, and with those that
// TFRUN_CORPORA names the folder of.
func FuzzDamagedAgainstPyarrow(f *testing.F) {
	for _, file := range smallFiles(f) {
		f.Add(file)
	}
	python := rowtest.StartPyarrow(f, rowtest.ParquetFiles)
	f.Fuzz(func(t *testing.T, file []byte) {
		want := python.Read(t, file)
		for name, values := range want.Columns {
			got, rows, err := rowtest.KeptColumns(t, parquet.Rows(nothing, parquet.Options{Open: rowtest.Sized(file), Keep: []string{name}}, "f"), []string{name})
			if err != nil {
				continue // pyarrow is less strict
			}
			if slices.ContainsFunc(rows, func(row dataset.Element) bool { return row.Extra[0].Type.(*kept.Type).IsInterval() }) {
				continue // pyarrow does not tell them from other twelve bytes
			}
			if diff := cmp.Diff(values, got.Columns[name]); diff != "" {
				t.Errorf("column %s of type %s (-pyarrow +here):\n%s", name, want.Types[name], diff)
			}
		}
	})
}

// smallFiles returns files of Parquet of at most 20 kB.
func smallFiles(f *testing.F) [][]byte {
	names, err := filepath.Glob("testdata/*.parquet")
	if err != nil {
		f.Fatal(err)
	}
	if root := os.Getenv("TFRUN_CORPORA"); root != "" {
		others, err := filepath.Glob(filepath.Join(root, "parquet-testing", "data", "*.parquet"))
		if err != nil {
			f.Fatal(err)
		}
		names = append(names, others...)
	}
	var out [][]byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, data)
	}
	return slices.DeleteFunc(out, func(b []byte) bool { return len(b) > 20<<10 })
}
