package parquet_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/dataset/parquet"
)

// matrix returns the files of testdata/matrix.zip, and the values that each of their columns holds.
func matrix(t *testing.T) (files map[string][]byte, want map[string][]string) {
	t.Helper()
	z, err := zip.OpenReader("testdata/matrix.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close() //nolint:errcheck // nothing was written
	files, want = map[string][]byte{}, map[string][]string{}
	for _, entry := range z.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if entry.Name != "rows.jsonl" {
			files[entry.Name] = data
			continue
		}
		for line := range bytes.Lines(data) {
			// not json.Unmarshal, which does not know Infinity
			var keys map[string]json.RawMessage
			if err := json.Unmarshal(bytes.ReplaceAll(line, []byte("Infinity"), []byte("1e999")), &keys); err != nil {
				t.Fatal(err)
			}
			for key, v := range keys {
				want[key] = append(want[key], strings.ReplaceAll(string(v), "1e999", "Infinity"))
			}
		}
	}
	return files, want
}

// The same rows are read from files of every writer, version, page version, codec and encoding.
func TestMatrix(t *testing.T) {
	t.Parallel()
	files, want := matrix(t)
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := rowtest.Sized(data)
			columns, err := parquet.Columns(parquet.Options{Open: open}, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, block := range []int64{0, 1, 300} {
				o := parquet.Options{Open: open, BlockBytes: block}
				checkKept(t, o, name, columns, want)
				checkTensors(t, o, name, columns, want)
			}
		})
	}
}

// checkKept reads all columns as kept ones.
func checkKept(t *testing.T, o parquet.Options, name string, columns []dataset.Column, want map[string][]string) {
	t.Helper()
	for _, c := range columns {
		if top, _, _ := strings.Cut(c.Name, "."); !slices.Contains(o.Keep, top) {
			o.Keep = append(o.Keep, top)
		}
	}
	got := map[string][]string{}
	for e, err := range parquet.Rows(dataset.Dict(map[string]dataset.Spec{}), o, name).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range e.Extra {
			got[f.Key] = append(got[f.Key], string(f.AppendJSON(nil)))
		}
	}
	for _, key := range o.Keep {
		if diff := cmp.Diff(want[key], got[key]); diff != "" {
			t.Errorf("blocks of %d bytes: column %s (-want +got):\n%s", o.BlockBytes, key, diff)
		}
	}
}

// plain matches the columns whose JSON is that of their tensors.
var plain = regexp.MustCompile(`^(bool|u?int|float|string|binary|fixed)`)

// checkTensors reads the columns of single values as tensors, one by one.
func checkTensors(t *testing.T, o parquet.Options, name string, columns []dataset.Column, want map[string][]string) {
	t.Helper()
	for _, c := range columns {
		if !plain.MatchString(c.Name) {
			continue
		}
		o.Columns = map[string][]string{"x": {c.Name}}
		var got []string
		for e, err := range parquet.Rows(dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(c.DType)}), o, name).All(t.Context()) {
			if bad, ok := errors.AsType[*dataset.SyntaxError](err); ok && bad.Msg == "the value is null" {
				got = append(got, "null")
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := dataset.AppendJSON(nil, e.Tensors[0], nil)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(text))
		}
		if diff := cmp.Diff(want[c.Name], got); diff != "" {
			t.Errorf("blocks of %d bytes: tensors of column %s (-want +got):\n%s", o.BlockBytes, c.Name, diff)
		}
	}
}
