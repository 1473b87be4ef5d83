package arrow_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/tensor"
)

// A file that is cut off anywhere is said to be cut off there, whether or not its length is known;
// a stream may end between two messages, and none of these places is one.
func TestCutOff(t *testing.T) {
	t.Parallel()
	spec := dataset.Dict(map[string]dataset.Spec{"int64": dataset.TensorSpec(tensor.Int64)})
	for _, name := range []string{"file", "stream", "stream_zstd"} {
		data, err := os.ReadFile("testdata/" + name + ".arrow")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "f.arrow")
		for n := 9; n < len(data); n += max(len(data)/101, 1) {
			if err := os.WriteFile(path, data[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			unsized := func(string) (io.ReadCloser, error) {
				f, err := os.Open(path)
				return struct {
					io.Reader
					io.Closer
				}{f, f}, err
			}
			_, err := arrow.Rows(spec, arrow.Options{}, path).Collect(t.Context())
			_, sizeless := arrow.Rows(spec, arrow.Options{Open: unsized}, path).Collect(t.Context())
			want := fmt.Sprintf("the file is cut off at byte %d, in the message that begins at byte ", n)
			if name == "file" {
				want = "the file is cut off: "
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %d bytes: %v, want %q", name, n, err, want)
			}
			if fmt.Sprint(sizeless) != fmt.Sprint(err) {
				t.Errorf("%s of %d bytes: %v, and %v where its length is not known", name, n, err, sizeless)
			}
		}
	}
}

// What ends where a schema has to be is no file without rows, also where it cannot be looked at
// beforehand.
func TestNoSchema(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		"\x00\x00\x00\x00\x00\x00\x00\x00":               "it ends before its schema",
		"ARROW1\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00": "the file is cut off",
		"ARROW1\x00\x00\x00\x00\x00\x00ARROW1":           "metadata that reaches beyond itself",
		"\x00":                                           "it is too short",
	} {
		open := func(string) (io.ReadCloser, error) {
			return io.NopCloser(struct{ io.Reader }{strings.NewReader(data)}), nil
		}
		if _, err := arrow.Rows(dataset.TensorSpec(tensor.Int64), arrow.Options{Open: open}, "f").Collect(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", data, err, want)
		}
	}
}

// A stream of no bytes, as of a program that has no rows, is no rows; a file of no bytes is none.
func TestNothing(t *testing.T) {
	t.Parallel()
	spec := dataset.TensorSpec(tensor.Int64)
	open := func(string) (io.ReadCloser, error) {
		return io.NopCloser(struct{ io.Reader }{strings.NewReader("")}), nil
	}
	rows, err := arrow.Rows(spec, arrow.Options{Open: open, Keep: []string{"k"}}, "f").Collect(t.Context())
	if err != nil || len(rows) > 0 {
		t.Errorf("a stream of no bytes: %d rows, %v", len(rows), err)
	}
	path := filepath.Join(t.TempDir(), "f.arrow")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if ds := arrow.Rows(spec, arrow.Options{}, path); ds.Err() == nil || !strings.Contains(ds.Err().Error(), "it is too short") {
		t.Errorf("a file of no bytes: %v", ds.Err())
	}
}

// TestOverwritten makes four bytes of a file -1, in every place: what a library says of that is no
// error of the runtime.
func TestOverwritten(t *testing.T) {
	t.Parallel()
	spec := dataset.Dict(map[string]dataset.Spec{"int64": dataset.TensorSpec(tensor.Int64)})
	failed := 0
	for _, name := range []string{"file", "sliced"} {
		data, err := os.ReadFile("testdata/" + name + ".arrow")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "f.arrow")
		for at := 0; at+4 <= len(data); at += 4 {
			changed := slices.Clone(data)
			copy(changed[at:], "\xff\xff\xff\xff")
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := arrow.Rows(spec, arrow.Options{}, path).Collect(t.Context())
			if err == nil {
				continue
			}
			failed++
			if strings.Contains(err.Error(), "runtime error") {
				t.Errorf("%s, byte %d: %v", name, at, err)
			}
		}
	}
	if failed < 100 {
		t.Errorf("%d errors, want 100 at least", failed)
	}
}
