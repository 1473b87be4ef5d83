package source

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"pgregory.net/rapid"
)

// readAll reads a file of a source.
func readAll(src Source, name string) (string, error) {
	f, err := src.Open(name)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(f)
	return string(b), errors.Join(err, f.Close())
}

// inUTF16 returns text in UTF-16 behind its mark.
func inUTF16(order binary.AppendByteOrder, text string) []byte {
	b := order.AppendUint16(nil, 0xfeff)
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

// orders are those of the bytes of UTF-16.
var orders = map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian}

// TestUTF16 reads text of any characters in UTF-16, from files, compressed ones and standard input,
// in pieces of one byte too.
func TestUTF16(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		// A text that begins with a zero would have the mark of UTF-32.
		want := "a" + rapid.String().Draw(t, "text")
		if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
			want += strings.Repeat("x,é,😀\r\n", 2500)
		}
		for name, order := range orders {
			data := inUTF16(order, want)
			path := filepath.Join(dir, name+".csv")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := readAll(Source{}, path); err != nil || got != want {
				t.Fatalf("%s: %q is read as %q, %v", name, want, got, err)
			}
			var zipped bytes.Buffer
			z := gzip.NewWriter(&zipped)
			_, _ = z.Write(data)
			_ = z.Close()
			for _, in := range []io.Reader{bytes.NewReader(data), iotest.OneByteReader(bytes.NewReader(data)), &zipped} {
				if got, err := readAll(Source{Stdin: in}, "-"); err != nil || got != want {
					t.Fatalf("%s, from standard input: %q is read as %q, %v", name, want, got, err)
				}
			}
		}
	})
}

// TestUTF16Damaged cuts text in UTF-16 off at every byte, and takes halves of pairs out.
func TestUTF16Damaged(t *testing.T) {
	t.Parallel()
	for name, order := range orders {
		whole := inUTF16(order, "a😀b")
		for n := 2; n < len(whole); n++ {
			got, err := readAll(Source{Stdin: bytes.NewReader(whole[:n])}, "-")
			if half := n%2 == 1 || n == 6; half != (err != nil) || half && !strings.Contains(err.Error(), "cut off") {
				t.Errorf("%s: %d bytes are read as %q, %v", name, n, got, err)
			}
		}
		for _, at := range []int{4, 6} {
			lone := append(append([]byte{}, whole[:at]...), whole[at+2:]...)
			if got, err := readAll(Source{Stdin: bytes.NewReader(lone)}, "-"); err == nil || !strings.Contains(err.Error(), "half a surrogate pair stands alone at byte 4 ") {
				t.Errorf("%s: half a pair is read as %q, %v", name, got, err)
			}
		}
	}
}
