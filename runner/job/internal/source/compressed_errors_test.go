package source

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// What is wrong with a compressed file is said in words of its own, whoever reads it.
func TestCompressionErrors(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("[1,2,3]\n"), 1000)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	packed := b.Bytes()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	zpacked := z.EncodeAll(text, nil)
	damaged := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)-1]++ // of the length, or the checksum
		return b
	}
	for name, tt := range map[string]struct {
		ext  string
		data []byte
		want string
	}{
		"whole":                 {".gz", packed, ""},
		"twice":                 {".gz", slices.Concat(packed, packed), ""},
		"empty":                 {".gz", nil, ""},
		"empty zstd":            {".zst", nil, ""},
		"cut off":               {".gz", packed[:len(packed)/2], "the gzip data is cut off"},
		"cut off in its head":   {".gz", packed[:5], "the gzip data is cut off"},
		"cut off zstd":          {".zst", zpacked[:len(zpacked)/2], "the zstd data is cut off"},
		"plain":                 {".gz", text, "is not compressed with gzip"},
		"plain and short":       {".gz", []byte("[1]\n"), "is not compressed with gzip"},
		"plain zstd":            {".zst", text, "is not compressed with zstd"},
		"a line behind it":      {".gz", slices.Concat(packed, text), "bytes that are none stand behind the gzip data"},
		"a byte behind it":      {".gz", slices.Concat(packed, []byte("x")), "the gzip data is cut off, or other bytes stand behind it"},
		"a line behind it zstd": {".zst", slices.Concat(zpacked, text), "bytes that are none stand behind the zstd data"},
		"damaged":               {".gz", damaged(packed), "the gzip data is damaged: gzip: invalid checksum"},
		"damaged zstd":          {".zst", damaged(zpacked), "the zstd data is damaged: "},
	} {
		path := filepath.Join(t.TempDir(), "rows"+tt.ext)
		if err := os.WriteFile(path, tt.data, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Source{}.openFile(path, false)
		if err == nil {
			_, err = io.ReadAll(f)
			if closed := f.Close(); closed != nil {
				t.Error(closed)
			}
		}
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// An error of reading the compressed bytes stays what it is.
func TestCompressionReadError(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte("[1]\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the cable was pulled")
	f, err := Source{Stdin: io.MultiReader(&b, iotest.ErrReader(broken))}.openFile("-", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(f); !errors.Is(err, broken) || err.Error() != broken.Error() {
		t.Errorf("read = %v, want %v", err, broken)
	}
}
