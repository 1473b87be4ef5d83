package source

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/tensor"
)

// compressedBy returns data as each compression has it.
func compressedBy(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"plain": data}
	for name, open := range map[string]func(io.Writer) io.WriteCloser{
		"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"zlib": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
	} {
		var b bytes.Buffer
		w := open(&b)
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		all[name] = b.Bytes()
	}
	return all
}

// TestCompression opens compressed files whose names do not say so, as files and as standard input.
func TestCompression(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w, err := tfrecord.NewWriter(&b, dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32)}), tfrecord.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar[float32](1.5)}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		data    []byte
		records bool
		ways    string
	}{
		{"text", []byte("{\"x\":1}\n"), false, "plain gzip zstd"},
		{"x^2,y", []byte("x^2,y\n1,2\n"), false, "plain gzip zstd"},
		{"a bracket", []byte("("), false, "plain gzip zstd"},
		{"nothing", nil, false, "plain gzip"},
		{"records", b.Bytes(), true, "plain gzip zstd zlib"},
		{"no records", nil, true, "plain gzip zlib"},
	} {
		for way, data := range compressedBy(t, test.data) {
			if !strings.Contains(test.ways, way) {
				continue
			}
			t.Run(test.name+" "+way, func(t *testing.T) {
				t.Parallel()
				name := filepath.Join(t.TempDir(), "rows")
				if err := os.WriteFile(name, data, 0o600); err != nil {
					t.Fatal(err)
				}
				src := Source{Stdin: iotest.OneByteReader(bytes.NewReader(data))}
				for _, name := range []string{name, "-"} {
					f, err := src.openFile(name, test.records)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(f)
					if err != nil || !bytes.Equal(got, test.data) {
						t.Errorf("%s: %q, %v; want %q", name, got, err, test.data)
					}
					if err := f.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// TestStandardInputIsLeft: one that was opened and not read is whole for the next that opens it,
// and rows that come slowly are not waited for.
func TestStandardInputIsLeft(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	src := Source{Stdin: r}
	for range 2 {
		f, err := src.Open("-")
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	go func() { _, _ = w.Write([]byte("1\n")) }() // and no more
	f, err := src.Open("-")
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if n, err := f.Read(b); err != nil || string(b[:n]) != "1\n" {
		t.Errorf("%q, %v", b[:n], err)
	}
}
