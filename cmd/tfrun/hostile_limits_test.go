//go:build cgo && !notf && !race && linux

package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/klauspost/compress/zstd"
)

// repeat writes n bytes of a repeated pattern.
func repeat(w io.Writer, pattern string, n int64) error {
	chunk := bytes.Repeat([]byte(pattern), max(1, (1<<20)/len(pattern)))
	for n > 0 {
		part := chunk[:min(int64(len(chunk)), n)]
		if _, err := w.Write(part); err != nil {
			return err
		}
		n -= int64(len(part))
	}
	return nil
}

// bomb writes n bytes of the pattern, compressed in members of 64 MiB.
func bomb(h *hostile, name, pattern string, n int64) string {
	var member bytes.Buffer
	var z io.WriteCloser = gzip.NewWriter(&member)
	if filepath.Ext(name) == ".zst" {
		var err error
		if z, err = zstd.NewWriter(&member); err != nil {
			h.Fatal(err)
		}
	}
	const size = 64 << 20
	if err := errors.Join(repeat(z, pattern, size), z.Close()); err != nil {
		h.Fatal(err)
	}
	return h.file(name, bytes.Repeat(member.Bytes(), int(n/size)))
}

// rowsRefused says that rows of the example's classifier are refused.
func (h *hostile) rowsRefused(code int, says string, args ...string) string {
	h.Helper()
	return h.refused(code, says, append([]string{"predict", h.reviews(), "-o", "out.jsonl"}, args...)...)
}

// hostileLimits lists what goes beyond a limit that a flag sets.
func hostileLimits() []hostileCase {
	return []hostileCase{
		{"limit", "JSONL: a line of 1 GB", func(h *hostile) string {
			rows := h.stream("rows.jsonl", func(w io.Writer) error { return repeat(w, "1,", 1e9) })
			return h.rowsRefused(3, "rows.jsonl:1: the line is longer", rows)
		}},
		{"limit", "JSONL: a line of 1 GB, `--skip-bad-rows`, and a good row after it", func(h *hostile) string {
			rows := h.stream("rows.jsonl", func(w io.Writer) error {
				return errors.Join(repeat(w, "1,", 1e9), repeat(w, "\n[1, 2, 3]\n", 11))
			})
			r := h.run(nil, "predict", h.reviews(), rows, "--skip-bad-rows")
			if n := strings.Count(r.stdout, "\n"); n != 2 || !strings.Contains(r.stdout, `{"error":"rows.jsonl:1: the line is longer`) {
				h.Errorf("%d rows: %s", n, short(r.stdout))
			}
			return h.want(r, 4, "") + ": one row with an error, one with a result"
		}},
		{"limit", "JSONL: a row of 40 million tokens", func(h *hostile) string {
			rows := h.stream("rows.jsonl", func(w io.Writer) error {
				return errors.Join(repeat(w, "[", 1), repeat(w, "1,", 80e6), repeat(w, "1]\n", 3))
			})
			return h.rowsRefused(3, "rows.jsonl:1", rows)
		}},
		{"limit", "JSONL: 40 million strings in a row", func(h *hostile) string {
			rows := h.stream("rows.jsonl", func(w io.Writer) error {
				return errors.Join(repeat(w, "[", 1), repeat(w, `"",`, 120e6), repeat(w, `""]`, 3))
			})
			return h.refused(3, "rows.jsonl:1", "predict", h.model("mod_strings"), rows, "-o", "out.jsonl")
		}},
		{"limit", "JSONL: arrays nested 500,000 deep", func(h *hostile) string {
			rows := h.file("rows.jsonl", []byte(strings.Repeat("[", 500_000)+strings.Repeat("]", 500_000)))
			return h.rowsRefused(3, "rows.jsonl:1", rows)
		}},
		{"limit", "JSONL: arrays nested 500,000 deep in a key that is no input", func(h *hostile) string {
			rows := h.file("rows.jsonl", []byte(`{"x":`+strings.Repeat("[", 500_000)+strings.Repeat("]", 500_000)+`,"keras_tensor":[1]}`))
			return h.rowsRefused(3, "deeper than 64 levels", rows)
		}},
		{"limit", "JSONL: objects nested 500,000 deep, for a model whose input has any rank", func(h *hostile) string {
			rows := h.file("rows.jsonl", []byte(strings.Repeat(`{"x":`, 500_000)))
			return h.refused(3, "rows.jsonl:1", "predict", h.model("mod_unknown_rank"), rows, "--outputs", "y", "-o", "out.jsonl")
		}},
		{"limit", "JSONL: a number of 100 MB", func(h *hostile) string {
			rows := h.stream("rows.jsonl", func(w io.Writer) error {
				return errors.Join(repeat(w, "[", 1), repeat(w, "1", 100e6), repeat(w, "]\n", 2))
			})
			r := h.run(nil, "predict", h.reviews(), rows, "-o", "out.jsonl")
			h.want(r, 3, " does not fit float32")
			return "exit 3: it does not fit float32, says a line of 2,018 bytes"
		}},
		{"limit", "JSONL: 3 million keys in an object", func(h *hostile) string {
			rows := h.stream("rows.jsonl", func(w io.Writer) error {
				for i := range 3_000_000 {
					if _, err := fmt.Fprintf(w, `%c"k%d":1`, "{,"[min(i, 1)], i); err != nil {
						return err
					}
				}
				return repeat(w, "}\n", 2)
			})
			return h.rowsRefused(3, "rows.jsonl:1", rows)
		}},
		{"limit", "`.gz`: 10 GB of empty lines in 10 MB", func(h *hostile) string {
			return h.rowsRefused(3, "times as many", bomb(h, "rows.jsonl.gz", "\n", 10<<30))
		}},
		{"limit", "`.gz`: 10 GB without a line's end in 10 MB", func(h *hostile) string {
			return h.rowsRefused(3, "rows.jsonl.gz", bomb(h, "rows.jsonl.gz", "[", 10<<30))
		}},
		{"limit", "`.zst`: 100 GB of empty lines", func(h *hostile) string {
			return h.rowsRefused(3, "times as many", bomb(h, "rows.jsonl.zst", "\n", 100<<30))
		}},
		{"limit", "`.npy.gz`: 100 GB of zeros", func(h *hostile) string {
			return h.rowsRefused(1, "rows.npy.gz", bomb(h, "rows.npy.gz", "\x00", 100<<30))
		}},
		{"limit", "`.parquet.gz`: 100 GB that begin as Parquet does, which would be copied to a temporary file", func(h *hostile) string {
			return h.rowsRefused(3, "times as many", bomb(h, "rows.parquet.gz", "PAR1", 100<<30))
		}},
		{"limit", "text: a line of 1 GB", func(h *hostile) string {
			rows := h.stream("rows.txt", func(w io.Writer) error { return repeat(w, "x", 1e9) })
			return h.rowsRefused(3, "rows.txt:1: the line is longer", rows, "--vocab", h.vocab())
		}},
		{"limit", "text: 100 MB in a line, encoded to ids", func(h *hostile) string {
			rows := h.stream("rows.txt", func(w io.Writer) error { return repeat(w, "good film ", 100e6) })
			return h.rowsRefused(3, "rows.txt:1", rows, "--vocab", h.vocab())
		}},
		{"limit", "CSV: a quote over 1 GB that does not end", func(h *hostile) string {
			rows := h.stream("rows.csv", func(w io.Writer) error {
				return errors.Join(repeat(w, "keras_tensor\n\"", 14), repeat(w, "1,\n", 1e9))
			})
			return h.rowsRefused(3, "is there a quote that does not end?", rows)
		}},
		{"limit", "CSV: 10 million columns", func(h *hostile) string {
			rows := h.stream("rows.csv", func(w io.Writer) error {
				return errors.Join(repeat(w, "a,", 20e6), repeat(w, "b\n", 2), repeat(w, "1,", 20e6), repeat(w, "1\n", 2))
			})
			return h.rowsRefused(1, "more than 1048576 columns", rows)
		}},
		{"limit", "`--pad-to` a trillion", func(h *hostile) string {
			return h.rowsRefused(3, "the row takes", h.file("rows.jsonl", []byte("[1]\n")), "--pad-to", "keras_tensor=1000000000000")
		}},
		{"limit", "`--padded-shape` of 2^62", func(h *hostile) string {
			return h.rowsRefused(3, "the row takes", h.file("rows.jsonl", []byte("[1]\n")), "--padded-shape", "keras_tensor=[4611686018427387904]")
		}},
		{"limit", "64 rows of a million tokens with `--max-batch-memory 1MB`", func(h *hostile) string {
			rows := h.stream("rows.jsonl", func(w io.Writer) error {
				for range 64 {
					if err := errors.Join(repeat(w, "[", 1), repeat(w, "1,", 2e6), repeat(w, "1]\n", 3)); err != nil {
						return err
					}
				}
				return nil
			})
			return h.rowsRefused(3, "a batch may take", rows, "--max-batch-memory", "1MB")
		}},
		{"limit", "a named pipe of rows that nobody writes to", func(h *hostile) string {
			if err := syscall.Mkfifo(filepath.Join(h.dir, "rows.jsonl"), 0o666); err != nil {
				h.Fatal(err)
			}
			return h.rowsRefused(1, "a pipe that nobody writes to", "rows.jsonl")
		}},
		{"limit", "`/dev/zero` as rows", func(h *hostile) string {
			return h.rowsRefused(3, "the line is longer", h.link("rows.jsonl", "/dev/zero"))
		}},
		{"limit", "`/dev/zero` as rows, `--skip-bad-rows`", func(h *hostile) string {
			return h.refused(1, "goes on for more than", "predict", h.model("k3_autoencoder"), h.link("rows.jsonl", "/dev/zero"), "--skip-bad-rows", "-o", "out.jsonl")
		}},
		{"limit", "JSON: an array of a row whose end does not come, `--skip-bad-rows`", func(h *hostile) string {
			in := io.MultiReader(strings.NewReader("[\n["), io.LimitReader(zeros{}, 4<<30))
			return h.want(h.run(in, "predict", h.model("k3_autoencoder"), "-", "--skip-bad-rows", "-o", "out.jsonl"), 1, "its end is not looked for")
		}},
		{"limit", "`/dev/zero` as an npy file", func(h *hostile) string {
			return h.rowsRefused(1, "rows.npy", h.link("rows.npy", "/dev/zero"))
		}},
		{"limit", "`/dev/zero` as a Parquet file", func(h *hostile) string {
			return h.rowsRefused(1, "is a device", h.link("rows.parquet", "/dev/zero"))
		}},
		{"limit", "`/dev/zero` as an npz file", func(h *hostile) string {
			return h.rowsRefused(1, "is a device", h.link("rows.npz", "/dev/zero"))
		}},
		{"limit", "`/dev/zero` as an Arrow file", func(h *hostile) string {
			return h.rowsRefused(1, "rows.arrow", h.link("rows.arrow", "/dev/zero"))
		}},
		{"limit", "`/dev/zero` as a vocabulary", func(h *hostile) string {
			return h.rowsRefused(1, "larger than", h.file("rows.txt", []byte("good\n")), "--vocab", h.link("vocab", "/dev/zero"))
		}},
		{"limit", "`/dev/zero` as labels", func(h *hostile) string {
			return h.rowsRefused(1, "labels", h.file("rows.jsonl", []byte("[1]\n")), "--head", "argmax", "--labels", h.link("labels", "/dev/zero"))
		}},
		{"limit", "a vocabulary of 60 MB on one line", func(h *hostile) string {
			vocab := h.stream("vocab", func(w io.Writer) error { return repeat(w, "x", 60e6) })
			return h.passes("the one long token is none of the row's", "predict", h.reviews(), h.file("rows.txt", []byte("good\n")), "--vocab", vocab)
		}},
	}
}

// vocab names the example's vocabulary.
func (h *hostile) vocab() string {
	h.Helper()
	file, err := filepath.Abs(filepath.Join("..", "..", "examples", "reviews", "vocab.subwords"))
	if err != nil {
		h.Fatal(err)
	}
	return h.link("vocab.subwords", file)
}
