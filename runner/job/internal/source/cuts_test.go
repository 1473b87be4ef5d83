package source

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
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

// FuzzMembers compresses a text in up to three members or frames, and reads what it was, however
// many bytes each Read gives: the text as UTF-8, or the error of it, as without compression.
func FuzzMembers(f *testing.F) {
	f.Add("{\"x\":1}\n{\"x\":2}\n", uint8(4), uint8(9), uint16(1), false)
	f.Add("{\"x\":1}\n{\"x\":2}\n", uint8(0), uint8(9), uint16(16), true)
	f.Add("\xfe\xff\x00{\x00}\x00\n", uint8(1), uint8(9), uint16(0), false)
	f.Add("\xff\xfe{\x00}\x00\n", uint8(0), uint8(2), uint16(39), true)
	f.Fuzz(func(t *testing.T, text string, one, two uint8, size uint16, frames bool) {
		i := min(int(one), len(text))
		j := min(max(i, int(two)), len(text))
		var packed bytes.Buffer
		for _, part := range []string{text[:i], text[i:j], text[j:]} {
			var z io.WriteCloser = gzip.NewWriter(&packed)
			if frames {
				z, _ = zstd.NewWriter(&packed, zstd.WithEncoderConcurrency(1))
			}
			_, err := io.WriteString(z, part)
			if err = errors.Join(err, z.Close()); err != nil {
				t.Fatal(err)
			}
		}
		var pieces []io.Reader
		for piece := range slices.Chunk(packed.Bytes(), int(size)+1) {
			pieces = append(pieces, bytes.NewReader(piece))
		}
		read := func(in io.Reader) (string, error) {
			r, err := Source{Stdin: in}.Open("-")
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			return string(got), errors.Join(err, r.Close())
		}
		want, wantErr := text, error(nil)
		if utf16Order([]byte(text)) != nil {
			want, wantErr = read(strings.NewReader(text))
		}
		got, err := read(io.MultiReader(pieces...))
		if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("read %d bytes at a time: %q, %v; want %q, %v", int(size)+1, got, err, want, wantErr)
		}
	})
}
