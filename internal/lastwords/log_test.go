package lastwords

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// records is a handler that keeps what it gets, as one line each.
type records struct {
	mu    sync.Mutex
	lines []string
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) WithGroup(string) slog.Handler            { return r }

func (r *records) Handle(_ context.Context, rec slog.Record) error {
	line := rec.Level.String() + " " + rec.Message
	rec.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	return nil
}

// wait waits until all records are with the handler.
func (l *Log) wait() {
	l.mu.Lock()
	busy := l.busy
	l.mu.Unlock()
	if busy != nil {
		<-busy
	}
}

func newLog() (*Log, *records, *bytes.Buffer) {
	r, rest := &records{}, &bytes.Buffer{}
	return &Log{To: slog.New(r), Rest: rest}, r, rest
}

func TestLog(t *testing.T) {
	t.Parallel()
	const old, new = "2026-01-31 12:00:00.123456: ", "0000 00:00:1769860800.000000    1234 "
	for _, tt := range []struct {
		name       string
		writes     []string
		want, rest string
	}{
		{"levels", []string{
			old + "I tensorflow/a.cc:10] one\n", "W" + new + "b.cc:2] two\n", "E" + new + "c.cc:3] three: x] y\n", old + "E d.cc:4] \n",
		}, "INFO one file=tensorflow/a.cc line=10|WARN two file=b.cc line=2|ERROR three: x] y file=c.cc line=3|ERROR  file=d.cc line=4", ""},
		{"lines of one message", []string{"I" + new + "a.cc:1] one\nTo enable more\n  and more\n", "mine\n"}, "INFO one\nTo enable more\n  and more file=a.cc line=1", "mine\n"},
		{"two in one write", []string{"I" + new + "a.cc:1] one\nI" + new + "a.cc:2] two\n"}, "INFO one file=a.cc line=1|INFO two file=a.cc line=2", ""},
		{"in pieces", []string{old[:7], old[7:] + "I a.cc:1", "] o", "ne\n", "x\n"}, "INFO one file=a.cc line=1", "x\n"},
		{"text of others at once", []string{"password: ", "12", "\n"}, "", "password: 12\n"},
		{"nearly a line of the log", []string{"2026-01-31 12:00:00.123456: X a\n", "I0000\n", "I0000 00:00:1 x\n"}, "", "2026-01-31 12:00:00.123456: X a\nI0000\nI0000 00:00:1 x\n"},
		{"Abseil's preface", []string{preface + "\n", "WARNING: of others\n"}, "", "WARNING: of others\n"},
		{"in the middle of a line", []string{"half ", "I" + new + "a.cc:1] one\n", "I" + new + "a.cc:1] two\n"}, "INFO two file=a.cc line=1", "half I" + new + "a.cc:1] one\n"},
		{"fatal", []string{"F" + new + "a.cc:1] Check failed: x\n"}, "ERROR Check failed: x file=a.cc line=1", "F" + new + "a.cc:1] Check failed: x\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, r, rest := newLog()
			for _, w := range tt.writes {
				if n, err := l.Write([]byte(w)); n != len(w) || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			}
			l.wait()
			if got := strings.Join(r.lines, "|"); got != tt.want || rest.String() != tt.rest {
				t.Errorf("records %q, rest %q; want %q, %q", got, rest, tt.want, tt.rest)
			}
		})
	}
}

// A handler that hangs holds nobody up; what is too much for it is counted.
func TestLogSlowHandler(t *testing.T) {
	t.Parallel()
	r := &records{}
	l := &Log{To: slog.New(r), Rest: &bytes.Buffer{}}
	r.mu.Lock()
	const lines = 3 * mostQueued
	for i := range lines {
		_, _ = fmt.Fprintf(l, "I0000 00:00:1769860800.000000    1234 a.cc:%d] x\n", i)
	}
	r.mu.Unlock()
	l.wait()
	last := r.lines[len(r.lines)-1]
	var left int
	if _, err := fmt.Sscanf(last[strings.LastIndex(last, "="):], "=%d", &left); err != nil || left+len(r.lines)-1 != lines {
		t.Errorf("%d records, the last one %q, of %d", len(r.lines), last, lines)
	}
}

// FuzzLog holds that nothing is lost, whatever is written in whatever pieces: text that holds no
// line of the log goes on byte for byte, but for a line that is not whole yet.
func FuzzLog(f *testing.F) {
	f.Add("a\nI0000 00:00:1769860800.000000    1234 a.cc:1] x\nmore\nb", 3)
	f.Add("2026-01-31 12:00:00.123456: W a.cc:10] one\r\n2026-01-3", 7)
	f.Add(preface+"\nWARNING\n", 1000)
	f.Fuzz(func(t *testing.T, text string, piece int) {
		piece = max(piece&0xff, 1)
		l, r, rest := newLog()
		for left := text; left != ""; {
			n := min(piece, len(left))
			_, _ = l.Write([]byte(left[:n]))
			left = left[n:]
		}
		l.wait()
		got := rest.String() + string(l.line)
		ours := strings.Contains(text, preface)
		for line := range strings.Lines(text) {
			ours = ours || head.MatchString(line)
		}
		if !ours && got != text || len(r.lines) > strings.Count(text, "\n") {
			t.Errorf("%q went on as %q, with %d records", text, got, len(r.lines))
		}
		for _, line := range strings.Split(strings.TrimSuffix(got, "\n"), "\n") {
			if !strings.Contains(text, line) {
				t.Errorf("%q is not of %q", line, text)
			}
		}
	})
}
