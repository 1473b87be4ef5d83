package partfile

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeRows(t *testing.T, p *File, rows ...string) {
	t.Helper()
	for _, r := range rows {
		if _, err := p.Write([]byte(r)); err != nil {
			t.Fatal(err)
		}
		if err := p.Checkpoint(p.rows+1, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFileAppearsWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out")
	p, err := Open(t.Context(), path, Identity{"a": "1"}, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	writeRows(t, p, "one\n", "two\n")
	if _, err := os.Stat(path); err == nil {
		t.Error("the file has its name before it is whole")
	}
	if _, err := Open(t.Context(), path, Identity{"a": "1"}, false, 0); err == nil {
		t.Error("a second run into the same output was let in")
	}
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || string(data) != "one\ntwo\n" {
		t.Errorf("%q, %v", data, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A run that is cut off at any byte of either file goes on to the same result.
func TestFileResumesFromEveryCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	rows := []string{"one\n", "two\n", "three\n", "four\n"}
	whole := strings.Join(rows, "")
	data, journal := workNames(path)
	p, err := Open(t.Context(), path, Identity{"a": "1"}, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[:3] {
		writeRows(t, p, r)
	}
	if err := p.Leave(); err != nil {
		t.Fatal(err)
	}
	fullData, _ := os.ReadFile(data)
	fullJournal, err := os.ReadFile(journal)
	if err != nil || len(fullJournal) < 20 {
		t.Fatalf("journal %q, %v", fullJournal, err)
	}
	resumed := 0
	for cutData := range len(fullData) + 1 {
		for cutJournal := range len(fullJournal) + 1 {
			if err := errors.Join(os.WriteFile(data, fullData[:cutData], 0o600), os.WriteFile(journal, fullJournal[:cutJournal], 0o600)); err != nil {
				t.Fatal(err)
			}
			p, err := Open(t.Context(), path, Identity{"a": "1"}, true, 0)
			if err != nil {
				t.Fatalf("cut at %d and %d: %v", cutData, cutJournal, err)
			}
			if p.rows > 0 {
				resumed++
			}
			writeRows(t, p, rows[p.rows:]...)
			if err := p.Commit(); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != whole {
				t.Fatalf("cut at %d and %d: %q, %v", cutData, cutJournal, got, err)
			}
		}
	}
	if resumed == 0 {
		t.Error("no cut run was gone on with")
	}
}

func TestFileRefusesAnotherRun(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out")
	p, err := Open(t.Context(), path, Identity{"batch size": "64"}, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	writeRows(t, p, "one\n")
	if err := p.Leave(); err != nil {
		t.Fatal(err)
	}
	var resume *ResumeError
	if _, err := Open(t.Context(), path, Identity{"batch size": "32"}, true, 0); !errors.As(err, &resume) || !strings.Contains(err.Error(), "batch size was 64, is 32") {
		t.Errorf("resume with other options = %v, want a *ResumeError that says so", err)
	}
	p, err = Open(t.Context(), path, Identity{"batch size": "32"}, false, 0)
	if err != nil || p.rows != 0 {
		t.Fatalf("a new run began with %v rows, %v", p, err)
	}
	if err := p.Remove(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Bytes that are not those that were written do not go into a result: the run goes on from before
// them, or not at all.
func TestFileDamaged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out")
	data, journal := workNames(path)
	begin := func() {
		p, err := Open(t.Context(), path, Identity{"a": "1"}, false, 0)
		if err != nil {
			t.Fatal(err)
		}
		writeRows(t, p, "one\n", "two\n", "three\n")
		if err := p.Leave(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, file string
		change     func([]byte) []byte
		rows       int64 // -1: refused
	}{
		{"a byte of the last row", data, func(b []byte) []byte { b[len(b)-2] ^= 1; return b }, 2},
		{"a byte of the first row", data, func(b []byte) []byte { b[0] ^= 1; return b }, -1},
		{"another file", data, func([]byte) []byte { return []byte(strings.Repeat("foreign", 10)) }, -1},
		{"a longer file", data, func(b []byte) []byte { return append(b, "more"...) }, 3},
		{"nothing left", data, func([]byte) []byte { return nil }, 0},
		{"a journal of something else", journal, func([]byte) []byte { return []byte("some text\n") }, -1},
		{"a line that is none", journal, func(b []byte) []byte { return append(b, "x y z\n"...) }, -1},
		{"a line that is cut off", journal, func(b []byte) []byte { return append(b, "400 10"...) }, 3},
		{"no journal", journal, func([]byte) []byte { return nil }, 0},
	} {
		begin()
		b, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.file, c.change(b), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Open(t.Context(), path, Identity{"a": "1"}, true, 0)
		var resume *ResumeError
		switch {
		case c.rows < 0 && !errors.As(err, &resume):
			t.Errorf("%s: %v, want a *ResumeError", c.name, err)
		case c.rows >= 0 && (err != nil || p.rows != c.rows):
			t.Errorf("%s: %+v, %v, want to go on after %d rows", c.name, p, err, c.rows)
		}
		if err == nil {
			if err := p.Leave(); err != nil {
				t.Error(err)
			}
		}
	}
}

// interrupted leaves a run of three rows, and returns the files of its work.
func interrupted(t *testing.T, path string) (data, journal string) {
	t.Helper()
	p, err := Open(t.Context(), path, Identity{"a": "1"}, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	writeRows(t, p, "one\n", "two\n", "three\n")
	if err := p.Leave(); err != nil {
		t.Fatal(err)
	}
	return workNames(path)
}

// A journal of which any bit is another is refused, or says of fewer rows what is true of them: a
// changed number of rows would leave rows out, or write them twice.
func TestJournalDamaged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out")
	data, journal := interrupted(t, path)
	text, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(whole) {
		changed := bytes.Clone(whole)
		changed[bit/8] ^= 1 << (bit % 8)
		if err := errors.Join(os.WriteFile(journal, changed, 0o600), os.WriteFile(data, text, 0o600)); err != nil {
			t.Fatal(err)
		}
		p, err := Open(t.Context(), path, Identity{"a": "1"}, true, 0)
		var resume *ResumeError
		if err != nil {
			if !errors.As(err, &resume) {
				t.Errorf("bit %d: %v, want a *ResumeError", bit, err)
			}
			continue
		}
		if got := int64(bytes.Count(text[:p.Spool.size], []byte("\n"))); p.rows != got {
			t.Errorf("bit %d: goes on after %d rows with %d written", bit, p.rows, got)
		}
		if err := p.Leave(); err != nil {
			t.Fatal(err)
		}
	}
}

// A journal may be of any size, at its beginning and behind lines that are true: what is no line is
// not held in memory.
func TestJournalWithoutNewlines(t *testing.T) {
	t.Parallel()
	for _, lines := range []int{0, 1, 4} {
		path := filepath.Join(t.TempDir(), "out")
		_, journal := interrupted(t, path)
		text, err := os.ReadFile(journal)
		if err != nil {
			t.Fatal(err)
		}
		kept := bytes.Join(bytes.SplitAfter(text, []byte("\n"))[:lines], nil)
		if err := os.WriteFile(journal, kept, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(journal, 1<<40); err != nil {
			t.Skipf("the file system holds no file of 1 TiB: %v", err)
		}
		var resume *ResumeError
		if _, err := Open(t.Context(), path, Identity{"a": "1"}, true, 0); !errors.As(err, &resume) {
			t.Errorf("zeros behind %d lines: %v, want a *ResumeError", lines, err)
		}
	}
}

// A run whose directory is taken away ends soon, and not when all rows are done.
func TestFileGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := Open(t.Context(), filepath.Join(dir, "out"), Identity{"a": "1"}, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	writeRows(t, p, "one\n")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	var gone *OutputFileError
	if err := p.Checkpoint(2, nil); !errors.As(err, &gone) || gone.Hints() != nil {
		t.Errorf("wrote = %v, want an *OutputFileError without hints", err)
	}
	if err := p.Leave(); err != nil {
		t.Error(err)
	}
}

// A run that is interrupted stops writing too, which may take its time where a file is put together
// in the end.
func TestFileStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p, err := Open(ctx, filepath.Join(t.TempDir(), "out"), Identity{"a": "1"}, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	writeRows(t, p, "one\n")
	cancel()
	if _, err := p.Write([]byte("two\n")); !errors.Is(err, context.Canceled) {
		t.Errorf("Write = %v after the end", err)
	}
	if err := p.Remove(); err != nil {
		t.Error(err)
	}
}

// What is long enough goes to the disk while the run goes on, once; what is shorter waits.
func TestFileIsWrittenBack(t *testing.T) {
	t.Parallel()
	p, err := Open(t.Context(), filepath.Join(t.TempDir(), "out"), Identity{"a": "1"}, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close() //nolint:errcheck // nothing is read again
	long := strings.Repeat("x", lineBytes)
	for _, step := range []struct {
		rows string
		back int64
	}{{"short\n", 0}, {long, lineBytes + 6}, {"short\n", lineBytes + 6}, {long, 2*lineBytes + 12}} {
		writeRows(t, p, step.rows)
		if p.back != step.back {
			t.Fatalf("after %d bytes %d are on their way to the disk, want %d", p.size, p.back, step.back)
		}
	}
	if err := p.truncate(spoolMark{size: 3}); err != nil || p.back != 3 {
		t.Errorf("cut to 3 bytes: %v, and %d are on their way", err, p.back)
	}
}
