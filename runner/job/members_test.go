package job

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
)

// writeMembers writes lines up to one into a compressed file, going on where an earlier call
// stopped; it makes the file whole after the last of all.
func writeMembers(t *testing.T, path string, stop, all int) {
	t.Helper()
	m, err := compressor(path, source.Format{Name: "jsonl", Lines: true})
	if err != nil {
		t.Fatal(err)
	}
	file, err := partfile.Open(t.Context(), path, partfile.Identity{"a": "b"}, true, 0)
	if err != nil {
		t.Fatal(err)
	}
	m.file = file
	for i := int(m.file.Rows()); i < stop; i++ {
		if _, err := m.Write(line(i)); err != nil {
			t.Fatal(err)
		}
		if m.CheckpointDue(time.Time{}) {
			if err := m.Checkpoint(int64(i+1), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if stop < all {
		err = file.Leave()
	} else {
		err = errors.Join(m.finish(), file.Commit())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func line(i int) []byte {
	return fmt.Appendf(nil, "%d %s\n", i, bytes.Repeat([]byte{'a' + byte(i%26)}, 100<<10))
}

// A compressed file is, wherever its run was interrupted, byte for byte that of one run, and holds
// every line once.
func TestMembers(t *testing.T) {
	const lines = 40
	for _, ext := range []string{".gz", ".zst"} {
		dir := t.TempDir()
		whole := filepath.Join(dir, "whole.jsonl"+ext)
		writeMembers(t, whole, lines, lines)
		want, err := os.ReadFile(whole)
		if err != nil {
			t.Fatal(err)
		}
		f, err := source.Source{}.Open(whole)
		if err != nil {
			t.Fatal(err)
		}
		var text []byte
		for i := range lines {
			text = append(text, line(i)...)
		}
		got, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes of text, want %d: %v", ext, len(got), len(text), err)
		}
		step := 1
		if testing.Short() { // one goroutine writes them
			step = 8
		}
		for stop := 0; stop < lines; stop += step {
			path := filepath.Join(dir, fmt.Sprint(stop, ".jsonl", ext))
			writeMembers(t, path, stop, lines)
			writeMembers(t, path, lines, lines)
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: stopped after %d lines: %d bytes, want %d: %v", ext, stop, len(got), len(want), err)
			}
		}
		empty := filepath.Join(dir, "empty.jsonl"+ext)
		writeMembers(t, empty, 0, 0)
		if f, err = (source.Source{}).Open(empty); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); err != nil || len(got) > 0 {
			t.Errorf("%s: %q of no lines: %v", ext, got, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"x.parquet.gz", "x.npy.zst"} {
		if err := (Job{Output: name}).Validate(); !errors.As(err, new(*runner.OptionError)) {
			t.Errorf("output %s: %v", name, err)
		}
	}
}
