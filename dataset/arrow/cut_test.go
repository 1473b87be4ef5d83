package arrow_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
		end := len(data)
		if name == "file" { // its footer is not read
			end = bytes.LastIndex(data, []byte("\xff\xff\xff\xff\x00\x00\x00\x00")) + 8
		}
		for n := 9; n < end; n += max(len(data)/101, 1) {
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
			if want := fmt.Sprintf("the file is cut off at byte %d, in the message that begins at byte ", n); err == nil || !strings.Contains(err.Error(), want) {
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
	for _, data := range []string{"\x00\x00\x00\x00\x00\x00\x00\x00", "ARROW1\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00"} {
		open := func(string) (io.ReadCloser, error) {
			return io.NopCloser(struct{ io.Reader }{strings.NewReader(data)}), nil
		}
		if _, err := arrow.Rows(dataset.TensorSpec(tensor.Int64), arrow.Options{Open: open}, "f").Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "it ends before its schema") {
			t.Errorf("%q: %v", data, err)
		}
	}
}
