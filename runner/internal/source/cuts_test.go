package source

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// Members of gzip and frames of zstd stand one after the other; where one Read ends, within them or
// between, is nothing that their text may depend on.
func TestMemberCuts(t *testing.T) {
	parts := []string{"{\"x\":1}\n{\"x\"", "", ":2}\n", "\n{\"x\":3}"}
	for name, pack := range map[string]func(w io.Writer) (io.WriteCloser, error){
		"gzip": func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		"zstd": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	} {
		var packed bytes.Buffer
		want := ""
		for _, part := range parts {
			z, err := pack(&packed)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(z, part); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			want += part
		}
		data := packed.Bytes()
		read := func(r io.Reader) string {
			f, err := Source{Stdin: r}.Open("-")
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(f)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			return string(got)
		}
		for at := range len(data) + 1 {
			r := io.MultiReader(bytes.NewReader(data[:at]), bytes.NewReader(data[at:]))
			if got := read(r); got != want {
				t.Fatalf("%s cut at %d: %q, want %q", name, at, got, want)
			}
		}
		if got := read(iotest.OneByteReader(bytes.NewReader(data))); got != want {
			t.Errorf("%s byte by byte: %q, want %q", name, got, want)
		}
	}
}
