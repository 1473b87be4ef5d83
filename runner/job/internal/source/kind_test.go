package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/runner/internal/option"
)

// kindWords are what the error and the hint say of each kind of testdata/kinds.json, in a file
// whose name is that of text.
var kindWords = map[string][2]string{
	"bzip2": {"compressed with bzip2", "bzip2 -dc"}, "bzip2 of nothing": {"compressed with bzip2", "bzip2 -dc"},
	"xz": {"compressed with xz", "xz -dc"}, "lzma": {"compressed with lzma", "xz -dc"}, "lz4": {"compressed with lz4", "lz4 -dc"},
	"zip": {`holds "rows.csv"`, "unzip -p"}, "Excel": {"a workbook", "save the sheet"}, "OpenDocument": {"a workbook", "save the sheet"}, "tar": {"a tar archive", "tar -xOf"},
	"ORC": {"an ORC file", "pyarrow.orc"}, "Avro": {"an Avro file", "polars.read_avro"}, "Feather 1": {"of version 1", "write_feather"},
	"Parquet": {"a Parquet file", "--input-format parquet"}, "Arrow": {"an Arrow file", "--input-format arrow"},
	"npy": {"a NumPy array", "--input-format npy"}, "npz": {"of NumPy arrays", "--input-format npz"},
	"HDF5": {"an HDF5 file", "pandas.read_hdf"}, "SQLite": {"an SQLite database", "sqlite3"}, "pickle": {"a pickle", "read_pickle"}, "Git LFS": {"a pointer of Git LFS", "git lfs pull"},
	"UTF-16 without a mark": {"UTF-16 without a mark", "iconv -f UTF-16LE"}, "UTF-16BE without a mark": {"UTF-16 without a mark", "iconv -f UTF-16BE"}, "UTF-32": {"UTF-32", "iconv -f UTF-32"},
}

// TestKinds reads files of other kinds than rows have, by names that tell nothing, by those of
// text, and from standard input: what they are is said, with what to type.
func TestKinds(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/kinds.json")
	if err != nil {
		t.Fatal(err)
	}
	var heads map[string][]byte
	if err := json.Unmarshal(data, &heads); err != nil {
		t.Fatal(err)
	}
	for name, head := range heads {
		dir := t.TempDir()
		for _, file := range []string{"rows", "rows.dat", "rows.csv.bz2", "rows.csv", "rows.jsonl", "rows.txt"} {
			path := filepath.Join(dir, file)
			if err := os.WriteFile(path, head, 0o600); err != nil {
				t.Fatal(err)
			}
			src := Source{Files: []string{path}}
			_, err := src.Find()
			if err == nil {
				_, err = src.Open(path)
			}
			checkKind(t, name, file, err)
		}
		src := Source{Stdin: bytes.NewReader(head)}
		f, err := src.Open("-")
		if err == nil {
			_, err = f.Read(make([]byte, 100))
		}
		checkKind(t, name, "standard input", err)
	}
	if len(heads) != len(kindWords) {
		t.Errorf("%d kinds, want %d", len(heads), len(kindWords))
	}
}

// checkKind looks for the words of a kind in an error.
func checkKind(t *testing.T, name, file string, err error) {
	t.Helper()
	want := kindWords[name]
	var kind *KindError
	var usage *option.Error
	if !errors.As(err, &kind) || !errors.As(err, &usage) || !strings.Contains(err.Error(), want[0]) || !strings.Contains(strings.Join(kind.Hints(), ""), want[1]) {
		t.Errorf("%s as %s: %v, want %q", name, file, err, want)
	}
}

// TestTextIsNoKind reads texts that begin with the letters of other kinds.
func TestTextIsNoKind(t *testing.T) {
	t.Parallel()
	for _, begin := range []string{"PAR1", "ORC", "BZh9", "BZh91AY", "PK", "FEA1", "PARE", "Obj", "LZIP", "ustar", "version", strings.Repeat("x", 257) + "ustar", "", "é", "{}", "7z,Rar!", "]"} {
		text := begin + ",y\n1,2\n"
		path := filepath.Join(t.TempDir(), "rows.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readAll(Source{}, path); err != nil || got != text {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
		if got, err := readAll(Source{Stdin: strings.NewReader(text)}, "-"); err != nil || got != text {
			t.Errorf("%q from standard input is read as %q, %v", text, got, err)
		}
	}
}
