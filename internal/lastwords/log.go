package lastwords

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tfrun/tfrun/internal/crash"
)

// Log takes what is written to standard error by TensorFlow and by others, and tells them apart:
// lines of TensorFlow's log are records of a logger, everything else goes on as it is, byte for
// byte. Nothing is lost: what may become a line of the log waits for its end, other text does not.
//
// A message of several lines is one record where TensorFlow writes it at once, as it does.
//
// Write may be called from many goroutines. The logger is called from another one, in order, so
// that a handler that takes its time does not hold TensorFlow up.
type Log struct {
	To   *slog.Logger
	Rest io.Writer // gets what is no line of the log

	mu      sync.Mutex
	line    []byte // the beginning of a line that may be one of the log
	passing bool   // in the middle of a line that is none

	queue   []entry
	dropped int
	busy    chan struct{} // closed when the queue is empty; nil where nobody empties it
}

// entry is a line of the log, with those that follow it.
type entry struct {
	level      slog.Level
	text, file string
	line       int
	fatal      bool
}

// mostQueued bounds the records that wait for a slow handler; later ones are counted.
const mostQueued = 10_000

// head matches how TensorFlow's log begins a line, in releases before 2.20 and since:
//
//	2026-01-31 12:00:00.000000: I tensorflow/core/platform/cpu_feature_guard.cc:210] …
//	I0000 00:00:1769860800.000000    1234 port.cc:153] …
var head = regexp.MustCompile(`^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: ([IWEF]) |([IWEF])\d{4} \d\d:\d\d:\d+\.\d+\s+\d+ )([^ :\]]+):(\d+)\] `)

// preface is what Abseil writes once, before its first line.
const preface = "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR"

// templates are how lines of the log begin: 0 stands for a digit, L for a letter of a level.
var templates = []string{"0000-00-00 00:00:00.000", "L0000 00:00:00"}

// mayBegin says whether a text may be the beginning of a line of the log.
func mayBegin(text []byte) bool {
	if n := min(len(text), len(preface)); string(text[:n]) == preface[:n] {
		return true
	}
	for _, t := range templates {
		fits := true
		for i := 0; i < min(len(t), len(text)) && fits; i++ {
			switch c := text[i]; t[i] {
			case '0':
				fits = c >= '0' && c <= '9'
			case 'L':
				fits = strings.IndexByte("IWEF", c) >= 0
			default:
				fits = c == t[i]
			}
		}
		if fits {
			return true
		}
	}
	return false
}

// Write takes a piece of what is written to standard error.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var last *entry // the record that this piece began
	for rest := b; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		rest = after
		switch {
		case l.passing:
			l.pass(line, whole)
		case len(l.line) == 0 && last != nil && whole && !mayBegin(line):
			last.text += "\n" + string(line)
		default:
			l.line = append(l.line, line...)
			if !mayBegin(l.line) || len(l.line) > maxWord {
				l.passLine(whole)
			} else if whole {
				last = l.take()
			}
		}
	}
	if len(l.queue) > 0 && l.busy == nil {
		l.busy = make(chan struct{})
		crash.Go(func() error {
			l.drain()
			return nil
		}, func(error) {}) // the logger's own: nobody is left to tell
	}
	if last != nil && last.fatal {
		l.await()
	}
	return len(b), nil
}

// await gives the logger a moment to take what is there: the process ends after a fatal line.
func (l *Log) await() {
	busy := l.busy
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-busy:
	case <-time.After(time.Second):
	}
}

// pass hands on a part of a line that is none of the log.
func (l *Log) pass(line []byte, whole bool) {
	l.passing = !whole
	if whole {
		line = append(bytes.Clone(line), '\n')
	}
	_, _ = l.Rest.Write(line) // whoever does not listen misses it
}

// passLine hands on the beginning of a line that turned out to be none of the log.
func (l *Log) passLine(whole bool) {
	l.pass(l.line, whole)
	l.line = l.line[:0]
}

// take takes a whole line. It returns the record that the line began, nil where it is none.
func (l *Log) take() *entry {
	text := string(l.line)
	m := head.FindStringSubmatchIndex(text)
	switch {
	case m == nil && strings.TrimRight(text, "\r") == preface:
		l.line = l.line[:0]
		return nil // it is of no use without standard error
	case m == nil:
		l.passLine(true)
		return nil
	}
	l.line = l.line[:0]
	part := func(i int) string {
		if m[2*i] < 0 {
			return ""
		}
		return text[m[2*i]:m[2*i+1]]
	}
	e := entry{text: text[m[1]:], file: part(3)}
	e.line, _ = strconv.Atoi(part(4))
	switch part(1) + part(2) {
	case "I":
		e.level = slog.LevelInfo
	case "W":
		e.level = slog.LevelWarn
	case "F":
		e.fatal = true
		// The process is about to end, and whoever looks at its last words looks there.
		_, _ = io.WriteString(l.Rest, text+"\n")
		fallthrough
	default:
		e.level = slog.LevelError
	}
	if len(l.queue) >= mostQueued {
		l.dropped++
		return &e
	}
	l.queue = append(l.queue, e)
	return &l.queue[len(l.queue)-1]
}

// SetLogger makes the log go to another logger from here on.
func (l *Log) SetLogger(to *slog.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.To = to
}

// drain hands records to the logger until there are no more.
func (l *Log) drain() {
	for {
		l.mu.Lock()
		queue, dropped := l.queue, l.dropped
		l.queue, l.dropped = nil, 0
		if len(queue) == 0 {
			close(l.busy)
			l.busy = nil
			l.mu.Unlock()
			return
		}
		to := l.To
		l.mu.Unlock()
		ctx := context.Background()
		for _, e := range queue {
			to.LogAttrs(ctx, e.level, strings.TrimRight(e.text, "\r\n "), slog.String("file", e.file), slog.Int("line", e.line))
		}
		if dropped > 0 {
			to.LogAttrs(ctx, slog.LevelWarn, "lines of TensorFlow's log were left out: the handler is too slow", slog.Int("lines", dropped))
		}
	}
}
