//go:build cgo && !notf && !race && linux

package main

import (
	"bytes"
	"io"
	"strings"
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

// hostileLimits lists what goes beyond a limit that a flag sets.
func hostileLimits() []hostileCase {
	return []hostileCase{
		{"limit", "JSONL: a line of 1 GB", func(h *hostile) string {
			rows := h.stream("rows.jsonl", func(w io.Writer) error { return repeat(w, "1,", 1e9) })
			return h.refused(3, "rows.jsonl:1: the line is longer", "predict", h.reviews(), rows, "-o", "out.jsonl")
		}},
		{"limit", "JSONL: arrays nested 500,000 deep", func(h *hostile) string {
			rows := h.file("rows.jsonl", []byte(strings.Repeat("[", 500_000)+strings.Repeat("]", 500_000)))
			return h.refused(3, "rows.jsonl:1", "predict", h.reviews(), rows, "-o", "out.jsonl")
		}},
	}
}
